/* pattern - permissions, and what grants them.
 *
 * A permission is parts between colons: "project:my-app:data:publish".  A pattern is the same with
 * "*" for exactly one part, and "**" as its last for all that follow, one at least.
 *
 *     project:*:data:read     grants  project:my-app:data:read
 *     project:my-app:**       grants  project:my-app:data:publish
 *     **                      grants  everything
 */

#ifndef LIBS_AUTHZ_PATTERN_H_
#define LIBS_AUTHZ_PATTERN_H_

#include "libs/base/attributes.h"

#include <stdbool.h>

enum { PATTERN_MAX_BYTES = 256, PATTERN_MAX_PARTS = 16 };

/* Whether text may be a pattern: 1 to PATTERN_MAX_PARTS parts of a-z, A-Z, 0-9, '.', '_', '-' and
 * '@', or stars as above. */
bool pattern_is_valid(const char *text) NONNULL;

/* Whether pattern grants permission, which has no stars. */
bool pattern_grants(const char *pattern, const char *permission) NONNULL;

/* Whether all that inner grants outer grants, too: nobody gives away what he has not. */
bool pattern_covers(const char *outer, const char *inner) NONNULL;

/* Whether a SPIFFE path ("agent/host-1") is meant by a pattern of options.proto's peers: "*" is
 * every path; a last part of "*" is one part or more. */
bool peer_pattern_matches(const char *pattern, const char *path) NONNULL;

#endif
