/* wait - on a condition, but not for ever.
 *
 *     const struct timespec end = wait_end(timeout_ms);
 *     while (!self->is_ready && wait_until(&self->changed, &self->lock, &end)) {
 *     }
 *
 * By the machine's monotonic clock: that somebody sets the time of day does not matter, and the
 * condition needs no attribute.  A thread that sleeps is the machine's, so no clock is passed in;
 * what is decided by the time is decided by a struct clock.
 */

#ifndef LIBS_BASE_WAIT_H_
#define LIBS_BASE_WAIT_H_

#include "libs/base/attributes.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* Milliseconds from now; of less than none, now. */
struct timespec wait_end(int64_t timeout_ms);

/* With the lock held, as pthread_cond_wait(): may return early.  False when the end has come. */
bool wait_until(pthread_cond_t *condition, pthread_mutex_t *lock, const struct timespec *end)
    NONNULL;

#endif
