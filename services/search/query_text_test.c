#include "services/search/query_text.h"

#include "libs/base/text.h"
#include "libs/testing/assert_status.h"

#include <string.h>

struct fixture {
    struct analyzer *analyzer;
    struct arena *arena;
};

static int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){ .analyzer = analyzer_new(), .arena = arena_new() };
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    arena_free(f->arena);
    analyzer_free(f->analyzer);
    return 0;
}

/* "chess:2 the:0 [the chess]" */
static const char *parsed(struct fixture *f, const char *text)
{
    struct text out = text_new(f->arena);
    struct query_text query;

    assert_status(query_text_parse(f->analyzer, f->arena, text, &query), STATUS_OK);
    for (size_t i = 0; i < query.n_terms; i++) {
        text_add(&out, "%.*s:%u ", (int)query.terms[i].text.size,
                 (const char *)query.terms[i].text.data, query.terms[i].count);
    }
    for (size_t p = 0; p < query.n_phrases; p++) {
        text_add(&out, "[");
        for (size_t i = 0; i < query.phrases[p].n_terms; i++) {
            bytes term = query.terms[query.phrases[p].terms[i]].text;
            text_add(&out, "%s%.*s", i == 0 ? "" : " ", (int)term.size, (const char *)term.data);
        }
        text_add(&out, "]");
    }
    return text_string(&out);
}

static void queries_become_terms_and_phrases(void **state)
{
    static const struct {
        const char *text;
        const char *parsed;
    } cases[] = {
        { "", "" },
        { "  \"\" ", "" },
        { "play chess against the computer", "play:1 chess:1 against:1 the:0 comput:1 " },
        { "chess Chess", "chess:2 " },
        { "to be or not", "to:0 be:0 or:0 not:1 " },
        { "to be", "to:1 be:1 " }, /* there are no others */
        { "\"the command line\" of video",
          "the:0 command:1 line:1 of:0 video:1 [the command line]" },
        { "a \"b c\" d \"e", "a:0 b:1 c:1 d:1 e:1 [b c][e]" }, /* never closed */
        { "x\"y\"z", "x:1 y:1 z:1 [y]" },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *got = parsed(f, cases[i].text);
        if (strcmp(got, cases[i].parsed) != 0) {
            fail_msg("'%s': got %s, want %s", cases[i].text, got, cases[i].parsed);
        }
    }
}

static void queries_have_limits(void **state)
{
    struct fixture *f = *state;
    struct query_text query;
    struct text words = text_new(f->arena);
    char *text = arena_alloc(f->arena, MAX_QUERY_BYTES + 2);

    memset(text, 'x', MAX_QUERY_BYTES);
    assert_status(query_text_parse(f->analyzer, f->arena, text, &query), STATUS_OK);
    text[MAX_QUERY_BYTES] = 'x';
    assert_status(query_text_parse(f->analyzer, f->arena, text, &query), STATUS_INVALID_ARGUMENT);
    for (int i = 0; i < MAX_QUERY_TERMS; i++) {
        text_add(&words, "w%d ", i);
    }
    assert_status(query_text_parse(f->analyzer, f->arena, text_string(&words), &query), STATUS_OK);
    assert_int_equal(query.n_terms, MAX_QUERY_TERMS);
    text_add(&words, "more");
    assert_status(query_text_parse(f->analyzer, f->arena, text_string(&words), &query),
                  STATUS_INVALID_ARGUMENT);
    assert_status(query_text_parse(f->analyzer, f->arena, "\xff", &query), STATUS_INVALID_ARGUMENT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(queries_become_terms_and_phrases),
        TEST(queries_have_limits),
    };

    return cmocka_run_group_tests_name("query_text", tests, NULL, NULL);
}
