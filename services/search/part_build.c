#include "services/search/part_build.h"

#include "services/search/cursor.h"
#include "services/search/pack.h"
#include "services/search/part.h"

#include <stdlib.h>
#include <string.h>

/* A living document, where it was. */
struct old_document {
    bytes id;
    uint32_t input;
    uint32_t doc;
};

struct old_posting {
    struct posting posting; /* its document's new number */
    double number;
};

/* The terms of one field in one input. */
struct walk {
    const struct memtable_list *lists; /* of a memtable; arena */
    uint32_t next;
    uint32_t end;
    struct part_list at; /* the term at hand */
    bool done;
};

struct build {
    const struct search_schema *schema;
    const struct build_input *inputs;
    size_t n_inputs;
    struct part_writer writer;
    uint32_t **new_docs; /* for each input, by its old numbers; NO_DOC: dead */
    uint32_t n_docs;
    struct arena *scratch;        /* reset after each list */
    struct old_posting *postings; /* owned */
    size_t n_postings;
    size_t room;
    uint16_t *lengths; /* of the field, by new numbers; owned */
};

/* ---- Documents ---- */

static int by_id(const void *a, const void *b)
{
    return bytes_compare(((const struct old_document *)a)->id,
                         ((const struct old_document *)b)->id);
}

static status list_documents(struct build *build, struct arena *arena,
                             struct old_document **ret_documents)
{
    size_t room = 0;

    for (size_t i = 0; i < build->n_inputs; i++) {
        room += build->inputs[i].source->n_docs;
    }
    struct old_document *documents = ARENA_NEW_ARRAY(arena, struct old_document, room);
    for (uint32_t i = 0; i < build->n_inputs; i++) {
        const struct build_input *input = &build->inputs[i];
        for (uint32_t doc = 0; doc < input->source->n_docs; doc++) {
            struct old_document *document = &documents[build->n_docs];
            if (!bitmap_has(input->dead, doc)) {
                *document = (struct old_document){ .input = i, .doc = doc };
                TRY(source_id(input->source, arena, doc, &document->id));
                build->n_docs++;
            }
        }
    }
    qsort(documents, build->n_docs, sizeof *documents, by_id);
    *ret_documents = documents;
    return status_ok();
}

static status write_documents(struct build *build, struct arena *arena,
                              const struct old_document *documents)
{
    build->new_docs = ARENA_NEW_ARRAY(arena, uint32_t *, build->n_inputs);
    for (size_t i = 0; i < build->n_inputs; i++) {
        uint32_t n = build->inputs[i].source->n_docs;
        build->new_docs[i] = ARENA_NEW_ARRAY(arena, uint32_t, n);
        memset(build->new_docs[i], 0xff, n * sizeof(uint32_t)); /* NO_DOC */
    }
    for (uint32_t i = 0; i < build->n_docs; i++) {
        const struct old_document *document = &documents[i];
        bytes stored;
        TRY(source_stored(build->inputs[document->input].source, build->scratch, document->doc,
                          &stored));
        part_writer_document(&build->writer, document->id, stored);
        arena_reset(build->scratch);
        build->new_docs[document->input][document->doc] = i;
    }
    return status_ok();
}

/* ---- Lists ---- */

static struct old_posting *add_posting(struct build *build)
{
    if (build->n_postings == build->room) {
        build->room = build->room == 0 ? 1024 : build->room * 2;
        build->postings = reallocarray(build->postings, build->room, sizeof *build->postings);
        if (build->postings == NULL) {
            abort();
        }
    }
    return &build->postings[build->n_postings++];
}

/* Adds the living documents of one input's list. */
static status gather(struct build *build, size_t input, const struct part_list *list, size_t field)
{
    const struct source *source = build->inputs[input].source;
    bool has_positions = build->schema->fields[field].kind == FIELD_TEXT && list->term.size > 0;
    const double *numbers = NULL;

    TRY(source_numbers(source, build->scratch, field, &numbers));
    struct cursor *cursor = cursor_new(source, build->scratch, list->list, has_positions);
    for (size_t rank = 0; cursor->doc != NO_DOC; rank++) {
        uint32_t doc = build->new_docs[input][cursor->doc];
        if (doc != NO_DOC) {
            *add_posting(build) = (struct old_posting){
                .posting = { .doc = doc,
                             .count = cursor_count(cursor),
                             .positions = cursor_encoded_positions(cursor) },
                .number = numbers != NULL ? numbers[rank] : 0,
            };
        }
        cursor_next(cursor);
    }
    return cursor->failure;
}

static int by_doc(const void *a, const void *b)
{
    uint32_t x = ((const struct old_posting *)a)->posting.doc;
    uint32_t y = ((const struct old_posting *)b)->posting.doc;

    return (x > y) - (x < y);
}

/* Documents that came in order of their ids are in order already. */
static void sort_postings(struct build *build)
{
    for (size_t i = 1; i < build->n_postings; i++) {
        if (build->postings[i - 1].posting.doc > build->postings[i].posting.doc) {
            qsort(build->postings, build->n_postings, sizeof *build->postings, by_doc);
            return;
        }
    }
}

static void write_list(struct build *build, bytes term)
{
    sort_postings(build);
    part_writer_begin_list(&build->writer);
    for (size_t i = 0; i < build->n_postings; i++) {
        part_writer_posting(&build->writer, &build->postings[i].posting);
    }
    part_writer_end_list(&build->writer, term);
}

static void write_numbers(struct build *build)
{
    double *numbers = ARENA_NEW_ARRAY(build->scratch, double, build->n_postings);

    for (size_t i = 0; i < build->n_postings; i++) {
        numbers[i] = build->postings[i].number;
    }
    part_writer_numbers(&build->writer, numbers, build->n_postings);
}

/* ---- The terms of all inputs, in order ---- */

static status walk_next(const struct build *build, struct arena *arena, size_t input,
                        struct walk *walk)
{
    walk->done = walk->next == walk->end;
    if (walk->done) {
        return status_ok();
    }
    if (walk->lists != NULL) {
        const struct memtable_list *list = &walk->lists[walk->next++];
        walk->at = (struct part_list){ .term = list->term, .list = list->list };
        return status_ok();
    }
    return part_list(build->inputs[input].source, arena, walk->next++, &walk->at);
}

static status walks_begin(const struct build *build, struct arena *arena, size_t field,
                          struct walk *walks)
{
    for (size_t i = 0; i < build->n_inputs; i++) {
        const struct build_input *input = &build->inputs[i];
        walks[i] = (struct walk){ .next = 0 };
        if (input->memtable != NULL) {
            size_t n = 0;
            walks[i].lists = memtable_lists(input->memtable, arena, field, &n);
            walks[i].end = (uint32_t)n;
        } else {
            part_terms(input->source, field, &walks[i].next, &walks[i].end);
        }
        TRY(walk_next(build, arena, i, &walks[i]));
    }
    return status_ok();
}

/* The least term at hand; NULL at the end. */
static const bytes *least_term(const struct build *build, const struct walk *walks)
{
    const bytes *least = NULL;

    for (size_t i = 0; i < build->n_inputs; i++) {
        if (!walks[i].done && (least == NULL || bytes_compare(walks[i].at.term, *least) < 0)) {
            least = &walks[i].at.term;
        }
    }
    return least;
}

/* Writes the list of one term and moves all walks that stand on it. */
static status build_list(struct build *build, struct arena *arena, size_t field, struct walk *walks,
                         bytes term)
{
    build->n_postings = 0;
    for (size_t i = 0; i < build->n_inputs; i++) {
        if (!walks[i].done && bytes_compare(walks[i].at.term, term) == 0) {
            TRY(gather(build, i, &walks[i].at, field));
            TRY(walk_next(build, arena, i, &walks[i]));
        }
    }
    write_list(build, term);
    if (build->schema->fields[field].kind == FIELD_NUMBER) {
        write_numbers(build);
    }
    arena_reset(build->scratch);
    return status_ok();
}

/* ---- Fields ---- */

static status gather_lengths(struct build *build, struct arena *arena, size_t field,
                             uint64_t *ret_n_words)
{
    uint64_t n_words = 0;

    memset(build->lengths, 0, build->n_docs * sizeof *build->lengths);
    for (size_t i = 0; i < build->n_inputs; i++) {
        const struct source *source = build->inputs[i].source;
        const uint16_t *lengths = NULL;
        TRY(source_lengths(source, arena, field, &lengths));
        for (uint32_t doc = 0; lengths != NULL && doc < source->n_docs; doc++) {
            uint32_t new_doc = build->new_docs[i][doc];
            if (new_doc != NO_DOC) {
                build->lengths[new_doc] = lengths[doc];
                n_words += lengths[doc];
            }
        }
    }
    *ret_n_words = n_words;
    return status_ok();
}

static status build_field(struct build *build, struct arena *arena, size_t field)
{
    struct walk *walks = ARENA_NEW_ARRAY(arena, struct walk, build->n_inputs);
    bool is_text = build->schema->fields[field].kind == FIELD_TEXT;
    uint64_t n_words = 0;

    if (is_text) {
        TRY(gather_lengths(build, arena, field, &n_words));
    }
    part_writer_begin_field(&build->writer, is_text ? build->lengths : NULL, n_words);
    TRY(walks_begin(build, arena, field, walks));
    for (const bytes *term; (term = least_term(build, walks)) != NULL;) {
        TRY(build_list(build, arena, field, walks, *term));
    }
    return status_ok();
}

static status build_part(struct build *build, struct arena *arena, struct build_result *ret_result)
{
    struct old_document *documents = NULL;

    TRY(list_documents(build, arena, &documents));
    if (build->n_docs == 0) {
        *ret_result = (struct build_result){ .n_docs = 0 };
        return status_ok();
    }
    build->lengths = reallocarray(NULL, build->n_docs, sizeof *build->lengths);
    if (build->lengths == NULL) {
        abort();
    }
    TRY(write_documents(build, arena, documents));
    for (size_t i = 0; i < build->schema->n_fields; i++) {
        TRY(build_field(build, arena, i));
    }
    ret_result->n_docs = build->n_docs;
    part_writer_finish(&build->writer, &ret_result->extent);
    return status_ok();
}

status part_build(struct arena *arena, const struct search_schema *schema,
                  const struct build_input *inputs, size_t n_inputs, struct segment_writer *segment,
                  struct build_result *ret_result)
{
    struct arena *own = arena_new();
    struct build build = {
        .schema = schema,
        .inputs = inputs,
        .n_inputs = n_inputs,
        .scratch = arena_new(),
    };

    part_writer_init(&build.writer, segment);
    status s = build_part(&build, own, ret_result);
    if (!status_is_ok(s)) { /* its words outlive what they came from */
        s = status_error(arena, s.code, "%s", s.message);
    }
    part_writer_reset(&build.writer);
    free(build.postings);
    free(build.lengths);
    arena_free(build.scratch);
    arena_free(own);
    return s;
}
