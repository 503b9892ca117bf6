#include "services/search/page_token.h"

#include "services/search/pack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void a_token_comes_back_to_the_last_bit(void **state)
{
    struct arena *arena = arena_new();
    const struct page_token token = {
        .query = 7, .revision = UINT64_MAX, .score = 1.0 / 3, .id = bytes_of("ü/1")
    };
    struct page_token again;

    (void)state;
    assert_true(page_token_decode(page_token_encode(&token, arena), arena, &again));
    assert_int_equal(again.query, 7);
    assert_true(again.revision == UINT64_MAX);
    assert_true(again.score == token.score);
    assert_int_equal(bytes_compare(again.id, token.id), 0);
    arena_free(arena);
}

static void what_was_mangled_is_no_token(void **state)
{
    struct arena *arena = arena_new();
    const struct page_token token = { .query = 7, .score = 2, .id = bytes_of("a") };
    struct page_token again;
    char *text = arena_strdup(arena, page_token_encode(&token, arena));

    (void)state;
    assert_false(page_token_decode("", arena, &again));
    assert_false(page_token_decode("!", arena, &again));
    for (size_t i = 0; text[i] != '\0'; i++) {
        char was = text[i];
        text[i] = was == 'A' ? 'B' : 'A';
        assert_false(page_token_decode(text, arena, &again));
        text[i] = was;
    }
    char *longer = memset(arena_alloc(arena, 4096), 'A', 4095);
    assert_false(page_token_decode(longer, arena, &again));
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_comes_back_to_the_last_bit),
        cmocka_unit_test(what_was_mangled_is_no_token),
    };

    return cmocka_run_group_tests_name("page_token", tests, NULL, NULL);
}
