/* How well the engine answers questions that people have judged the answers of: nDCG@10 on
 * Cranfield and on SciFact (BEIR), against what SQLite's FTS5 reaches with its porter tokenizer
 * and an OR query (.3772 and .6811). */

#include "libs/base/map.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/crash_files.h"
#include "libs/testing/fake_clock.h"
#include "libs/testing/test_data.h"
#include "services/search/pack.h"
#include "services/search/search_engine.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

enum { TITLE, BODY, TOP = 10, MAX_DATA_BYTES = 16 * 1024 * 1024 };

static const struct schema_field fields[] = {
    [TITLE] = { .name = "title", .kind = FIELD_TEXT, .weight = 1 },
    [BODY] = { .name = "body", .kind = FIELD_TEXT, .weight = 1 },
};
static const struct search_schema schema = { .fields = fields, .n_fields = 2 };
static const struct collection_name papers = { "test", "quality", "papers" };

struct fixture {
    struct crash_files files;
    struct fake_clock clock;
    struct arena *arena;
    struct search_engine *engine;
    struct map judged;     /* "query document": relevant */
    struct map n_relevant; /* by query: how many, as a pointer */
    double sum;
    size_t n_queries;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    crash_files_init(&f->files);
    fake_clock_init(&f->clock, 0);
    f->arena = arena_new();
    map_init(&f->judged);
    map_init(&f->n_relevant);
    const struct search_engine_options options = { .files = &f->files.files,
                                                   .clock = &f->clock.clock,
                                                   .stepped = true };
    assert_status(search_engine_open(&options, f->arena, &f->engine), STATUS_OK);
    assert_status(search_engine_create(f->engine, f->arena, &papers, &schema), STATUS_OK);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    search_engine_close(f->engine);
    crash_files_reset(&f->files);
    map_reset(&f->judged, NULL);
    map_reset(&f->n_relevant, NULL);
    arena_free(f->arena);
    free(f);
    return 0;
}

/* ---- The measure ---- */

static char *copy_text(struct fixture *f, bytes data)
{
    return arena_printf(f->arena, "%.*s", (int)data.size, (const char *)data.data);
}

static void add_document(struct fixture *f, bytes id, bytes title, bytes body)
{
    struct document_field values[] = {
        { .place = TITLE, .kind = FIELD_TEXT, .text = title },
        { .place = BODY, .kind = FIELD_TEXT, .text = body },
    };
    struct search_document document = { .id = id, .fields = values, .n_fields = 2 };
    struct search_write write = { .document = &document };

    assert_status(search_engine_write(f->engine, f->arena, &papers, &write, 1), STATUS_OK);
    assert_status(write.result, STATUS_OK);
}

static void add_judgement(struct fixture *f, const char *query, const char *document)
{
    const char *both = arena_printf(f->arena, "%s %s", query, document);

    if (map_put(&f->judged, both, f) == NULL) {
        size_t n = (size_t)map_get(&f->n_relevant, query);
        (void)map_put(&f->n_relevant, query, (void *)(n + 1));
    }
}

static double gain(size_t rank)
{
    return 1 / log2((double)rank + 2);
}

/* nDCG@10 with judgements of yes and no. */
static void ask(struct fixture *f, const char *query_id, bytes text)
{
    struct search_request request = {
        .query = copy_text(f, text),
        .limit = TOP,
        .page_token = "",
    };
    size_t n_relevant = (size_t)map_get(&f->n_relevant, query_id);
    struct search_page page;
    double found = 0;
    double ideal = 0;

    if (n_relevant == 0) {
        return;
    }
    assert_status(search_engine_search(f->engine, f->arena, &papers, &request, &page), STATUS_OK);
    for (size_t i = 0; i < page.n_hits; i++) {
        bytes id = page.hits[i].document.id;
        const char *both =
            arena_printf(f->arena, "%s %.*s", query_id, (int)id.size, (const char *)id.data);
        found += map_get(&f->judged, both) != NULL ? gain(i) : 0;
    }
    for (size_t i = 0; i < n_relevant && i < TOP; i++) {
        ideal += gain(i);
    }
    f->sum += found / ideal;
    f->n_queries++;
}

static void assert_quality(const struct fixture *f, const char *name, double floor)
{
    double ndcg = f->sum / (double)f->n_queries;

    print_message("%s: nDCG@10 %.4f over %zu queries\n", name, ndcg, f->n_queries);
    if (!(ndcg >= floor)) {
        fail_msg("nDCG@10 is %.4f, below %.4f", ndcg, floor);
    }
}

static bytes read_data(struct fixture *f, const char *name)
{
    const char *path = test_data(f->arena, name);
    FILE *file = fopen(path, "rb");
    uint8_t *data = arena_alloc(f->arena, MAX_DATA_BYTES);

    assert_non_null(file);
    size_t size = fread(data, 1, MAX_DATA_BYTES, file);
    (void)fclose(file);
    return (bytes){ .data = data, .size = size };
}

/* ---- Cranfield: <doc> and <top> elements, and lines of "query 0 document grade" ---- */

/* What stands between <name> and </name>, at or after *rest, which moves behind it. */
static bool next_element(bytes *rest, const char *name, bytes *ret_text)
{
    char open[32];
    char close[32];

    (void)snprintf(open, sizeof open, "<%s>", name);
    (void)snprintf(close, sizeof close, "</%s>", name);
    const uint8_t *start = memmem(rest->data, rest->size, open, strlen(open));
    if (start == NULL) {
        return false;
    }
    start += strlen(open);
    const uint8_t *limit = rest->data + rest->size;
    const uint8_t *end = memmem(start, (size_t)(limit - start), close, strlen(close));
    assert_non_null(end);
    *ret_text = (bytes){ .data = start, .size = (size_t)(end - start) };
    *rest = (bytes){ .data = end, .size = (size_t)(limit - end) };
    return true;
}

static void add_cranfield_documents(struct fixture *f)
{
    bytes rest = read_data(f, "cranfield/cran.all.1400.xml");

    for (bytes document; next_element(&rest, "doc", &document);) {
        bytes id = { 0 };
        bytes title = { 0 };
        bytes text = { 0 };
        assert_true(next_element(&document, "docno", &id));
        assert_true(next_element(&document, "title", &title));
        assert_true(next_element(&document, "text", &text));
        add_document(f, id, title, text);
    }
}

static void add_cranfield_judgements(struct fixture *f)
{
    bytes data = read_data(f, "cranfield/cranqrel.trec.txt");
    char query[16];
    char document[16];
    int grade;
    int length;

    for (const char *line = (const char *)data.data;
         sscanf(line, "%15s 0 %15s %d%n", query, document, &grade, &length) == 3; line += length) {
        if (grade > 0) {
            add_judgement(f, query, document);
        }
    }
}

static void cranfield_is_answered_as_well_as_by_fts5(void **state)
{
    struct fixture *f = *state;
    bytes rest;
    bytes question;

    if (test_data(f->arena, "cranfield") == NULL) {
        skip();
    }
    add_cranfield_documents(f);
    add_cranfield_judgements(f);
    rest = read_data(f, "cranfield/cran.qry.xml");
    for (int number = 1; next_element(&rest, "title", &question); number++) {
        ask(f, arena_printf(f->arena, "%d", number), question);
    }
    assert_int_equal(f->n_queries, 225);
    assert_quality(f, "Cranfield", .3772);
}

/* ---- SciFact: comma-separated values in a zip file ---- */

static unsigned load_u16(const uint8_t *at)
{
    return at[0] | (unsigned)at[1] << 8;
}

/* The file of that name, inflated; archive is a plain zip with a central directory at its end. */
static bytes unzip(struct fixture *f, bytes archive, const char *name)
{
    const uint8_t *at = archive.data + archive.size - 22; /* no comment behind the end record */
    const uint8_t *entry = archive.data + load_u32(at + 16);

    assert_int_equal(load_u32(at), 0x06054b50);
    while (load_u16(entry + 28) != strlen(name) || memcmp(entry + 46, name, strlen(name)) != 0) {
        entry += 46 + load_u16(entry + 28) + load_u16(entry + 30) + load_u16(entry + 32);
        assert_int_equal(load_u32(entry), 0x02014b50);
    }
    const uint8_t *local = archive.data + load_u32(entry + 42);
    uint8_t *data = arena_alloc(f->arena, load_u32(entry + 24));
    z_stream stream = {
        .next_in = (uint8_t *)(uintptr_t)(local + 30 + load_u16(local + 26) + load_u16(local + 28)),
        .avail_in = load_u32(entry + 20),
        .next_out = data,
        .avail_out = load_u32(entry + 24),
    };
    assert_int_equal(inflateInit2(&stream, -MAX_WBITS), Z_OK);
    assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
    (void)inflateEnd(&stream);
    return (bytes){ .data = data, .size = stream.total_out };
}

enum { CSV_COLUMNS = 6 };

/* One row, quotes taken off; false at the end. */
static bool next_row(struct fixture *f, bytes *rest, bytes row[CSV_COLUMNS])
{
    size_t at = 0;
    size_t column = 0;
    bool quoted = false;
    struct text cell = text_new(f->arena);

    if (rest->size == 0) {
        return false;
    }
    for (; at < rest->size && (quoted || rest->data[at] != '\n'); at++) {
        uint8_t c = rest->data[at];
        if (c == '"') {
            quoted = !quoted;
        } else if (c == ',' && !quoted) {
            assert_true(column < CSV_COLUMNS - 1);
            row[column++] = text_bytes(&cell);
            cell = text_new(f->arena);
        } else {
            text_add_bytes(&cell, (bytes){ &c, 1 });
        }
    }
    row[column] = text_bytes(&cell);
    at += at < rest->size;
    *rest = (bytes){ rest->data + at, rest->size - at };
    return true;
}

/* "[31715818 5]" */
static void add_cited(struct fixture *f, const char *claim, const char *cited)
{
    char document[16];
    int length;

    for (cited++; sscanf(cited, " %15[0-9]%n", document, &length) == 1; cited += length) {
        add_judgement(f, claim, document);
    }
}

static void add_scifact_documents(struct fixture *f, bytes archive)
{
    bytes rest = unzip(f, archive, "corpus_train.csv");
    bytes row[CSV_COLUMNS] = { { 0 } };

    (void)next_row(f, &rest, row); /* the names of the columns */
    while (next_row(f, &rest, row)) {
        add_document(f, row[0], row[1], row[2]);
    }
}

static void scifact_is_answered_as_well_as_by_fts5(void **state)
{
    struct fixture *f = *state;
    struct map claims;
    bytes row[CSV_COLUMNS] = { { 0 } };

    if (test_data(f->arena, "scifact") == NULL) {
        skip();
    }
    bytes archive = read_data(f, "scifact/scifact.zip");
    add_scifact_documents(f, archive);
    bytes rest = unzip(f, archive, "claims_validation.csv");
    map_init(&claims);
    (void)next_row(f, &rest, row);
    while (next_row(f, &rest, row)) { /* a claim has a row for each piece of evidence */
        add_cited(f, copy_text(f, row[0]), copy_text(f, row[5]));
        (void)map_put(&claims, copy_text(f, row[0]), copy_text(f, row[1]));
    }
    for (struct map_at at = { 0 }; map_next(&claims, &at);) {
        ask(f, (const char *)at.key.data, bytes_of(at.value));
    }
    map_reset(&claims, NULL);
    assert_int_equal(f->n_queries, 300);
    assert_quality(f, "SciFact", .6811);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(cranfield_is_answered_as_well_as_by_fts5),
        TEST(scifact_is_answered_as_well_as_by_fts5),
    };

    return cmocka_run_group_tests_name("search_quality", tests, NULL, NULL);
}
