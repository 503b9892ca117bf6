#include "libs/base/wait.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct fixture {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_ready;
};

static int64_t ns_of(struct timespec time)
{
    return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

static int64_t now_ns(void)
{
    struct timespec now;

    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    return ns_of(now);
}

static void an_end_is_so_many_milliseconds_away(void **state)
{
    const int64_t cases[] = { 0, 1, 999, 1000, 1001, 59999, INT64_C(86400000) * 365 };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t before_ns = now_ns();
        struct timespec end = wait_end(cases[i]);
        assert_in_range(end.tv_nsec, 0, 999999999);
        assert_true(ns_of(end) >= before_ns + cases[i] * 1000000);
        assert_true(ns_of(end) <= now_ns() + cases[i] * 1000000);
    }
    int64_t before_ns = now_ns();
    struct timespec end = wait_end(-5);
    assert_true(ns_of(end) >= before_ns && ns_of(end) <= now_ns());
}

static void a_wait_that_nobody_ends_ends_in_time(void **state)
{
    struct fixture f = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false };
    struct timespec end = wait_end(20);
    int n_early = 0;

    (void)state;
    pthread_mutex_lock(&f.lock);
    while (wait_until(&f.changed, &f.lock, &end)) {
        n_early++;
    }
    pthread_mutex_unlock(&f.lock);
    assert_true(now_ns() >= ns_of(end));
    assert_true(n_early < 1000); /* it slept */
}

static void *make_ready(void *data)
{
    struct fixture *f = data;

    pthread_mutex_lock(&f->lock);
    f->is_ready = true;
    pthread_cond_signal(&f->changed);
    pthread_mutex_unlock(&f->lock);
    return NULL;
}

static void a_signal_ends_it_before(void **state)
{
    struct fixture f = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false };
    struct timespec end = wait_end(600000);
    pthread_t thread;
    bool goes_on = true;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, make_ready, &f), 0);
    pthread_mutex_lock(&f.lock);
    while (!f.is_ready && goes_on) {
        goes_on = wait_until(&f.changed, &f.lock, &end);
    }
    pthread_mutex_unlock(&f.lock);
    assert_true(f.is_ready && goes_on);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_end_is_so_many_milliseconds_away),
        cmocka_unit_test(a_wait_that_nobody_ends_ends_in_time),
        cmocka_unit_test(a_signal_ends_it_before),
    };

    return cmocka_run_group_tests_name("wait", tests, NULL, NULL);
}
