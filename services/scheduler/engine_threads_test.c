/* The engine with all its threads, over a file: many callers, many workers that come and go. */

#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/temp_folder.h"
#include "services/scheduler/engine.h"
#include "services/scheduler/job_store.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { CALLERS = 8, WORKERS = 4, JOBS_OF_CALLER = 100, RACERS = 32 };

struct fixture {
    struct arena *arena;
    struct store *store;
    struct engine *engine;
    _Atomic int n_enqueued;
    _Atomic bool is_over;
    pthread_barrier_t start;
    char ids[RACERS][32];
};

static void issue(struct token_issuer *issuer, struct arena *arena,
                  const struct token_request *const *requests, size_t n,
                  struct token_answer *ret_answers)
{
    (void)issuer;
    for (size_t i = 0; i < n; i++) {
        ret_answers[i] = (struct token_answer){ .result = status_ok(),
                                                .token = arena_strdup(arena, requests[i]->job_id) };
    }
}

static const struct token_issuer_ops issuer_ops = { .issue = issue };
static struct token_issuer issuer = { .ops = &issuer_ops };

static int set_up(void **state)
{
    static struct fixture f;

    memset(&f, 0, sizeof f);
    f.arena = arena_new();
    const char *url = arena_printf(f.arena, "sqlite:%s/jobs.db", temp_folder(f.arena));
    assert_status(store_open(f.arena, url, &f.store), STATUS_OK);
    assert_status(job_store_migrate(f.store, f.arena), STATUS_OK);
    f.engine = engine_new(&(struct engine_options){ .store = f.store,
                                                    .clock = &system_clock,
                                                    .random = &system_random,
                                                    .issuer = &issuer,
                                                    .backoff_ms = 1,
                                                    .max_backoff_ms = 5 });
    assert_status(engine_recover(f.engine, f.arena), STATUS_OK);
    engine_start(f.engine);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    engine_stop(f->engine);
    engine_free(f->engine);
    store_close(f->store);
    arena_free(f->arena);
    return 0;
}

static struct job_record a_job(void)
{
    return (struct job_record){
        .tenant_id = "acme",
        .project_id = "debian",
        .capability = "noop",
        .principal = "sa:p",
        .permissions = "",
        .idempotency_key = "",
        .trace = "",
        .max_attempts = JOB_MAX_ATTEMPTS,
    };
}

/* ---- Racers ---- */

struct racer {
    struct fixture *fixture;
    int n;
};

static void *race(void *data)
{
    struct racer *self = data;
    struct fixture *f = self->fixture;
    struct arena *arena = arena_new();
    struct job_record job = a_job();

    job.idempotency_key = "the same";
    pthread_barrier_wait(&f->start);
    status s = engine_enqueue(f->engine, arena, &job, 1, NULL);
    (void)snprintf(f->ids[self->n], sizeof f->ids[0], "%s",
                   status_is_ok(s) ? job.job_id : s.message);
    arena_free(arena);
    return NULL;
}

static void of_many_racers_with_one_key_exactly_one_adds_a_job(void **state)
{
    struct fixture *f = *state;
    struct racer racers[RACERS];
    pthread_t threads[RACERS];
    struct job_list list;

    pthread_barrier_init(&f->start, NULL, RACERS);
    for (int i = 0; i < RACERS; i++) {
        racers[i] = (struct racer){ f, i };
        assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    }
    for (int i = 0; i < RACERS; i++) {
        (void)pthread_join(threads[i], NULL);
        assert_string_equal(f->ids[i], f->ids[0]);
    }
    pthread_barrier_destroy(&f->start);
    const struct job_filter all = { "acme", "debian", JOB_ANY_STATE, "", 10 };
    assert_status(job_store_list(f->store, f->arena, &all, &list), STATUS_OK);
    assert_int_equal(list.n_jobs, 1);
}

/* ---- Everything at once ---- */

static void *call(void *data)
{
    struct fixture *f = data;
    struct arena *arena = arena_new();

    for (int i = 0; i < JOBS_OF_CALLER; i++) {
        struct job_record jobs[2] = { a_job(), a_job() };
        jobs[1].run_at_ms = clock_wall_ms(&system_clock) + i % 20;
        if (status_is_ok(engine_enqueue(f->engine, arena, jobs, 2, NULL))) {
            f->n_enqueued += 2;
        }
        if (i % 10 == 0) {
            struct job_record ignored;
            if (status_is_ok(
                    engine_cancel(f->engine, arena, "acme", jobs[0].job_id, NULL, &ignored))) {
                f->n_enqueued--; /* nobody waits for it any more */
            }
        }
        arena_reset(arena);
    }
    arena_free(arena);
    return NULL;
}

static void wake(void *data)
{
    (void)sem_post(data);
}

static void do_job(struct engine_worker *worker, const struct notice *notice, int n)
{
    const struct attempt attempt = { notice->job_id, notice->attempt };

    assert_string_equal(notice->text, notice->job_id); /* its token */
    if (n % 7 == 0) {
        engine_worker_fail(worker, attempt,
                           &(struct attempt_failure){ STATUS_INTERNAL, "unlucky", false });
    } else {
        engine_worker_progress(worker, attempt, &(struct job_progress){ 1, 1, "all" });
        engine_worker_succeed(worker, attempt, (bytes){ (const uint8_t *)"ok", 2 });
    }
    engine_worker_credit(worker, 1);
}

/* One stream's life: it ends after so many notices, whatever it holds. */
static void live(struct fixture *f, struct arena *arena, int *n_notices)
{
    static const char *const capabilities[] = { "noop" };
    struct engine_worker *worker;
    struct timespec soon;
    sem_t woken;

    (void)sem_init(&woken, 0, 0);
    assert_status(engine_worker_open(f->engine, arena,
                                     &(struct engine_worker_options){
                                         .worker_id = "w",
                                         .tenant_id = "",
                                         .capabilities = capabilities,
                                         .n_capabilities = 1,
                                         .wake = wake,
                                         .data = &woken,
                                     },
                                     &worker),
                  STATUS_OK);
    engine_worker_credit(worker, 8);
    for (int end = *n_notices + 150; !f->is_over && *n_notices < end;) {
        struct notice notice;
        bool found = true;
        (void)clock_gettime(CLOCK_REALTIME, &soon);
        soon.tv_sec += 1; /* only so that the end is noticed */
        (void)sem_timedwait(&woken, &soon);
        while (found) {
            assert_status(engine_worker_next(worker, arena, &found, &notice), STATUS_OK);
            if (found && notice.type == NOTICE_JOB) {
                do_job(worker, &notice, (*n_notices)++);
            }
            arena_reset(arena);
        }
    }
    engine_worker_close(worker);
    (void)sem_destroy(&woken);
}

static void *work(void *data)
{
    struct fixture *f = data;
    struct arena *arena = arena_new();
    int n_notices = 0;

    while (!f->is_over) {
        live(f, arena, &n_notices);
    }
    arena_free(arena);
    return NULL;
}

static int64_t count_open(struct fixture *f)
{
    struct arena *arena = arena_new();
    struct job_count_list open;

    assert_status(job_store_count_open(f->store, arena, &open), STATUS_OK);
    int64_t n = open.n_counts == 0 ? 0 : open.counts[0].n_jobs;
    arena_free(arena);
    return n;
}

static void many_threads_lose_nothing(void **state)
{
    struct fixture *f = *state;
    pthread_t callers[CALLERS];
    pthread_t workers[WORKERS];

    for (int i = 0; i < WORKERS; i++) {
        assert_int_equal(pthread_create(&workers[i], NULL, work, f), 0);
    }
    for (int i = 0; i < CALLERS; i++) {
        assert_int_equal(pthread_create(&callers[i], NULL, call, f), 0);
    }
    for (int i = 0; i < CALLERS; i++) {
        (void)pthread_join(callers[i], NULL);
    }
    while (count_open(f) > 0) {
        (void)sched_yield();
    }
    f->is_over = true;
    for (int i = 0; i < WORKERS; i++) {
        (void)pthread_join(workers[i], NULL);
    }
    const struct store_statement query = {
        .sql = "SELECT count(*) FROM job WHERE state = 4",
    };
    struct store_rows rows;
    assert_status(store_query(f->store, f->arena, &query, &rows), STATUS_OK);
    assert_int_equal(store_int_at(&rows, 0, 0), f->n_enqueued);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(of_many_racers_with_one_key_exactly_one_adds_a_job),
        TEST(many_threads_lose_nothing),
    };

    return cmocka_run_group_tests_name("engine_threads", tests, NULL, NULL);
}
