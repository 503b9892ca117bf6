#include "services/scheduler/job_store.h"

#include "libs/store/store_contract.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/failing_store.h"
#include "services/scheduler/job_changes.h"

#include <string.h>

struct fixture {
    struct arena *arena;
    struct failing_store store;
};

static int set_up(void **state)
{
    static struct fixture f;
    struct store *store;

    f = (struct fixture){ .arena = arena_new() };
    assert_status(store_open(f.arena, ":memory:", &store), STATUS_OK);
    assert_status(job_store_migrate(store, f.arena), STATUS_OK);
    failing_store_init(&f.store, store);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    store_close(&f->store.store);
    arena_free(f->arena);
    return 0;
}

static struct job_record a_job(const char *id)
{
    return (struct job_record){
        .tenant_id = "acme",
        .job_id = id,
        .project_id = "debian",
        .capability = "ingest.apt",
        .principal = "user:ada",
        .permissions = "project:debian:data:publish",
        .idempotency_key = "",
        .trace = "",
        .payload = { (const uint8_t *)"\0work", 5 },
        .state = JOB_READY,
        .priority = 5,
        .max_attempts = 3,
        .enqueue_ms = 1000,
        .run_at_ms = 1000,
    };
}

static status insert(struct fixture *f, const struct job_record *job)
{
    struct store_write *write = store_write_new(f->arena);

    job_change_insert(write, job);
    return store_commit(&f->store.store, f->arena, write);
}

static struct job_record get(struct fixture *f, const char *id)
{
    struct job_record job;

    assert_status(job_store_get(&f->store.store, f->arena, "acme", id, &job), STATUS_OK);
    return job;
}

static status commit(struct fixture *f, const struct store_write *write)
{
    return store_commit(&f->store.store, f->arena, write);
}

static status start(struct fixture *f, const char *id, int64_t attempt_before)
{
    struct store_write *write = store_write_new(f->arena);

    job_change_start(write, (struct job_seen){ "acme", id, JOB_READY, attempt_before }, "w1", 2000);
    return commit(f, write);
}

static status succeed(struct fixture *f, const char *id, int64_t attempt)
{
    struct store_write *write = store_write_new(f->arena);
    const struct job_progress progress = { 10, 10, "done" };

    job_change_succeed(write, (struct job_seen){ "acme", id, JOB_RUNNING, attempt }, &progress,
                       (bytes){ (const uint8_t *)"r", 1 }, 3000);
    return commit(f, write);
}

static status fail_job(struct fixture *f, const char *id, enum job_state state, int64_t attempt,
                       bool is_last)
{
    struct store_write *write = store_write_new(f->arena);
    const struct job_failure failure = {
        .error = { state == JOB_RUNNING ? attempt : attempt + 1, 3000, "w1", STATUS_UNAVAILABLE,
                   "no such mirror" },
        .counts = true,
        .is_last = is_last,
        .run_at_ms = 9000,
        .priority = 5,
        .progress = { 4, 10, "reading" },
    };

    job_change_fail(write, (struct job_seen){ "acme", id, state, attempt }, &failure);
    return commit(f, write);
}

static void a_job_comes_back_as_it_was_enqueued(void **state)
{
    struct fixture *f = *state;
    struct job_record job = a_job("j1");

    job.idempotency_key = "k";
    job.deadline_ms = 77;
    assert_status(insert(f, &job), STATUS_OK);
    const struct job_record got = get(f, "j1");
    assert_string_equal(got.capability, "ingest.apt");
    assert_string_equal(got.principal, "user:ada");
    assert_string_equal(got.permissions, "project:debian:data:publish");
    assert_string_equal(got.idempotency_key, "k");
    assert_int_equal(got.state, JOB_READY);
    assert_int_equal(got.priority, 5);
    assert_int_equal(got.max_attempts, 3);
    assert_string_equal(got.project_id, "debian");
    assert_int_equal(got.deadline_ms, 77);
    assert_int_equal(got.payload.size, 5);
    assert_memory_equal(got.payload.data, "\0work", 5);
    assert_status(job_store_get(&f->store.store, f->arena, "globex", "j1", &job), STATUS_NOT_FOUND);
}

static void a_key_is_taken_once_by_each_tenant(void **state)
{
    struct fixture *f = *state;
    struct job_record job = a_job("j1");
    struct job_record found;

    job.idempotency_key = "k";
    assert_status(insert(f, &job), STATUS_OK);
    job.job_id = "j2";
    assert_status(insert(f, &job), STATUS_ALREADY_EXISTS);
    job.tenant_id = "globex";
    assert_status(insert(f, &job), STATUS_OK);
    assert_status(job_store_find(&f->store.store, f->arena, "acme", "k", &found), STATUS_OK);
    assert_string_equal(found.job_id, "j1");
    assert_status(job_store_find(&f->store.store, f->arena, "acme", "x", &found), STATUS_NOT_FOUND);
}

static void a_job_starts_and_succeeds_once(void **state)
{
    struct fixture *f = *state;
    const struct job_record job = a_job("j1");

    assert_status(insert(f, &job), STATUS_OK);
    assert_status(succeed(f, "j1", 0), STATUS_ABORTED); /* it has not started */
    assert_status(start(f, "j1", 0), STATUS_OK);
    assert_status(start(f, "j1", 0), STATUS_ABORTED);
    assert_status(succeed(f, "j1", 2), STATUS_ABORTED); /* another attempt */
    assert_status(succeed(f, "j1", 1), STATUS_OK);
    assert_status(succeed(f, "j1", 1), STATUS_ABORTED);
    const struct job_record got = get(f, "j1");
    assert_int_equal(got.state, JOB_SUCCEEDED);
    assert_int_equal(got.attempt, 1);
    assert_string_equal(got.worker_id, "w1");
    assert_int_equal(got.start_ms, 2000);
    assert_int_equal(got.end_ms, 3000);
    assert_string_equal(got.progress.message, "done");
    assert_memory_equal(got.result.data, "r", 1);
}

static void a_failed_attempt_is_remembered_and_the_job_comes_again(void **state)
{
    struct fixture *f = *state;
    const struct job_record job = a_job("j1");
    struct job_error_list errors;
    struct job_list due;
    struct store_write *write = store_write_new(f->arena);
    int64_t next;

    assert_status(insert(f, &job), STATUS_OK);
    assert_status(start(f, "j1", 0), STATUS_OK);
    assert_status(fail_job(f, "j1", JOB_RUNNING, 1, false), STATUS_OK);
    assert_status(fail_job(f, "j1", JOB_RUNNING, 1, false), STATUS_ABORTED);
    assert_int_equal(get(f, "j1").state, JOB_SCHEDULED);
    assert_int_equal(get(f, "j1").failures, 1);
    assert_status(job_store_next_due(&f->store.store, f->arena, &next), STATUS_OK);
    assert_int_equal(next, 9000);
    assert_status(job_store_due(&f->store.store, f->arena, 8999, 10, &due), STATUS_OK);
    assert_int_equal(due.n_jobs, 0);
    assert_status(job_store_due(&f->store.store, f->arena, 9000, 10, &due), STATUS_OK);
    assert_int_equal(due.n_jobs, 1);
    job_change_promote(write, job_seen(&due.jobs[0]));
    job_change_promote(write, (struct job_seen){ "acme", "gone", JOB_SCHEDULED, 1 });
    assert_status(commit(f, write), STATUS_OK);
    assert_int_equal(get(f, "j1").state, JOB_READY);
    assert_status(start(f, "j1", 1), STATUS_OK);
    assert_status(fail_job(f, "j1", JOB_RUNNING, 2, true), STATUS_OK);
    assert_int_equal(get(f, "j1").state, JOB_DEAD);
    assert_status(job_store_errors(&f->store.store, f->arena, "acme", "j1", &errors), STATUS_OK);
    assert_int_equal(errors.n_errors, 2);
    assert_int_equal(errors.errors[1].attempt, 2);
    assert_string_equal(errors.errors[1].message, "no such mirror");
    assert_status(job_store_next_due(&f->store.store, f->arena, &next), STATUS_OK);
    assert_true(next == INT64_MAX);
}

static void a_dead_job_is_redriven_with_all_its_attempts(void **state)
{
    struct fixture *f = *state;
    const struct job_record job = a_job("j1");
    struct store_write *write = store_write_new(f->arena);

    assert_status(insert(f, &job), STATUS_OK);
    assert_status(fail_job(f, "j1", JOB_READY, 0, true), STATUS_OK); /* it could not even start */
    assert_int_equal(get(f, "j1").attempt, 1);
    job_change_redrive(write, (struct job_seen){ "acme", "j1", JOB_DEAD, 1 }, 5000, 5);
    assert_status(commit(f, write), STATUS_OK);
    assert_status(commit(f, write), STATUS_ABORTED); /* it is not dead any more */
    assert_int_equal(get(f, "j1").failures, 0);
    assert_status(start(f, "j1", 1), STATUS_OK);
    assert_int_equal(get(f, "j1").attempt, 2);
}

static void what_has_ended_cannot_be_cancelled(void **state)
{
    struct fixture *f = *state;
    const struct job_record job = a_job("j1");
    struct store_write *write = store_write_new(f->arena);

    assert_status(insert(f, &job), STATUS_OK);
    job_change_cancel(write, (struct job_seen){ "acme", "j1", JOB_READY, 0 }, 4000);
    assert_status(commit(f, write), STATUS_OK);
    assert_status(commit(f, write), STATUS_ABORTED);
    assert_status(start(f, "j1", 0), STATUS_ABORTED);
    assert_int_equal(get(f, "j1").state, JOB_CANCELLED);
}

static void a_job_given_back_or_postponed_keeps_its_failures(void **state)
{
    struct fixture *f = *state;
    const struct job_record job = a_job("j1");
    struct store_write *back = store_write_new(f->arena);
    struct store_write *later = store_write_new(f->arena);

    assert_status(insert(f, &job), STATUS_OK);
    assert_status(start(f, "j1", 0), STATUS_OK);
    job_change_give_back(back, (struct job_seen){ "acme", "j1", JOB_RUNNING, 1 });
    assert_status(commit(f, back), STATUS_OK);
    assert_int_equal(get(f, "j1").state, JOB_READY);
    assert_int_equal(get(f, "j1").run_at_ms, 1000);
    job_change_postpone(later, (struct job_seen){ "acme", "j1", JOB_READY, 1 }, 6000, 5);
    assert_status(commit(f, later), STATUS_OK);
    assert_int_equal(get(f, "j1").state, JOB_SCHEDULED);
    assert_int_equal(get(f, "j1").failures, 0);
}

static void ready_jobs_come_by_rank(void **state)
{
    struct fixture *f = *state;
    static const char *const want[] = { "j3", "j1", "j2" };
    struct job_record job = a_job("j1");
    struct job_list list;

    assert_status(insert(f, &job), STATUS_OK);
    job = a_job("j2");
    job.run_at_ms = 2000;
    assert_status(insert(f, &job), STATUS_OK);
    job = a_job("j3");
    job.run_at_ms = 3000;
    job.priority = 9;
    assert_status(insert(f, &job), STATUS_OK);
    job = a_job("j4");
    job.state = JOB_SCHEDULED;
    assert_status(insert(f, &job), STATUS_OK);
    assert_status(job_store_ready(&f->store.store, f->arena, "acme", "ingest.apt", 10, &list),
                  STATUS_OK);
    assert_int_equal(list.n_jobs, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(list.jobs[i].job_id, want[i]);
    }
    assert_status(job_store_ready(&f->store.store, f->arena, "acme", "ingest.apt", 2, &list),
                  STATUS_OK);
    assert_true(list.more);
}

static void lanes_are_found_one_after_the_other(void **state)
{
    struct fixture *f = *state;
    struct job_record job = a_job("j1");
    struct job_record lane = { .tenant_id = "", .capability = "" };
    bool found;

    assert_status(insert(f, &job), STATUS_OK);
    job.job_id = "j2";
    assert_status(insert(f, &job), STATUS_OK);
    job.job_id = "j3";
    job.capability = "resize";
    assert_status(insert(f, &job), STATUS_OK);
    assert_status(job_store_next_lane(&f->store.store, f->arena, "", "", &lane, &found), STATUS_OK);
    assert_string_equal(lane.capability, "ingest.apt");
    assert_status(job_store_next_lane(&f->store.store, f->arena, lane.tenant_id, lane.capability,
                                      &lane, &found),
                  STATUS_OK);
    assert_string_equal(lane.capability, "resize");
    assert_status(job_store_next_lane(&f->store.store, f->arena, lane.tenant_id, lane.capability,
                                      &lane, &found),
                  STATUS_OK);
    assert_false(found);
}

static void running_jobs_are_found_page_by_page(void **state)
{
    struct fixture *f = *state;
    static const char *const ids[] = { "j1", "j2", "j3" };
    struct job_list list;

    for (size_t i = 0; i < 3; i++) {
        const struct job_record job = a_job(ids[i]);
        assert_status(insert(f, &job), STATUS_OK);
        assert_status(start(f, ids[i], 0), STATUS_OK);
    }
    assert_status(job_store_running(&f->store.store, f->arena, "", "", 2, &list), STATUS_OK);
    assert_int_equal(list.n_jobs, 2);
    assert_true(list.more);
    assert_status(job_store_running(&f->store.store, f->arena, "acme", "j2", 2, &list), STATUS_OK);
    assert_int_equal(list.n_jobs, 1);
    assert_string_equal(list.jobs[0].job_id, "j3");
    assert_false(list.more);
}

static void jobs_past_their_deadline_are_found(void **state)
{
    struct fixture *f = *state;
    struct job_record job = a_job("j1");
    struct job_list list;

    assert_status(insert(f, &job), STATUS_OK); /* has none */
    job.job_id = "j2";
    job.deadline_ms = 5000;
    assert_status(insert(f, &job), STATUS_OK);
    assert_status(job_store_overdue(&f->store.store, f->arena, 4999, 10, &list), STATUS_OK);
    assert_int_equal(list.n_jobs, 0);
    assert_status(job_store_overdue(&f->store.store, f->arena, 5000, 10, &list), STATUS_OK);
    assert_int_equal(list.n_jobs, 1);
    assert_status(fail_job(f, "j2", JOB_READY, 0, true), STATUS_OK);
    assert_status(job_store_overdue(&f->store.store, f->arena, 5000, 10, &list), STATUS_OK);
    assert_int_equal(list.n_jobs, 0);
}

static void a_list_goes_through_all_pages_newest_first(void **state)
{
    struct fixture *f = *state;
    static const char *const ids[] = { "j1", "j2", "j3" };
    struct job_filter filter = {
        .tenant_id = "acme", .project_id = "debian", .before = "", .limit = 2
    };
    struct job_list list;

    for (size_t i = 0; i < 3; i++) {
        const struct job_record job = a_job(ids[i]);
        assert_status(insert(f, &job), STATUS_OK);
    }
    assert_status(job_store_list(&f->store.store, f->arena, &filter, &list), STATUS_OK);
    assert_int_equal(list.n_jobs, 2);
    assert_string_equal(list.jobs[0].job_id, "j3");
    assert_true(list.more);
    filter.before = list.jobs[1].job_id;
    assert_status(job_store_list(&f->store.store, f->arena, &filter, &list), STATUS_OK);
    assert_int_equal(list.n_jobs, 1);
    assert_false(list.more);
    filter.before = "";
    filter.state = JOB_DEAD;
    assert_status(job_store_list(&f->store.store, f->arena, &filter, &list), STATUS_OK);
    assert_int_equal(list.n_jobs, 0);
    assert_status(fail_job(f, "j2", JOB_READY, 0, true), STATUS_OK);
    assert_status(job_store_list(&f->store.store, f->arena, &filter, &list), STATUS_OK);
    assert_int_equal(list.n_jobs, 1);
    filter.state = JOB_ANY_STATE;
    filter.project_id = "fedora";
    assert_status(job_store_list(&f->store.store, f->arena, &filter, &list), STATUS_OK);
    assert_int_equal(list.n_jobs, 0);
    filter.tenant_id = "globex";
    filter.project_id = "debian";
    assert_status(job_store_list(&f->store.store, f->arena, &filter, &list), STATUS_OK);
    assert_int_equal(list.n_jobs, 0);
}

static void old_history_is_forgotten_and_dead_letters_later(void **state)
{
    struct fixture *f = *state;
    struct job_record job = a_job("j1");
    struct store_write *write = store_write_new(f->arena);
    struct job_error_list errors;

    assert_status(insert(f, &job), STATUS_OK);
    assert_status(start(f, "j1", 0), STATUS_OK);
    assert_status(succeed(f, "j1", 1), STATUS_OK); /* both end at 3000 */
    job.job_id = "j2";
    assert_status(insert(f, &job), STATUS_OK);
    assert_status(fail_job(f, "j2", JOB_READY, 0, true), STATUS_OK);
    job.job_id = "j3";
    job.idempotency_key = "k";
    assert_status(insert(f, &job), STATUS_OK);
    assert_status(start(f, "j3", 0), STATUS_OK);
    assert_status(succeed(f, "j3", 1), STATUS_OK);
    job_change_forget(write, &(struct job_retention){ 3001, 3000, 3000, 10 });
    assert_status(commit(f, write), STATUS_OK);
    assert_status(job_store_get(&f->store.store, f->arena, "acme", "j1", &job), STATUS_NOT_FOUND);
    assert_int_equal(get(f, "j2").state, JOB_DEAD);
    assert_int_equal(get(f, "j3").state, JOB_SUCCEEDED);
    write = store_write_new(f->arena);
    job_change_forget(write, &(struct job_retention){ 3001, 3001, 3001, 10 });
    assert_status(commit(f, write), STATUS_OK);
    assert_status(job_store_get(&f->store.store, f->arena, "acme", "j2", &job), STATUS_NOT_FOUND);
    assert_status(job_store_get(&f->store.store, f->arena, "acme", "j3", &job), STATUS_NOT_FOUND);
    assert_status(job_store_errors(&f->store.store, f->arena, "acme", "j2", &errors), STATUS_OK);
    assert_int_equal(errors.n_errors, 0);
}

static void open_jobs_are_counted_by_tenant(void **state)
{
    struct fixture *f = *state;
    struct job_record job = a_job("j1");
    struct job_count_list list;

    assert_status(insert(f, &job), STATUS_OK);
    job.job_id = "j2";
    job.state = JOB_SCHEDULED;
    assert_status(insert(f, &job), STATUS_OK);
    job.job_id = "j3";
    job.state = JOB_READY;
    assert_status(insert(f, &job), STATUS_OK);
    assert_status(start(f, "j3", 0), STATUS_OK);
    job.job_id = "j4";
    assert_status(insert(f, &job), STATUS_OK);
    assert_status(fail_job(f, "j4", JOB_READY, 0, true), STATUS_OK); /* no longer open */
    job.tenant_id = "globex";
    assert_status(insert(f, &job), STATUS_OK);
    assert_status(job_store_count_open(&f->store.store, f->arena, &list), STATUS_OK);
    assert_int_equal(list.n_counts, 2);
    assert_string_equal(list.counts[0].tenant_id, "acme");
    assert_int_equal(list.counts[0].n_jobs, 3);
    assert_int_equal(list.counts[1].n_jobs, 1);
}

static void the_end_of_the_history_to_keep_is_found(void **state)
{
    struct fixture *f = *state;
    const struct job_record job = a_job("j1");
    int64_t ms;

    assert_status(insert(f, &job), STATUS_OK);
    assert_status(fail_job(f, "j1", JOB_READY, 0, true), STATUS_OK);
    assert_status(job_store_newest_end(&f->store.store, f->arena, 0, &ms), STATUS_OK);
    assert_int_equal(ms, 3000);
    assert_status(job_store_newest_end(&f->store.store, f->arena, 1, &ms), STATUS_OK);
    assert_int_equal(ms, 0);
}

static void a_failure_and_its_error_are_one_write(void **state)
{
    struct fixture *f = *state;
    const struct job_record job = a_job("j1");

    assert_status(insert(f, &job), STATUS_OK);
    assert_status(start(f, "j1", 0), STATUS_OK);
    f->store.fail_statement = 2;
    assert_status(fail_job(f, "j1", JOB_RUNNING, 1, false), STATUS_UNAVAILABLE);
    assert_int_equal(get(f, "j1").state, JOB_RUNNING);
}

static void every_question_passes_on_that_the_store_is_away(void **state)
{
    struct fixture *f = *state;
    struct store *store = &f->store.store;
    const struct job_filter filter = { "acme", "debian", JOB_ANY_STATE, "", 1 };
    struct job_record job;
    struct job_list list;
    struct job_error_list errors;
    struct job_count_list counts;
    int64_t ms;
    bool found;

#define EXPECT_AWAY(call)                        \
    do {                                         \
        f->store.fail_query = 1;                 \
        assert_status(call, STATUS_UNAVAILABLE); \
    } while (0)
    EXPECT_AWAY(job_store_get(store, f->arena, "acme", "j1", &job));
    EXPECT_AWAY(job_store_find(store, f->arena, "acme", "k", &job));
    EXPECT_AWAY(job_store_list(store, f->arena, &filter, &list));
    EXPECT_AWAY(job_store_errors(store, f->arena, "acme", "j1", &errors));
    EXPECT_AWAY(job_store_ready(store, f->arena, "acme", "c", 1, &list));
    EXPECT_AWAY(job_store_due(store, f->arena, 0, 1, &list));
    EXPECT_AWAY(job_store_next_due(store, f->arena, &ms));
    EXPECT_AWAY(job_store_overdue(store, f->arena, 0, 1, &list));
    EXPECT_AWAY(job_store_running(store, f->arena, "", "", 1, &list));
    EXPECT_AWAY(job_store_count_open(store, f->arena, &counts));
    EXPECT_AWAY(job_store_newest_end(store, f->arena, 1, &ms));
    EXPECT_AWAY(job_store_next_lane(store, f->arena, "", "", &job, &found));
#undef EXPECT_AWAY
}

static void its_migrations_have_a_way_back(void **state)
{
    (void)state;
    store_migrations_contract(job_store_migrate);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_job_comes_back_as_it_was_enqueued),
        TEST(a_key_is_taken_once_by_each_tenant),
        TEST(a_job_starts_and_succeeds_once),
        TEST(a_failed_attempt_is_remembered_and_the_job_comes_again),
        TEST(a_dead_job_is_redriven_with_all_its_attempts),
        TEST(what_has_ended_cannot_be_cancelled),
        TEST(a_job_given_back_or_postponed_keeps_its_failures),
        TEST(ready_jobs_come_by_rank),
        TEST(lanes_are_found_one_after_the_other),
        TEST(running_jobs_are_found_page_by_page),
        TEST(jobs_past_their_deadline_are_found),
        TEST(a_list_goes_through_all_pages_newest_first),
        TEST(old_history_is_forgotten_and_dead_letters_later),
        TEST(open_jobs_are_counted_by_tenant),
        TEST(the_end_of_the_history_to_keep_is_found),
        TEST(a_failure_and_its_error_are_one_write),
        TEST(every_question_passes_on_that_the_store_is_away),
        cmocka_unit_test(its_migrations_have_a_way_back),
    };

    return cmocka_run_group_tests_name("job_store", tests, NULL, NULL);
}
