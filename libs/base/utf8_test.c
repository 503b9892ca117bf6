#include "libs/base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static size_t length_of(const char *text)
{
    return utf8_character_length((bytes){ (const uint8_t *)text, strlen(text) });
}

/* The first and the last of each length (RFC 3629, section 3), and those beside the surrogates. */
static void the_ends_of_each_range_are_characters(void **state)
{
    static const struct {
        const char *text;
        uint32_t character;
    } cases[] = {
        { "\x01", 0x1 },
        { "\x7f", 0x7f },
        { "\xc2\x80", 0x80 },
        { "\xdf\xbf", 0x7ff },
        { "\xe0\xa0\x80", 0x800 },
        { "\xed\x9f\xbf", 0xd7ff },
        { "\xee\x80\x80", 0xe000 },
        { "\xef\xbf\xbf", 0xffff },
        { "\xf0\x90\x80\x80", 0x10000 },
        { "\xf4\x8f\xbf\xbf", 0x10ffff },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const bytes data = { (const uint8_t *)cases[i].text, strlen(cases[i].text) };
        uint32_t character = 0;
        assert_int_equal(utf8_decode(data, &character), data.size);
        assert_int_equal(character, cases[i].character);
        assert_int_equal(utf8_character_length(data), data.size);
        assert_true(utf8_is_valid(data));
    }
}

static void what_is_none_is_refused(void **state)
{
    static const char *const cases[] = {
        "\x80",             /* nothing it continues */
        "\xbf",             /* likewise */
        "\xc0\x80",         /* NUL, overlong */
        "\xc1\xbf",         /* overlong */
        "\xe0\x9f\xbf",     /* overlong */
        "\xf0\x8f\xbf\xbf", /* overlong */
        "\xed\xa0\x80",     /* the first surrogate */
        "\xed\xbf\xbf",     /* the last */
        "\xf4\x90\x80\x80", /* past U+10FFFF */
        "\xf5\x80\x80\x80", /* likewise */
        "\xfe",             /* never */
        "\xff",             /* never */
        "\xc2",             /* cut short */
        "\xe2\x82",         /* likewise */
        "\xf0\x9f\x98",     /* likewise */
        "\xc2\x41",         /* continued by a letter */
        "\xe2\x82\x41",     /* likewise */
        "\xe2\x41\x82",     /* likewise */
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const bytes data = { (const uint8_t *)cases[i], strlen(cases[i]) };
        uint32_t character = 7;
        if (utf8_is_valid(data) || utf8_decode(data, &character) != 0 || length_of(cases[i]) != 0) {
            fail_msg("case %zu was taken", i);
        }
        assert_int_equal(character, 7);
    }
}

static void a_nul_ends_nothing_and_is_nothing(void **state)
{
    (void)state;
    assert_int_equal(utf8_character_length((bytes){ (const uint8_t *)"\0", 1 }), 0);
    assert_false(utf8_is_valid((bytes){ (const uint8_t *)"a\0b", 3 }));
    assert_true(utf8_is_valid((bytes){ .data = NULL }));
}

/* Every number that is a character comes back from its bytes, and no two have the same. */
static void all_characters_go_both_ways(void **state)
{
    uint32_t previous = 0;

    (void)state;
    for (uint32_t lead = 1; lead < 0xf5; lead++) {
        for (uint32_t rest = 0; rest < 0x40; rest++) {
            const uint8_t text[] = { (uint8_t)lead, (uint8_t)(0x80 | rest), 0x80, 0x80 };
            uint32_t character;
            size_t length = utf8_decode((bytes){ text, sizeof text }, &character);
            if (length > 1) {
                assert_true(character > previous);
                assert_true(character < 0xd800 || character > 0xdfff);
                previous = character;
            }
        }
    }
    assert_int_equal(previous, 0x10f000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_ends_of_each_range_are_characters),
        cmocka_unit_test(what_is_none_is_refused),
        cmocka_unit_test(a_nul_ends_nothing_and_is_nothing),
        cmocka_unit_test(all_characters_go_both_ways),
    };

    return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
