/* prime - auth's own enforcement point knows at the start what its stream will say in a moment.
 *
 * auth subscribes to itself as everybody does, by way of the registry; until that stream is there,
 * a tenth of a second, it would refuse all tokens.
 */

#ifndef SERVICES_AUTH_PRIME_H_
#define SERVICES_AUTH_PRIME_H_

#include "libs/authz/snapshot.h"
#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/status.h"
#include "services/auth/feed.h"

/* Takes the feed as it is now into snapshot; nothing when the feed is not open. */
status prime_snapshot(struct feed *feed, struct arena *arena, struct snapshot *snapshot) NONNULL;

#endif
