/* attempts - whether a call to a peer that has failed is made again, and when.
 *
 *     after attempt n:   UNAVAILABLE, the rpc is idempotent, n < PEER_MAX_ATTEMPTS, somebody still
 *                        waits, the wait ends before the deadline, and the peer's budget allows it
 *
 * A name that nobody has is not asked for again: the control plane has said so, and who misspelt it
 * wants to know at once.
 */

#ifndef LIBS_RPC_ATTEMPTS_H_
#define LIBS_RPC_ATTEMPTS_H_

#include "libs/base/attributes.h"
#include "libs/base/clock.h"
#include "libs/retry/backoff.h"
#include "libs/retry/retry_budget.h"
#include "libs/rpc/call.h"

#include <stdbool.h>
#include <stdint.h>

/* Of one call; a value. */
struct attempts {
    struct call *call; /* required; borrowed, as all of them */
    const struct rpc *rpc;
    struct retry_budget *budget; /* all calls to the peer share it */
    const struct clock *clock;
    int64_t deadline_us; /* monotonic */
    struct backoff backoff;
    int n_failed; /* 0 at first */
};

/* Tells it how an attempt has ended.  True: another is to be made after *ret_wait_ms. */
bool attempts_go_on(struct attempts *self, status s, int64_t *ret_wait_ms) NONNULL;

#endif
