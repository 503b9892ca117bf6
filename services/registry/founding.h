/* founding - what the registry does for itself because nobody is there before it.
 *
 * It issues its own SVID from its own authority, writes the trust bundle that the first agent is
 * given, and makes a join token for it:
 *
 *     svid/svid.pem, svid/bundle.pem     its identity, as libs/mesh/identity.h has it; renewed at 8
 * h bundle.pem                         the authorities, for agents that have yet to join join_token
 * one use, good for an hour; whoever reads it is in
 *
 * All in the folder that it is given, mode 0600.
 */

#ifndef SERVICES_REGISTRY_FOUNDING_H_
#define SERVICES_REGISTRY_FOUNDING_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/clock.h"
#include "libs/base/files.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/store/store.h"
#include "services/registry/ca.h"

#include <stdint.h>

enum {
    FOUNDING_RENEW_MS = 8 * 3600 * 1000, /* a third of an SVID's life: two failures are survived */
    FOUNDING_TOKEN_MS = 3600 * 1000,     /* the agent starts right after the registry */
};

/* All required; borrowed. */
struct founding {
    struct files *files;      /* the registry's folder */
    struct files *svid_files; /* "svid" in it */
    struct ca *ca;
    struct store *store;
    const struct clock *clock;
    const struct random_source *random;
    const char *trust_domain;
};

/* Issues an SVID and writes it with the bundle, over what was there. */
status founding_issue_own_svid(const struct founding *founding, struct arena *arena) NONNULL;

/* Writes the bundle for agents. */
status founding_write_bundle(const struct founding *founding, struct arena *arena) NONNULL;

/* Makes a join token and writes it, over the one before. */
status founding_write_join_token(const struct founding *founding, struct arena *arena) NONNULL;

#endif
