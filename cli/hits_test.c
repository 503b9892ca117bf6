#include "cli/hits.h"

#include "libs/rpc/message.h"
#include "libs/testing/assert_status.h"

#include <string.h>

static const char *marked(struct arena *arena, const char *text, const int32_t (*ranges)[2],
                          size_t n)
{
    Weft__Search__V1__Range *all = ARENA_NEW_ARRAY(arena, Weft__Search__V1__Range, n + 1);
    Weft__Search__V1__Range **list = ARENA_NEW_ARRAY(arena, Weft__Search__V1__Range *, n + 1);
    Weft__Search__V1__Snippet snippet;

    weft__search__v1__snippet__init(&snippet);
    snippet.text = message_text(text);
    snippet.highlights = list;
    snippet.n_highlights = n;
    for (size_t i = 0; i < n; i++) {
        weft__search__v1__range__init(&all[i]);
        all[i].start = ranges[i][0];
        all[i].end = ranges[i][1];
        list[i] = &all[i];
    }
    return snippet_marked(arena, &snippet, "<", ">");
}

static void the_words_of_the_query_are_marked(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    const int32_t ranges[][2] = { { 0, 4 }, { 10, 15 } };

    assert_string_equal(marked(arena, "play with chess", ranges, 2), "<play> with <chess>");
    assert_string_equal(marked(arena, "nothing", NULL, 0), "nothing");
    arena_free(arena);
}

/* They come from the network. */
static void ranges_may_be_anything(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    const int32_t wild[][2] = { { -5, 2 }, { 1, 1 }, { 3, INT32_MAX }, { 0, 4 }, { 9, 8 } };

    assert_string_equal(marked(arena, "abcd", wild, 5), "<ab><>c<d><><>");
    arena_free(arena);
}

static void a_snippet_cannot_command_the_terminal(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    const int32_t ranges[][2] = { { 0, 2 } };

    assert_string_equal(marked(arena, "\x1b[31m\nx", ranges, 1), "< [>31m x");
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_words_of_the_query_are_marked),
        cmocka_unit_test(ranges_may_be_anything),
        cmocka_unit_test(a_snippet_cannot_command_the_terminal),
    };

    return cmocka_run_group_tests_name("hits", tests, NULL, NULL);
}
