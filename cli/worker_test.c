#include "cli/worker.h"

#include "cli/testing/fake_scheduler.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/temp_folder.h"

#include <string.h>
#include <time.h>

struct fixture {
    struct arena *arena;
    struct fake_scheduler scheduler;
    struct call call;
    struct worker_options options;
    int n_run;
    enum status_code fail_with; /* of each job; STATUS_OK succeeds */
    bool works_until_told;      /* reports until the worker says that the job is not ours */
    bool works_until_renewed;   /* or until it has another token */
    _Atomic bool stopping;
};

static status run(void *data, struct worker *worker, struct arena *arena,
                  const Weft__Scheduler__V1__Assignment *job, const char **ret_result)
{
    const struct timespec pause = { .tv_nsec = 5000000 };
    struct fixture *f = data;

    f->n_run++;
    assert_string_equal(job->token, "token");
    assert_string_equal(worker_token(worker), "token"); /* not one of the job before */
    assert_int_equal(job->payload.len, 7);
    bool ours = worker_progress(worker, 1, 2, "half");
    while (f->works_until_told && ours) {
        (void)nanosleep(&pause, NULL);
        ours = worker_progress(worker, 1, 2, "half");
    }
    while (f->works_until_renewed && strcmp(worker_token(worker), "token") == 0) {
        (void)nanosleep(&pause, NULL);
        assert_true(worker_progress(worker, 1, 2, "half"));
    }
    if (f->works_until_renewed) {
        assert_string_equal(worker_token(worker), "newer");
    }
    (void)worker_progress(worker, 2, 2, "all");
    if (f->fail_with != STATUS_OK) {
        return status_error(arena, f->fail_with, "told to fail");
    }
    *ret_result = "done";
    return status_ok();
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    f->arena = arena_new();
    fake_scheduler_start(&f->scheduler, f->arena, temp_folder(f->arena));
    f->call = call_of_process(f->arena);
    f->options = (struct worker_options){
        .scheduler = f->scheduler.peer,
        .worker_id = "w",
        .capability = "test",
        .run = run,
        .data = f,
        .max_jobs = 3,
        .stopping = &f->stopping,
    };
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    fake_scheduler_stop(&f->scheduler);
    arena_free(f->arena);
    free(f);
    return 0;
}

static void jobs_are_done_one_after_the_other(void **state)
{
    struct fixture *f = *state;

    assert_status(worker_run(&f->call, &f->options), STATUS_OK);
    assert_int_equal(f->n_run, 3);
    assert_int_equal(atomic_load(&f->scheduler.n_assigned), 3);
    assert_int_equal(atomic_load(&f->scheduler.n_completed), 3);
    /* However soon after the first, the last is told: it is what the job shows for ever after. */
    assert_int_equal(atomic_load(&f->scheduler.n_progress), 6);
    assert_int_equal(atomic_load(&f->scheduler.n_streams), 1);
}

static void a_failure_is_reported_with_whether_it_is_for_good(void **state)
{
    struct fixture *f = *state;
    const struct {
        enum status_code code;
        bool permanent;
    } cases[] = { { STATUS_UNAVAILABLE, false },
                  { STATUS_INTERNAL, false },
                  { STATUS_INVALID_ARGUMENT, true },
                  { STATUS_NOT_FOUND, true },
                  { STATUS_PERMISSION_DENIED, true } };

    f->options.max_jobs = 1;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        f->fail_with = cases[i].code;
        assert_status(worker_run(&f->call, &f->options), STATUS_OK);
        assert_int_equal(atomic_load(&f->scheduler.n_failed), (int)i + 1);
        assert_int_equal(atomic_load(&f->scheduler.last_was_permanent), cases[i].permanent);
    }
    assert_int_equal(atomic_load(&f->scheduler.n_completed), 0);
}

static void a_stream_that_breaks_is_opened_again(void **state)
{
    struct fixture *f = *state;

    f->scheduler.break_streams = 3;
    assert_status(worker_run(&f->call, &f->options), STATUS_OK);
    assert_int_equal(f->n_run, 3);
    assert_int_equal(atomic_load(&f->scheduler.n_streams), 4);
}

static void who_is_not_wanted_does_not_come_again(void **state)
{
    struct fixture *f = *state;

    f->scheduler.refuse = true;
    assert_status(worker_run(&f->call, &f->options), STATUS_PERMISSION_DENIED);
    assert_int_equal(atomic_load(&f->scheduler.n_streams), 1);
}

static void a_withdrawn_job_is_left_and_not_reported(void **state)
{
    struct fixture *f = *state;

    f->scheduler.withdraw = true;
    f->works_until_told = true;
    f->options.max_jobs = 1;
    assert_status(worker_run(&f->call, &f->options), STATUS_OK);
    assert_int_equal(f->n_run, 1);
    assert_int_equal(atomic_load(&f->scheduler.n_completed), 0);
    assert_int_equal(atomic_load(&f->scheduler.n_failed), 0);
}

static void each_job_is_given_the_newest_token_of_its_own(void **state)
{
    struct fixture *f = *state;

    f->scheduler.renew = true;
    f->works_until_renewed = true;
    assert_status(worker_run(&f->call, &f->options), STATUS_OK);
    assert_int_equal(f->n_run, 3);
    assert_int_equal(atomic_load(&f->scheduler.n_completed), 3);
}

static void a_worker_that_stops_takes_no_job(void **state)
{
    struct fixture *f = *state;

    f->stopping = true;
    assert_status(worker_run(&f->call, &f->options), STATUS_OK);
    assert_int_equal(f->n_run, 0);
}

static void patience_with_a_scheduler_that_is_away_ends(void **state)
{
    struct fixture *f = *state;

    f->options.patience_ms = 1;
    server_stop(f->scheduler.server, 0);
    status s = worker_run(&f->call, &f->options);
    assert_status(s, STATUS_UNAVAILABLE);
    assert_int_equal(f->n_run, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(jobs_are_done_one_after_the_other),
        TEST(a_failure_is_reported_with_whether_it_is_for_good),
        TEST(a_stream_that_breaks_is_opened_again),
        TEST(who_is_not_wanted_does_not_come_again),
        TEST(a_withdrawn_job_is_left_and_not_reported),
        TEST(each_job_is_given_the_newest_token_of_its_own),
        TEST(a_worker_that_stops_takes_no_job),
        TEST(patience_with_a_scheduler_that_is_away_ends),
    };

    return cmocka_run_group_tests_name("worker", tests, NULL, NULL);
}
