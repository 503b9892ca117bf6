#include "services/search/search_analyzer.h"

#include "libs/base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *terms_in(struct analyzer *analyzer, struct arena *arena, const char *text)
{
    struct terms terms = analyzer_terms(analyzer, arena, bytes_of(text));
    struct text out = text_new(arena);

    for (size_t i = 0; i < terms.n_terms; i++) {
        text_add(&out, "%s%.*s%s", i == 0 ? "" : " ", (int)terms.terms[i].text.size,
                 (const char *)terms.terms[i].text.data, terms.terms[i].common ? "*" : "");
    }
    return text_string(&out);
}

static void words_become_stems_and_common_ones_are_marked(void **state)
{
    static const struct {
        const char *text;
        const char *terms;
    } cases[] = {
        { "playing chess against the computers", "play chess against the* comput" },
        { "find duplicate photos", "find duplic photo" },
        { "duplicates of photo's", "duplic of* photo" },
        { "The THE the", "the* the* the*" },
        { "h264 videos2 naïveté", "h264 videos2 naivet" }, /* folded words are stemmed too */
        { "детали", "детали" },                            /* others stay */
        { "using over free", "use over free" },            /* they carry meaning */
    };
    struct analyzer *analyzer = analyzer_new();
    struct arena *arena = arena_new();

    (void)state;
    for (int round = 0; round < 2; round++) { /* the second time from memory */
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            const char *terms = terms_in(analyzer, arena, cases[i].text);
            if (strcmp(terms, cases[i].terms) != 0) {
                fail_msg("'%s': got %s, want %s", cases[i].text, terms, cases[i].terms);
            }
        }
    }
    arena_free(arena);
    analyzer_free(analyzer);
}

static void terms_tell_where_they_stand(void **state)
{
    struct analyzer *analyzer = analyzer_new();
    struct arena *arena = arena_new();
    struct terms terms = analyzer_terms(analyzer, arena, bytes_of("  Straßen, ok"));

    (void)state;
    assert_int_equal(terms.n_terms, 2);
    assert_int_equal(terms.terms[0].start, 2);
    assert_int_equal(terms.terms[0].end, 10);
    assert_int_equal(terms.terms[1].start, 12);
    assert_int_equal(terms.terms[1].end, 14);
    arena_free(arena);
    analyzer_free(analyzer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_become_stems_and_common_ones_are_marked),
        cmocka_unit_test(terms_tell_where_they_stand),
    };

    return cmocka_run_group_tests_name("search_analyzer", tests, NULL, NULL);
}
