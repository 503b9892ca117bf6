/* retry_budget - how many retries a peer can bear.
 *
 * When a peer is ill, retries are what kills it: with three attempts a call it gets three times
 * the load at the worst moment.  So all calls to one peer share a budget, as in gRFC A6
 * ("retryThrottling"), which gRPC's own clients use:
 *
 *     tokens   10 at first, and never more
 *              -1 for each attempt that failed in a way that could be retried
 *              +0.1 for each call that succeeded
 *     retry    only while there are more than 5
 *
 * so that a single failure is always retried, and in the long run retries are at most a tenth of
 * what succeeds.  Any thread; never blocks.
 */

#ifndef LIBS_RETRY_RETRY_BUDGET_H_
#define LIBS_RETRY_RETRY_BUDGET_H_

#include "libs/base/attributes.h"

#include <stdbool.h>
#include <stdint.h>

/* A6 keeps thousandths too, and no more digits. */
struct retry_budget {
    int64_t max_thousandths;
    int64_t success_thousandths;
    _Atomic int64_t thousandths;
};

struct retry_budget_options {
    int max_tokens;     /* 1 to 1000; 0 means 10 */
    double token_ratio; /* for each success, to three digits; 0 means 0.1 */
};

void retry_budget_init(struct retry_budget *budget, const struct retry_budget_options *options)
    NONNULL;
void retry_budget_success(struct retry_budget *budget) NONNULL;
/* Of an attempt that could be retried.  Returns whether it may be. */
bool retry_budget_failure(struct retry_budget *budget) NONNULL;

#endif
