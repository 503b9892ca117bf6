/* auth_token_issuer - jobs' tokens from the auth service. */

#ifndef SERVICES_SCHEDULER_AUTH_TOKEN_ISSUER_H_
#define SERVICES_SCHEDULER_AUTH_TOKEN_ISSUER_H_

#include "libs/base/attributes.h"
#include "libs/base/clock.h"
#include "libs/rpc/peer.h"
#include "services/scheduler/token_issuer.h"

struct auth_token_issuer {
    struct token_issuer issuer; /* what is passed in */
    struct peer *auth;
    const struct clock *clock;
};

/* Borrows both. */
void auth_token_issuer_init(struct auth_token_issuer *self, struct peer *auth,
                            const struct clock *clock) NONNULL;

#endif
