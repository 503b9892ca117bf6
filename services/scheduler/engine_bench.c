/* engine_bench - what the engine does in a second, over a real file, with no network.
 *
 *     bazel run -c opt //services/scheduler:engine_bench -- /path/on/the/disk/to/measure.db
 *
 * Callers enqueue from threads, a job a commit, as unary calls do, or by the hundred, as a stream
 * does; workers do nothing and report at once.  At the end every job has been durable three times:
 * enqueued, started, succeeded.  Pickup is from the return of the enqueue to the worker's wake, one
 * job at a time.
 */

#include "services/scheduler/engine.h"
#include "services/scheduler/job_store.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { CALLERS = 16, WORKERS = 4, JOBS = 100 * 1000, PICKUPS = 2000 };

struct bench {
    struct engine *engine;
    _Atomic int64_t n_enqueued;
    _Atomic int64_t n_done;
    size_t batch;
};

/* A worker's end of its stream: a thread that is woken, and pulls. */
struct bench_worker {
    struct bench *bench;
    struct engine_worker *worker;
    sem_t woken;
    pthread_t thread;
    _Atomic bool stopping;
    _Atomic int64_t picked_up_us;
    sem_t picked_up; /* posted for each job, for who measures pickup */
};

static void must(status s)
{
    if (!status_is_ok(s)) {
        (void)fprintf(stderr, "engine_bench: %s\n", s.message);
        exit(EXIT_FAILURE);
    }
}

static void wake(void *data)
{
    struct bench_worker *self = data;

    (void)sem_post(&self->woken);
}

static void handle(struct bench_worker *self, const struct notice *notice)
{
    const struct attempt attempt = { notice->job_id, notice->attempt };

    if (notice->type == NOTICE_JOB) {
        self->picked_up_us = clock_monotonic_us(&system_clock);
        (void)sem_post(&self->picked_up);
        engine_worker_succeed(self->worker, attempt, (bytes){ NULL, 0 });
    } else if (notice->type == NOTICE_SETTLED) {
        must((status){ .code = notice->code, .message = notice->text });
        self->bench->n_done++;
        engine_worker_credit(self->worker, 1);
    }
}

static void *work(void *data)
{
    struct bench_worker *self = data;
    struct arena *arena = arena_new();

    while (!self->stopping) {
        struct notice notice;
        bool found = true;
        (void)sem_wait(&self->woken);
        while (found) {
            must(engine_worker_next(self->worker, arena, &found, &notice));
            if (found) {
                handle(self, &notice);
            }
            arena_reset(arena);
        }
    }
    arena_free(arena);
    return NULL;
}

static void start_worker(struct bench *bench, struct bench_worker *self, struct arena *arena,
                         int64_t credit)
{
    static const char *const capabilities[] = { "noop" };

    *self = (struct bench_worker){ .bench = bench };
    (void)sem_init(&self->woken, 0, 0);
    (void)sem_init(&self->picked_up, 0, 0);
    must(engine_worker_open(bench->engine, arena,
                            &(struct engine_worker_options){
                                .worker_id = "w",
                                .tenant_id = "",
                                .capabilities = capabilities,
                                .n_capabilities = 1,
                                .wake = wake,
                                .data = self,
                            },
                            &self->worker));
    if (pthread_create(&self->thread, NULL, work, self) != 0) {
        abort();
    }
    engine_worker_credit(self->worker, credit);
}

static void stop_worker(struct bench_worker *self)
{
    self->stopping = true;
    (void)sem_post(&self->woken);
    (void)pthread_join(self->thread, NULL);
    engine_worker_close(self->worker);
}

static struct job_record noop(void)
{
    return (struct job_record){
        .tenant_id = "acme",
        .project_id = "bench",
        .capability = "noop",
        .principal = "sa:bench",
        .permissions = "",
        .idempotency_key = "",
        .trace = "",
        .payload = { (const uint8_t *)"0123456789012345678901234567890123456789", 40 },
    };
}

static void *call(void *data)
{
    struct bench *bench = data;
    struct arena *arena = arena_new();

    while (atomic_fetch_add(&bench->n_enqueued, (int64_t)bench->batch) < JOBS) {
        struct job_record *jobs = ARENA_NEW_ARRAY(arena, struct job_record, bench->batch);
        for (size_t i = 0; i < bench->batch; i++) {
            jobs[i] = noop();
        }
        must(engine_enqueue(bench->engine, arena, jobs, bench->batch, NULL));
        arena_reset(arena);
    }
    arena_free(arena);
    return NULL;
}

static void measure_throughput(struct bench *bench, struct arena *arena, size_t batch)
{
    struct bench_worker workers[WORKERS];
    pthread_t callers[CALLERS];
    int64_t start_us = clock_monotonic_us(&system_clock);

    bench->batch = batch;
    bench->n_enqueued = 0;
    bench->n_done = 0;
    for (int i = 0; i < WORKERS; i++) {
        start_worker(bench, &workers[i], arena, 256);
    }
    for (int i = 0; i < CALLERS; i++) {
        if (pthread_create(&callers[i], NULL, call, bench) != 0) {
            abort();
        }
    }
    for (int i = 0; i < CALLERS; i++) {
        (void)pthread_join(callers[i], NULL);
    }
    double enqueued_s = (double)(clock_monotonic_us(&system_clock) - start_us) / 1e6;
    while (bench->n_done < JOBS) {
        (void)usleep(500);
    }
    double done_s = (double)(clock_monotonic_us(&system_clock) - start_us) / 1e6;
    printf("%4zu a write: enqueued %8.0f jobs/s; enqueued and completed %8.0f jobs/s\n", batch,
           JOBS / enqueued_s, JOBS / done_s);
    for (int i = 0; i < WORKERS; i++) {
        stop_worker(&workers[i]);
    }
}

static int ascending(const void *a, const void *b)
{
    const int64_t *left = a;
    const int64_t *right = b;

    return *left < *right ? -1 : *left > *right;
}

static void print_pickup(const char *what, const int64_t *sorted_us)
{
    const size_t middle = PICKUPS / 2;
    const size_t late = PICKUPS - PICKUPS / 100;

    printf("pickup %s: p50 %.2f ms, p99 %.2f ms\n", what, (double)sorted_us[middle] / 1e3,
           (double)sorted_us[late] / 1e3);
}

static void measure_pickup(struct bench *bench, struct arena *arena)
{
    static int64_t after_answer_us[PICKUPS];
    static int64_t after_call_us[PICKUPS];
    struct bench_worker worker;

    start_worker(bench, &worker, arena, 16);
    for (int i = 0; i < PICKUPS; i++) {
        struct arena *call_arena = arena_new();
        struct job_record job = noop();
        int64_t called_us = clock_monotonic_us(&system_clock);
        must(engine_enqueue(bench->engine, call_arena, &job, 1, NULL));
        int64_t answered_us = clock_monotonic_us(&system_clock);
        (void)sem_wait(&worker.picked_up);
        after_answer_us[i] = worker.picked_up_us - answered_us;
        after_call_us[i] = worker.picked_up_us - called_us;
        arena_free(call_arena);
    }
    qsort(after_answer_us, PICKUPS, sizeof after_answer_us[0], ascending);
    qsort(after_call_us, PICKUPS, sizeof after_call_us[0], ascending);
    print_pickup("after the answer", after_answer_us);
    print_pickup("after the call", after_call_us);
    stop_worker(&worker);
}

int main(int argc, char **argv)
{
    struct arena *arena = arena_new();
    struct bench bench = { .batch = 1 };
    struct store *store;

    if (argc != 2) {
        (void)fprintf(stderr, "usage: engine_bench FILE\n");
        return EXIT_FAILURE;
    }
    must(store_open(arena, arena_printf(arena, "sqlite:%s", argv[1]), &store));
    must(job_store_migrate(store, arena));
    bench.engine = engine_new(&(struct engine_options){
        .store = store,
        .clock = &system_clock,
        .random = &system_random,
    });
    must(engine_recover(bench.engine, arena));
    engine_start(bench.engine);
    measure_throughput(&bench, arena, 1);
    measure_throughput(&bench, arena, 100);
    measure_pickup(&bench, arena);
    engine_stop(bench.engine);
    engine_free(bench.engine);
    store_close(store);
    arena_free(arena);
    return EXIT_SUCCESS;
}
