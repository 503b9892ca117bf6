/* The way of a job, well and badly. */

#include "libs/testing/assert_status.h"
#include "services/scheduler/engine_fixture.h"
#include "services/scheduler/job_store.h"

#include <string.h>

/* ---- The way of a job ---- */

static void a_job_is_done_by_a_worker_with_credit(void **state)
{
    struct fixture *f = *state;
    const char *id = enqueue(f, a_job());

    expect_silence(f, f->worker); /* it has given no credit */
    assert_int_equal(get(f, id).state, JOB_READY);
    engine_worker_credit(f->worker, 1);
    const struct notice notice = expect(f, f->worker, NOTICE_JOB);
    assert_string_equal(notice.job_id, id);
    assert_string_equal(notice.tenant_id, "acme");
    assert_string_equal(notice.job.project_id, "debian");
    assert_string_equal(notice.job.capability, "ingest.apt");
    assert_string_equal(notice.job.trace, a_job().trace);
    assert_memory_equal(notice.job.payload.data, "work", 4);
    assert_int_equal(notice.attempt, 1);
    assert_int_equal(notice.lease_expire_ms, f->clock.wall_ms + 30000);
    assert_int_equal(get(f, id).state, JOB_RUNNING);
    engine_worker_succeed(f->worker, attempt_of(&notice), (bytes){ (const uint8_t *)"ok", 2 });
    assert_int_equal(expect(f, f->worker, NOTICE_SETTLED).code, STATUS_OK);
    const struct job_record done = get(f, id);
    assert_int_equal(done.state, JOB_SUCCEEDED);
    assert_memory_equal(done.result.data, "ok", 2);
    assert_string_equal(done.worker_id, "w1");
    expect_silence(f, f->worker);
}

static void nothing_is_answered_before_it_is_durable(void **state)
{
    struct fixture *f = *state;
    const char *id = enqueue(f, a_job());

    f->store.hold = true;
    engine_worker_credit(f->worker, 1);
    expect_silence(f, f->worker);
    assert_int_equal(get(f, id).state, JOB_READY);
    stepped_store_release(&f->store, 1);
    const struct notice notice = expect(f, f->worker, NOTICE_JOB);
    engine_worker_succeed(f->worker, attempt_of(&notice), nothing);
    expect_silence(f, f->worker);
    assert_int_equal(get(f, id).state, JOB_RUNNING);
    stepped_store_release(&f->store, 1);
    assert_int_equal(expect(f, f->worker, NOTICE_SETTLED).code, STATUS_OK);
    assert_int_equal(get(f, id).state, JOB_SUCCEEDED);
}

static void a_report_counts_once(void **state)
{
    struct fixture *f = *state;

    (void)enqueue(f, a_job());
    engine_worker_credit(f->worker, 1);
    const struct notice notice = expect(f, f->worker, NOTICE_JOB);
    engine_worker_succeed(f->worker, attempt_of(&notice), nothing);
    engine_worker_succeed(f->worker, attempt_of(&notice),
                          nothing); /* before the first is durable */
    assert_int_equal(expect(f, f->worker, NOTICE_SETTLED).code, STATUS_ABORTED);
    assert_int_equal(expect(f, f->worker, NOTICE_SETTLED).code, STATUS_OK);
    engine_worker_succeed(f->worker, attempt_of(&notice), nothing); /* and after */
    assert_int_equal(expect(f, f->worker, NOTICE_SETTLED).code, STATUS_ABORTED);
}

static void an_attempt_that_is_over_stays_over_for_its_own_worker_too(void **state)
{
    struct fixture *f = *state;
    const char *id = enqueue(f, a_job());

    engine_worker_credit(f->worker, 2);
    const struct notice old = expect(f, f->worker, NOTICE_JOB);
    engine_worker_fail(f->worker, attempt_of(&old),
                       &(struct attempt_failure){ STATUS_INTERNAL, "broken", false });
    (void)expect(f, f->worker, NOTICE_SETTLED);
    fake_clock_advance_ms(&f->clock, 2000);
    assert_int_equal(expect(f, f->worker, NOTICE_JOB).attempt, 2);
    engine_worker_succeed(f->worker, attempt_of(&old), nothing);
    const struct notice refused = expect(f, f->worker, NOTICE_SETTLED);
    assert_int_equal(refused.code, STATUS_ABORTED);
    assert_int_equal(refused.attempt, 1);
    assert_int_equal(get(f, id).state, JOB_RUNNING);
}

static void nobody_reports_on_anothers_job(void **state)
{
    struct fixture *f = *state;
    struct engine_worker *other = add_worker(f, "w2", "");
    struct engine_worker *foreign = add_worker(f, "w3", "globex");
    const char *id = enqueue(f, a_job());

    engine_worker_credit(f->worker, 1);
    const struct notice notice = expect(f, f->worker, NOTICE_JOB);
    engine_worker_succeed(other, attempt_of(&notice), nothing);
    engine_worker_fail(foreign, attempt_of(&notice), &(struct attempt_failure){ .message = "" });
    engine_worker_progress(foreign, attempt_of(&notice), &(struct job_progress){ 1, 1, "" });
    engine_worker_result(foreign, attempt_of(&notice), nothing);
    assert_int_equal(expect(f, other, NOTICE_SETTLED).code, STATUS_ABORTED);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(expect(f, foreign, NOTICE_SETTLED).code, STATUS_ABORTED);
    }
    assert_int_equal(get(f, id).state, JOB_RUNNING);
    engine_worker_close(other);
    engine_worker_close(foreign);
}

static void progress_and_result_are_seen_while_the_job_runs(void **state)
{
    struct fixture *f = *state;
    const char *id = enqueue(f, a_job());
    struct engine_watch *watch;

    engine_worker_credit(f->worker, 1);
    const struct notice notice = expect(f, f->worker, NOTICE_JOB);
    assert_status(engine_watch_open(f->engine, f->arena, "acme", id, count_wake, f, &watch),
                  STATUS_OK);
    f->n_wakes = 0;
    engine_worker_progress(f->worker, attempt_of(&notice),
                           &(struct job_progress){ 3, 10, "three" });
    engine_worker_result(f->worker, attempt_of(&notice), (bytes){ (const uint8_t *)"ab", 2 });
    assert_int_equal(f->n_wakes, 2);
    struct job_record job = get(f, id);
    assert_int_equal(job.progress.done, 3);
    assert_int_equal(job.progress.total, 10);
    assert_string_equal(job.progress.message, "three");
    assert_memory_equal(job.result.data, "ab", 2);
    engine_worker_succeed(f->worker, attempt_of(&notice), (bytes){ (const uint8_t *)"c", 1 });
    (void)expect(f, f->worker, NOTICE_SETTLED);
    job = get(f, id);
    assert_int_equal(job.result.size, 3);
    assert_memory_equal(job.result.data, "abc", 3);
    assert_string_equal(job.progress.message, "three");
    assert_true(f->n_wakes >= 3);
    engine_watch_close(watch);
}

static void a_result_too_large_fails_the_job_for_good(void **state)
{
    static const uint8_t data[JOB_MAX_RESULT_BYTES];
    struct fixture *f = *state;
    const char *id = enqueue(f, a_job());

    engine_worker_credit(f->worker, 1);
    const struct notice notice = expect(f, f->worker, NOTICE_JOB);
    engine_worker_result(f->worker, attempt_of(&notice), (bytes){ data, sizeof data });
    engine_worker_result(f->worker, attempt_of(&notice), (bytes){ data, 1 });
    (void)expect(f, f->worker, NOTICE_WITHDRAW);
    assert_int_equal(get(f, id).state, JOB_DEAD);
    assert_int_equal(get(f, id).code, STATUS_RESOURCE_EXHAUSTED);
}

static void history_is_forgotten_in_time(void **state)
{
    struct fixture *f = *state;
    const char *id = enqueue(f, a_job());
    struct job_record job;

    engine_worker_credit(f->worker, 1);
    const struct notice notice = expect(f, f->worker, NOTICE_JOB);
    engine_worker_succeed(f->worker, attempt_of(&notice), nothing);
    (void)expect(f, f->worker, NOTICE_SETTLED);
    fake_clock_advance_ms(&f->clock, INT64_C(6) * 24 * 3600 * 1000);
    engine_step(f->engine);
    assert_int_equal(get(f, id).state, JOB_SUCCEEDED);
    fake_clock_advance_ms(&f->clock, INT64_C(2) * 24 * 3600 * 1000);
    engine_step(f->engine);
    assert_status(engine_get(f->engine, f->arena, "acme", id, &job), STATUS_NOT_FOUND);
}

static void threads_do_the_same(void **state)
{
    struct fixture *f = *state;
    struct notice notice;
    bool found = false;

    engine_start(f->engine);
    engine_worker_credit(f->worker, 1);
    struct job_record job = a_job();
    assert_status(engine_enqueue(f->engine, f->arena, &job, 1, NULL), STATUS_OK);
    while (!found) {
        assert_status(engine_worker_next(f->worker, f->arena, &found, &notice), STATUS_OK);
    }
    engine_worker_succeed(f->worker, attempt_of(&notice), nothing);
    found = false;
    while (!found) {
        assert_status(engine_worker_next(f->worker, f->arena, &found, &notice), STATUS_OK);
    }
    assert_int_equal(notice.type, NOTICE_SETTLED);
    assert_int_equal(engine_figures(f->engine).n_running, 0);
    engine_stop(f->engine);
}

/* ---- Failures ---- */

static void a_failed_job_comes_again_until_its_attempts_are_used_up(void **state)
{
    struct fixture *f = *state;
    struct job_record job = a_job();
    struct job_error_list errors;

    job.max_attempts = 3;
    const char *id = enqueue(f, job);
    for (int i = 0; i < 3; i++) {
        fail_once(f, false);
        if (i < 2) {
            assert_int_equal(get(f, id).state, JOB_SCHEDULED);
            fake_clock_advance_ms(&f->clock, 5000); /* past the longest delay of these two */
            engine_worker_beat(f->worker);
        }
    }
    assert_int_equal(get(f, id).state, JOB_DEAD);
    assert_status(job_store_errors(f->real, f->arena, "acme", id, &errors), STATUS_OK);
    assert_int_equal(errors.n_errors, 3);
    assert_int_equal(errors.errors[2].attempt, 3);
    assert_string_equal(errors.errors[2].message, "no such mirror");
    assert_string_equal(errors.errors[2].worker_id, "w1");
}

static void a_permanent_failure_is_the_last(void **state)
{
    struct fixture *f = *state;
    const char *id = enqueue(f, a_job());

    fail_once(f, true);
    assert_int_equal(get(f, id).state, JOB_DEAD);
    assert_int_equal(get(f, id).attempt, 1);
}

static void retries_wait_longer_each_time_and_not_all_alike(void **state)
{
    struct fixture *f = *state;
    int64_t longest = 0;
    bool differ = false;

    for (int i = 0; i < 20; i++) {
        const char *id = enqueue(f, a_job());
        fail_once(f, false);
        int64_t delay = get(f, id).run_at_ms - f->clock.wall_ms;
        assert_in_range(delay, 1000, 2000);
        differ = differ || (i > 0 && delay != longest);
        longest = delay > longest ? delay : longest;
    }
    assert_true(differ);
    assert_true(longest > 1500);
}

static void a_dead_job_is_redriven(void **state)
{
    struct fixture *f = *state;
    const char *id = enqueue(f, a_job());
    struct job_record job;

    assert_status(engine_redrive(f->engine, f->arena, "acme", id, NULL, &job),
                  STATUS_FAILED_PRECONDITION);
    fail_once(f, true);
    assert_status(engine_redrive(f->engine, f->arena, "acme", id, NULL, &job), STATUS_OK);
    assert_int_equal(job.state, JOB_READY);
    engine_worker_credit(f->worker, 1);
    const struct notice notice = expect(f, f->worker, NOTICE_JOB);
    assert_string_equal(notice.job_id, id);
    assert_int_equal(notice.attempt, 2);
    assert_status(engine_redrive(f->engine, f->arena, "acme", "none", NULL, &job),
                  STATUS_NOT_FOUND);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_job_is_done_by_a_worker_with_credit),
        TEST(nothing_is_answered_before_it_is_durable),
        TEST(a_report_counts_once),
        TEST(an_attempt_that_is_over_stays_over_for_its_own_worker_too),
        TEST(nobody_reports_on_anothers_job),
        TEST(progress_and_result_are_seen_while_the_job_runs),
        TEST(a_result_too_large_fails_the_job_for_good),
        TEST(history_is_forgotten_in_time),
        TEST(threads_do_the_same),
        TEST(a_failed_job_comes_again_until_its_attempts_are_used_up),
        TEST(a_permanent_failure_is_the_last),
        TEST(retries_wait_longer_each_time_and_not_all_alike),
        TEST(a_dead_job_is_redriven),
    };

    return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
