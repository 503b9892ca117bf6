/* A process that dies, and a store that is away. */

#include "libs/testing/assert_status.h"
#include "services/scheduler/engine_fixture.h"
#include "services/scheduler/job_store.h"

#include <string.h>

/* ---- Crashes and a store that is away ---- */

static void after_a_crash_ready_jobs_are_found_again(void **state)
{
    struct fixture *f = *state;
    const char *id = enqueue(f, a_job());

    crash(f);
    f->worker = add_worker(f, "w1", "");
    engine_worker_credit(f->worker, 1);
    assert_string_equal(expect(f, f->worker, NOTICE_JOB).job_id, id);
}

static void after_a_crash_running_jobs_wait_for_their_workers(void **state)
{
    struct fixture *f = *state;

    (void)enqueue(f, a_job());
    const char *second = enqueue(f, a_job());
    engine_worker_credit(f->worker, 2);
    const struct notice a = expect(f, f->worker, NOTICE_JOB);
    (void)expect(f, f->worker, NOTICE_JOB);
    crash(f);
    f->worker = add_worker(f, "w2", ""); /* another: nobody knows what w1 does */
    engine_worker_credit(f->worker, 5);
    expect_silence(f, f->worker); /* they run, as far as anybody knows */
    engine_worker_progress(f->worker, attempt_of(&a), &(struct job_progress){ 1, 2, "on" });
    fake_clock_advance_ms(&f->clock, 29000);
    engine_worker_beat(f->worker);
    fake_clock_advance_ms(&f->clock, 2000);
    expect_silence(f, f->worker);
    assert_int_equal(get(f, a.job_id).state, JOB_RUNNING); /* its worker is back */
    assert_int_equal(get(f, second).state, JOB_SCHEDULED); /* nobody has claimed it */
    fake_clock_advance_ms(&f->clock, 2000);
    assert_int_equal(expect(f, f->worker, NOTICE_JOB).attempt, 2);
    engine_worker_succeed(f->worker, attempt_of(&a), nothing);
    assert_int_equal(expect(f, f->worker, NOTICE_SETTLED).code, STATUS_OK);
}

static void after_a_crash_a_worker_says_what_it_still_holds(void **state)
{
    static const char *const capabilities[] = { "ingest.apt" };
    struct fixture *f = *state;
    struct notice jobs[2];

    (void)enqueue(f, a_job());
    (void)enqueue(f, a_job());
    engine_worker_credit(f->worker, 2);
    jobs[0] = expect(f, f->worker, NOTICE_JOB);
    jobs[1] = expect(f, f->worker, NOTICE_JOB);
    crash(f);
    const struct attempt held[] = { { "none", 1 }, attempt_of(&jobs[0]) };
    assert_status(engine_worker_open(f->engine, f->arena,
                                     &(struct engine_worker_options){
                                         .worker_id = "w1",
                                         .tenant_id = "",
                                         .capabilities = capabilities,
                                         .n_capabilities = 1,
                                         .held = held,
                                         .n_held = 2,
                                         .wake = count_wake,
                                         .data = f,
                                     },
                                     &f->worker),
                  STATUS_OK);
    engine_step(f->engine);
    assert_int_equal(get(f, jobs[0].job_id).state, JOB_RUNNING);
    assert_int_equal(get(f, jobs[1].job_id).state, JOB_READY); /* at once, not after a lease */
    assert_int_equal(get(f, jobs[1].job_id).failures, 0);
    engine_worker_credit(f->worker, 1);
    const struct notice again = expect(f, f->worker, NOTICE_JOB);
    assert_string_equal(again.job_id, jobs[1].job_id);
    assert_int_equal(again.attempt, 2);
    engine_worker_succeed(f->worker, attempt_of(&jobs[0]), nothing);
    assert_int_equal(expect(f, f->worker, NOTICE_SETTLED).code, STATUS_OK);
}

static void a_commit_that_was_cut_off_is_looked_up(void **state)
{
    struct fixture *f = *state;
    const char *id = enqueue(f, a_job());

    f->store.cut_commit = 1; /* the start happens, and we do not hear of it */
    engine_worker_credit(f->worker, 1);
    const struct notice notice = expect(f, f->worker, NOTICE_JOB);
    f->store.cut_commit = 1;
    engine_worker_succeed(f->worker, attempt_of(&notice), nothing);
    assert_int_equal(expect(f, f->worker, NOTICE_SETTLED).code, STATUS_OK);
    assert_int_equal(get(f, id).state, JOB_SUCCEEDED);
}

static void a_commit_that_failed_is_made_again(void **state)
{
    struct fixture *f = *state;
    const char *id = enqueue(f, a_job());

    f->store.fail_commit = 1;
    engine_worker_credit(f->worker, 1); /* the start fails, and is tried again in a second */
    expect_silence(f, f->worker);
    fake_clock_advance_ms(&f->clock, 1001);
    const struct notice notice = expect(f, f->worker, NOTICE_JOB);
    f->store.fail_commit = 1;
    engine_worker_succeed(f->worker, attempt_of(&notice), nothing);
    assert_int_equal(expect(f, f->worker, NOTICE_SETTLED).code, STATUS_RESOURCE_EXHAUSTED);
    assert_int_equal(get(f, id).state, JOB_RUNNING);
    engine_worker_succeed(f->worker, attempt_of(&notice), nothing); /* its worker reports again */
    assert_int_equal(expect(f, f->worker, NOTICE_SETTLED).code, STATUS_OK);
}

static void a_store_that_cannot_be_read_is_asked_again(void **state)
{
    struct fixture *f = *state;
    const char *id = enqueue(f, a_job());

    crash(f);
    f->store.fail_query = 1;
    f->worker = add_worker(f, "w1", "");
    engine_worker_credit(f->worker, 1);
    expect_silence(f, f->worker);
    fake_clock_advance_ms(&f->clock, 1001);
    assert_string_equal(expect(f, f->worker, NOTICE_JOB).job_id, id);
    f->store.cut_commit = 1;
    f->store.fail_query = 1;
    engine_worker_succeed(f->worker, (struct attempt){ id, 1 }, nothing);
    expect_silence(f, f->worker); /* neither known to have happened, nor not */
    fake_clock_advance_ms(&f->clock, 1001);
    assert_int_equal(expect(f, f->worker, NOTICE_SETTLED).code, STATUS_OK);
}

static void an_enqueue_that_fails_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    struct job_record job = a_job();

    for (int i = 0; i < 50; i++) { /* more than max_open_jobs: a failed one is not counted */
        job = a_job();
        f->store.fail_commit = 1;
        assert_status(engine_enqueue(f->engine, f->arena, &job, 1, NULL), STATUS_UNAVAILABLE);
    }
    engine_worker_credit(f->worker, 1);
    expect_silence(f, f->worker);
    (void)enqueue(f, a_job());
    (void)expect(f, f->worker, NOTICE_JOB);
}

static void what_a_caller_asked_for_is_looked_up_when_the_answer_was_cut_off(void **state)
{
    struct fixture *f = *state;
    struct job_record job = a_job();

    f->store.cut_commit = 1;
    assert_status(engine_enqueue(f->engine, f->arena, &job, 1, NULL), STATUS_OK);
    engine_step(f->engine);
    fail_once(f, true);
    f->store.fail_commit = 1;
    assert_status(engine_redrive(f->engine, f->arena, "acme", job.job_id, NULL, &job),
                  STATUS_UNAVAILABLE);
    assert_int_equal(get(f, job.job_id).state, JOB_DEAD);
    f->store.cut_commit = 1;
    assert_status(engine_redrive(f->engine, f->arena, "acme", job.job_id, NULL, &job), STATUS_OK);
    engine_worker_credit(f->worker, 1);
    assert_int_equal(expect(f, f->worker, NOTICE_JOB).attempt, 2);
    f->store.fail_commit = 1;
    assert_status(engine_cancel(f->engine, f->arena, "acme", job.job_id, NULL, &job),
                  STATUS_UNAVAILABLE);
    assert_int_equal(get(f, job.job_id).state, JOB_RUNNING);
    f->store.cut_commit = 1;
    assert_status(engine_cancel(f->engine, f->arena, "acme", job.job_id, NULL, &job), STATUS_OK);
    (void)expect(f, f->worker, NOTICE_WITHDRAW);
}

static void a_job_whose_enqueue_nobody_could_confirm_is_found_in_the_store(void **state)
{
    struct fixture *f = *state;
    struct job_record job = a_job();

    engine_worker_credit(f->worker, 1);
    f->store.cut_commit = 1;
    f->store.fail_query = 1;
    assert_status(engine_enqueue(f->engine, f->arena, &job, 1, NULL), STATUS_UNAVAILABLE);
    fake_clock_advance_ms(&f->clock, 1000);
    assert_string_equal(expect(f, f->worker, NOTICE_JOB).job_id, job.job_id);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(after_a_crash_ready_jobs_are_found_again),
        TEST(after_a_crash_running_jobs_wait_for_their_workers),
        TEST(after_a_crash_a_worker_says_what_it_still_holds),
        TEST(a_commit_that_was_cut_off_is_looked_up),
        TEST(a_commit_that_failed_is_made_again),
        TEST(a_store_that_cannot_be_read_is_asked_again),
        TEST(an_enqueue_that_fails_leaves_nothing),
        TEST(what_a_caller_asked_for_is_looked_up_when_the_answer_was_cut_off),
        TEST(a_job_whose_enqueue_nobody_could_confirm_is_found_in_the_store),
    };

    return cmocka_run_group_tests_name("engine_faults", tests, NULL, NULL);
}
