#include "libs/base/wait.h"

#include <errno.h>

struct timespec wait_end(int64_t timeout_ms)
{
    struct timespec end;
    int64_t ms = timeout_ms < 0 ? 0 : timeout_ms;

    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_nsec += ms % 1000 * 1000000;
    end.tv_sec += ms / 1000 + end.tv_nsec / 1000000000;
    end.tv_nsec %= 1000000000;
    return end;
}

bool wait_until(pthread_cond_t *condition, pthread_mutex_t *lock, const struct timespec *end)
{
    return pthread_cond_clockwait(condition, lock, CLOCK_MONOTONIC, end) != ETIMEDOUT;
}
