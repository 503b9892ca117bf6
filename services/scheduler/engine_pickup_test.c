/* Jobs that somebody waits for: they begin with their enqueue, and what may go wrong with that. */

#include "libs/testing/assert_status.h"
#include "services/scheduler/engine_fixture.h"
#include "services/scheduler/job_store.h"

static void step(void *data)
{
    struct fixture *f = data;

    engine_step(f->engine);
}

/* The issuer's answer is here before the commit, or comes after it. */
static const char *enqueue_with_answer(struct fixture *f, bool comes_first)
{
    f->store.before = comes_first ? step : NULL;
    f->store.data = f;
    return enqueue(f, a_job());
}

/* Nothing is left of what went wrong: the worker, which gave credit for one, can still have one. */
static void expect_credit_is_left(struct fixture *f)
{
    f->issuer.code = STATUS_OK;
    f->issuer.meanwhile = NULL;
    const char *id = enqueue(f, a_job());
    const struct notice notice = expect(f, f->worker, NOTICE_JOB);
    assert_string_equal(notice.job_id, id);
    engine_worker_succeed(f->worker, attempt_of(&notice), nothing);
    assert_int_equal(expect(f, f->worker, NOTICE_SETTLED).code, STATUS_OK);
    assert_int_equal(engine_figures(f->engine).n_changes, 0);
}

static void a_job_somebody_waits_for_starts_with_its_enqueue(void **state)
{
    struct fixture *f = *state;
    struct job_record job = a_job();

    engine_worker_credit(f->worker, 1);
    assert_status(engine_enqueue(f->engine, f->arena, &job, 1, NULL), STATUS_OK);
    assert_int_equal(job.state, JOB_READY); /* what was enqueued */
    assert_int_equal(get(f, job.job_id).state, JOB_RUNNING);
    const struct notice notice = expect(f, f->worker, NOTICE_JOB);
    assert_string_equal(notice.job_id, job.job_id);
    assert_int_equal(notice.attempt, 1);
    expect_silence(f, f->worker);
}

static void look_before_the_commit(void *data)
{
    struct fixture *f = data;

    expect_silence(f, f->worker);
    assert_int_equal(f->issuer.n_issued, 1); /* meanwhile */
}

static void no_worker_hears_of_it_before_it_is_durable(void **state)
{
    struct fixture *f = *state;

    with_issuer(f);
    engine_worker_credit(f->worker, 1);
    f->store.before = look_before_the_commit;
    f->store.data = f;
    (void)enqueue(f, a_job());
    assert_string_equal(expect(f, f->worker, NOTICE_JOB).text, "token-1");
    assert_int_equal(f->issuer.n_calls, 1);
}

static void only_as_many_begin_as_there_is_credit_for(void **state)
{
    struct fixture *f = *state;
    struct job_record jobs[3] = { a_job(), a_job(), a_job() };

    engine_worker_credit(f->worker, 2);
    assert_status(engine_enqueue(f->engine, f->arena, jobs, 3, NULL), STATUS_OK);
    assert_string_equal(expect(f, f->worker, NOTICE_JOB).job_id, jobs[0].job_id);
    assert_string_equal(expect(f, f->worker, NOTICE_JOB).job_id, jobs[1].job_id);
    expect_silence(f, f->worker);
    assert_int_equal(get(f, jobs[2].job_id).state, JOB_READY);
    engine_worker_credit(f->worker, 1);
    assert_string_equal(expect(f, f->worker, NOTICE_JOB).job_id, jobs[2].job_id);
}

static void a_job_that_is_not_due_does_not_begin(void **state)
{
    struct fixture *f = *state;
    struct job_record later = a_job();

    later.run_at_ms = f->clock.wall_ms + 1000;
    engine_worker_credit(f->worker, 1);
    const char *id = enqueue(f, later);
    expect_silence(f, f->worker);
    assert_int_equal(get(f, id).state, JOB_SCHEDULED);
    expect_credit_is_left(f);
}

/* ---- The enqueue goes wrong ---- */

static void an_enqueue_that_failed_starts_nothing(void **state)
{
    struct fixture *f = *state;
    struct job_record job = a_job();

    with_issuer(f);
    engine_worker_credit(f->worker, 1);
    f->store.fail_commit = 1;
    assert_status(engine_enqueue(f->engine, f->arena, &job, 1, NULL), STATUS_UNAVAILABLE);
    expect_silence(f, f->worker);
    assert_status(engine_get(f->engine, f->arena, "acme", job.job_id, &job), STATUS_NOT_FOUND);
    expect_credit_is_left(f);
}

static void an_enqueue_that_was_cut_off_counts_even_if_the_job_has_begun(void **state)
{
    struct fixture *f = *state;
    struct job_record job = a_job();

    engine_worker_credit(f->worker, 1);
    f->store.cut_commit = 1;
    assert_status(engine_enqueue(f->engine, f->arena, &job, 1, NULL), STATUS_OK);
    const struct notice notice = expect(f, f->worker, NOTICE_JOB);
    assert_string_equal(notice.job_id, job.job_id);
    assert_int_equal(notice.attempt, 1);
    expect_silence(f, f->worker);
}

static void one_that_nobody_can_look_up_is_looked_up_again(void **state)
{
    struct fixture *f = *state;
    struct job_record job = a_job();

    engine_worker_credit(f->worker, 1);
    f->store.cut_commit = 1;
    f->store.fail_query = 1;
    assert_status(engine_enqueue(f->engine, f->arena, &job, 1, NULL), STATUS_UNAVAILABLE);
    const struct notice notice = expect(f, f->worker, NOTICE_JOB);
    assert_string_equal(notice.job_id, job.job_id);
    assert_int_equal(notice.attempt, 1);
}

static void a_known_key_starts_nothing_and_new_jobs_beside_it_once(void **state)
{
    struct fixture *f = *state;
    struct job_record known = a_job();

    with_issuer(f);
    known.idempotency_key = "k";
    const char *id = enqueue(f, known);
    engine_worker_credit(f->worker, 3);
    const struct notice first = expect(f, f->worker, NOTICE_JOB);
    assert_string_equal(first.job_id, id);
    struct job_record jobs[2] = { a_job(), known };
    jobs[1].job_id = NULL;
    assert_status(engine_enqueue(f->engine, f->arena, jobs, 2, NULL), STATUS_OK);
    assert_string_equal(jobs[1].job_id, id);
    const struct notice second = expect(f, f->worker, NOTICE_JOB);
    assert_string_equal(second.job_id, jobs[0].job_id);
    assert_int_equal(second.attempt, 1);
    expect_silence(f, f->worker);
    expect_credit_is_left(f);
}

/* ---- The token does ---- */

static void without_a_token_for_good_it_is_dead(void **state)
{
    struct fixture *f = *state;

    for (int comes_first = 0; comes_first <= 1; comes_first++) {
        with_issuer(f);
        engine_worker_credit(f->worker, 1);
        f->issuer.code = STATUS_PERMISSION_DENIED;
        const char *id = enqueue_with_answer(f, comes_first);
        expect_silence(f, f->worker);
        assert_int_equal(get(f, id).state, JOB_DEAD);
        assert_int_equal(get(f, id).code, STATUS_PERMISSION_DENIED);
        expect_credit_is_left(f);
    }
}

static void without_a_token_for_now_it_is_put_off_and_not_counted_as_failed(void **state)
{
    struct fixture *f = *state;

    for (int comes_first = 0; comes_first <= 1; comes_first++) {
        with_issuer(f);
        engine_worker_credit(f->worker, 1);
        f->issuer.code = STATUS_UNAVAILABLE;
        const char *id = enqueue_with_answer(f, comes_first);
        expect_silence(f, f->worker);
        assert_int_equal(get(f, id).state, JOB_SCHEDULED);
        assert_int_equal(get(f, id).failures, 0);
        f->issuer.code = STATUS_OK;
        fake_clock_advance_ms(&f->clock, 2000);
        const struct notice notice = expect(f, f->worker, NOTICE_JOB);
        assert_int_equal(notice.attempt, 2); /* a number is never used again */
        engine_worker_succeed(f->worker, attempt_of(&notice), nothing);
        assert_int_equal(expect(f, f->worker, NOTICE_SETTLED).code, STATUS_OK);
    }
}

static void one_that_cannot_be_given_back_either_fails_and_its_worker_is_free(void **state)
{
    struct fixture *f = *state;

    with_issuer(f);
    engine_worker_credit(f->worker, 1);
    f->issuer.code = STATUS_UNAVAILABLE;
    f->store.fail_commit = 2; /* after the enqueue */
    const char *id = enqueue(f, a_job());
    assert_int_equal(get(f, id).state, JOB_RUNNING);
    fake_clock_advance_ms(&f->clock, 1001);
    expect_silence(f, f->worker);
    assert_int_equal(get(f, id).state, JOB_SCHEDULED);
    assert_int_equal(get(f, id).failures, 1);
    expect_credit_is_left(f);
}

/* ---- Somebody changes their mind while the token is asked for ---- */

static void cancel(void *data)
{
    struct fixture *f = data;
    struct job_record job;
    struct job_list list;

    assert_status(
        job_store_list(f->real, f->arena,
                       &(struct job_filter){
                           .tenant_id = "acme", .project_id = "debian", .before = "", .limit = 1 },
                       &list),
        STATUS_OK);
    assert_status(engine_cancel(f->engine, f->arena, "acme", list.jobs[0].job_id, NULL, &job),
                  STATUS_OK);
}

static void leave(void *data)
{
    struct fixture *f = data;

    engine_worker_close(f->worker);
    f->worker = NULL;
}

static void a_cancelled_one_is_not_told(void **state)
{
    struct fixture *f = *state;

    with_issuer(f);
    engine_worker_credit(f->worker, 1);
    f->issuer.meanwhile = cancel;
    f->issuer.data = f;
    const char *id = enqueue(f, a_job());
    expect_silence(f, f->worker);
    assert_int_equal(get(f, id).state, JOB_CANCELLED);
    expect_credit_is_left(f);
}

static void one_whose_worker_has_left_goes_to_another(void **state)
{
    struct fixture *f = *state;

    for (int comes_first = 0; comes_first <= 1; comes_first++) {
        with_issuer(f);
        engine_worker_credit(f->worker, 1);
        f->issuer.meanwhile = leave;
        f->issuer.data = f;
        const char *id = enqueue_with_answer(f, comes_first);
        assert_int_equal(get(f, id).state, JOB_READY);
        assert_int_equal(get(f, id).failures, 0);
        f->issuer.meanwhile = NULL;
        f->worker = add_worker(f, "w2", "");
        engine_worker_credit(f->worker, 1);
        const struct notice notice = expect(f, f->worker, NOTICE_JOB);
        assert_string_equal(notice.job_id, id);
        assert_int_equal(notice.attempt, 2);
        engine_worker_succeed(f->worker, attempt_of(&notice), nothing);
        assert_int_equal(expect(f, f->worker, NOTICE_SETTLED).code, STATUS_OK);
    }
}

static void after_a_crash_it_goes_to_others_when_its_worker_does_not_name_it(void **state)
{
    struct fixture *f = *state;
    struct job_record job = a_job();

    engine_worker_credit(f->worker, 1);
    assert_status(engine_enqueue(f->engine, f->arena, &job, 1, NULL), STATUS_OK);
    crash(f); /* it runs, as the store knows it, and nobody was told */
    f->worker = add_worker(f, "w1", "");
    engine_worker_credit(f->worker, 1);
    const struct notice notice = expect(f, f->worker, NOTICE_JOB);
    assert_string_equal(notice.job_id, job.job_id);
    assert_int_equal(notice.attempt, 2);
    assert_int_equal(get(f, job.job_id).failures, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_job_somebody_waits_for_starts_with_its_enqueue),
        TEST(no_worker_hears_of_it_before_it_is_durable),
        TEST(only_as_many_begin_as_there_is_credit_for),
        TEST(a_job_that_is_not_due_does_not_begin),
        TEST(an_enqueue_that_failed_starts_nothing),
        TEST(an_enqueue_that_was_cut_off_counts_even_if_the_job_has_begun),
        TEST(one_that_nobody_can_look_up_is_looked_up_again),
        TEST(a_known_key_starts_nothing_and_new_jobs_beside_it_once),
        TEST(without_a_token_for_good_it_is_dead),
        TEST(without_a_token_for_now_it_is_put_off_and_not_counted_as_failed),
        TEST(one_that_cannot_be_given_back_either_fails_and_its_worker_is_free),
        TEST(a_cancelled_one_is_not_told),
        TEST(one_whose_worker_has_left_goes_to_another),
        TEST(after_a_crash_it_goes_to_others_when_its_worker_does_not_name_it),
    };

    return cmocka_run_group_tests_name("engine_pickup", tests, NULL, NULL);
}
