/* open_loop - questions at a fixed rate, whether or not the answers keep up.
 *
 * A closed loop asks when the last answer is there: a service that stalls for a second is asked one
 * question in that second, and one bad latency stands for the two hundred callers who would have
 * waited.  Here question n is due at start + n / rate, and its latency counts from then, also when
 * nobody was free to ask it in time (Tene's "coordinated omission").
 */

#ifndef LOADTESTS_OPEN_LOOP_H_
#define LOADTESTS_OPEN_LOOP_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/clock.h"
#include "libs/base/status.h"

#include <stddef.h>
#include <stdint.h>

enum { OPEN_LOOP_MAX_ASKERS = 64 };

struct open_loop_options {
    /* Asks question n and waits for the answer; scratch is the asker's own.  Any thread. */
    status (*ask)(void *data, struct arena *scratch, size_t n);
    void *data;
    double rate;               /* a second */
    size_t n;                  /* in all */
    size_t n_askers;           /* threads; so many can be unanswered at once; 0 means all 64 */
    const struct clock *clock; /* borrowed; NULL means &system_clock */
    void (*pause)(const struct clock *clock, int64_t us); /* NULL sleeps */
};

/* The latencies in milliseconds go to ret_ms, which has room for n, smallest first.  The first
 * error of an ask ends it; its text is in arena. */
status open_loop_run(const struct open_loop_options *options, struct arena *arena, double *ret_ms)
    NONNULL;

#endif
