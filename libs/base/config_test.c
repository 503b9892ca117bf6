#include "libs/base/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void what_is_set_is_taken(void **state)
{
    struct config *config = config_new(*state);

    assert_int_equal(setenv("WEFT_TEST_TEXT", "value", 1), 0);
    assert_int_equal(setenv("WEFT_TEST_NUMBER", "-7", 1), 0);
    assert_string_equal(config_text(config, "WEFT_TEST_TEXT", NULL), "value");
    assert_string_equal(config_text(config, "WEFT_TEST_TEXT", "default"), "value");
    assert_int_equal(config_number(config, "WEFT_TEST_NUMBER", 1, -10, 10), -7);
    assert_null(config_mistakes(config));
}

static void what_is_not_set_or_empty_is_the_default(void **state)
{
    struct config *config = config_new(*state);

    assert_int_equal(unsetenv("WEFT_TEST_TEXT"), 0);
    assert_int_equal(setenv("WEFT_TEST_EMPTY", "", 1), 0);
    assert_string_equal(config_text(config, "WEFT_TEST_TEXT", "default"), "default");
    assert_string_equal(config_text(config, "WEFT_TEST_EMPTY", "default"), "default");
    assert_int_equal(config_number(config, "WEFT_TEST_EMPTY", 4, 1, 256), 4);
    assert_null(config_mistakes(config));
}

static void a_value_outlives_its_variable(void **state)
{
    struct config *config = config_new(*state);

    assert_int_equal(setenv("WEFT_TEST_TEXT", "value", 1), 0);
    const char *value = config_text(config, "WEFT_TEST_TEXT", NULL);
    assert_int_equal(setenv("WEFT_TEST_TEXT", "other", 1), 0);
    assert_string_equal(value, "value");
}

static void the_ends_of_a_range_are_in_it(void **state)
{
    struct config *config = config_new(*state);

    assert_int_equal(setenv("WEFT_TEST_NUMBER", "1", 1), 0);
    assert_int_equal(config_number(config, "WEFT_TEST_NUMBER", 4, 1, 256), 1);
    assert_int_equal(setenv("WEFT_TEST_NUMBER", "256", 1), 0);
    assert_int_equal(config_number(config, "WEFT_TEST_NUMBER", 4, 1, 256), 256);
    assert_null(config_mistakes(config));
}

static void what_is_no_number_is_a_mistake(void **state)
{
    static const char *const cases[] = {
        "0", "257", "4 ", "4x", "x", "0x10", "1e3", "99999999999999999999", "-",
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct config *config = config_new(*state);
        assert_int_equal(setenv("WEFT_TEST_NUMBER", cases[i], 1), 0);
        assert_int_equal(config_number(config, "WEFT_TEST_NUMBER", 4, 1, 256), 4);
        if (config_mistakes(config) == NULL) {
            fail_msg("'%s' was taken", cases[i]);
        }
    }
}

static void all_mistakes_are_told_at_once_by_name(void **state)
{
    struct config *config = config_new(*state);

    assert_int_equal(unsetenv("WEFT_TEST_TEXT"), 0);
    assert_int_equal(setenv("WEFT_TEST_NUMBER", "many", 1), 0);
    assert_string_equal(config_text(config, "WEFT_TEST_TEXT", NULL), "");
    (void)config_number(config, "WEFT_TEST_NUMBER", 4, 1, 256);
    assert_string_equal(config_mistakes(config),
                        "WEFT_TEST_TEXT is not set\n"
                        "WEFT_TEST_NUMBER is 'many', not a number from 1 to 256\n");
}

static int exit_code_of(struct config *config)
{
    int code = 0;
    pid_t child = fork();

    if (child == 0) {
        (void)close(STDERR_FILENO);
        config_check_or_exit(config);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &code, 0), child);
    return WEXITSTATUS(code);
}

static void a_program_with_a_mistake_does_not_start(void **state)
{
    struct config *config = config_new(*state);

    assert_int_equal(exit_code_of(config), 0);
    assert_int_equal(unsetenv("WEFT_TEST_TEXT"), 0);
    (void)config_text(config, "WEFT_TEST_TEXT", NULL);
    assert_int_equal(exit_code_of(config), 78); /* EX_CONFIG */
}

static int set_up(void **state)
{
    *state = arena_new();
    return 0;
}

static int tear_down(void **state)
{
    arena_free(*state);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_set_is_taken),
        TEST(what_is_not_set_or_empty_is_the_default),
        TEST(a_value_outlives_its_variable),
        TEST(the_ends_of_a_range_are_in_it),
        TEST(what_is_no_number_is_a_mistake),
        TEST(all_mistakes_are_told_at_once_by_name),
        TEST(a_program_with_a_mistake_does_not_start),
    };

    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
