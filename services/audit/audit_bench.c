/* audit_bench FOLDER: how many events a second the engine makes durable, on the disk of that
 * folder.
 *
 *     batches of 1       as by AppendEvent from many callers at once
 *     batches of 100     as by AppendEvents or StreamEvents
 *
 * Each event has some 300 bytes as text and is sealed, logged, indexed and integrated as in the
 * service; what is counted are acknowledgements. */

#include "services/audit/audit_engine.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { SECONDS = 5, MAX_THREADS = 64, MAX_BATCH = 100 };

struct bench {
    struct audit_engine *engine;
    size_t batch;
    _Atomic bool stopping;
    _Atomic unsigned long appended;
    _Atomic unsigned long pushed_back;
    _Atomic int64_t slowest_us;
};

static void must(status s, const char *what)
{
    if (!status_is_ok(s)) {
        (void)fprintf(stderr, "%s: %s %s\n", what, status_code_name(s.code), s.message);
        exit(EXIT_FAILURE);
    }
}

static struct audit_record event_of(struct arena *arena)
{
    return (struct audit_record){
        .event_id = random_ulid(&system_random, arena, clock_wall_ms(&system_clock)),
        .time_ms = clock_wall_ms(&system_clock),
        .tenant_id = arena_printf(arena, "tenant-%d", (int)random_below(&system_random, 20)),
        .actor = arena_printf(arena, "user:%d", (int)random_below(&system_random, 50)),
        .action = "record.read",
        .target = arena_printf(arena, "record:%d", (int)random_below(&system_random, 10000)),
        .outcome = AUDIT_DONE,
        .trace_id = "0123456789abcdef0123456789abcdef",
        .service = "search",
        .data_subject = "",
    };
}

static void append_batch(struct bench *bench, struct arena *arena)
{
    struct audit_record events[MAX_BATCH];
    uint64_t indices[MAX_BATCH];

    for (size_t i = 0; i < bench->batch; i++) {
        events[i] = event_of(arena);
    }
    int64_t begin_us = clock_monotonic_us(&system_clock);
    status s = audit_engine_append(bench->engine, arena, events, bench->batch, indices);
    if (s.code == STATUS_RESOURCE_EXHAUSTED) {
        bench->pushed_back++;
        (void)nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
        return;
    }
    must(s, "append");
    int64_t us = clock_monotonic_us(&system_clock) - begin_us;
    int64_t slowest = bench->slowest_us;
    while (us > slowest && !atomic_compare_exchange_weak(&bench->slowest_us, &slowest, us)) {
    }
    bench->appended += bench->batch;
}

static void *run(void *data)
{
    struct bench *bench = data;
    struct arena *arena = arena_new();

    while (!bench->stopping) {
        append_batch(bench, arena);
        arena_reset(arena);
    }
    arena_free(arena);
    return NULL;
}

static void measure(struct audit_engine *engine, size_t n_threads, size_t batch)
{
    struct bench bench = { .engine = engine, .batch = batch };
    pthread_t threads[MAX_THREADS];

    for (size_t i = 0; i < n_threads; i++) {
        if (pthread_create(&threads[i], NULL, run, &bench) != 0) {
            abort();
        }
    }
    (void)nanosleep(&(struct timespec){ .tv_sec = SECONDS }, NULL);
    bench.stopping = true;
    for (size_t i = 0; i < n_threads; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    printf("%2zu threads, batches of %3zu: %8.0f events/s, slowest %lld ms, pushed back %lu\n",
           n_threads, batch, (double)bench.appended / SECONDS, (long long)bench.slowest_us / 1000,
           (unsigned long)bench.pushed_back);
}

static void failed(void *data, status s)
{
    (void)data;
    (void)fprintf(stderr, "failed: %s\n", s.message);
}

int main(int argc, char **argv)
{
    struct arena *arena = arena_new();
    struct disk_files log_files;
    struct disk_files key_files;
    struct audit_engine_options options = {
        .log_files = &log_files.files,
        .key_files = &key_files.files,
        .origin = "audit.example/bench",
        .clock = &system_clock,
        .random = &system_random,
        .threaded = true,
        .failed = failed,
    };
    struct audit_engine *engine;

    if (argc != 2) {
        (void)fprintf(stderr, "usage: audit_bench FOLDER\n");
        return EXIT_FAILURE;
    }
    must(disk_files_init(&log_files, arena, arena_printf(arena, "%s/log", argv[1])), "log");
    must(disk_files_init(&key_files, arena, arena_printf(arena, "%s/keys", argv[1])), "keys");
    must(store_open(arena, arena_printf(arena, "sqlite:%s/audit.db", argv[1]), &options.store),
         "store");
    must(audit_engine_migrate(options.store, arena), "migrate");
    must(audit_engine_open(&options, arena, &engine), "open");
    measure(engine, 16, 1);
    measure(engine, 64, 1);
    measure(engine, 4, MAX_BATCH);
    audit_engine_close(engine);
    store_close(options.store);
    disk_files_reset(&log_files);
    disk_files_reset(&key_files);
    arena_free(arena);
    return EXIT_SUCCESS;
}
