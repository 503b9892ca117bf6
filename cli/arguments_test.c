#include "cli/arguments.h"

#include "libs/testing/assert_status.h"

#include <string.h>

#define ARGUMENTS(arena, ...)                                                         \
    arguments_new((arena), (int)(sizeof((char *[]){ __VA_ARGS__ }) / sizeof(char *)), \
                  (char *[]){ __VA_ARGS__ })

static char A[] = "a", B[] = "b", SIZE[] = "--size", SEVEN[] = "7", SIZE_7[] = "--size=7",
            PURGE[] = "--purge", DASHES[] = "--", DASH[] = "-";

static void options_and_words_come_in_any_order(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct arguments *args = ARGUMENTS(arena, A, SIZE, SEVEN, B, PURGE, DASH);

    assert_int_equal(arguments_number(args, "--size", 1, 1, 9), 7);
    assert_true(arguments_flag(args, "--purge"));
    assert_false(arguments_flag(args, "--other"));
    assert_string_equal(arguments_next(args, "FIRST"), "a");
    assert_string_equal(arguments_rest(args), "b -");
    assert_status(arguments_end(args), STATUS_OK);
    arena_free(arena);
}

static void an_option_may_be_repeated(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct arguments *args = ARGUMENTS(arena, SIZE, A, SIZE_7);
    size_t n;
    const char *const *all = arguments_all(args, "--size", &n);

    assert_int_equal(n, 2);
    assert_string_equal(all[0], "a");
    assert_string_equal(all[1], "7");
    assert_null(all[2]);
    assert_status(arguments_end(args), STATUS_OK);
    arena_free(arena);
}

static void after_two_dashes_all_are_words(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct arguments *args = ARGUMENTS(arena, DASHES, PURGE);

    assert_false(arguments_flag(args, "--purge"));
    assert_string_equal(arguments_next(args, "WORD"), "--purge");
    assert_status(arguments_end(args), STATUS_OK);
    arena_free(arena);
}

static void all_mistakes_are_told_at_once(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct arguments *args = ARGUMENTS(arena, SIZE, B, PURGE);

    assert_int_equal(arguments_number(args, "--size", 3, 1, 9), 3);
    assert_string_equal(arguments_next(args, "TENANT_ID"), "");
    status s = arguments_end(args);
    assert_status(s, STATUS_INVALID_ARGUMENT);
    assert_string_equal(s.message, "--size is 'b', not a number from 1 to 9; TENANT_ID is missing; "
                                   "'--purge' is not known here");
    arena_free(arena);
}

static void an_option_without_its_value_is_a_mistake(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct arguments *args = ARGUMENTS(arena, A, SIZE);

    assert_null(arguments_text(args, "--size", NULL));
    status s = arguments_end(args);
    assert_string_equal(s.message, "--size has no value; 'a' is too much");
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_and_words_come_in_any_order),
        cmocka_unit_test(an_option_may_be_repeated),
        cmocka_unit_test(after_two_dashes_all_are_words),
        cmocka_unit_test(all_mistakes_are_told_at_once),
        cmocka_unit_test(an_option_without_its_value_is_a_mistake),
    };

    return cmocka_run_group_tests_name("arguments", tests, NULL, NULL);
}
