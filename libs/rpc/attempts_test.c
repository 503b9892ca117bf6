#include "libs/rpc/attempts.h"

#include "libs/base/status_details.h"
#include "libs/rpc/peer.h"
#include "libs/testing/fake_clock.h"
#include "libs/testing/seeded_random.h"
#include "libs/testing/test_call.h"
#include "weft/testing/v1/echo_service.pb-c.h"
#include "weft/testing/v1/echo_service_descriptors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct fixture {
    struct fake_clock clock;
    struct seeded_random random;
    struct retry_budget budget;
    struct call call;
    _Atomic bool cancelled;
    struct rpc rpc;
    struct attempts attempts;
    int64_t wait_ms;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    fake_clock_init(&f->clock, 0);
    seeded_random_init(&f->random, 1);
    retry_budget_init(&f->budget, &(struct retry_budget_options){ 0 });
    f->call = test_call();
    f->call.cancelled = &f->cancelled;
    f->rpc = (struct rpc){ .service = &weft__testing__v1__echo_service__descriptor,
                           .method = "Echo", /* which is idempotent */
                           .descriptors = echo_service_descriptors };
    f->attempts = (struct attempts){
        .call = &f->call,
        .rpc = &f->rpc,
        .budget = &f->budget,
        .clock = &f->clock.clock,
        .deadline_us = INT64_MAX,
        .backoff = { .random = &f->random.source, .min_ms = 100, .max_ms = 2000 },
    };
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    arena_free(f->call.arena);
    free(f);
    return 0;
}

static bool goes_on(struct fixture *f, enum status_code code, const char *message)
{
    return attempts_go_on(&f->attempts, status_error(f->call.arena, code, "%s", message),
                          &f->wait_ms);
}

static void a_peer_that_is_away_is_asked_five_times(void **state)
{
    struct fixture *f = *state;

    for (int i = 1; i < PEER_MAX_ATTEMPTS; i++) {
        assert_true(goes_on(f, STATUS_UNAVAILABLE, "connection reset"));
        assert_in_range(f->wait_ms, 100, 100 << i);
    }
    assert_false(goes_on(f, STATUS_UNAVAILABLE, "connection reset"));
}

static void what_was_answered_is_the_answer(void **state)
{
    struct fixture *f = *state;

    assert_false(attempts_go_on(&f->attempts, status_ok(), &f->wait_ms));
    for (int code = STATUS_CANCELLED; code <= STATUS_UNAUTHENTICATED; code++) {
        assert_int_equal(goes_on(f, (enum status_code)code, "no"), code == STATUS_UNAVAILABLE);
    }
}

static void what_is_not_idempotent_is_not_done_twice(void **state)
{
    struct fixture *f = *state;

    f->rpc.method = "EchoSlowly";
    assert_false(goes_on(f, STATUS_UNAVAILABLE, "connection reset"));
    f->rpc.method = "Echo";
    f->rpc.descriptors = PEER_NO_OPTIONS;
    assert_false(goes_on(f, STATUS_UNAVAILABLE, "connection reset"));
}

static void a_name_that_nobody_has_is_asked_for_once(void **state)
{
    struct fixture *f = *state;

    assert_false(goes_on(f, STATUS_UNAVAILABLE,
                         "no children in weighted_target policy: EDS resource tenent:weft "
                         "contains no localities"));
}

static void nobody_waits_beyond_the_deadline_or_for_nobody(void **state)
{
    struct fixture *f = *state;
    int64_t now_us = clock_monotonic_us(&f->clock.clock);

    f->attempts.deadline_us = now_us + 99000;
    assert_false(goes_on(f, STATUS_UNAVAILABLE, "connection reset"));
    f->attempts.deadline_us = now_us + 10000000;
    assert_true(goes_on(f, STATUS_UNAVAILABLE, "connection reset"));
    f->cancelled = true;
    assert_false(goes_on(f, STATUS_UNAVAILABLE, "connection reset"));
}

static void who_asks_for_a_pause_gets_it(void **state)
{
    struct fixture *f = *state;
    status s = status_retry_after(f->call.arena,
                                  status_error(f->call.arena, STATUS_UNAVAILABLE, "later"), 5000);

    assert_true(attempts_go_on(&f->attempts, s, &f->wait_ms));
    assert_int_equal(f->wait_ms, 5000);
}

static void a_peer_that_is_ill_is_not_asked_again_by_everybody(void **state)
{
    struct fixture *f = *state;
    int n = 0;

    for (int call = 0; call < 100; call++) {
        f->attempts.n_failed = 0;
        n += goes_on(f, STATUS_UNAVAILABLE, "connection reset");
    }
    assert_int_equal(n, 4); /* the budget's 10 tokens, down to 5 */
    for (int call = 0; call < 100; call++) {
        assert_false(attempts_go_on(&f->attempts, status_ok(), &f->wait_ms));
    }
    f->attempts.n_failed = 0;
    assert_true(goes_on(f, STATUS_UNAVAILABLE, "connection reset"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_peer_that_is_away_is_asked_five_times),
        TEST(what_was_answered_is_the_answer),
        TEST(what_is_not_idempotent_is_not_done_twice),
        TEST(a_name_that_nobody_has_is_asked_for_once),
        TEST(nobody_waits_beyond_the_deadline_or_for_nobody),
        TEST(who_asks_for_a_pause_gets_it),
        TEST(a_peer_that_is_ill_is_not_asked_again_by_everybody),
    };

    return cmocka_run_group_tests_name("attempts", tests, NULL, NULL);
}
