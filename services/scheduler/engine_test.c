#include "services/scheduler/engine.h"

#include "libs/testing/assert_status.h"
#include "libs/testing/fake_clock.h"
#include "libs/testing/seeded_random.h"
#include "libs/testing/stepped_store.h"
#include "services/scheduler/job_store.h"

#include <stdio.h>
#include <string.h>

/* An issuer that does what the test says. */
struct test_issuer {
    struct token_issuer issuer;
    enum status_code code;
    int n_issued;
    struct token_request last;
};

static status issue(struct token_issuer *issuer, struct arena *arena,
                    const struct token_request *request, const char **ret_token)
{
    struct test_issuer *self = (struct test_issuer *)issuer;

    if (self->code != STATUS_OK) {
        return status_error(arena, self->code, "'%s' has been revoked", request->principal);
    }
    self->n_issued++;
    *ret_token = arena_printf(arena, "token-%d", self->n_issued);
    return status_ok();
}

static const struct token_issuer_ops issuer_ops = { .issue = issue };

/* A whole engine that moves when the test says so, over a real database. */
struct fixture {
    struct arena *arena;
    struct store *real;
    struct stepped_store store;
    struct fake_clock clock;
    struct seeded_random random;
    struct test_issuer issuer;
    struct engine *engine;
    struct engine_worker *worker; /* may do ingest.apt for all */
    int n_wakes;
};

static void count_wake(void *data)
{
    struct fixture *f = data;

    f->n_wakes++;
}

static void start_engine(struct fixture *f, struct token_issuer *issuer)
{
    f->engine = engine_new(&(struct engine_options){
        .store = &f->store.store,
        .clock = &f->clock.clock,
        .random = &f->random.source,
        .issuer = issuer,
        .max_open_jobs = 40,
    });
    assert_status(engine_recover(f->engine, f->arena), STATUS_OK);
}

static struct engine_worker *add_worker(struct fixture *f, const char *id, const char *tenant)
{
    static const char *const capabilities[] = { "ingest.apt" };
    struct engine_worker *worker;

    assert_status(engine_worker_open(f->engine, f->arena,
                                     &(struct engine_worker_options){
                                         .worker_id = id,
                                         .tenant_id = tenant,
                                         .capabilities = capabilities,
                                         .n_capabilities = 1,
                                         .wake = count_wake,
                                         .data = f,
                                     },
                                     &worker),
                  STATUS_OK);
    return worker;
}

static int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){ .arena = arena_new(), .issuer = { .issuer = { &issuer_ops } } };
    assert_status(store_open(f.arena, ":memory:", &f.real), STATUS_OK);
    assert_status(job_store_migrate(f.real, f.arena), STATUS_OK);
    stepped_store_init(&f.store, f.real);
    fake_clock_init(&f.clock, 1700000000000);
    seeded_random_init(&f.random, 1);
    start_engine(&f, NULL);
    f.worker = add_worker(&f, "w1", "");
    *state = &f;
    return 0;
}

static void stop_engine(struct fixture *f)
{
    if (f->worker != NULL) {
        engine_worker_close(f->worker);
        f->worker = NULL;
    }
    stepped_store_lose(&f->store);
    engine_free(f->engine);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    stop_engine(f);
    store_close(f->real);
    arena_free(f->arena);
    return 0;
}

/* The process dies: what was not in the store is gone. */
static void crash(struct fixture *f)
{
    f->store.hold = true; /* what the end of streams would write never happens */
    stop_engine(f);
    f->store.hold = false;
    start_engine(f, NULL);
}

static struct job_record a_job(void)
{
    return (struct job_record){
        .tenant_id = "acme",
        .project_id = "debian",
        .capability = "ingest.apt",
        .principal = "sa:publisher",
        .permissions = "project:debian:data:publish",
        .idempotency_key = "",
        .trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        .payload = { (const uint8_t *)"work", 4 },
        .priority = 5,
    };
}

static const char *enqueue(struct fixture *f, struct job_record job)
{
    assert_status(engine_enqueue(f->engine, f->arena, &job, 1, NULL), STATUS_OK);
    engine_step(f->engine);
    return job.job_id;
}

static struct job_record get(struct fixture *f, const char *job_id)
{
    struct job_record job;

    assert_status(engine_get(f->engine, f->arena, "acme", job_id, &job), STATUS_OK);
    return job;
}

static bool next(struct fixture *f, struct engine_worker *worker, struct notice *ret_notice)
{
    bool found;

    engine_step(f->engine);
    assert_status(engine_worker_next(worker, f->arena, &found, ret_notice), STATUS_OK);
    return found;
}

/* The next notice must be of this type. */
static struct notice expect(struct fixture *f, struct engine_worker *worker, enum notice_type type)
{
    struct notice notice;

    if (!next(f, worker, &notice)) {
        fail_msg("no notice, want one of type %d", (int)type);
    }
    if (notice.type != type) {
        fail_msg("notice of type %d (%s), want %d", (int)notice.type, notice.text, (int)type);
    }
    return notice;
}

static void expect_silence(struct fixture *f, struct engine_worker *worker)
{
    struct notice notice;

    if (next(f, worker, &notice)) {
        fail_msg("notice of type %d, want none", (int)notice.type);
    }
}

static struct attempt attempt_of(const struct notice *notice)
{
    return (struct attempt){ notice->job_id, notice->attempt };
}

static const bytes nothing = { NULL, 0 };

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

/* ---- Failures ---- */

static void fail_once(struct fixture *f, bool is_permanent)
{
    engine_worker_credit(f->worker, 1);
    const struct notice notice = expect(f, f->worker, NOTICE_JOB);

    engine_worker_fail(
        f->worker, attempt_of(&notice),
        &(struct attempt_failure){ STATUS_INTERNAL, "no such mirror", is_permanent });
    assert_int_equal(expect(f, f->worker, NOTICE_SETTLED).code, STATUS_OK);
}

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

/* ---- Tokens ---- */

static void with_issuer(struct fixture *f)
{
    stop_engine(f);
    start_engine(f, &f->issuer.issuer);
    f->worker = add_worker(f, "w1", "");
}

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
    engine_worker_credit(f->worker, 1);
    f->issuer.code = STATUS_UNAVAILABLE;
    const char *id = enqueue(f, a_job());
    expect_silence(f, f->worker);
    assert_int_equal(get(f, id).state, JOB_SCHEDULED);
    assert_int_equal(get(f, id).failures, 0);
    f->issuer.code = STATUS_OK;
    fake_clock_advance_ms(&f->clock, 2000);
    assert_int_equal(expect(f, f->worker, NOTICE_JOB).attempt, 1);
}

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
        TEST(a_failed_job_comes_again_until_its_attempts_are_used_up),
        TEST(a_permanent_failure_is_the_last),
        TEST(retries_wait_longer_each_time_and_not_all_alike),
        TEST(a_dead_job_is_redriven),
        TEST(a_lost_workers_jobs_go_to_others),
        TEST(a_worker_that_sleeps_past_its_lease_is_cut_off_and_refused),
        TEST(a_worker_that_beats_keeps_its_jobs),
        TEST(a_job_matched_with_a_worker_that_goes_meanwhile_is_not_counted_as_failed),
        TEST(a_worker_that_does_not_listen_is_cut_off),
        TEST(a_worker_must_say_who_it_is_and_what_it_can),
        TEST(credit_has_a_limit),
        TEST(a_draining_engine_gives_no_more_and_loses_nothing),
        TEST(the_same_key_gives_the_same_job),
        TEST(a_batch_takes_known_jobs_and_adds_the_others),
        TEST(what_is_not_well_formed_is_not_enqueued),
        TEST(a_tenant_may_have_so_many_open_jobs),
        TEST(a_job_for_later_waits_for_its_time),
        TEST(many_jobs_that_fall_due_together_all_come),
        TEST(a_job_past_its_deadline_is_neither_begun_nor_kept_running),
        TEST(a_waiting_job_is_cancelled_at_once),
        TEST(a_running_job_is_withdrawn_from_its_worker),
        TEST(a_job_cancelled_while_it_starts_never_reaches_its_worker),
        TEST(of_a_cancel_and_a_completion_one_wins),
        TEST(a_job_comes_with_a_token_that_is_renewed),
        TEST(a_revoked_principal_fails_its_jobs_for_good),
        TEST(an_issuer_that_is_away_puts_jobs_off),
        TEST(after_a_crash_ready_jobs_are_found_again),
        TEST(after_a_crash_running_jobs_wait_for_their_workers),
        TEST(after_a_crash_a_worker_says_what_it_still_holds),
        TEST(a_commit_that_was_cut_off_is_looked_up),
        TEST(a_commit_that_failed_is_made_again),
        TEST(a_store_that_cannot_be_read_is_asked_again),
        TEST(an_enqueue_that_fails_leaves_nothing),
        TEST(what_a_caller_asked_for_is_looked_up_when_the_answer_was_cut_off),
        TEST(a_job_whose_enqueue_nobody_could_confirm_is_found_in_the_store),
        TEST(capabilities_beyond_what_memory_holds_are_refused),
        TEST(history_is_forgotten_in_time),
        TEST(threads_do_the_same),
    };

    return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
