/* three_days_on - a wall clock that is three days ahead, for a program that is started with
 * LD_PRELOAD=three_days_on.so.  The monotonic clock stays as it is.  When THREE_DAYS_ON names a
 * file, it is ahead from the moment on when that file is there: so wakes a machine that slept.
 *
 * The program's functions and those of its libraries come by here; the kernel does not.  So what
 * sleeps until a wall clock time tells the kernel one of its own, three days earlier: Abseil's
 * locks, on which libgrpc's timers wait, do so by the system call itself.
 */

#include <dlfcn.h>
#include <errno.h>
#include <linux/futex.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SHOWN __attribute__((visibility("default")))

enum { THREE_DAYS_S = 3 * 24 * 3600, FUTEX_TIMEOUT = 3, FUTEX_ARGUMENTS = 6 };

/* POSIX has dlsym() give functions as objects, which C does not know. */
union next {
    void *symbol;
    int (*clock_gettime)(clockid_t, struct timespec *);
    long (*syscall)(long, ...);
};

static time_t ahead_s(void)
{
    static _Atomic bool is_time;
    int error = errno;

    if (!is_time) {
        const char *file = getenv("THREE_DAYS_ON");
        is_time = file == NULL || access(file, F_OK) == 0;
        errno = error;
    }
    return is_time ? THREE_DAYS_S : 0;
}

SHOWN int clock_gettime(clockid_t clock, struct timespec *ret_time)
{
    union next next = { .symbol = dlsym(RTLD_NEXT, "clock_gettime") };
    int result = next.clock_gettime(clock, ret_time);

    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        ret_time->tv_sec += ahead_s();
    }
    return result;
}

SHOWN int gettimeofday(struct timeval *restrict ret_time, void *restrict zone)
{
    struct timespec now;

    (void)zone;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    *ret_time = (struct timeval){ .tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000 };
    return 0;
}

SHOWN time_t time(time_t *ret_time)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (ret_time != NULL) {
        *ret_time = now.tv_sec;
    }
    return now.tv_sec;
}

SHOWN long syscall(long number, ...)
{
    union next next = { .symbol = dlsym(RTLD_NEXT, "syscall") };
    long argument[FUTEX_ARGUMENTS];
    struct timespec until;
    va_list list;

    va_start(list, number);
    for (int i = 0; i < FUTEX_ARGUMENTS; i++) {
        argument[i] = va_arg(list, long);
    }
    va_end(list);
    if (number == SYS_futex && (argument[1] & FUTEX_CLOCK_REALTIME) != 0 &&
        argument[FUTEX_TIMEOUT] != 0) {
        until = *(const struct timespec *)argument[FUTEX_TIMEOUT];
        until.tv_sec -= ahead_s();
        argument[FUTEX_TIMEOUT] = (long)(intptr_t)&until;
    }
    return next.syscall(number, argument[0], argument[1], argument[2], argument[3], argument[4],
                        argument[5]);
}
