#include "cli/trace_tree.h"

#include "libs/testing/assert_status.h"

#include <string.h>

static char *said(const struct trace_span *spans, size_t n)
{
    struct arena *arena = arena_new();
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    struct output *output = output_new(&(struct output_options){ .out = out, .errors = out });
    trace_tree_show(output, arena, spans, n);
    output_free(output);
    (void)fclose(out);
    arena_free(arena);
    return text;
}

static void spans_hang_under_those_that_caused_them(void **state)
{
    (void)state;
    const struct trace_span spans[] = {
        { "c", "b", "weft.search.v1.SearchService/Search", "search", 2000, 6000, 0 },
        { "a", "", "search", "cli", 1000, 10000, 0 },
        { "b", "a", "weft.search.v1.SearchService/Search", "cli", 1500, 9000, 5 },
    };
    char *tree = said(spans, 3);

    assert_string_equal(
        tree, "NAME                      SERVICE  OFFSET MS  DURATION MS  CODE       WHEN\n"
              "search                    cli           0.00        10.00  OK         "
              "[========================]\n"
              "  SearchService/Search    cli           0.50         9.00  NOT_FOUND  "
              "[ =====================  ]\n"
              "    SearchService/Search  search        1.00         6.00  OK         "
              "[  ==============        ]\n");
    free(tree);
}

static void a_span_whose_parent_is_forgotten_stands_at_the_top(void **state)
{
    (void)state;
    const struct trace_span spans[] = {
        { "b", "gone", "x", "audit", 5, 1, 0 },
        { "a", "", "y", "cli", 1, 2, 0 },
    };
    char *tree = said(spans, 2);

    assert_non_null(strstr(tree, "\ny "));
    assert_non_null(strstr(tree, "\nx "));
    free(tree);
}

static void a_circle_is_shown_once(void **state)
{
    (void)state;
    const struct trace_span spans[] = {
        { "a", "b", "x", "s", 1, 1, 0 },
        { "b", "a", "y", "s", 2, 1, 0 },
        { "c", "c", "z", "s", 3, 1, 0 },
    };
    char *tree = said(spans, 3);

    assert_non_null(strstr(tree, "\nx "));
    assert_non_null(strstr(tree, "\n  y "));
    assert_non_null(strstr(tree, "\nz "));
    free(tree);
    free(said(NULL, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans_hang_under_those_that_caused_them),
        cmocka_unit_test(a_span_whose_parent_is_forgotten_stands_at_the_top),
        cmocka_unit_test(a_circle_is_shown_once),
    };

    return cmocka_run_group_tests_name("trace_tree", tests, NULL, NULL);
}
