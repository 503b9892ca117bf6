/* backoff - how long to wait before trying again.
 *
 *     struct backoff backoff = { .random = random, .min_ms = 100, .max_ms = 30000 };
 *     while (!connect())
 *         sleep_ms(backoff_next_ms(&backoff));
 *     backoff_reset(&backoff);
 *
 * After the nth failure in a row the wait is drawn evenly from
 *
 *     min_ms  to  min_ms * 2^n, but at most max_ms
 *
 * so that those who failed together do not come back together ("full jitter"; Brooker,
 * "Exponential Backoff And Jitter", AWS 2015), and nobody comes back at once.
 *
 * A value; used by one thread at a time.
 */

#ifndef LIBS_RETRY_BACKOFF_H_
#define LIBS_RETRY_BACKOFF_H_

#include "libs/base/attributes.h"
#include "libs/base/random.h"

#include <stdint.h>

struct backoff {
    const struct random_source *random; /* required; borrowed */
    int64_t min_ms;                     /* 1 or more */
    int64_t max_ms;                     /* min_ms or more */
    unsigned n_failures;                /* in a row; 0 at first */
};

/* Counts a failure and says how long to wait. */
int64_t backoff_next_ms(struct backoff *backoff) NONNULL;
/* It worked: the next failure is the first. */
void backoff_reset(struct backoff *backoff) NONNULL;

#endif
