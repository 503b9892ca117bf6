/* Random documents and random questions, answered by the engine and by the plainest code that can:
 * the same documents in the same order with the same scores, however they are spread over
 * memtables and parts, and however many are asked for at once. */

#include "libs/testing/assert_status.h"
#include "libs/testing/crash_files.h"
#include "libs/testing/fake_clock.h"
#include "libs/testing/seeded_random.h"
#include "services/search/pack.h"
#include "services/search/search_engine.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { TITLE, BODY, SECTION, SIZE, FREE, N_FIELDS };
enum {
    DOCUMENTS = 1200, /* so that lists have several blocks */
    WORDS = 50,
    MAX_LENGTH = 30,
    QUERIES = 250,
    MAX_STEPS = 7,
};

static const struct schema_field fields[N_FIELDS] = {
    [TITLE] = { .name = "title", .kind = FIELD_TEXT, .weight = 3 },
    [BODY] = { .name = "body", .kind = FIELD_TEXT, .weight = 1 },
    [SECTION] = { .name = "section", .kind = FIELD_KEYWORD },
    [SIZE] = { .name = "size", .kind = FIELD_NUMBER },
    [FREE] = { .name = "free", .kind = FIELD_BOOL },
};
static const struct search_schema schema = { .fields = fields, .n_fields = N_FIELDS };
static const struct collection_name books = { "acme", "library", "books" };

/* A document as the oracle knows it. */
struct known {
    bool alive;
    int words[2][MAX_LENGTH]; /* of title and body: numbers below WORDS */
    size_t n_words[2];
    bool has_section;
    unsigned section; /* and, as a second value, section / 2 */
    bool has_size;
    double size;
    bool free;
};

struct fixture {
    struct crash_files files;
    struct fake_clock clock;
    struct seeded_random random;
    struct arena *arena;
    struct search_engine *engine;
    struct known documents[DOCUMENTS];
};

static uint64_t below(struct fixture *f, uint64_t limit)
{
    return random_below(&f->random.source, limit);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    crash_files_init(&f->files);
    fake_clock_init(&f->clock, 0);
    seeded_random_init(&f->random, 42);
    f->arena = arena_new();
    const struct search_engine_options options = { .files = &f->files.files,
                                                   .clock = &f->clock.clock,
                                                   .stepped = true };
    assert_status(search_engine_open(&options, f->arena, &f->engine), STATUS_OK);
    assert_status(search_engine_create(f->engine, f->arena, &books, &schema), STATUS_OK);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    search_engine_close(f->engine);
    crash_files_reset(&f->files);
    arena_free(f->arena);
    free(f);
    return 0;
}

/* ---- Documents ---- */

/* Small numbers are frequent, as words are.  A digit keeps the stemmer away. */
static int random_word(struct fixture *f)
{
    return (int)(below(f, below(f, WORDS) + 1));
}

static void randomise(struct fixture *f, struct known *known)
{
    *known = (struct known){
        .alive = true,
        .n_words = { below(f, 4), below(f, MAX_LENGTH + 1) },
        .has_section = below(f, 4) != 0,
        .section = (unsigned)below(f, 6),
        .has_size = below(f, 3) != 0,
        .size = (double)below(f, 20) / 2,
        .free = below(f, 2) == 0,
    };
    for (size_t i = 0; i < 2; i++) {
        for (size_t w = 0; w < known->n_words[i]; w++) {
            known->words[i][w] = random_word(f);
        }
    }
}

static bytes text_of(struct fixture *f, const struct known *known, size_t field)
{
    struct text text = text_new(f->arena);

    for (size_t w = 0; w < known->n_words[field]; w++) {
        text_add(&text, "W%d, ", known->words[field][w]);
    }
    return text_bytes(&text);
}

static const char *id_of(struct fixture *f, size_t i)
{
    return arena_printf(f->arena, "d%04zu", i * 7919 % DOCUMENTS);
}

static bytes section_of(struct fixture *f, unsigned section)
{
    return bytes_of(arena_printf(f->arena, "section %u", section));
}

static void write_known(struct fixture *f, size_t i)
{
    const struct known *known = &f->documents[i];
    bytes sections[] = { section_of(f, known->section), section_of(f, known->section / 2) };
    struct document_field values[N_FIELDS] = {
        { .place = TITLE, .kind = FIELD_TEXT, .text = text_of(f, known, TITLE) },
        { .place = BODY, .kind = FIELD_TEXT, .text = text_of(f, known, BODY) },
        { .place = FREE, .kind = FIELD_BOOL, .flag = known->free },
    };
    struct search_document document = { .id = bytes_of(id_of(f, i)), .fields = values };
    struct search_write write = { .document = known->alive ? &document : NULL,
                                  .id = bytes_of(id_of(f, i)) };

    document.n_fields = 3;
    if (known->has_section) {
        values[document.n_fields++] = (struct document_field){
            .place = SECTION, .kind = FIELD_KEYWORD, .keywords = sections, .n_keywords = 2
        };
    }
    if (known->has_size) {
        values[document.n_fields++] =
            (struct document_field){ .place = SIZE, .kind = FIELD_NUMBER, .number = known->size };
    }
    assert_status(search_engine_write(f->engine, f->arena, &books, &write, 1), STATUS_OK);
    assert_status(write.result, STATUS_OK);
}

/* Adds, replaces or removes some documents. */
static void change_some(struct fixture *f, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        size_t i = below(f, DOCUMENTS);
        randomise(f, &f->documents[i]);
        f->documents[i].alive = below(f, 5) != 0;
        write_known(f, i);
    }
}

/* ---- Questions ---- */

struct question {
    int words[8];
    unsigned counts[8];
    size_t n_words; /* different ones, in order */
    int phrase[3];
    size_t n_phrase; /* 0: none */
    const char *text;
    struct filter_step steps[MAX_STEPS];
    size_t n_steps;
};

static void add_word(struct question *question, int word)
{
    size_t i = 0;

    while (i < question->n_words && question->words[i] != word) {
        i++;
    }
    question->words[i] = word;
    question->counts[i]++;
    question->n_words = i == question->n_words ? i + 1 : question->n_words;
}

static void random_words(struct fixture *f, struct question *question)
{
    struct text text = text_new(f->arena);

    for (uint64_t n = below(f, 5); n > 0; n--) {
        int word = random_word(f);
        add_word(question, word);
        text_add(&text, "w%d ", word);
    }
    if (below(f, 4) == 0) {
        question->n_phrase = 1 + below(f, 3);
        text_add(&text, "\"");
        for (size_t i = 0; i < question->n_phrase; i++) {
            question->phrase[i] = random_word(f);
            add_word(question, question->phrase[i]);
            text_add(&text, "w%d ", question->phrase[i]);
        }
        text_add(&text, "\"");
    }
    question->text = text_string(&text);
}

static struct filter_step random_test(struct fixture *f)
{
    struct filter_value *values = ARENA_NEW_ARRAY(f->arena, struct filter_value, 2);
    double min = (double)below(f, 10);

    values[0] = (struct filter_value){ .kind = FIELD_KEYWORD,
                                       .text = section_of(f, (unsigned)below(f, 7)) };
    values[1] = (struct filter_value){ .kind = FIELD_KEYWORD,
                                       .text = section_of(f, (unsigned)below(f, 7)) };
    switch (below(f, 6)) {
    case 0:
        return (struct filter_step){
            .kind = FILTER_EQUAL, .field = "section", .values = values, .n_values = 1
        };
    case 1:
        return (struct filter_step){
            .kind = FILTER_IN, .field = "section", .values = values, .n_values = 2
        };
    case 2:
        return (struct filter_step){
            .kind = FILTER_RANGE, .field = "size", .min = min, .max = INFINITY
        };
    case 3:
        return (struct filter_step){
            .kind = FILTER_RANGE, .field = "size", .min = min / 2, .max = min
        };
    case 4:
        values[0] = (struct filter_value){ .kind = FIELD_BOOL, .flag = below(f, 2) == 0 };
        return (struct filter_step){
            .kind = FILTER_EQUAL, .field = "free", .values = values, .n_values = 1
        };
    default:
        return (struct filter_step){ .kind = FILTER_EXISTS,
                                     .field = below(f, 2) == 0 ? "size" : "section" };
    }
}

static void random_filter(struct fixture *f, struct question *question)
{
    size_t depth = 0;
    size_t tests = below(f, 4);

    while (tests > 0 || depth > 1) {
        struct filter_step *step = &question->steps[question->n_steps++];
        if (depth >= 2 && (tests == 0 || below(f, 2) == 0)) {
            *step = (struct filter_step){ .kind = below(f, 2) == 0 ? FILTER_AND : FILTER_OR };
            depth--;
        } else {
            *step = random_test(f);
            depth++;
            tests--;
        }
    }
    if (depth == 1 && below(f, 4) == 0) {
        question->steps[question->n_steps++] = (struct filter_step){ .kind = FILTER_NOT };
    }
}

/* ---- The oracle ---- */

struct answer {
    size_t document;
    const char *id;
    double score;
};

static bool passes_test(struct fixture *f, const struct known *known,
                        const struct filter_step *step)
{
    if (step->kind == FILTER_EXISTS) {
        return step->field[1] == 'i' ? known->has_size : known->has_section;
    }
    if (step->kind == FILTER_RANGE) {
        return known->has_size && known->size >= step->min && known->size <= step->max;
    }
    for (size_t i = 0; i < step->n_values; i++) {
        const struct filter_value *value = &step->values[i];
        if (value->kind == FIELD_BOOL) {
            return value->flag == known->free;
        }
        if (known->has_section &&
            (bytes_compare(value->text, section_of(f, known->section)) == 0 ||
             bytes_compare(value->text, section_of(f, known->section / 2)) == 0)) {
            return true;
        }
    }
    return false;
}

static bool passes(struct fixture *f, const struct known *known, const struct question *question)
{
    bool stack[MAX_STEPS] = { true };
    size_t depth = 0;

    for (size_t i = 0; i < question->n_steps; i++) {
        const struct filter_step *step = &question->steps[i];
        if (step->kind == FILTER_NOT) {
            stack[depth - 1] = !stack[depth - 1];
        } else if (step->kind == FILTER_AND || step->kind == FILTER_OR) {
            depth--;
            stack[depth - 1] = step->kind == FILTER_AND ? stack[depth - 1] && stack[depth]
                                                        : stack[depth - 1] || stack[depth];
        } else {
            stack[depth++] = passes_test(f, known, step);
        }
    }
    return stack[0];
}

static bool has_phrase(const struct known *known, const struct question *question)
{
    for (size_t field = 0; field < 2 && question->n_phrase > 0; field++) {
        for (size_t at = 0; at + question->n_phrase <= known->n_words[field]; at++) {
            if (memcmp(&known->words[field][at], question->phrase,
                       question->n_phrase * sizeof question->phrase[0]) == 0) {
                return true;
            }
        }
    }
    return question->n_phrase == 0;
}

static size_t count(const struct known *known, size_t field, int word)
{
    size_t n = 0;

    for (size_t i = 0; i < known->n_words[field]; i++) {
        n += known->words[field][i] == word;
    }
    return n;
}

struct statistics {
    double n_all;
    double average[2];
    double idf[8];
    double whole;
};

static struct statistics measure(const struct fixture *f, const struct question *question)
{
    struct statistics s = { .n_all = 0 };
    double n_docs[8][2] = { { 0 } };

    for (size_t i = 0; i < DOCUMENTS; i++) {
        const struct known *known = &f->documents[i];
        if (known->alive) {
            s.n_all++;
            for (size_t field = 0; field < 2; field++) {
                s.average[field] += (double)known->n_words[field];
                for (size_t w = 0; w < question->n_words; w++) {
                    n_docs[w][field] += count(known, field, question->words[w]) > 0;
                }
            }
        }
    }
    s.average[0] /= s.n_all;
    s.average[1] /= s.n_all;
    for (size_t w = 0; w < question->n_words; w++) {
        double n = n_docs[w][0] > n_docs[w][1] ? n_docs[w][0] : n_docs[w][1];
        s.idf[w] = n == 0 ? 0 : question->counts[w] * log(1 + (s.n_all - n + 0.5) / (n + 0.5));
        s.whole += s.idf[w];
    }
    return s;
}

static double score(const struct known *known, const struct question *question,
                    const struct statistics *s)
{
    static const double weights[] = { 3, 1 };
    double sum = 0;
    double there = 0;

    for (size_t w = 0; w < question->n_words; w++) {
        double tf = 0;
        for (size_t field = 0; field < 2; field++) {
            double n = (double)count(known, field, question->words[w]);
            double length = (double)known->n_words[field];
            tf += weights[field] * n / (1 - 0.75 + 0.75 * length / s->average[field]);
        }
        sum += s->idf[w] * tf * (2 + 1) / (tf + 2);
        there += tf > 0 ? s->idf[w] : 0;
    }
    return there > 0 ? sum * pow(there / s->whole, 0.25) : 0;
}

static int by_rank(const void *a, const void *b)
{
    const struct answer *x = a;
    const struct answer *y = b;

    return x->score != y->score ? (x->score < y->score) - (x->score > y->score)
                                : strcmp(x->id, y->id);
}

static size_t answer(struct fixture *f, const struct question *question,
                     struct answer answers[DOCUMENTS])
{
    struct statistics statistics = measure(f, question);
    size_t n = 0;

    for (size_t i = 0; i < DOCUMENTS; i++) {
        const struct known *known = &f->documents[i];
        double points = score(known, question, &statistics);
        if (known->alive && passes(f, known, question) && has_phrase(known, question) &&
            (points > 0 || question->n_words == 0)) {
            answers[n++] = (struct answer){ .document = i, .id = id_of(f, i), .score = points };
        }
    }
    qsort(answers, n, sizeof *answers, by_rank);
    return n;
}

/* ---- Both ---- */

static void compare(const struct question *question, const struct search_hit *hit,
                    const struct answer *want, size_t rank)
{
    if (hit->document.id.size != strlen(want->id) ||
        memcmp(hit->document.id.data, want->id, hit->document.id.size) != 0 ||
        fabs(hit->score - want->score) > 1e-9) {
        fail_msg("'%s', place %zu: got %.*s with %.12f, want %s with %.12f", question->text, rank,
                 (int)hit->document.id.size, (const char *)hit->document.id.data, hit->score,
                 want->id, want->score);
    }
}

/* Asks for page after page, of another size each. */
static void ask(struct fixture *f, const struct question *question)
{
    static struct answer answers[DOCUMENTS];
    size_t n = answer(f, question, answers);
    struct search_request request = {
        .query = question->text,
        .filter = { .steps = question->steps, .n_steps = question->n_steps },
        .page_token = "",
    };
    size_t rank = 0;

    do {
        struct search_page page;
        request.limit = 1 + below(f, 30);
        assert_status(search_engine_search(f->engine, f->arena, &books, &request, &page),
                      STATUS_OK);
        assert_false(page.changed);
        for (size_t i = 0; i < page.n_hits; i++, rank++) {
            assert_true(rank < n);
            compare(question, &page.hits[i], &answers[rank], rank);
        }
        request.page_token = page.next_page_token;
    } while (request.page_token[0] != '\0' && rank < 100);
    if (request.page_token[0] == '\0') {
        assert_int_equal(rank, n);
    }
}

static void ask_many(struct fixture *f)
{
    for (int i = 0; i < QUERIES; i++) {
        struct question question = { .n_words = 0 };
        random_words(f, &question);
        random_filter(f, &question);
        ask(f, &question);
    }
}

static void settle(struct fixture *f)
{
    for (bool more = true; more;) {
        assert_status(search_engine_step(f->engine, f->arena, &more), STATUS_OK);
    }
}

static void answers_are_those_of_plain_code_wherever_documents_lie(void **state)
{
    struct fixture *f = *state;

    change_some(f, 600); /* the memtable alone */
    ask_many(f);
    for (int part = 0; part < 9; part++) {
        assert_status(search_engine_flush(f->engine, f->arena), STATUS_OK);
        change_some(f, 300);
    }
    ask_many(f); /* many parts and a memtable */
    settle(f);
    ask_many(f); /* merged ones and a memtable */
    assert_status(search_engine_rebuild(f->engine, f->arena, &books), STATUS_OK);
    ask_many(f); /* one */
    change_some(f, 100);
    assert_status(search_engine_flush(f->engine, f->arena), STATUS_OK);
    search_engine_close(f->engine);
    crash_files_crash(&f->files);
    const struct search_engine_options options = { .files = &f->files.files,
                                                   .clock = &f->clock.clock,
                                                   .stepped = true };
    assert_status(search_engine_open(&options, f->arena, &f->engine), STATUS_OK);
    ask_many(f); /* as they came from the disk, with dead ones in them */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(answers_are_those_of_plain_code_wherever_documents_lie),
    };

    return cmocka_run_group_tests_name("search_oracle", tests, NULL, NULL);
}
