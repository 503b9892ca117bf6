/* Many threads at one engine whose memtables are small, so that it flushes and merges under way:
 * nothing is lost, what was acknowledged is found at once, what was scrubbed is gone, and
 * ThreadSanitizer has nothing to say.
 */

#include "libs/testing/assert_status.h"
#include "libs/testing/temp_folder.h"
#include "services/search/search_engine.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { WRITERS = 3, READERS = 3, ROUNDS = 30, BATCH = 40 };

static const struct schema_field fields[] = {
    { .name = "body", .kind = FIELD_TEXT, .weight = 1 },
    { .name = "round", .kind = FIELD_NUMBER },
};
static const struct search_schema schema = { .fields = fields, .n_fields = 2 };

struct fixture {
    struct disk_files files;
    struct arena *arena;
    struct search_engine *engine;
    atomic_bool stopping;
    atomic_uint failures; /* cmocka's assertions are for the main thread */
};

struct thread {
    struct fixture *fixture;
    pthread_t thread;
    char name[16]; /* of its tenant */
};

static struct collection_name name_of(const struct thread *thread)
{
    return (struct collection_name){ thread->name, "library", "books" };
}

static void expect(struct thread *thread, bool ok, const char *what)
{
    if (!ok) {
        (void)fprintf(stderr, "%s: %s\n", thread->name, what);
        thread->fixture->failures++;
    }
}

/* Documents d0, d1, ..., all of this round. */
static status write_round(struct thread *thread, struct arena *arena, unsigned round)
{
    struct collection_name name = name_of(thread);
    struct search_write writes[BATCH];
    struct document_field values[BATCH][2];
    struct search_document documents[BATCH];

    for (unsigned i = 0; i < BATCH; i++) {
        values[i][0] = (struct document_field){
            .place = 0,
            .kind = FIELD_TEXT,
            .text =
                bytes_of(arena_printf(arena, "document %u of round r%u, common to all", i, round)),
        };
        values[i][1] = (struct document_field){ .place = 1, .kind = FIELD_NUMBER, .number = round };
        documents[i] = (struct search_document){ .id = bytes_of(arena_printf(arena, "d%u", i)),
                                                 .fields = values[i],
                                                 .n_fields = 2 };
        writes[i] = (struct search_write){ .document = &documents[i] };
    }
    TRY(search_engine_write(thread->fixture->engine, arena, &name, writes, BATCH));
    for (unsigned i = 0; i < BATCH; i++) {
        TRY(writes[i].result);
    }
    return status_ok();
}

static size_t count_hits(struct thread *thread, struct arena *arena, const char *query)
{
    struct collection_name name = name_of(thread);
    const struct search_request request = {
        .query = query, .limit = 100, .page_token = "", .highlight = true
    };
    struct search_page page = { .n_hits = 0 };
    status s = search_engine_search(thread->fixture->engine, arena, &name, &request, &page);

    expect(thread, status_is_ok(s), s.message);
    return page.n_hits;
}

static void *write_rounds(void *data)
{
    struct thread *thread = data;
    struct arena *arena = arena_new();

    for (unsigned round = 1; round <= ROUNDS; round++) {
        status s = write_round(thread, arena, round);
        expect(thread, status_is_ok(s), s.message);
        expect(thread, count_hits(thread, arena, arena_printf(arena, "r%u", round)) == BATCH,
               "what was acknowledged is not found");
        if (round % 10 == 0) {
            struct collection_name name = name_of(thread);
            s = search_engine_rebuild(thread->fixture->engine, arena, &name);
            expect(thread, status_is_ok(s), s.message);
        }
        arena_reset(arena);
    }
    arena_free(arena);
    return NULL;
}

/* Once there, all documents stay there, in one version or another. */
static void *read_rounds(void *data)
{
    struct thread *thread = data;
    struct arena *arena = arena_new();
    size_t before = 0;

    while (!thread->fixture->stopping) {
        size_t n = count_hits(thread, arena, "common");
        expect(thread, n >= before && n <= BATCH, "documents come and go");
        before = n;
        arena_reset(arena);
    }
    arena_free(arena);
    return NULL;
}

/* ---- One who comes and goes ---- */

/* Rounds of whose documents there is no other. */
enum { GOING_TENANT = 9, GOING_ROUNDS = 20, FIRST_GOING_ROUND = 5000 };

/* Whether a file has a word of those rounds. */
static bool is_in_folder(struct thread *thread, struct arena *arena, const char *folder)
{
    struct files *files = &thread->fixture->files.files;
    struct files_names names = { .n_names = 0 };
    bool found = !status_is_ok(files_list(files, arena, folder, &names));

    for (size_t i = 0; i < names.n_names; i++) {
        const char *name = arena_printf(arena, "%s/%s", folder, names.names[i]);
        bytes data = { 0 };
        status s = files_read(files, arena, name, SIZE_MAX, &data); /* it may be gone meanwhile */
        found = found || (status_is_ok(s) && data.size > 0 &&
                          memmem(data.data, data.size, "round r50", 9) != NULL);
    }
    return found;
}

static status drop_and_scrub(struct thread *thread, struct arena *arena)
{
    struct search_engine *engine = thread->fixture->engine;
    const struct collection_name name = name_of(thread);
    uint64_t scrub = 0;
    status s = search_engine_drop(engine, arena, &name);

    for (bool more = true; more && status_is_ok(s);) {
        s = search_engine_scrub(engine, arena, &scrub, &more);
        if (s.code == STATUS_UNAVAILABLE) { /* the other still has it in hand */
            s = status_ok();
            scrub = 0;
        }
    }
    return s;
}

static void *come_and_go(void *data)
{
    struct thread *thread = data;
    const struct collection_name name = name_of(thread);

    for (unsigned round = 0; round < GOING_ROUNDS; round++) {
        struct arena *arena = arena_new();
        status s = search_engine_create(thread->fixture->engine, arena, &name, &schema);
        expect(thread, status_is_ok(s), s.message);
        s = write_round(thread, arena, FIRST_GOING_ROUND + round);
        expect(thread, status_is_ok(s), s.message);
        s = drop_and_scrub(thread, arena);
        expect(thread, status_is_ok(s), s.message);
        expect(thread, !is_in_folder(thread, arena, "log"), "something is left in the log");
        expect(thread, !is_in_folder(thread, arena, "segments"), "something is left in a segment");
        arena_free(arena);
    }
    return NULL;
}

/* Writes to it all the while, and does not know whether it is there. */
static void *write_anyhow(void *data)
{
    struct thread *thread = data;
    struct arena *arena = arena_new();

    while (!thread->fixture->stopping) {
        status s = write_round(thread, arena, FIRST_GOING_ROUND);
        expect(thread, status_is_ok(s) || s.code == STATUS_NOT_FOUND, s.message);
        arena_reset(arena);
    }
    arena_free(arena);
    return NULL;
}

/* ---- All together ---- */

static void open_engine(struct fixture *f)
{
    const struct search_engine_options options = {
        .files = &f->files.files,
        .clock = &system_clock,
        .memtable_bytes = 1 << 16,
        .log_bytes = 1 << 18,
    };

    assert_status(search_engine_open(&options, f->arena, &f->engine), STATUS_OK);
}

static void start(struct fixture *f, struct thread *thread, unsigned tenant,
                  void *(*run)(void *data))
{
    thread->fixture = f;
    (void)snprintf(thread->name, sizeof thread->name, "tenant-%u", tenant);
    assert_int_equal(pthread_create(&thread->thread, NULL, run, thread), 0);
}

static void many_threads_lose_nothing(void **state)
{
    struct fixture f = { .arena = arena_new() };
    struct thread writers[WRITERS];
    struct thread readers[READERS];
    struct thread goer;
    struct thread disturber;

    (void)state;
    assert_status(disk_files_init(&f.files, f.arena, temp_folder(f.arena)), STATUS_OK);
    open_engine(&f);
    for (unsigned i = 0; i < WRITERS; i++) {
        struct collection_name name = { arena_printf(f.arena, "tenant-%u", i), "library", "books" };
        assert_status(search_engine_create(f.engine, f.arena, &name, &schema), STATUS_OK);
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        start(&f, &writers[i], i, write_rounds);
    }
    for (unsigned i = 0; i < READERS; i++) {
        start(&f, &readers[i], i % WRITERS, read_rounds);
    }
    start(&f, &goer, GOING_TENANT, come_and_go);
    start(&f, &disturber, GOING_TENANT, write_anyhow);
    for (unsigned i = 0; i < WRITERS; i++) {
        assert_int_equal(pthread_join(writers[i].thread, NULL), 0);
    }
    assert_int_equal(pthread_join(goer.thread, NULL), 0);
    f.stopping = true;
    assert_int_equal(pthread_join(disturber.thread, NULL), 0);
    for (unsigned i = 0; i < READERS; i++) {
        assert_int_equal(pthread_join(readers[i].thread, NULL), 0);
    }
    search_engine_close(f.engine);
    open_engine(&f);
    for (unsigned i = 0; i < WRITERS; i++) {
        writers[i].fixture = &f;
        assert_int_equal(count_hits(&writers[i], f.arena, arena_printf(f.arena, "r%u", ROUNDS)),
                         BATCH);
    }
    assert_int_equal(f.failures, 0);
    search_engine_close(f.engine);
    disk_files_reset(&f.files);
    arena_free(f.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_threads_lose_nothing),
    };

    return cmocka_run_group_tests_name("search_threads", tests, NULL, NULL);
}
