#include "services/search/search_engine.h"

#include "libs/base/text.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/crash_files.h"
#include "libs/testing/fake_clock.h"
#include "services/search/engine.h"

#include <stdio.h>
#include <string.h>

enum { FIELD_TITLE, FIELD_BODY, FIELD_SECTION, FIELD_SIZE, FIELD_FREE };

static const struct schema_field fields[] = {
    [FIELD_TITLE] = { .name = "title", .kind = FIELD_TEXT, .weight = 3 },
    [FIELD_BODY] = { .name = "body", .kind = FIELD_TEXT, .weight = 1 },
    [FIELD_SECTION] = { .name = "section", .kind = FIELD_KEYWORD },
    [FIELD_SIZE] = { .name = "size", .kind = FIELD_NUMBER },
    [FIELD_FREE] = { .name = "free", .kind = FIELD_BOOL },
};
static const struct search_schema schema = {
    .fields = fields,
    .n_fields = sizeof fields / sizeof fields[0],
};
static const struct collection_name books = { "acme", "library", "books" };
static const struct collection_name theirs = { "globex", "library", "books" };

struct fixture {
    struct crash_files files;
    struct fake_clock clock;
    struct arena *arena;
    struct search_engine *engine;
};

static status open_engine(struct fixture *f)
{
    return search_engine_open(
        &(struct search_engine_options){
            .files = &f->files.files,
            .clock = &f->clock.clock,
            .stepped = true,
        },
        f->arena, &f->engine);
}

static void close_engine(struct fixture *f)
{
    search_engine_close(f->engine);
    f->engine = NULL;
}

/* As a process that dies: what it has not synced stays for the next one to read. */
static void reopen(struct fixture *f)
{
    close_engine(f);
    assert_status(open_engine(f), STATUS_OK);
}

/* As a machine that loses its power. */
static status crash(struct fixture *f)
{
    close_engine(f);
    crash_files_crash(&f->files);
    return open_engine(f);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    crash_files_init(&f->files);
    fake_clock_init(&f->clock, 1700000000000);
    f->arena = arena_new();
    assert_status(open_engine(f), STATUS_OK);
    assert_status(search_engine_create(f->engine, f->arena, &books, &schema), STATUS_OK);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    close_engine(f);
    crash_files_reset(&f->files);
    arena_free(f->arena);
    free(f);
    return 0;
}

/* A document that tells its version. */
static const struct search_document *document(struct fixture *f, const char *id, unsigned version)
{
    struct search_document *made = ARENA_NEW(f->arena, struct search_document);
    struct document_field *values = ARENA_NEW_ARRAY(f->arena, struct document_field, 3);
    bytes *section = ARENA_NEW(f->arena, bytes);

    *section = bytes_of(version % 2 == 0 ? "even" : "odd");
    values[0] = (struct document_field){
        .place = FIELD_BODY,
        .kind = FIELD_TEXT,
        .text = bytes_of(arena_printf(f->arena, "the book of %s in version %u", id, version)),
    };
    values[1] = (struct document_field){
        .place = FIELD_SECTION, .kind = FIELD_KEYWORD, .keywords = section, .n_keywords = 1
    };
    values[2] =
        (struct document_field){ .place = FIELD_SIZE, .kind = FIELD_NUMBER, .number = version };
    *made = (struct search_document){ .id = bytes_of(id), .fields = values, .n_fields = 3 };
    return made;
}

static status upsert(struct fixture *f, const char *id, unsigned version)
{
    struct search_write write = { .document = document(f, id, version) };

    TRY(search_engine_write(f->engine, f->arena, &books, &write, 1));
    return write.result;
}

static status delete (struct fixture *f, const char *id)
{
    struct search_write write = { .id = bytes_of(id) };

    TRY(search_engine_write(f->engine, f->arena, &books, &write, 1));
    return write.result;
}

/* The version that is there; 0: none. */
static unsigned version_of(struct fixture *f, const char *id)
{
    struct search_document found;
    status s = search_engine_get(f->engine, f->arena, &books, bytes_of(id), &found);

    if (s.code == STATUS_NOT_FOUND) {
        return 0;
    }
    assert_status(s, STATUS_OK);
    return (unsigned)search_document_field(&found, FIELD_SIZE)->number;
}

static uint64_t n_documents(struct fixture *f)
{
    struct collection_info info;

    assert_status(search_engine_describe(f->engine, f->arena, &books, &info), STATUS_OK);
    return info.n_documents;
}

static status merge_all(struct fixture *f)
{
    for (bool more = true; more;) {
        TRY(search_engine_step(f->engine, f->arena, &more));
    }
    return status_ok();
}

/* ---- What it does ---- */

static void a_document_comes_back_as_it_was_given(void **state)
{
    struct fixture *f = *state;
    bytes sections[] = { bytes_of("fiction"), bytes_of("crime"), bytes_of("fiction") };
    struct document_field values[] = {
        { .place = FIELD_FREE, .kind = FIELD_BOOL, .flag = true },
        { .place = FIELD_SECTION, .kind = FIELD_KEYWORD, .keywords = sections, .n_keywords = 3 },
        { .place = FIELD_TITLE, .kind = FIELD_TEXT, .text = bytes_of("Ærø, a novel") },
        { .place = FIELD_SIZE, .kind = FIELD_NUMBER, .number = -0.5 },
    };
    struct search_document given = { .id = bytes_of("a/b c"), .fields = values, .n_fields = 4 };
    struct search_write write = { .document = &given };
    struct search_document found;

    assert_status(search_engine_write(f->engine, f->arena, &books, &write, 1), STATUS_OK);
    assert_status(write.result, STATUS_OK);
    for (int round = 0; round < 3; round++) { /* in the memtable, in the log, in a segment */
        assert_status(search_engine_get(f->engine, f->arena, &books, given.id, &found), STATUS_OK);
        assert_int_equal(found.n_fields, 4);
        assert_true(found.fields[0].flag);
        assert_int_equal(found.fields[1].n_keywords, 3);
        assert_memory_equal(found.fields[1].keywords[1].data, "crime", 5);
        assert_memory_equal(found.fields[2].text.data, values[2].text.data, values[2].text.size);
        assert_true(found.fields[3].number == -0.5);
        if (round == 0) {
            reopen(f);
        } else {
            assert_status(search_engine_flush(f->engine, f->arena), STATUS_OK);
        }
    }
}

static void the_newest_version_is_the_one_that_is_there(void **state)
{
    struct fixture *f = *state;

    assert_status(upsert(f, "a", 1), STATUS_OK);
    assert_status(upsert(f, "a", 2), STATUS_OK);
    assert_int_equal(version_of(f, "a"), 2);
    assert_status(search_engine_flush(f->engine, f->arena), STATUS_OK);
    assert_status(upsert(f, "a", 3), STATUS_OK);
    assert_int_equal(version_of(f, "a"), 3);
    assert_status(search_engine_flush(f->engine, f->arena), STATUS_OK);
    assert_int_equal(version_of(f, "a"), 3);
    assert_status(delete (f, "a"), STATUS_OK);
    assert_int_equal(version_of(f, "a"), 0);
    assert_int_equal(n_documents(f), 0);
    reopen(f);
    assert_int_equal(version_of(f, "a"), 0);
    assert_status(delete (f, "a"), STATUS_OK);
    assert_status(upsert(f, "a", 4), STATUS_OK);
    assert_int_equal(version_of(f, "a"), 4);
    assert_int_equal(n_documents(f), 1);
}

static void one_bad_document_does_not_hold_up_the_others(void **state)
{
    struct fixture *f = *state;
    struct document_field wrong[] = { { .place = FIELD_SIZE, .kind = FIELD_TEXT } };
    struct search_document bad = { .id = bytes_of("bad"), .fields = wrong, .n_fields = 1 };
    struct search_document nameless = { .id = bytes_of("") };
    struct search_write writes[] = {
        { .document = document(f, "a", 1) }, { .document = &bad },
        { .document = &nameless },           { .id = bytes_of("") },
        { .document = document(f, "b", 1) },
    };

    assert_status(search_engine_write(f->engine, f->arena, &books, writes, 5), STATUS_OK);
    assert_status(writes[0].result, STATUS_OK);
    assert_status(writes[1].result, STATUS_INVALID_ARGUMENT);
    assert_string_equal(writes[1].result.message, "size is of another kind");
    assert_status(writes[2].result, STATUS_INVALID_ARGUMENT);
    assert_status(writes[3].result, STATUS_INVALID_ARGUMENT);
    assert_status(writes[4].result, STATUS_OK);
    assert_int_equal(n_documents(f), 2);
}

static void too_much_at_once_is_refused(void **state)
{
    struct fixture *f = *state;
    struct search_write *writes = calloc(MAX_WRITES + 1, sizeof *writes);
    struct document_field large[] = { { .place = FIELD_BODY, .kind = FIELD_TEXT } };
    struct search_document big = { .id = bytes_of("big"), .fields = large, .n_fields = 1 };
    size_t size = 200000;
    char *text = malloc(size);

    assert_non_null(writes);
    assert_non_null(text);
    memset(text, 'x', size);
    large[0].text = (bytes){ (const uint8_t *)text, size };
    for (size_t i = 0; i <= MAX_WRITES; i++) {
        writes[i].document = &big;
    }
    assert_status(search_engine_write(f->engine, f->arena, &books, writes, MAX_WRITES + 1),
                  STATUS_INVALID_ARGUMENT);
    assert_status(search_engine_write(f->engine, f->arena, &books, writes, 42),
                  STATUS_INVALID_ARGUMENT);
    assert_int_equal(n_documents(f), 0);
    assert_status(search_engine_write(f->engine, f->arena, &books, writes, 5), STATUS_OK);
    assert_int_equal(n_documents(f), 1);
    free(text);
    free(writes);
}

static void collections_are_made_listed_and_dropped(void **state)
{
    struct fixture *f = *state;
    static const struct collection_name others[] = { { "acme", "library", "films" },
                                                     { "acme", "archive", "books" },
                                                     { "globex", "library", "books" } };
    struct search_schema smaller = { .fields = fields, .n_fields = 2 };
    struct collection_info *infos = NULL;
    size_t n = 0;

    for (size_t i = 0; i < 3; i++) {
        assert_status(search_engine_create(f->engine, f->arena, &others[i], &smaller), STATUS_OK);
    }
    assert_status(search_engine_create(f->engine, f->arena, &books, &schema), STATUS_OK);
    assert_status(search_engine_create(f->engine, f->arena, &books, &smaller),
                  STATUS_ALREADY_EXISTS);
    for (int round = 0; round < 3; round++) {
        search_engine_list(f->engine, f->arena, "acme", NULL, &infos, &n);
        assert_int_equal(n, 3);
        assert_string_equal(infos[0].name.project, "archive");
        assert_string_equal(infos[1].name.collection, "books");
        assert_int_equal(infos[1].schema.n_fields, 5);
        assert_string_equal(infos[2].name.collection, "films");
        search_engine_list(f->engine, f->arena, "acme", "library", &infos, &n);
        assert_int_equal(n, 2);
        if (round == 1) {
            assert_status(search_engine_flush(f->engine, f->arena), STATUS_OK);
        }
        assert_status(crash(f), STATUS_OK);
    }
    assert_status(search_engine_drop(f->engine, f->arena, &others[0]), STATUS_OK);
    assert_status(search_engine_drop(f->engine, f->arena, &others[0]), STATUS_NOT_FOUND);
    assert_status(crash(f), STATUS_OK);
    search_engine_list(f->engine, f->arena, "acme", NULL, &infos, &n);
    assert_int_equal(n, 2);
}

static void one_tenant_does_not_see_another(void **state)
{
    struct fixture *f = *state;
    struct search_document found;

    assert_status(upsert(f, "a", 1), STATUS_OK);
    assert_status(search_engine_get(f->engine, f->arena, &theirs, bytes_of("a"), &found),
                  STATUS_NOT_FOUND);
    assert_status(search_engine_create(f->engine, f->arena, &theirs, &schema), STATUS_OK);
    assert_status(search_engine_get(f->engine, f->arena, &theirs, bytes_of("a"), &found),
                  STATUS_NOT_FOUND);
    assert_status(search_engine_drop(f->engine, f->arena, &theirs), STATUS_OK);
    assert_int_equal(version_of(f, "a"), 1);
}

static void a_dropped_collection_leaves_no_files(void **state)
{
    struct fixture *f = *state;
    struct files_names names;

    assert_status(upsert(f, "a", 1), STATUS_OK);
    assert_status(search_engine_flush(f->engine, f->arena), STATUS_OK);
    assert_status(search_engine_drop(f->engine, f->arena, &books), STATUS_OK);
    assert_status(search_engine_flush(f->engine, f->arena), STATUS_OK);
    assert_status(files_list(&f->files.files, f->arena, "segments", &names), STATUS_OK);
    assert_int_equal(names.n_names, 0);
}

/* ---- Scrubbing ---- */

#define SECRET "theirs alone"

/* A document of globex with the secret in it. */
static status write_theirs(struct fixture *f, const char *id, unsigned version)
{
    struct document_field body = {
        .place = FIELD_BODY,
        .kind = FIELD_TEXT,
        .text = bytes_of(arena_printf(f->arena, "%s, version %u", SECRET, version)),
    };
    struct search_document made = { .id = bytes_of(id), .fields = &body, .n_fields = 1 };
    struct search_write write = { .document = &made };

    TRY(search_engine_write(f->engine, f->arena, &theirs, &write, 1));
    return write.result;
}

/* And one of acme beside it. */
static status write_both(struct fixture *f, const char *id, unsigned version)
{
    TRY(write_theirs(f, id, version));
    return upsert(f, id, version);
}

static status scrub_all(struct fixture *f)
{
    uint64_t scrub = 0;

    for (bool more = true; more;) {
        TRY(search_engine_scrub(f->engine, f->arena, &scrub, &more));
    }
    return status_ok();
}

/* What erases a tenant, as often as it is asked. */
static status drop_and_scrub(struct fixture *f)
{
    status s = search_engine_drop(f->engine, f->arena, &theirs);

    return status_is_ok(s) || s.code == STATUS_NOT_FOUND ? scrub_all(f) : s;
}

static bool folder_has(struct fixture *f, const char *folder, const char *text)
{
    struct files_names names;
    bool found = false;

    assert_status(files_list(&f->files.files, f->arena, folder, &names), STATUS_OK);
    for (size_t i = 0; i < names.n_names; i++) {
        const char *name = folder[0] == '\0'
                               ? names.names[i]
                               : arena_printf(f->arena, "%s/%s", folder, names.names[i]);
        bytes data;
        status s = files_read(&f->files.files, f->arena, name, SIZE_MAX, &data);
        found = found || (status_is_ok(s) && /* not of a folder */
                          memmem(data.data, data.size, text, strlen(text)) != NULL);
    }
    return found;
}

/* Whether any file holds it, whoever may still find it. */
static bool is_on_disk(struct fixture *f, const char *text)
{
    return folder_has(f, "", text) || folder_has(f, "log", text) || folder_has(f, "segments", text);
}

/* Segments that both are in, one of which has old parts of both that were merged into a later one;
 * some documents in the log alone; and some deaths. */
static status fill_both(struct fixture *f)
{
    char id[16];

    TRY(search_engine_create(f->engine, f->arena, &theirs, &schema));
    for (unsigned round = 1; round <= 8; round++) {
        for (unsigned i = 0; i < 4; i++) {
            (void)snprintf(id, sizeof id, "d%u", (i + round) % 6);
            TRY(write_both(f, id, round));
        }
        TRY(search_engine_flush(f->engine, f->arena));
        if (round == 6) {
            TRY(merge_all(f));
        }
    }
    TRY(write_both(f, "last", 9));
    return delete (f, "d1");
}

static void assert_ours_is_whole(struct fixture *f)
{
    assert_int_equal(version_of(f, "d0"), 6);
    assert_int_equal(version_of(f, "d1"), 0);
    assert_int_equal(version_of(f, "d4"), 8);
    assert_int_equal(version_of(f, "last"), 9);
    assert_int_equal(n_documents(f), 6);
}

static void a_scrub_leaves_no_byte_of_what_was_dropped(void **state)
{
    struct fixture *f = *state;

    assert_status(fill_both(f), STATUS_OK);
    assert_status(search_engine_drop(f->engine, f->arena, &theirs), STATUS_OK);
    assert_status(merge_all(f), STATUS_OK);
    assert_true(folder_has(f, "log", SECRET)); /* or this test shows nothing */
    assert_true(folder_has(f, "segments", SECRET));
    assert_true(folder_has(f, "log", "globex"));
    assert_status(scrub_all(f), STATUS_OK);
    for (int round = 0; round < 2; round++) {
        assert_false(is_on_disk(f, SECRET));
        assert_false(is_on_disk(f, "globex"));
        assert_ours_is_whole(f);
        assert_status(crash(f), STATUS_OK);
    }
}

/* The one file that they share is the last to go. */
static void what_was_scrubbed_does_not_come_back_with_a_crash(void **state)
{
    struct fixture *f = *state;

    assert_status(search_engine_create(f->engine, f->arena, &theirs, &schema), STATUS_OK);
    assert_status(write_both(f, "a", 1), STATUS_OK);
    assert_status(search_engine_flush(f->engine, f->arena), STATUS_OK);
    assert_status(drop_and_scrub(f), STATUS_OK);
    close_engine(f);
    crash_files_crash(&f->files);
    assert_false(is_on_disk(f, SECRET));
    assert_status(open_engine(f), STATUS_OK);
    assert_int_equal(version_of(f, "a"), 1);
}

static void a_scrub_leaves_alone_what_nobody_shares(void **state)
{
    struct fixture *f = *state;
    struct files_names before;
    struct files_names after;

    assert_status(upsert(f, "a", 1), STATUS_OK);
    assert_status(search_engine_flush(f->engine, f->arena), STATUS_OK);
    assert_status(files_list(&f->files.files, f->arena, "segments", &before), STATUS_OK);
    assert_status(search_engine_create(f->engine, f->arena, &theirs, &schema), STATUS_OK);
    assert_status(drop_and_scrub(f), STATUS_OK);
    assert_status(files_list(&f->files.files, f->arena, "segments", &after), STATUS_OK);
    assert_int_equal(after.n_names, 1);
    assert_string_equal(after.names[0], before.names[0]);
}

/* Six parts that ask to be merged, one of which cannot be read; none lies beside theirs. */
static void rot_elsewhere_does_not_hold_up_a_scrub(void **state)
{
    struct fixture *f = *state;
    struct files_names names;

    for (unsigned i = 0; i < 6; i++) {
        assert_status(upsert(f, arena_printf(f->arena, "d%u", i), 1), STATUS_OK);
        assert_status(search_engine_flush(f->engine, f->arena), STATUS_OK);
    }
    assert_status(files_list(&f->files.files, f->arena, "segments", &names), STATUS_OK);
    close_engine(f);
    crash_files_flip(&f->files, arena_printf(f->arena, "segments/%s", names.names[0]), 10);
    assert_status(open_engine(f), STATUS_OK);
    assert_status(merge_all(f), STATUS_DATA_LOSS);
    assert_status(search_engine_create(f->engine, f->arena, &theirs, &schema), STATUS_OK);
    assert_status(write_theirs(f, "a", 1), STATUS_OK);
    assert_status(search_engine_flush(f->engine, f->arena), STATUS_OK);
    assert_true(is_on_disk(f, SECRET));
    assert_status(drop_and_scrub(f), STATUS_OK);
    assert_false(is_on_disk(f, SECRET));
}

static void a_scrub_waits_for_who_is_still_reading(void **state)
{
    struct fixture *f = *state;
    struct collection *held = NULL;

    assert_status(fill_both(f), STATUS_OK);
    assert_status(engine_find(f->engine, f->arena, &theirs, &held), STATUS_OK);
    assert_status(drop_and_scrub(f), STATUS_UNAVAILABLE);
    collection_unref(held);
    assert_status(scrub_all(f), STATUS_OK);
    assert_false(is_on_disk(f, SECRET));
}

/* Its memtables are frozen, and more was written since. */
static void a_flush_that_failed_does_not_hide_anything_from_a_scrub(void **state)
{
    struct fixture *f = *state;

    assert_status(fill_both(f), STATUS_OK);
    f->files.full = true;
    assert_status(search_engine_flush(f->engine, f->arena), STATUS_RESOURCE_EXHAUSTED);
    f->files.full = false;
    assert_status(write_both(f, "last", 10), STATUS_OK);
    assert_status(drop_and_scrub(f), STATUS_OK);
    assert_false(is_on_disk(f, SECRET));
    assert_int_equal(version_of(f, "last"), 10);
}

/* ---- Searching, where the oracle does not look ---- */

static void a_page_tells_when_it_does_not_follow_the_one_before(void **state)
{
    struct fixture *f = *state;
    struct search_request request = { .query = "book", .limit = 1, .page_token = "" };
    struct search_page page;

    assert_status(upsert(f, "a", 1), STATUS_OK);
    assert_status(upsert(f, "b", 1), STATUS_OK);
    assert_status(search_engine_search(f->engine, f->arena, &books, &request, &page), STATUS_OK);
    request.page_token = page.next_page_token;
    assert_status(search_engine_search(f->engine, f->arena, &books, &request, &page), STATUS_OK);
    assert_false(page.changed);
    assert_status(upsert(f, "c", 1), STATUS_OK);
    assert_status(search_engine_search(f->engine, f->arena, &books, &request, &page), STATUS_OK);
    assert_true(page.changed);
}

static void a_page_has_1_to_1000_hits(void **state)
{
    struct fixture *f = *state;
    struct search_request request = { .query = "book", .page_token = "" };
    struct search_page page;

    assert_status(search_engine_search(f->engine, f->arena, &books, &request, &page),
                  STATUS_INVALID_ARGUMENT);
    request.limit = MAX_HITS;
    assert_status(search_engine_search(f->engine, f->arena, &books, &request, &page), STATUS_OK);
    request.limit = MAX_HITS + 1;
    assert_status(search_engine_search(f->engine, f->arena, &books, &request, &page),
                  STATUS_INVALID_ARGUMENT);
}

/* ---- Merges and rebuilds ---- */

static void merges_keep_what_is_alive_and_nothing_else(void **state)
{
    struct fixture *f = *state;
    char id[16];

    for (unsigned round = 1; round <= 8; round++) {
        for (unsigned i = 0; i < 20; i++) {
            (void)snprintf(id, sizeof id, "d%02u", i * round % 20);
            assert_status(upsert(f, id, round), STATUS_OK);
        }
        assert_status(delete (f, "d00"), STATUS_OK);
        assert_status(search_engine_flush(f->engine, f->arena), STATUS_OK);
    }
    assert_status(merge_all(f), STATUS_OK);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(version_of(f, "d00"), 0);
        assert_int_equal(version_of(f, "d07"), 7);
        assert_int_equal(n_documents(f), 19);
        assert_status(crash(f), STATUS_OK);
    }
    assert_status(search_engine_rebuild(f->engine, f->arena, &books), STATUS_OK);
    assert_int_equal(version_of(f, "d07"), 7);
    assert_int_equal(n_documents(f), 19);
}

static void the_log_is_cut_by_a_flush(void **state)
{
    struct fixture *f = *state;
    struct files_names names;

    assert_status(upsert(f, "a", 1), STATUS_OK);
    assert_status(search_engine_flush(f->engine, f->arena), STATUS_OK);
    assert_status(files_list(&f->files.files, f->arena, "log", &names), STATUS_OK);
    assert_int_equal(names.n_names, 0);
}

static void what_is_there_already_costs_no_log(void **state)
{
    struct fixture *f = *state;
    struct files_names names;
    struct search_write writes[] = {
        { .document = document(f, "a", 1) },
        { .document = document(f, "b", 1) },
    };
    struct search_write back_and_forth[] = {
        { .document = document(f, "a", 2) },
        { .document = document(f, "a", 1) },
    };

    assert_status(search_engine_write(f->engine, f->arena, &books, writes, 2), STATUS_OK);
    assert_status(search_engine_flush(f->engine, f->arena), STATUS_OK);
    assert_status(search_engine_write(f->engine, f->arena, &books, writes, 2), STATUS_OK);
    assert_status(writes[1].result, STATUS_OK);
    assert_status(files_list(&f->files.files, f->arena, "log", &names), STATUS_OK);
    assert_int_equal(names.n_names, 0);
    assert_status(search_engine_write(f->engine, f->arena, &books, back_and_forth, 2), STATUS_OK);
    assert_int_equal(version_of(f, "a"), 1);
    assert_status(crash(f), STATUS_OK);
    assert_int_equal(version_of(f, "a"), 1);
}

/* ---- What goes wrong ---- */

static void a_full_disk_refuses_writes_and_serves_reads(void **state)
{
    struct fixture *f = *state;

    assert_status(upsert(f, "a", 1), STATUS_OK);
    f->files.full = true;
    assert_status(upsert(f, "b", 1), STATUS_RESOURCE_EXHAUSTED);
    assert_status(search_engine_flush(f->engine, f->arena), STATUS_RESOURCE_EXHAUSTED);
    assert_int_equal(version_of(f, "a"), 1);
    assert_status(upsert(f, "b", 1), STATUS_RESOURCE_EXHAUSTED);
    f->files.full = false;
    assert_status(upsert(f, "b", 2), STATUS_OK);
    assert_status(search_engine_flush(f->engine, f->arena), STATUS_OK);
    assert_status(upsert(f, "c", 1), STATUS_OK);
    assert_status(crash(f), STATUS_OK);
    assert_int_equal(version_of(f, "a"), 1);
    assert_int_equal(version_of(f, "b"), 2);
    assert_int_equal(version_of(f, "c"), 1);
}

static const char *only_segment(struct fixture *f)
{
    struct files_names names;

    assert_status(files_list(&f->files.files, f->arena, "segments", &names), STATUS_OK);
    assert_int_equal(names.n_names, 1);
    return arena_printf(f->arena, "segments/%s", names.names[0]);
}

static void rot_is_found_and_named(void **state)
{
    struct fixture *f = *state;
    struct search_document found;

    assert_status(upsert(f, "a", 1), STATUS_OK);
    assert_status(search_engine_flush(f->engine, f->arena), STATUS_OK);
    close_engine(f);
    const char *name = only_segment(f);
    crash_files_flip(&f->files, name, 10);
    assert_status(open_engine(f), STATUS_OK);
    status s = search_engine_get(f->engine, f->arena, &books, bytes_of("a"), &found);
    assert_status(s, STATUS_DATA_LOSS);
    assert_non_null(strstr(s.message, name));
    close_engine(f);
    crash_files_flip(&f->files, "MANIFEST", 10);
    s = open_engine(f);
    assert_status(s, STATUS_DATA_LOSS);
    assert_non_null(strstr(s.message, "MANIFEST"));
}

enum { WORDY_DOCUMENTS = 60, WORDS = 200 };

/* A document of words that no other has: "u7w0 u7w1 ...". */
static void add_wordy(struct fixture *f, unsigned i)
{
    struct text text = text_new(f->arena);
    struct document_field body = { .place = FIELD_BODY, .kind = FIELD_TEXT };
    struct search_document made = { .id = bytes_of(arena_printf(f->arena, "d%02u", i)),
                                    .fields = &body,
                                    .n_fields = 1 };
    struct search_write write = { .document = &made };

    for (unsigned w = 0; w < WORDS; w++) {
        text_add(&text, "u%uw%u ", i, w);
    }
    body.text = text_bytes(&text);
    assert_status(search_engine_write(f->engine, f->arena, &books, &write, 1), STATUS_OK);
    assert_status(write.result, STATUS_OK);
}

/* How many of the documents are found by a word of theirs; every other answer is DATA_LOSS. */
static unsigned count_findable(struct fixture *f)
{
    unsigned n = 0;

    for (unsigned i = 0; i < WORDY_DOCUMENTS; i++) {
        struct search_request request = { .query = arena_printf(f->arena, "u%uw100", i),
                                          .limit = 1,
                                          .page_token = "" };
        struct search_page page = { .n_hits = 0 };
        status s = search_engine_search(f->engine, f->arena, &books, &request, &page);
        assert_true(status_is_ok(s) || s.code == STATUS_DATA_LOSS);
        n += status_is_ok(s) && page.n_hits == 1;
    }
    return n;
}

static void an_index_that_rots_is_made_anew_from_its_documents(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < WORDY_DOCUMENTS; i++) {
        add_wordy(f, i);
    }
    assert_status(search_engine_flush(f->engine, f->arena), STATUS_OK);
    assert_int_equal(count_findable(f), WORDY_DOCUMENTS);
    close_engine(f);
    crash_files_flip(&f->files, only_segment(f), 130000); /* behind the documents, in the lists */
    assert_status(open_engine(f), STATUS_OK);
    assert_true(count_findable(f) < WORDY_DOCUMENTS);
    assert_status(search_engine_rebuild(f->engine, f->arena, &books), STATUS_OK);
    assert_int_equal(count_findable(f), WORDY_DOCUMENTS);
}

static void a_segment_that_is_gone_is_named(void **state)
{
    struct fixture *f = *state;
    assert_status(upsert(f, "a", 1), STATUS_OK);
    assert_status(search_engine_flush(f->engine, f->arena), STATUS_OK);
    close_engine(f);
    const char *name = only_segment(f);
    assert_status(files_remove(&f->files.files, f->arena, name), STATUS_OK);
    status s = open_engine(f);
    assert_status(s, STATUS_DATA_LOSS);
    assert_non_null(strstr(s.message, name));
}

/* ---- Crashes ---- */

enum { IDS = 12, STEPS = 25 };

/* What a client knows: the version that was acknowledged, and the one that was last tried. */
struct known {
    unsigned acknowledged[IDS];
    unsigned tried[IDS];
};

static const char *id_of(struct fixture *f, unsigned i)
{
    return arena_printf(f->arena, "id%02u", i);
}

/* Writes version to a third of the ids, or deletes them where they are sure to be there; false
 * at the first failure. */
static bool write_some(struct fixture *f, struct known *known, unsigned version)
{
    struct search_write writes[IDS] = { { 0 } };
    unsigned ids[IDS];
    size_t n = 0;
    bool removes = version == 9 || version == 17;

    for (unsigned i = version % 3; i < IDS; i += 3) {
        ids[n] = i;
        known->tried[i] = removes ? 0 : version;
        writes[n] = (struct search_write){
            .document = removes ? NULL : document(f, id_of(f, i), version),
            .id = bytes_of(id_of(f, i)),
        };
        n++;
    }
    if (!status_is_ok(search_engine_write(f->engine, f->arena, &books, writes, n))) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        known->acknowledged[ids[i]] = known->tried[ids[i]];
    }
    return true;
}

static bool flush_now(struct fixture *f)
{
    return status_is_ok(search_engine_flush(f->engine, f->arena));
}

/* One step of what a client and the upkeep do in turn; false: it failed. */
static bool step(struct fixture *f, struct known *known, unsigned n)
{
    if (n == STEPS - 3) {
        return status_is_ok(merge_all(f));
    }
    if (n == STEPS - 2) {
        return status_is_ok(search_engine_rebuild(f->engine, f->arena, &books));
    }
    return n % 2 == 0 || n == 5 ? write_some(f, known, n + 1) : flush_now(f);
}

/* All of it; false at the first failure. */
static bool work(struct fixture *f, struct known *known)
{
    for (unsigned n = 0; n < STEPS; n++) {
        if (!step(f, known, n)) {
            return false;
        }
    }
    return true;
}

/* The same until a sync was done, and then what makes it durable that files are gone which
 * nothing should need any more. */
static bool work_beyond(struct fixture *f, struct known *known, uint64_t sync)
{
    for (unsigned n = 0; n < STEPS && f->files.n_syncs < sync; n++) {
        if (!step(f, known, n)) {
            return false;
        }
    }
    return write_some(f, known, 40) && flush_now(f) && write_some(f, known, 41);
}

/* Whether everything that was acknowledged is there. */
static bool is_all_there(struct fixture *f, const struct known *known)
{
    struct collection_info info;
    uint64_t n = 0;

    for (unsigned i = 0; i < IDS; i++) {
        struct search_document found;
        unsigned version = 0;
        status s = search_engine_get(f->engine, f->arena, &books, bytes_of(id_of(f, i)), &found);
        if (status_is_ok(s)) {
            version = (unsigned)search_document_field(&found, FIELD_SIZE)->number;
        } else if (s.code != STATUS_NOT_FOUND) {
            return false;
        }
        if (version != known->acknowledged[i] && version != known->tried[i]) {
            return false;
        }
        n += version != 0;
    }
    return status_is_ok(search_engine_describe(f->engine, f->arena, &books, &info)) &&
           info.n_documents == n;
}

/* An engine over an empty folder, with the collection; the state of the test stays as it was. */
static void begin_again(struct fixture *f)
{
    close_engine(f);
    crash_files_reset(&f->files);
    crash_files_init(&f->files);
    arena_reset(f->arena);
    assert_status(open_engine(f), STATUS_OK);
    assert_status(search_engine_create(f->engine, f->arena, &books, &schema), STATUS_OK);
}

static void crash_everywhere(struct fixture *f, bool torn)
{
    bool whole = false;

    for (unsigned n = 1; !whole; n++) {
        struct known known = { { 0 }, { 0 } };
        begin_again(f);
        f->files.torn = torn;
        f->files.crash_after = (unsigned)f->files.n_operations + n;
        whole = work(f, &known);
        assert_status(crash(f), STATUS_OK);
        if (!is_all_there(f, &known)) {
            fail_msg("after a crash at operation %u something is lost", n);
        }
        assert_true(write_some(f, &known, 40)); /* and it goes on */
        assert_status(crash(f), STATUS_OK);
        assert_true(is_all_there(f, &known));
    }
}

static void nothing_acknowledged_is_lost_wherever_it_crashes(void **state)
{
    crash_everywhere(*state, false);
}

static void nothing_acknowledged_is_lost_when_writes_are_torn(void **state)
{
    crash_everywhere(*state, true);
}

/* Whether some crash loses something when the nth sync does nothing. */
static bool is_missed(struct fixture *f, unsigned sync)
{
    bool whole = false;
    bool lost = false;

    for (unsigned n = 1; !whole && !lost; n++) {
        struct known known = { { 0 }, { 0 } };
        begin_again(f);
        f->files.skip_sync = (unsigned)f->files.n_syncs + sync;
        f->files.crash_after = (unsigned)f->files.n_operations + n;
        whole = work_beyond(f, &known, f->files.skip_sync);
        lost = !status_is_ok(crash(f)) || !is_all_there(f, &known);
    }
    return lost;
}

static void every_sync_is_needed(void **state)
{
    struct fixture *f = *state;
    struct known known = { { 0 }, { 0 } };

    begin_again(f);
    uint64_t before = f->files.n_syncs;
    assert_true(work(f, &known));
    unsigned n = (unsigned)(f->files.n_syncs - before);
    for (unsigned sync = 1; sync <= n; sync++) {
        if (!is_missed(f, sync)) {
            fail_msg("nobody misses sync %u of %u", sync, n);
        }
    }
}

/* Whatever the crash, and once it was told done also after the next, with nothing done about it. */
static void a_scrub_ends_whole_wherever_it_crashes(void **state)
{
    struct fixture *f = *state;
    bool whole = false;

    for (unsigned n = 1; !whole; n++) {
        begin_again(f);
        assert_status(fill_both(f), STATUS_OK);
        f->files.crash_after = (unsigned)f->files.n_operations + n;
        whole = status_is_ok(drop_and_scrub(f));
        close_engine(f);
        crash_files_crash(&f->files);
        assert_false(whole && is_on_disk(f, SECRET));
        assert_status(open_engine(f), STATUS_OK);
        assert_ours_is_whole(f);
        assert_status(drop_and_scrub(f), STATUS_OK);
        if (is_on_disk(f, SECRET)) {
            fail_msg("after a crash at operation %u something is left", n);
        }
        assert_ours_is_whole(f);
    }
}

/* A process that dies keeps the page cache: the next one reads a frame that is not on the disk,
 * builds on it, and the machine loses power. */
static void what_a_start_has_read_is_not_lost_later(void **state)
{
    struct fixture *f = *state;

    assert_status(upsert(f, "a", 1), STATUS_OK);
    f->files.crash_after = (unsigned)f->files.n_operations + 2; /* the sync behind the write */
    assert_status(upsert(f, "b", 1), STATUS_UNAVAILABLE);
    f->files.crash_after = 0;
    reopen(f);
    assert_int_equal(version_of(f, "b"), 1);
    assert_status(upsert(f, "c", 1), STATUS_OK);
    assert_status(crash(f), STATUS_OK);
    assert_int_equal(version_of(f, "a"), 1);
    assert_int_equal(version_of(f, "b"), 1);
    assert_int_equal(version_of(f, "c"), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_document_comes_back_as_it_was_given),
        TEST(the_newest_version_is_the_one_that_is_there),
        TEST(one_bad_document_does_not_hold_up_the_others),
        TEST(too_much_at_once_is_refused),
        TEST(collections_are_made_listed_and_dropped),
        TEST(one_tenant_does_not_see_another),
        TEST(a_dropped_collection_leaves_no_files),
        TEST(a_scrub_leaves_no_byte_of_what_was_dropped),
        TEST(what_was_scrubbed_does_not_come_back_with_a_crash),
        TEST(a_scrub_leaves_alone_what_nobody_shares),
        TEST(rot_elsewhere_does_not_hold_up_a_scrub),
        TEST(a_scrub_waits_for_who_is_still_reading),
        TEST(a_flush_that_failed_does_not_hide_anything_from_a_scrub),
        TEST(a_page_tells_when_it_does_not_follow_the_one_before),
        TEST(a_page_has_1_to_1000_hits),
        TEST(merges_keep_what_is_alive_and_nothing_else),
        TEST(the_log_is_cut_by_a_flush),
        TEST(what_is_there_already_costs_no_log),
        TEST(a_full_disk_refuses_writes_and_serves_reads),
        TEST(rot_is_found_and_named),
        TEST(an_index_that_rots_is_made_anew_from_its_documents),
        TEST(a_segment_that_is_gone_is_named),
        TEST(nothing_acknowledged_is_lost_wherever_it_crashes),
        TEST(nothing_acknowledged_is_lost_when_writes_are_torn),
        TEST(every_sync_is_needed),
        TEST(a_scrub_ends_whole_wherever_it_crashes),
        TEST(what_a_start_has_read_is_not_lost_later),
    };

    return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
