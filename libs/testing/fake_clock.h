/* fake_clock - a clock that stands still until a test moves it. */

#ifndef LIBS_TESTING_FAKE_CLOCK_H_
#define LIBS_TESTING_FAKE_CLOCK_H_

#include "libs/base/attributes.h"
#include "libs/base/clock.h"

#include <stdint.h>

struct fake_clock {
    struct clock clock;   /* what is passed in */
    int64_t wall_ms;      /* tests set and add to this */
    int64_t monotonic_us; /* and to this; 1 s at first */
};

void fake_clock_init(struct fake_clock *self, int64_t wall_ms) NONNULL;

/* Moves both times on. */
void fake_clock_advance_ms(struct fake_clock *self, int64_t ms) NONNULL;

#endif
