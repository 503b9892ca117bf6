#include "libs/base/encoding.h"

#include "libs/base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void assert_base64(struct arena *arena, enum base64_alphabet alphabet, const char *plain,
                          const char *text)
{
    bytes data = { .size = 99 };

    assert_string_equal(base64_encode(arena, bytes_of(plain), alphabet), text);
    assert_true(base64_decode(arena, bytes_of(text), alphabet, &data));
    assert_int_equal(data.size, strlen(plain));
    assert_memory_equal(data.data, plain, data.size);
}

/* RFC 4648, section 10. */
static void base64_gives_the_standards_examples(void **state)
{
    assert_base64(*state, BASE64_STANDARD, "", "");
    assert_base64(*state, BASE64_STANDARD, "f", "Zg==");
    assert_base64(*state, BASE64_STANDARD, "fo", "Zm8=");
    assert_base64(*state, BASE64_STANDARD, "foo", "Zm9v");
    assert_base64(*state, BASE64_STANDARD, "foob", "Zm9vYg==");
    assert_base64(*state, BASE64_STANDARD, "fooba", "Zm9vYmE=");
    assert_base64(*state, BASE64_STANDARD, "foobar", "Zm9vYmFy");
    assert_base64(*state, BASE64_URL, "fo", "Zm8");
    assert_base64(*state, BASE64_URL, "f", "Zg");
}

static void the_two_alphabets_differ_in_two_digits(void **state)
{
    assert_base64(*state, BASE64_STANDARD, "\xfb\xef\xff", "++//");
    assert_base64(*state, BASE64_URL, "\xfb\xef\xff", "--__");
}

static void base64_refuses_what_is_not_the_one_text_of_a_value(void **state)
{
    static const struct {
        enum base64_alphabet alphabet;
        const char *text;
    } cases[] = {
        { BASE64_STANDARD, "Zg" },       /* no padding */
        { BASE64_STANDARD, "Zg=" },      /* half of it */
        { BASE64_STANDARD, "Zg===" },    /* more of it */
        { BASE64_STANDARD, "Zh==" },     /* a bit that carries nothing */
        { BASE64_STANDARD, "Zm9=" },     /* two of them */
        { BASE64_STANDARD, "Z===" },     /* six bits */
        { BASE64_STANDARD, "====" },     /* padding of nothing */
        { BASE64_STANDARD, "=" },        /* the same */
        { BASE64_STANDARD, "Zg==Zg==" }, /* two texts */
        { BASE64_STANDARD, "Zm9v\n" },   /* a line's end */
        { BASE64_STANDARD, "Zm 9v" },    /* a space */
        { BASE64_STANDARD, "--__" },     /* the other alphabet */
        { BASE64_URL, "++//" },          /* and back */
        { BASE64_URL, "Zg==" },          /* padding */
        { BASE64_URL, "Z" },             /* six bits */
        { BASE64_URL, "Zh" },            /* a bit that carries nothing */
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bytes data = { .size = 99 };
        if (base64_decode(*state, bytes_of(cases[i].text), cases[i].alphabet, &data)) {
            fail_msg("'%s' was taken", cases[i].text);
        }
        assert_int_equal(data.size, 99); /* untouched */
    }
}

static void a_nul_is_no_digit(void **state)
{
    const bytes text = { .data = (const uint8_t *)"Zm9\0", .size = 4 };
    bytes data;

    assert_false(base64_decode(*state, text, BASE64_STANDARD, &data));
    assert_false(hex_decode(*state, (bytes){ (const uint8_t *)"0\0", 2 }, &data));
}

static void hex_goes_both_ways(void **state)
{
    const bytes all = { .data = (const uint8_t *)"\x00\x7f\x80\xff\x0a", .size = 5 };
    bytes data = { 0 };

    assert_string_equal(hex_encode(*state, all), "007f80ff0a");
    assert_true(hex_decode(*state, bytes_of("007f80ff0a"), &data));
    assert_int_equal(data.size, 5);
    assert_memory_equal(data.data, all.data, 5);
    assert_true(hex_decode(*state, bytes_of(""), &data));
    assert_int_equal(data.size, 0);
    assert_string_equal(hex_encode(*state, data), "");
}

static void hex_refuses_what_is_not_the_one_text_of_a_value(void **state)
{
    static const char *const cases[] = { "0", "0A", "0x", "0g", " 0", "000", "0/", "0:", "0`" };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bytes data = { .size = 99 };
        if (hex_decode(*state, bytes_of(cases[i]), &data)) {
            fail_msg("'%s' was taken", cases[i]);
        }
        assert_int_equal(data.size, 99);
    }
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
        TEST(base64_gives_the_standards_examples),
        TEST(the_two_alphabets_differ_in_two_digits),
        TEST(base64_refuses_what_is_not_the_one_text_of_a_value),
        TEST(a_nul_is_no_digit),
        TEST(hex_goes_both_ways),
        TEST(hex_refuses_what_is_not_the_one_text_of_a_value),
    };

    return cmocka_run_group_tests_name("encoding", tests, NULL, NULL);
}
