#include "libs/testing/fake_clock.h"

static int64_t fake_wall_ms(const struct clock *clock)
{
    const struct fake_clock *self = (const struct fake_clock *)clock;

    return self->wall_ms;
}

static int64_t fake_monotonic_us(const struct clock *clock)
{
    const struct fake_clock *self = (const struct fake_clock *)clock;

    return self->monotonic_us;
}

static const struct clock_ops fake_ops = {
    .wall_ms = fake_wall_ms,
    .monotonic_us = fake_monotonic_us,
};

void fake_clock_init(struct fake_clock *self, int64_t wall_ms)
{
    *self = (struct fake_clock){
        .clock = { .ops = &fake_ops },
        .wall_ms = wall_ms,
        .monotonic_us = 1000000,
    };
}

void fake_clock_advance_ms(struct fake_clock *self, int64_t ms)
{
    self->wall_ms += ms;
    self->monotonic_us += ms * 1000;
}
