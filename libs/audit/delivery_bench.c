/* delivery_bench - how many audit events a second go into the spool and the outbox, and out of
 * them through the relay to a sink that takes all.
 *
 *     bazel run -c opt //libs/audit:delivery_bench -- /folder/on/the/disk/to/measure
 *
 * The folder must be empty.
 */

#include "libs/audit/outbox.h"
#include "libs/audit/relay.h"

#include <semaphore.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { EVENTS = 100000, WINDOW = 1024 };

static const struct audit_event event = {
    .event_id = "01hf0000000000000000000000",
    .tenant_id = "acme",
    .subject = "user:ada",
    .action = "search.query",
    .target = "collection:books",
    .outcome = AUDIT_DENIED,
    .trace_id = "4bf92f3577b34da6a3ce929d0e0e4736",
    .data_subject = "",
};

static void must(status s)
{
    if (!status_is_ok(s)) {
        (void)fprintf(stderr, "delivery_bench: %s\n", s.message);
        exit(EXIT_FAILURE);
    }
}

static void report(const char *what, int64_t start_us)
{
    int64_t took_us = clock_monotonic_us(&system_clock) - start_us;

    printf("%-28s %9.0f events/s\n", what, EVENTS * 1e6 / (double)took_us);
}

static void fill_spool(struct spool *spool)
{
    struct arena *arena = arena_new();
    int64_t start_us = clock_monotonic_us(&system_clock);

    for (int i = 0; i < EVENTS; i++) {
        must(spool_append(spool, arena, SPOOL_READ, &event));
        arena_reset(arena);
    }
    report("into the spool, one thread", start_us);
    arena_free(arena);
}

struct slots {
    sem_t free;
};

struct slot {
    struct slots *slots;
    struct arena *arena;
};

static void free_slot(void *data, status result)
{
    struct slot *slot = data;
    struct slots *slots = slot->slots;

    must(result);
    arena_free(slot->arena);
    (void)sem_post(&slots->free);
}

/* Each a write of its own, as a handler's is. */
static void fill_outbox(struct store *store)
{
    struct slots slots;
    int64_t start_us = clock_monotonic_us(&system_clock);

    (void)sem_init(&slots.free, 0, WINDOW);
    for (int i = 0; i < EVENTS; i++) {
        (void)sem_wait(&slots.free);
        struct arena *arena = arena_new();
        struct store_write *write = store_write_new(arena);
        struct slot *slot = ARENA_NEW(arena, struct slot);
        struct audit_event own = event;
        *slot = (struct slot){ .slots = &slots, .arena = arena };
        own.event_id = random_ulid(&system_random, arena, i);
        outbox_write(write, &own);
        must(store_commit_async(store, write, free_slot, slot));
    }
    for (int i = 0; i < WINDOW; i++) {
        (void)sem_wait(&slots.free);
    }
    report("into the outbox, durable", start_us);
    (void)sem_destroy(&slots.free);
}

static status take_all(struct audit_sink *sink, struct arena *arena,
                       const struct audit_event *events, size_t n_events)
{
    (void)sink;
    (void)arena;
    (void)events;
    (void)n_events;
    return status_ok();
}

static void drain(const char *what, struct store *store, struct spool *spool)
{
    static const struct audit_sink_ops ops = { .send = take_all };
    struct audit_sink sink = { .ops = &ops };
    struct arena *arena = arena_new();
    struct relay *relay = relay_new(&(struct relay_options){
        .store = store,
        .spool = spool,
        .sink = &sink,
        .clock = &system_clock,
        .random = &system_random,
    });
    int64_t start_us = clock_monotonic_us(&system_clock);

    for (int64_t wait_ms = 0; wait_ms == 0;) {
        must(relay_step(relay, arena, &wait_ms));
        arena_reset(arena);
    }
    report(what, start_us);
    relay_free(relay);
    arena_free(arena);
}

int main(int argc, char **argv)
{
    struct arena *arena = arena_new();
    struct store *store = NULL;
    struct spool *spool = NULL;
    struct disk_files files;

    if (argc != 2) {
        (void)fprintf(stderr, "usage: delivery_bench FOLDER\n");
        return EXIT_FAILURE;
    }
    must(disk_files_init(&files, arena, arena_printf(arena, "%s/spool", argv[1])));
    must(spool_open(arena,
                    &(struct spool_options){
                        .files = &files.files, .random = &system_random, .service = "bench" },
                    &spool));
    must(store_open(arena, arena_printf(arena, "sqlite:%s/store.db", argv[1]), &store));
    must(outbox_migrate(store, arena));
    fill_spool(spool);
    drain("out of the spool", NULL, spool);
    fill_outbox(store);
    drain("out of the outbox", store, NULL);
    store_close(store);
    spool_close(spool);
    disk_files_reset(&files);
    arena_free(arena);
    return EXIT_SUCCESS;
}
