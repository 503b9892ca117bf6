#include "libs/base/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t read_us(clockid_t id)
{
    struct timespec now;

    (void)clock_gettime(id, &now); /* neither clock can fail on Linux */
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t system_wall_ms(const struct clock *clock)
{
    (void)clock;
    return read_us(CLOCK_REALTIME) / 1000;
}

static int64_t system_monotonic_us(const struct clock *clock)
{
    (void)clock;
    return read_us(CLOCK_MONOTONIC);
}

static const struct clock_ops system_ops = {
    .wall_ms = system_wall_ms,
    .monotonic_us = system_monotonic_us,
};

const struct clock system_clock = { .ops = &system_ops };

int64_t clock_wall_ms(const struct clock *clock)
{
    return clock->ops->wall_ms(clock);
}

int64_t clock_monotonic_us(const struct clock *clock)
{
    return clock->ops->monotonic_us(clock);
}

void clock_format(int64_t wall_ms, char text[CLOCK_TEXT])
{
    int64_t ms = wall_ms % 1000 < 0 ? wall_ms % 1000 + 1000 : wall_ms % 1000; /* before 1970, too */
    time_t seconds = (time_t)((wall_ms - ms) / 1000);
    struct tm utc = { .tm_mday = 1 };

    (void)gmtime_r(&seconds, &utc);
    size_t n = strftime(text, CLOCK_TEXT - 5, "%Y-%m-%dT%H:%M:%S", &utc);
    (void)snprintf(text + n, CLOCK_TEXT - n, ".%03dZ", (int)ms);
}
