#include "cli/supervisor/lifecycle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void a_program_is_started_and_becomes_ready_once(void **state)
{
    (void)state;
    struct lifecycle life = { 0 };

    assert_true(lifecycle_should_start(&life, 0));
    lifecycle_start(&life, 1000);
    assert_int_equal(life.state, LIFECYCLE_STARTING);
    assert_false(lifecycle_should_start(&life, 9000));
    lifecycle_ready(&life, 1200);
    lifecycle_ready(&life, 1300);
    assert_int_equal(life.state, LIFECYCLE_READY);
    assert_int_equal(life.ready_ms, 1200);
    assert_int_equal(life.n_restarts, 0);
    assert_true(lifecycle_next_ms(&life) == INT64_MAX);
}

static void each_death_in_a_row_doubles_the_wait_up_to_a_limit(void **state)
{
    (void)state;
    const int64_t want[] = { 100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000 };
    struct lifecycle life = { 0 };

    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        lifecycle_start(&life, 0);
        lifecycle_exit(&life, 0);
        assert_int_equal(life.state, LIFECYCLE_BACKOFF);
        assert_int_equal(lifecycle_next_ms(&life), want[i]);
        assert_false(lifecycle_should_start(&life, want[i] - 1));
        assert_true(lifecycle_should_start(&life, want[i]));
    }
    assert_int_equal(life.n_restarts, 10);
}

static void what_was_ready_for_long_begins_with_the_short_wait(void **state)
{
    (void)state;
    struct lifecycle life = { .n_failures = 7 };

    lifecycle_start(&life, 0);
    lifecycle_ready(&life, 50);
    lifecycle_exit(&life, 50 + LIFECYCLE_PROVEN_MS);
    assert_int_equal(life.due_ms - (50 + LIFECYCLE_PROVEN_MS), LIFECYCLE_FIRST_DELAY_MS);
}

static void what_was_never_ready_has_not_shown_that_it_can(void **state)
{
    (void)state;
    struct lifecycle life = { .n_failures = 2 };

    lifecycle_start(&life, 0);
    lifecycle_exit(&life, INT64_C(10) * LIFECYCLE_PROVEN_MS);
    assert_int_equal(life.n_failures, 3);
}

static void what_does_not_stop_is_killed_once(void **state)
{
    (void)state;
    struct lifecycle life = { 0 };

    lifecycle_start(&life, 0);
    assert_true(lifecycle_stop(&life, 100));
    assert_false(lifecycle_stop(&life, 200));
    assert_int_equal(lifecycle_next_ms(&life), 100 + LIFECYCLE_KILL_AFTER_MS);
    assert_false(lifecycle_should_kill(&life, 99 + LIFECYCLE_KILL_AFTER_MS));
    assert_true(lifecycle_should_kill(&life, 100 + LIFECYCLE_KILL_AFTER_MS));
    assert_false(lifecycle_should_kill(&life, 200 + LIFECYCLE_KILL_AFTER_MS));
    lifecycle_exit(&life, 300 + LIFECYCLE_KILL_AFTER_MS);
    assert_int_equal(life.state, LIFECYCLE_STOPPED);
}

static void an_end_that_was_asked_for_is_no_failure(void **state)
{
    (void)state;
    struct lifecycle life = { .n_failures = 4 };

    assert_false(lifecycle_restart(&life));
    lifecycle_start(&life, 0);
    lifecycle_ready(&life, 10);
    assert_true(lifecycle_restart(&life));
    lifecycle_exit(&life, 20);
    assert_true(lifecycle_should_start(&life, 20));
    assert_int_equal(life.n_failures, 4);
    lifecycle_start(&life, 20);
    lifecycle_exit(&life, 30);
    assert_int_equal(life.n_failures, 5);
}

static void what_has_no_process_stops_at_once(void **state)
{
    (void)state;
    struct lifecycle waiting = { 0 };
    struct lifecycle restarting = { 0 };

    assert_false(lifecycle_stop(&waiting, 0));
    assert_int_equal(waiting.state, LIFECYCLE_STOPPED);
    lifecycle_start(&restarting, 0);
    lifecycle_exit(&restarting, 0);
    assert_false(lifecycle_stop(&restarting, 0));
    assert_int_equal(restarting.state, LIFECYCLE_STOPPED);
    assert_false(lifecycle_should_start(&restarting, INT64_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_is_started_and_becomes_ready_once),
        cmocka_unit_test(each_death_in_a_row_doubles_the_wait_up_to_a_limit),
        cmocka_unit_test(what_was_ready_for_long_begins_with_the_short_wait),
        cmocka_unit_test(what_was_never_ready_has_not_shown_that_it_can),
        cmocka_unit_test(what_does_not_stop_is_killed_once),
        cmocka_unit_test(an_end_that_was_asked_for_is_no_failure),
        cmocka_unit_test(what_has_no_process_stops_at_once),
    };

    return cmocka_run_group_tests_name("lifecycle", tests, NULL, NULL);
}
