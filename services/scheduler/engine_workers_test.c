/* Workers that come, go, sleep and do not listen; the tokens they are given. */

#include "libs/testing/assert_status.h"
#include "services/scheduler/engine_fixture.h"
#include "services/scheduler/job_store.h"

#include <string.h>

/* ---- Workers that go ---- */

static void a_lost_workers_jobs_go_to_others(void **state)
{
    struct fixture *f = *state;
    const char *id = enqueue(f, a_job());
    struct engine_worker *other = add_worker(f, "w2", "");

    engine_worker_credit(f->worker, 1);
    (void)expect(f, f->worker, NOTICE_JOB);
    engine_worker_close(f->worker); /* its stream ended */
    f->worker = NULL;
    engine_step(f->engine);
    assert_int_equal(get(f, id).state, JOB_SCHEDULED);
    assert_int_equal(get(f, id).failures, 1);
    fake_clock_advance_ms(&f->clock, 2000);
    engine_worker_credit(other, 1);
    const struct notice notice = expect(f, other, NOTICE_JOB);
    assert_int_equal(notice.attempt, 2);
    engine_worker_close(other);
}

static void a_worker_that_sleeps_past_its_lease_is_cut_off_and_refused(void **state)
{
    struct fixture *f = *state;
    const char *id = enqueue(f, a_job());
    struct engine_worker *other = add_worker(f, "w2", "");
    struct notice ignored;
    bool found;

    engine_worker_credit(f->worker, 1);
    const struct notice old = expect(f, f->worker, NOTICE_JOB);
    fake_clock_advance_ms(&f->clock, 29999);
    engine_worker_beat(other);
    engine_step(f->engine);
    assert_int_equal(get(f, id).state, JOB_RUNNING);
    fake_clock_advance_ms(&f->clock, 1001);
    engine_step(f->engine);
    assert_int_equal(get(f, id).state, JOB_SCHEDULED);
    fake_clock_advance_ms(&f->clock, 2000);
    engine_worker_credit(other, 1);
    const struct notice young = expect(f, other, NOTICE_JOB);
    assert_int_equal(young.attempt, 2);
    engine_worker_succeed(f->worker, attempt_of(&old), nothing); /* it wakes up */
    assert_status(engine_worker_next(f->worker, f->arena, &found, &ignored),
                  STATUS_DEADLINE_EXCEEDED);
    assert_int_equal(get(f, id).state, JOB_RUNNING);
    engine_worker_succeed(other, attempt_of(&young), nothing);
    assert_int_equal(expect(f, other, NOTICE_SETTLED).code, STATUS_OK);
    assert_int_equal(get(f, id).attempt, 2);
    engine_worker_close(other);
}

static void a_worker_that_beats_keeps_its_jobs(void **state)
{
    struct fixture *f = *state;
    const char *id = enqueue(f, a_job());

    engine_worker_credit(f->worker, 1);
    (void)expect(f, f->worker, NOTICE_JOB);
    for (int i = 0; i < 20; i++) {
        fake_clock_advance_ms(&f->clock, 20000);
        engine_worker_beat(f->worker);
        engine_step(f->engine);
    }
    assert_int_equal(get(f, id).state, JOB_RUNNING);
}

static void a_job_matched_with_a_worker_that_goes_meanwhile_is_not_counted_as_failed(void **state)
{
    struct fixture *f = *state;
    const char *id = enqueue(f, a_job());

    f->store.hold = true;
    engine_worker_credit(f->worker, 1);
    engine_step(f->engine);
    engine_worker_close(f->worker);
    f->worker = NULL;
    stepped_store_release(&f->store, 1); /* the start is durable, and nobody is there */
    f->store.hold = false;
    engine_step(f->engine);
    assert_int_equal(get(f, id).state, JOB_READY);
    assert_int_equal(get(f, id).failures, 0);
    f->worker = add_worker(f, "w1", "");
    engine_worker_credit(f->worker, 1);
    assert_int_equal(expect(f, f->worker, NOTICE_JOB).attempt, 2);
}

static void a_worker_that_does_not_listen_is_cut_off(void **state)
{
    struct fixture *f = *state;
    const struct attempt none = { "none", 1 };
    struct notice notice;
    bool found;

    for (int i = 0; i < ENGINE_MAX_NOTICES + 10; i++) {
        engine_worker_succeed(f->worker, none, nothing);
    }
    assert_status(engine_worker_next(f->worker, f->arena, &found, &notice),
                  STATUS_RESOURCE_EXHAUSTED);
}

static void a_worker_must_say_who_it_is_and_what_it_can(void **state)
{
    struct fixture *f = *state;
    static const char *const bad[] = { "Ingest" };
    static const char *const twice[] = { "a", "a" };
    struct engine_worker_options options = { "", "", twice, 1, NULL, 0, count_wake, f };
    struct engine_worker *worker;

    assert_status(engine_worker_open(f->engine, f->arena, &options, &worker),
                  STATUS_INVALID_ARGUMENT);
    options.worker_id = "w";
    options.n_capabilities = 0;
    assert_status(engine_worker_open(f->engine, f->arena, &options, &worker),
                  STATUS_INVALID_ARGUMENT);
    options.n_capabilities = 2;
    assert_status(engine_worker_open(f->engine, f->arena, &options, &worker),
                  STATUS_INVALID_ARGUMENT);
    options.capabilities = bad;
    options.n_capabilities = 1;
    assert_status(engine_worker_open(f->engine, f->arena, &options, &worker),
                  STATUS_INVALID_ARGUMENT);
}

static void credit_has_a_limit(void **state)
{
    struct fixture *f = *state;

    engine_worker_credit(f->worker, INT64_MAX);
    engine_worker_credit(f->worker, INT64_MAX);
    engine_worker_credit(f->worker, -5);
    (void)enqueue(f, a_job());
    (void)expect(f, f->worker, NOTICE_JOB);
}

static void a_draining_engine_gives_no_more_and_loses_nothing(void **state)
{
    struct fixture *f = *state;
    const char *id = enqueue(f, a_job());

    engine_worker_credit(f->worker, 5);
    const struct notice notice = expect(f, f->worker, NOTICE_JOB);
    engine_drain(f->engine);
    (void)expect(f, f->worker, NOTICE_DRAIN);
    (void)enqueue(f, a_job());
    engine_worker_credit(f->worker, 5);
    expect_silence(f, f->worker);
    engine_worker_close(f->worker); /* since the server stops: no fault of the worker's */
    f->worker = NULL;
    engine_step(f->engine);
    assert_int_equal(get(f, id).state, JOB_RUNNING);
    crash(f);
    f->worker = add_worker(f, "w2", "");
    engine_worker_succeed(f->worker, attempt_of(&notice), nothing);
    assert_int_equal(expect(f, f->worker, NOTICE_SETTLED).code, STATUS_OK);
    assert_int_equal(get(f, id).state, JOB_SUCCEEDED);
}

/* ---- Tokens ---- */

static void a_job_comes_with_a_token_that_is_renewed(void **state)
{
    struct fixture *f = *state;

    with_issuer(f);
    (void)enqueue(f, a_job());
    engine_worker_credit(f->worker, 1);
    assert_string_equal(expect(f, f->worker, NOTICE_JOB).text, "token-1");
    fake_clock_advance_ms(&f->clock, 19999);
    engine_worker_beat(f->worker);
    expect_silence(f, f->worker);
    fake_clock_advance_ms(&f->clock, 1);
    const struct notice renewed = expect(f, f->worker, NOTICE_TOKEN);
    assert_string_equal(renewed.text, "token-2");
    assert_int_equal(renewed.attempt, 1);
    assert_int_equal(renewed.lease_expire_ms, f->clock.wall_ms + 30000);
}

static void a_revoked_principal_fails_its_jobs_for_good(void **state)
{
    struct fixture *f = *state;

    with_issuer(f);
    engine_worker_credit(f->worker, 5);
    const char *runs = enqueue(f, a_job());
    (void)expect(f, f->worker, NOTICE_JOB);
    f->issuer.code = STATUS_PERMISSION_DENIED;
    const char *waits = enqueue(f, a_job());
    expect_silence(f, f->worker);
    assert_int_equal(get(f, waits).state, JOB_DEAD);
    assert_int_equal(get(f, waits).code, STATUS_PERMISSION_DENIED);
    fake_clock_advance_ms(&f->clock, 20000); /* the running one's renewal */
    engine_worker_beat(f->worker);
    (void)expect(f, f->worker, NOTICE_WITHDRAW);
    assert_int_equal(get(f, runs).state, JOB_DEAD);
}

static void an_issuer_that_is_away_puts_jobs_off(void **state)
{
    struct fixture *f = *state;

    with_issuer(f);
    f->issuer.code = STATUS_UNAVAILABLE;
    const char *id = enqueue(f, a_job());
    engine_worker_credit(f->worker, 1);
    expect_silence(f, f->worker);
    assert_int_equal(get(f, id).state, JOB_SCHEDULED);
    assert_int_equal(get(f, id).failures, 0);
    f->issuer.code = STATUS_OK;
    fake_clock_advance_ms(&f->clock, 2000);
    assert_int_equal(expect(f, f->worker, NOTICE_JOB).attempt, 1);
}

static void tokens_that_are_waited_for_are_asked_for_together(void **state)
{
    struct fixture *f = *state;

    with_issuer(f);
    for (size_t i = 0; i < 3; i++) {
        (void)enqueue(f, a_job());
    }
    engine_worker_credit(f->worker, 3);
    for (size_t i = 0; i < 3; i++) {
        (void)expect(f, f->worker, NOTICE_JOB);
    }
    assert_int_equal(f->issuer.n_issued, 3);
    assert_int_equal(f->issuer.n_calls, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_lost_workers_jobs_go_to_others),
        TEST(a_worker_that_sleeps_past_its_lease_is_cut_off_and_refused),
        TEST(a_worker_that_beats_keeps_its_jobs),
        TEST(a_job_matched_with_a_worker_that_goes_meanwhile_is_not_counted_as_failed),
        TEST(a_worker_that_does_not_listen_is_cut_off),
        TEST(a_worker_must_say_who_it_is_and_what_it_can),
        TEST(credit_has_a_limit),
        TEST(a_draining_engine_gives_no_more_and_loses_nothing),
        TEST(a_job_comes_with_a_token_that_is_renewed),
        TEST(a_revoked_principal_fails_its_jobs_for_good),
        TEST(an_issuer_that_is_away_puts_jobs_off),
        TEST(tokens_that_are_waited_for_are_asked_for_together),
    };

    return cmocka_run_group_tests_name("engine_workers", tests, NULL, NULL);
}
