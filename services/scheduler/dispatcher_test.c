#include "services/scheduler/dispatcher.h"

#include "libs/base/random.h"
#include "libs/testing/seeded_random.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct job_record record(const char *tenant, const char *id, int64_t priority,
                                int64_t run_at)
{
    return (struct job_record){
        .tenant_id = tenant,
        .job_id = id,
        .project_id = "debian",
        .capability = "ingest.apt",
        .principal = "user:ada",
        .permissions = "",
        .trace = "",
        .worker_id = "",
        .payload = { (const uint8_t *)"work", 4 },
        .state = JOB_READY,
        .priority = priority,
        .run_at_ms = run_at,
    };
}

static void offer(struct dispatcher *d, const char *tenant, const char *id, int64_t priority,
                  int64_t run_at)
{
    const struct job_record job = record(tenant, id, priority, run_at);

    dispatcher_offer(d, dispatcher_lane(d, tenant, "ingest.apt"), &job);
}

static struct worker *add_worker(struct dispatcher *d, const char *tenant)
{
    static const char *const capabilities[] = { "ingest.apt" };

    return dispatcher_worker_add(d, &(struct worker_options){
                                        .worker_id = "w",
                                        .tenant_id = tenant,
                                        .capabilities = capabilities,
                                        .n_capabilities = 1,
                                    });
}

static void remove_worker(struct dispatcher *d, struct worker *worker)
{
    while (worker->jobs != NULL) {
        dispatcher_forget(d, worker->jobs);
    }
    dispatcher_worker_remove(d, worker);
}

static void expect_next(struct dispatcher *d, struct worker *worker, const char *want)
{
    dispatcher_credit(worker, 1);
    struct job *job = dispatcher_match_worker(d, worker);
    if (want == NULL) {
        assert_null(job);
        return;
    }
    assert_non_null(job);
    assert_string_equal(job->job_id, want);
    assert_int_equal(job->phase, PHASE_STARTING);
    assert_ptr_equal(job->worker, worker);
    dispatcher_forget(d, job);
}

static void urgent_jobs_go_first_until_others_have_waited_long_enough(void **state)
{
    struct dispatcher *d = dispatcher_new(&(struct dispatcher_options){ 0 });
    struct worker *worker = add_worker(d, "");

    (void)state;
    offer(d, "acme", "old-low", 0, 0);
    offer(d, "acme", "urgent", 9, 89000);      /* a minute and a half later: still before */
    offer(d, "acme", "late-urgent", 9, 91000); /* behind */
    offer(d, "acme", "normal", 5, 49500);
    expect_next(d, worker, "urgent");
    expect_next(d, worker, "normal");
    expect_next(d, worker, "old-low");
    expect_next(d, worker, "late-urgent");
    expect_next(d, worker, NULL);
    remove_worker(d, worker);
    dispatcher_free(d);
}

static void equal_jobs_go_in_the_order_they_came(void **state)
{
    struct dispatcher *d = dispatcher_new(&(struct dispatcher_options){ 0 });
    struct worker *worker = add_worker(d, "");

    (void)state;
    offer(d, "acme", "a", 5, 7);
    offer(d, "acme", "b", 5, 7);
    offer(d, "acme", "a", 5, 7); /* known already */
    expect_next(d, worker, "a");
    expect_next(d, worker, "b");
    expect_next(d, worker, NULL);
    remove_worker(d, worker);
    dispatcher_free(d);
}

static void a_job_goes_to_the_worker_that_waits_longest(void **state)
{
    struct dispatcher *d = dispatcher_new(&(struct dispatcher_options){ 0 });
    struct worker *first = add_worker(d, "");
    struct worker *second = add_worker(d, "");
    struct lane *lane = dispatcher_lane(d, "acme", "ingest.apt");

    (void)state;
    dispatcher_credit(first, 2);
    dispatcher_credit(second, 1);
    offer(d, "acme", "a", 5, 1);
    assert_ptr_equal(dispatcher_match_lane(d, lane)->worker, first);
    offer(d, "acme", "b", 5, 2);
    assert_ptr_equal(dispatcher_match_lane(d, lane)->worker, second);
    offer(d, "acme", "c", 5, 3);
    assert_ptr_equal(dispatcher_match_lane(d, lane)->worker, first);
    offer(d, "acme", "d", 5, 4);
    assert_null(dispatcher_match_lane(d, lane)); /* nobody has credit left */
    remove_worker(d, first);
    remove_worker(d, second);
    dispatcher_free(d);
}

static struct job *match_new(struct dispatcher *d, const char *id)
{
    const struct job_record job = record("acme", id, 5, 0);

    return dispatcher_match_new(d, dispatcher_lane(d, "acme", "ingest.apt"), &job);
}

static void a_new_job_is_matched_at_once_only_when_nobody_waits(void **state)
{
    struct dispatcher *d = dispatcher_new(&(struct dispatcher_options){ 0 });
    struct lane *lane = dispatcher_lane(d, "acme", "ingest.apt");
    struct worker *worker = add_worker(d, "");

    (void)state;
    assert_null(match_new(d, "no credit"));
    assert_null(dispatcher_find(d, "acme", "no credit"));
    dispatcher_credit(worker, 2);
    struct job *job = match_new(d, "a");
    assert_non_null(job);
    assert_int_equal(job->phase, PHASE_STARTING);
    assert_ptr_equal(job->worker, worker);
    assert_int_equal(worker->credit, 1);
    dispatcher_suspect(d, lane);
    assert_null(match_new(d, "there may be others in the store"));
    dispatcher_forget(d, job);
    remove_worker(d, worker);
    dispatcher_free(d);
}

static void a_tenants_own_worker_gets_its_jobs_alone(void **state)
{
    struct dispatcher *d = dispatcher_new(&(struct dispatcher_options){ 0 });
    struct worker *shared = add_worker(d, "");
    struct worker *own = add_worker(d, "acme");

    (void)state;
    dispatcher_credit(shared, 5);
    dispatcher_credit(own, 1);
    offer(d, "globex", "theirs", 0, 1);
    offer(d, "acme", "ours", 5, 1);
    assert_null(dispatcher_match_worker(d, own)->next_of_worker);
    assert_string_equal(own->jobs->job_id, "ours");
    assert_null(dispatcher_match_worker(d, own));
    assert_string_equal(dispatcher_match_worker(d, shared)->job_id, "theirs");
    assert_true(dispatcher_can_serve(shared, dispatcher_lane(d, "acme", "ingest.apt")));
    assert_false(dispatcher_can_serve(own, dispatcher_lane(d, "globex", "ingest.apt")));
    assert_false(dispatcher_can_serve(shared, dispatcher_lane(d, "acme", "resize")));
    remove_worker(d, shared);
    remove_worker(d, own);
    dispatcher_free(d);
}

/* Jain, Chiu, Hawe 1984: 1 is perfectly fair, 1/n is one tenant that has it all. */
static double jain(const double *shares, size_t n)
{
    double sum = 0;
    double squares = 0;

    for (size_t i = 0; i < n; i++) {
        sum += shares[i];
        squares += shares[i] * shares[i];
    }
    return sum * sum / ((double)n * squares);
}

/* Five tenants of whom one enqueues a hundred times as much, and a worker that does half of it. */
static void a_noisy_neighbour_gets_no_more_than_its_share(void **state)
{
    enum { TENANTS = 5, QUIET = 200, NOISY = 100 * QUIET };
    static const char *const names[TENANTS] = { "noisy", "a", "b", "c", "d" };
    struct dispatcher *d = dispatcher_new(&(struct dispatcher_options){ .window = NOISY });
    struct worker *worker = add_worker(d, "");
    double shares[TENANTS] = { 0 };

    (void)state;
    for (int i = 0; i < NOISY; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "%d", i);
        for (int t = 0; t < (i < QUIET ? TENANTS : 1); t++) {
            offer(d, names[t], id, 5, i);
        }
    }
    for (int i = 0; i < QUIET * TENANTS * 9 / 10; i++) {
        dispatcher_credit(worker, 1);
        struct job *job = dispatcher_match_worker(d, worker);
        for (int t = 0; t < TENANTS; t++) {
            shares[t] += strcmp(job->tenant_id, names[t]) == 0;
        }
        dispatcher_forget(d, job);
    }
    if (jain(shares, TENANTS) < 0.95) {
        fail_msg("shares %.0f %.0f %.0f %.0f %.0f", shares[0], shares[1], shares[2], shares[3],
                 shares[4]);
    }
    remove_worker(d, worker);
    dispatcher_free(d);
}

static void a_tenant_of_weight_three_gets_three_turns_for_one(void **state)
{
    struct dispatcher *d = dispatcher_new(&(struct dispatcher_options){ 0 });
    struct worker *worker = add_worker(d, "");
    int heavy = 0;

    (void)state;
    dispatcher_set_weight(dispatcher_lane(d, "heavy", "ingest.apt"), 3);
    for (int i = 0; i < 100; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "%d", i);
        offer(d, "heavy", id, 5, i);
        offer(d, "light", id, 5, i);
    }
    for (int i = 0; i < 80; i++) {
        dispatcher_credit(worker, 1);
        struct job *job = dispatcher_match_worker(d, worker);
        heavy += strcmp(job->tenant_id, "heavy") == 0;
        dispatcher_forget(d, job);
    }
    assert_in_range(heavy, 59, 61);
    remove_worker(d, worker);
    dispatcher_free(d);
}

static void who_was_idle_has_saved_no_turns(void **state)
{
    struct dispatcher *d = dispatcher_new(&(struct dispatcher_options){ 0 });
    struct worker *worker = add_worker(d, "");

    (void)state;
    for (int i = 0; i < 100; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "busy-%d", i);
        offer(d, "busy", id, 5, i);
        if (i == 50) {
            for (int j = 0; j < 49; j++) {
                dispatcher_credit(worker, 1);
                dispatcher_forget(d, dispatcher_match_worker(d, worker));
            }
        }
    }
    offer(d, "idle", "idle-0", 5, 1000);
    offer(d, "idle", "idle-1", 5, 1000);
    int busy_between = 0;
    for (;;) {
        dispatcher_credit(worker, 1);
        struct job *job = dispatcher_match_worker(d, worker);
        bool is_last = strcmp(job->job_id, "idle-1") == 0;
        busy_between += strncmp(job->job_id, "busy", 4) == 0;
        dispatcher_forget(d, job);
        if (is_last) {
            break;
        }
    }
    assert_in_range(busy_between, 1, 2);
    remove_worker(d, worker);
    dispatcher_free(d);
}

static void jobs_nobody_can_do_stay_in_the_store(void **state)
{
    struct dispatcher *d = dispatcher_new(&(struct dispatcher_options){ 0 });
    size_t limit;

    (void)state;
    offer(d, "acme", "a", 5, 1);
    assert_null(dispatcher_find(d, "acme", "a"));
    assert_null(dispatcher_next_low(d, &limit)); /* nobody to load it for */
    struct worker *worker = add_worker(d, "");
    struct lane *lane = dispatcher_next_low(d, &limit);
    assert_ptr_equal(lane, dispatcher_lane(d, "acme", "ingest.apt"));
    const struct job_record job = record("acme", "a", 5, 1);
    dispatcher_load(d, lane, &job);
    dispatcher_loaded(d, lane, LANE_IS_WHOLE);
    assert_non_null(dispatcher_find(d, "acme", "a"));
    remove_worker(d, worker); /* and goes back when the last worker leaves */
    assert_null(dispatcher_find(d, "acme", "a"));
    dispatcher_free(d);
}

/* What the store holds, in order of rank: the test plays the engine. */
struct backlog {
    struct job_record jobs[200];
    char ids[200][8];
    size_t n_jobs;
};

static void load(struct dispatcher *d, struct backlog *backlog)
{
    size_t limit;
    struct lane *lane = dispatcher_next_low(d, &limit);

    if (lane == NULL) {
        return;
    }
    size_t n = limit < backlog->n_jobs ? limit : backlog->n_jobs;
    for (size_t i = 0; i < n; i++) {
        dispatcher_load(d, lane, &backlog->jobs[i]);
    }
    dispatcher_loaded(d, lane,
                      n == backlog->n_jobs ? LANE_IS_WHOLE
                                           : job_rank_ms(backlog->jobs[n - 1].run_at_ms,
                                                         backlog->jobs[n - 1].priority));
}

static void forget_first(struct backlog *backlog, const char *id)
{
    assert_string_equal(backlog->jobs[0].job_id, id); /* so they come in order of rank */
    memmove(&backlog->jobs[0], &backlog->jobs[1], --backlog->n_jobs * sizeof backlog->jobs[0]);
}

static void a_lane_larger_than_its_window_is_loaded_in_order(void **state)
{
    struct dispatcher *d = dispatcher_new(&(struct dispatcher_options){ .window = 16 });
    struct worker *worker = add_worker(d, "");
    struct backlog backlog = { .n_jobs = 200 };

    (void)state;
    for (size_t i = 0; i < 200; i++) {
        (void)snprintf(backlog.ids[i], sizeof backlog.ids[i], "%zu", i);
        backlog.jobs[i] = record("acme", backlog.ids[i], 0, (int64_t)i);
    }
    for (size_t i = 0; i < 200; i++) { /* enqueued backwards, the worst that can happen */
        dispatcher_offer(d, dispatcher_lane(d, "acme", "ingest.apt"), &backlog.jobs[199 - i]);
    }
    for (int i = 0; i < 200; i++) {
        load(d, &backlog);
        assert_true(dispatcher_lane(d, "acme", "ingest.apt")->jobs.n_nodes <= 16);
        dispatcher_credit(worker, 1);
        struct job *job = dispatcher_match_worker(d, worker);
        assert_non_null(job);
        forget_first(&backlog, job->job_id);
        dispatcher_forget(d, job);
    }
    assert_null(dispatcher_match_worker(d, worker));
    remove_worker(d, worker);
    dispatcher_free(d);
}

static void a_job_that_comes_while_its_lane_is_loading_is_not_lost(void **state)
{
    struct dispatcher *d = dispatcher_new(&(struct dispatcher_options){ 0 });
    struct worker *worker = add_worker(d, "");
    struct lane *lane = dispatcher_lane(d, "acme", "ingest.apt");
    size_t limit;

    (void)state;
    dispatcher_suspect(d, lane);
    assert_ptr_equal(dispatcher_next_low(d, &limit), lane);
    offer(d, "acme", "late", 5, 9); /* the query may have begun before it was there */
    dispatcher_loaded(d, lane, LANE_IS_WHOLE);
    assert_ptr_equal(dispatcher_next_low(d, &limit), lane); /* so ask again */
    const struct job_record job = record("acme", "late", 5, 9);
    dispatcher_load(d, lane, &job);
    dispatcher_loaded(d, lane, LANE_IS_WHOLE);
    expect_next(d, worker, "late");
    remove_worker(d, worker);
    dispatcher_free(d);
}

static void a_full_memory_stops_no_lane(void **state)
{
    struct dispatcher *d = dispatcher_new(&(struct dispatcher_options){ .max_jobs = 2 });
    struct worker *worker = add_worker(d, "");
    size_t limit;

    (void)state;
    offer(d, "acme", "a1", 5, 1);
    offer(d, "acme", "a2", 5, 2);
    offer(d, "acme", "a3", 5, 3);
    offer(d, "globex", "g1", 5, 4);
    offer(d, "globex", "g2", 5, 5);
    assert_null(dispatcher_find(d, "acme", "a3"));
    assert_non_null(dispatcher_find(d, "globex", "g1")); /* one of each lane has room */
    assert_null(dispatcher_find(d, "globex", "g2"));
    assert_null(dispatcher_next_low(d, &limit)); /* asking would not help now */
    expect_next(d, worker, "a1");
    expect_next(d, worker, "g1");
    assert_non_null(dispatcher_next_low(d, &limit));
    remove_worker(d, worker);
    dispatcher_free(d);
}

static void results_are_bounded_one_by_one_and_together(void **state)
{
    static const uint8_t chunk[JOB_MAX_RESULT_BYTES];
    struct dispatcher *d =
        dispatcher_new(&(struct dispatcher_options){ .max_bytes = JOB_MAX_RESULT_BYTES + 4000 });
    struct worker *worker = add_worker(d, "");

    (void)state;
    offer(d, "acme", "a", 5, 1);
    offer(d, "acme", "b", 5, 1);
    dispatcher_credit(worker, 2);
    struct job *a = dispatcher_match_worker(d, worker);
    struct job *b = dispatcher_match_worker(d, worker);
    dispatcher_set_progress(d, a, (struct job_progress){ 1, 2, "half" });
    dispatcher_set_progress(d, a, (struct job_progress){ 2, 2, "" });
    assert_true(dispatcher_add_result(d, a, (bytes){ chunk, sizeof chunk - 1 }));
    assert_false(dispatcher_add_result(d, a, (bytes){ chunk, 2 }));
    assert_true(dispatcher_add_result(d, a, (bytes){ chunk, 1 }));
    assert_false(dispatcher_add_result(d, b, (bytes){ chunk, 4000 }));
    dispatcher_forget(d, a);
    assert_true(dispatcher_add_result(d, b, (bytes){ chunk, 4000 }));
    remove_worker(d, worker);
    dispatcher_free(d);
}

static void lanes_are_bounded_and_idle_ones_make_room(void **state)
{
    struct dispatcher *d = dispatcher_new(&(struct dispatcher_options){ .max_lanes = 2 });

    (void)state;
    dispatcher_suspect(d, dispatcher_lane(d, "acme", "a"));
    assert_non_null(dispatcher_lane(d, "acme", "b"));
    assert_non_null(dispatcher_lane(d, "acme", "c")); /* b was idle */
    dispatcher_suspect(d, dispatcher_lane(d, "acme", "c"));
    assert_null(dispatcher_lane(d, "acme", "d"));
    assert_non_null(dispatcher_lane(d, "acme", "a"));
    dispatcher_free(d);
}

/* Every job offered is matched once and once only, whatever happens in between. */
static void no_job_is_lost_or_matched_twice_in_many_random_steps(void **state)
{
    enum { STEPS = 20000, WORKERS = 4, TENANTS = 3 };
    static const char *const tenants[TENANTS] = { "acme", "globex", "initech" };
    struct dispatcher *d = dispatcher_new(&(struct dispatcher_options){ 0 });
    struct worker *workers[WORKERS] = { NULL };
    struct seeded_random random;
    int n_offered = 0;
    int n_matched = 0;

    (void)state;
    seeded_random_init(&random, 7);
    struct worker *steady = add_worker(d, ""); /* so that nothing goes back to the store */
    for (int step = 0; step < STEPS; step++) {
        size_t w = random_below(&random.source, WORKERS);
        size_t t = random_below(&random.source, TENANTS);
        struct lane *lane = dispatcher_lane(d, tenants[t], "ingest.apt");
        struct job *job = NULL;
        switch (random_below(&random.source, 4)) {
        case 0: {
            char id[16];
            (void)snprintf(id, sizeof id, "%d", n_offered++);
            offer(d, tenants[t], id, (int64_t)random_below(&random.source, 10), step);
            job = dispatcher_match_lane(d, lane);
            break;
        }
        case 1:
            if (workers[w] == NULL) {
                workers[w] = add_worker(d, random_below(&random.source, 2) == 0 ? "" : tenants[t]);
            }
            dispatcher_credit(workers[w], 1);
            job = dispatcher_match_worker(d, workers[w]);
            break;
        case 2:
            if (workers[w] != NULL && random_below(&random.source, 10) == 0) {
                remove_worker(d, workers[w]);
                workers[w] = NULL;
            }
            break;
        default:
            if (workers[w] != NULL && workers[w]->jobs != NULL) {
                dispatcher_forget(d, workers[w]->jobs);
            }
            break;
        }
        n_matched += job != NULL;
    }
    dispatcher_credit(steady, STEPS);
    while (dispatcher_match_worker(d, steady) != NULL) {
        n_matched++;
    }
    assert_int_equal(n_matched, n_offered);
    for (int w = 0; w < WORKERS; w++) {
        if (workers[w] != NULL) {
            remove_worker(d, workers[w]);
        }
    }
    remove_worker(d, steady);
    dispatcher_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urgent_jobs_go_first_until_others_have_waited_long_enough),
        cmocka_unit_test(equal_jobs_go_in_the_order_they_came),
        cmocka_unit_test(a_job_goes_to_the_worker_that_waits_longest),
        cmocka_unit_test(a_new_job_is_matched_at_once_only_when_nobody_waits),
        cmocka_unit_test(a_tenants_own_worker_gets_its_jobs_alone),
        cmocka_unit_test(a_noisy_neighbour_gets_no_more_than_its_share),
        cmocka_unit_test(a_tenant_of_weight_three_gets_three_turns_for_one),
        cmocka_unit_test(who_was_idle_has_saved_no_turns),
        cmocka_unit_test(jobs_nobody_can_do_stay_in_the_store),
        cmocka_unit_test(a_lane_larger_than_its_window_is_loaded_in_order),
        cmocka_unit_test(a_job_that_comes_while_its_lane_is_loading_is_not_lost),
        cmocka_unit_test(a_full_memory_stops_no_lane),
        cmocka_unit_test(results_are_bounded_one_by_one_and_together),
        cmocka_unit_test(lanes_are_bounded_and_idle_ones_make_room),
        cmocka_unit_test(no_job_is_lost_or_matched_twice_in_many_random_steps),
    };

    return cmocka_run_group_tests_name("dispatcher", tests, NULL, NULL);
}
