/* What callers ask: keys, limits, times, cancelling. */

#include "libs/testing/assert_status.h"
#include "services/scheduler/engine_fixture.h"
#include "services/scheduler/job_store.h"

#include <string.h>

/* ---- Keys, limits, time ---- */

static void the_same_key_gives_the_same_job(void **state)
{
    struct fixture *f = *state;
    struct job_record jobs[32];

    for (int i = 0; i < 32; i++) {
        jobs[i] = a_job();
        jobs[i].idempotency_key = "k";
        assert_status(engine_enqueue(f->engine, f->arena, &jobs[i], 1, NULL), STATUS_OK);
        assert_string_equal(jobs[i].job_id, jobs[0].job_id);
    }
    struct job_record other = a_job();
    other.idempotency_key = "k";
    other.payload = (bytes){ (const uint8_t *)"other", 5 };
    status s = engine_enqueue(f->engine, f->arena, &other, 1, NULL);
    assert_status(s, STATUS_ALREADY_EXISTS);
    assert_string_equal(s.message, "key 'k' was used for another job");
    other = a_job();
    other.idempotency_key = "k";
    other.capability = "resize";
    assert_status(engine_enqueue(f->engine, f->arena, &other, 1, NULL), STATUS_ALREADY_EXISTS);
    engine_worker_credit(f->worker, 5);
    (void)expect(f, f->worker, NOTICE_JOB);
    expect_silence(f, f->worker); /* there was but one */
}

static void a_batch_takes_known_jobs_and_adds_the_others(void **state)
{
    struct fixture *f = *state;
    struct job_record jobs[3] = { a_job(), a_job(), a_job() };
    struct job_record again[3] = { a_job(), a_job(), a_job() };

    jobs[1].idempotency_key = "k";
    again[2].idempotency_key = "k";
    assert_status(engine_enqueue(f->engine, f->arena, jobs, 3, NULL), STATUS_OK);
    assert_status(engine_enqueue(f->engine, f->arena, again, 3, NULL), STATUS_OK);
    assert_string_equal(again[2].job_id, jobs[1].job_id);
    assert_string_not_equal(again[1].job_id, again[0].job_id);
    again[0].idempotency_key = "k";
    assert_status(engine_enqueue(f->engine, f->arena, again, 3, NULL), STATUS_INVALID_ARGUMENT);
    engine_worker_credit(f->worker, 10);
    for (int i = 0; i < 5; i++) {
        (void)expect(f, f->worker, NOTICE_JOB);
    }
    expect_silence(f, f->worker);
}

static void what_is_not_well_formed_is_not_enqueued(void **state)
{
    static const uint8_t large[JOB_MAX_PAYLOAD_BYTES + 1];
    struct fixture *f = *state;
    struct {
        const char *why;
        struct job_record job;
    } cases[] = {
        { "capability", a_job() }, { "project", a_job() },  { "payload", a_job() },
        { "key", a_job() },        { "priority", a_job() }, { "attempts", a_job() },
        { "deadline", a_job() },   { "trace", a_job() },    { "permissions", a_job() },
    };
    char key[JOB_MAX_KEY_BYTES + 2];
    char permissions[JOB_MAX_PERMISSIONS_BYTES + 2];

    memset(key, 'k', sizeof key - 1);
    key[sizeof key - 1] = '\0';
    memset(permissions, 'p', sizeof permissions - 1);
    permissions[sizeof permissions - 1] = '\0';
    cases[0].job.capability = "Ingest";
    cases[1].job.project_id = "";
    cases[2].job.payload = (bytes){ large, sizeof large };
    cases[3].job.idempotency_key = key;
    cases[4].job.priority = 10;
    cases[5].job.max_attempts = 101;
    cases[6].job.deadline_ms = f->clock.wall_ms;
    cases[7].job.trace = key;
    cases[8].job.permissions = permissions;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        status s = engine_enqueue(f->engine, f->arena, &cases[i].job, 1, NULL);
        if (s.code != STATUS_INVALID_ARGUMENT) {
            fail_msg("%s: got %s", cases[i].why, status_code_name(s.code));
        }
    }
}

static void a_tenant_may_have_so_many_open_jobs(void **state)
{
    struct fixture *f = *state;
    const char *first = enqueue(f, a_job());
    struct job_record job;

    for (int i = 1; i < 40; i++) {
        (void)enqueue(f, a_job());
    }
    job = a_job();
    assert_status(engine_enqueue(f->engine, f->arena, &job, 1, NULL), STATUS_RESOURCE_EXHAUSTED);
    job = a_job();
    job.tenant_id = "globex"; /* others may go on */
    assert_status(engine_enqueue(f->engine, f->arena, &job, 1, NULL), STATUS_OK);
    assert_status(engine_cancel(f->engine, f->arena, "acme", first, NULL, &job), STATUS_OK);
    (void)enqueue(f, a_job());
    crash(f); /* the count is made anew */
    job = a_job();
    assert_status(engine_enqueue(f->engine, f->arena, &job, 1, NULL), STATUS_RESOURCE_EXHAUSTED);
}

static void a_job_for_later_waits_for_its_time(void **state)
{
    struct fixture *f = *state;
    struct job_record job = a_job();

    engine_worker_credit(f->worker, 1);
    job.run_at_ms = f->clock.wall_ms + 10000;
    const char *id = enqueue(f, job);
    assert_int_equal(get(f, id).state, JOB_SCHEDULED);
    fake_clock_advance_ms(&f->clock, 9999);
    expect_silence(f, f->worker);
    fake_clock_advance_ms(&f->clock, 1);
    assert_string_equal(expect(f, f->worker, NOTICE_JOB).job_id, id);
}

static void many_jobs_that_fall_due_together_all_come(void **state)
{
    struct fixture *f = *state;
    struct job_record jobs[40];

    for (int i = 0; i < 40; i++) {
        jobs[i] = a_job();
        jobs[i].run_at_ms = f->clock.wall_ms + 1000 + i % 3;
    }
    assert_status(engine_enqueue(f->engine, f->arena, jobs, 40, NULL), STATUS_OK);
    engine_worker_credit(f->worker, 100);
    crash(f);
    f->worker = add_worker(f, "w1", "");
    engine_worker_credit(f->worker, 100);
    fake_clock_advance_ms(&f->clock, 2000);
    for (int i = 0; i < 40; i++) {
        (void)expect(f, f->worker, NOTICE_JOB);
    }
    expect_silence(f, f->worker);
}

static void a_job_past_its_deadline_is_neither_begun_nor_kept_running(void **state)
{
    struct fixture *f = *state;
    struct job_record job = a_job();

    job.deadline_ms = f->clock.wall_ms + 5000;
    const char *runs = enqueue(f, job);
    engine_worker_credit(f->worker, 1);
    const struct notice notice = expect(f, f->worker, NOTICE_JOB);
    const char *waits = enqueue(f, job);
    fake_clock_advance_ms(&f->clock, 5001);
    (void)expect(f, f->worker, NOTICE_WITHDRAW);
    assert_int_equal(get(f, runs).state, JOB_DEAD);
    assert_int_equal(get(f, runs).code, STATUS_DEADLINE_EXCEEDED);
    assert_int_equal(get(f, waits).state, JOB_DEAD);
    engine_worker_succeed(f->worker, attempt_of(&notice), nothing);
    assert_int_equal(expect(f, f->worker, NOTICE_SETTLED).code, STATUS_ABORTED);
    engine_worker_credit(f->worker, 1);
    expect_silence(f, f->worker);
}

static void capabilities_beyond_what_memory_holds_are_refused(void **state)
{
    struct fixture *f = *state;
    struct job_record job = a_job();

    stop_engine(f);
    f->engine = engine_new(&(struct engine_options){ .store = &f->store.store,
                                                     .clock = &f->clock.clock,
                                                     .random = &f->random.source,
                                                     .memory = { .max_lanes = 1 } });
    assert_status(engine_enqueue(f->engine, f->arena, &job, 1, NULL), STATUS_OK);
    job = a_job();
    job.capability = "resize";
    assert_status(engine_enqueue(f->engine, f->arena, &job, 1, NULL), STATUS_RESOURCE_EXHAUSTED);
}

/* ---- Cancelling ---- */

static void a_waiting_job_is_cancelled_at_once(void **state)
{
    struct fixture *f = *state;
    const char *id = enqueue(f, a_job());
    struct job_record job;

    assert_status(engine_cancel(f->engine, f->arena, "acme", id, NULL, &job), STATUS_OK);
    assert_int_equal(job.state, JOB_CANCELLED);
    assert_int_equal(get(f, id).state, JOB_CANCELLED);
    engine_worker_credit(f->worker, 1);
    expect_silence(f, f->worker);
    assert_status(engine_cancel(f->engine, f->arena, "acme", id, NULL, &job),
                  STATUS_FAILED_PRECONDITION);
    assert_status(engine_cancel(f->engine, f->arena, "globex", id, NULL, &job), STATUS_NOT_FOUND);
}

static void a_running_job_is_withdrawn_from_its_worker(void **state)
{
    struct fixture *f = *state;
    const char *id = enqueue(f, a_job());
    struct job_record job;

    engine_worker_credit(f->worker, 1);
    const struct notice notice = expect(f, f->worker, NOTICE_JOB);
    assert_status(engine_cancel(f->engine, f->arena, "acme", id, NULL, &job), STATUS_OK);
    const struct notice stop = expect(f, f->worker, NOTICE_WITHDRAW);
    assert_string_equal(stop.job_id, id);
    assert_int_equal(stop.attempt, 1);
    engine_worker_succeed(f->worker, attempt_of(&notice), nothing);
    assert_int_equal(expect(f, f->worker, NOTICE_SETTLED).code, STATUS_ABORTED);
    assert_int_equal(get(f, id).state, JOB_CANCELLED);
}

static void a_job_cancelled_while_it_starts_never_reaches_its_worker(void **state)
{
    struct fixture *f = *state;
    const char *id = enqueue(f, a_job());
    struct job_record job;

    f->store.hold = true;
    engine_worker_credit(f->worker, 1);
    f->store.hold = false;
    assert_status(engine_cancel(f->engine, f->arena, "acme", id, NULL, &job), STATUS_OK);
    stepped_store_release(&f->store, 1);
    expect_silence(f, f->worker);
    assert_int_equal(get(f, id).state, JOB_CANCELLED);
    const char *next_id = enqueue(f, a_job()); /* its credit was not lost */
    assert_string_equal(expect(f, f->worker, NOTICE_JOB).job_id, next_id);
}

static void of_a_cancel_and_a_completion_one_wins(void **state)
{
    struct fixture *f = *state;
    const char *id = enqueue(f, a_job());
    struct job_record job;

    engine_worker_credit(f->worker, 1);
    const struct notice notice = expect(f, f->worker, NOTICE_JOB);
    f->store.hold = true;
    engine_worker_succeed(f->worker, attempt_of(&notice), nothing);
    f->store.hold = false;
    assert_status(engine_cancel(f->engine, f->arena, "acme", id, NULL, &job), STATUS_OK);
    stepped_store_release(&f->store, 1);
    assert_int_equal(expect(f, f->worker, NOTICE_SETTLED).code, STATUS_ABORTED);
    assert_int_equal(get(f, id).state, JOB_CANCELLED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_same_key_gives_the_same_job),
        TEST(a_batch_takes_known_jobs_and_adds_the_others),
        TEST(what_is_not_well_formed_is_not_enqueued),
        TEST(a_tenant_may_have_so_many_open_jobs),
        TEST(a_job_for_later_waits_for_its_time),
        TEST(many_jobs_that_fall_due_together_all_come),
        TEST(a_job_past_its_deadline_is_neither_begun_nor_kept_running),
        TEST(capabilities_beyond_what_memory_holds_are_refused),
        TEST(a_waiting_job_is_cancelled_at_once),
        TEST(a_running_job_is_withdrawn_from_its_worker),
        TEST(a_job_cancelled_while_it_starts_never_reaches_its_worker),
        TEST(of_a_cancel_and_a_completion_one_wins),
    };

    return cmocka_run_group_tests_name("engine_calls", tests, NULL, NULL);
}
