#include "libs/base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

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

static void a_text_grows_as_it_must(void **state)
{
    static char word[301];
    struct text text = text_new(*state);

    assert_string_equal(text_string(&text), "");
    memset(word, 'w', sizeof word - 1);
    for (size_t i = 0; i < sizeof word; i++) { /* each length, so that each edge is met */
        text_add(&text, "%.*s%d", (int)i, word, 7);
        text_add_bytes(&text, (bytes){ (const uint8_t *)word, i });
        assert_int_equal(strlen(text_string(&text)), text.size);
    }
    assert_int_equal(text.size, (sizeof word - 1) * sizeof word + sizeof word);
    text_add(&text, "%s", "");
    text_add_bytes(&text, (bytes){ .data = NULL });
    assert_int_equal(text.size, (sizeof word - 1) * sizeof word + sizeof word);
}

static void what_json_may_not_hold_is_escaped(void **state)
{
    static const struct {
        bytes data;
        const char *want;
    } cases[] = {
#define BYTES(literal) { (const uint8_t *)(literal), sizeof(literal) - 1 }
        { BYTES(""), "\"\"" },
        { BYTES("plain text"), "\"plain text\"" },
        { BYTES("a\"b\\c/d"), "\"a\\\"b\\\\c/d\"" },
        { BYTES("\n\r\t\x01\x7f"), "\"\\n\\r\\t\\u0001\\u007f\"" },
        { BYTES("h\xc3\xa9!\xe2\x82\xac\xf0\x9f\x98\x80"),
          "\"h\xc3\xa9!\xe2\x82\xac\xf0\x9f\x98\x80\"" },
        { BYTES("\xff\xfe z\xc3"), "\"\\ufffd\\ufffd z\\ufffd\"" },
        { BYTES("nul\0nul"), "\"nul\\ufffdnul\"" },
#undef BYTES
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text text = text_new(*state);
        text_add_json(&text, cases[i].data);
        assert_string_equal(text_string(&text), cases[i].want);
    }
}

static void json_is_cut_between_characters(void **state)
{
    static const struct {
        size_t room;
        const char *want;
    } cases[] = {
        { 2, "\"\"" },
        { 3, "\"a\"" },
        { 4, "\"ab\"" },
        { 5, "\"ab\"" },
        { 6, "\"ab\xc3\xa9\"" },
        { 7, "\"ab\xc3\xa9\"" },
        { 8, "\"ab\xc3\xa9\\n\"" },
        { 9, "\"ab\xc3\xa9\\nc\"" },
        { SIZE_MAX, "\"ab\xc3\xa9\\nc\"" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text text = text_new(*state);
        bool whole = text_add_json_cut(&text, bytes_of("ab\xc3\xa9\nc"), cases[i].room);
        assert_string_equal(text_string(&text), cases[i].want);
        assert_int_equal(whole, cases[i].room >= 9);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_text_grows_as_it_must, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_json_may_not_hold_is_escaped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(json_is_cut_between_characters, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
