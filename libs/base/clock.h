/* clock - what time it is, as something that is passed in.
 *
 * Whatever depends on the time borrows a clock in its options, so that a test can
 * hold the time still and move it by hand (libs/testing/fake_clock.h).
 *
 * There are two times.  The wall's is for records, people and certificates; it may be set
 * back.  The monotonic one only measures: deadlines, leases and latencies are made of it.
 */

#ifndef LIBS_BASE_CLOCK_H_
#define LIBS_BASE_CLOCK_H_

#include "libs/base/attributes.h"

#include <stdint.h>

/* A clock is a struct that begins with this one.  Safe on any thread. */
struct clock {
    const struct clock_ops *ops;
};

struct clock_ops {
    int64_t (*wall_ms)(const struct clock *clock);
    int64_t (*monotonic_us)(const struct clock *clock);
};

/* The machine's own. */
extern const struct clock system_clock;

/* Milliseconds since 1970, UTC. */
int64_t clock_wall_ms(const struct clock *clock) NONNULL;

/* Microseconds since some moment in the past; never goes back. */
int64_t clock_monotonic_us(const struct clock *clock) NONNULL;

/* The same in milliseconds. */
static inline int64_t clock_monotonic_ms(const struct clock *clock)
{
    return clock_monotonic_us(clock) / 1000;
}

/* A wall's time as people and logs write it: "2026-11-21T12:59:01.204Z" (RFC 3339, UTC). */
enum { CLOCK_TEXT = 32 };
void clock_format(int64_t wall_ms, char text[CLOCK_TEXT]) NONNULL;

#endif
