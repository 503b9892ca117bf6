#include "libs/crypto/aead.h"

#include "libs/base/encoding.h"
#include "libs/base/text.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/seeded_random.h"

#include <string.h>

struct fixture {
    struct arena *arena;
    struct seeded_random random;
    struct aead_key key;
};

static int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){ .arena = arena_new() };
    seeded_random_init(&f.random, 7);
    aead_generate(&f.random.source, &f.key);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    arena_free(f->arena);
    return 0;
}

static bytes seal(struct fixture *f, const char *context, const char *text)
{
    bytes sealed = { 0 };

    assert_status(
        aead_seal(f->arena, &f->key, &f->random.source, bytes_of(context), bytes_of(text), &sealed),
        STATUS_OK);
    return sealed;
}

static void what_was_sealed_opens(void **state)
{
    static const char *const texts[] = { "", "x", "ada has read file 7" };
    struct fixture *f = *state;
    bytes text;

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        bytes sealed = seal(f, "leaf", texts[i]);
        assert_int_equal(sealed.size, AEAD_OVERHEAD + strlen(texts[i]));
        assert_status(aead_open(f->arena, &f->key, bytes_of("leaf"), sealed, &text), STATUS_OK);
        assert_int_equal(text.size, strlen(texts[i]));
        assert_string_equal((const char *)text.data, texts[i]);
    }
}

static void the_same_text_is_sealed_differently_each_time(void **state)
{
    bytes a = seal(*state, "", "the same");
    bytes b = seal(*state, "", "the same");

    assert_memory_not_equal(a.data + AEAD_NONCE_SIZE, b.data + AEAD_NONCE_SIZE,
                            a.size - AEAD_NONCE_SIZE);
}

static void no_byte_may_change(void **state)
{
    struct fixture *f = *state;
    bytes sealed = seal(f, "leaf", "secret");
    uint8_t *copy = arena_alloc(f->arena, sealed.size);
    bytes text;

    for (size_t i = 0; i < sealed.size; i++) {
        memcpy(copy, sealed.data, sealed.size);
        copy[i] ^= 0x10;
        assert_status(
            aead_open(f->arena, &f->key, bytes_of("leaf"), (bytes){ copy, sealed.size }, &text),
            STATUS_DATA_LOSS);
    }
    for (size_t size = 0; size < sealed.size; size++) {
        assert_status(
            aead_open(f->arena, &f->key, bytes_of("leaf"), (bytes){ sealed.data, size }, &text),
            STATUS_DATA_LOSS);
    }
}

static void another_key_or_context_does_not_open(void **state)
{
    struct fixture *f = *state;
    bytes sealed = seal(f, "leaf", "secret");
    struct aead_key other;
    bytes text;

    assert_status(aead_open(f->arena, &f->key, bytes_of("branch"), sealed, &text),
                  STATUS_DATA_LOSS);
    aead_generate(&f->random.source, &other);
    status s = aead_open(f->arena, &other, bytes_of("leaf"), sealed, &text);
    assert_status(s, STATUS_DATA_LOSS);
    assert_string_equal(s.message, "it was sealed under another key");
}

/* The layout and every label in it are on disk for ever.  What is wanted here was computed by
 * another implementation of HMAC and GCM, from the format as the header has it. */
static void the_format_is_frozen(void **state)
{
    struct fixture *f = *state;

    memset(f->key.data, 1, sizeof f->key.data);
    seeded_random_init(&f->random, 1);
    assert_string_equal(hex_encode(f->arena, seal(f, "leaf", "text")),
                        "c1675e0bb980a575a89661fec08aa83b63f1ee08469ccdac9ff735ab278a84ba"
                        "65a67df3f7e3eb2a6259a6648976495d5be48b613589fe579dc260f6551db699"
                        "445a55e1e88d2dc5f84947192800a558940811b9");
}

static void the_key_of_one_text_opens_that_one_alone(void **state)
{
    struct fixture *f = *state;
    bytes first = seal(f, "leaf", "first");
    bytes second = seal(f, "leaf", "second");
    struct aead_key key;
    struct aead_key other;
    bytes text;

    assert_status(aead_text_key(f->arena, &f->key, first, &key), STATUS_OK);
    assert_status(aead_open_text(f->arena, &key, bytes_of("leaf"), first, &text), STATUS_OK);
    assert_string_equal((const char *)text.data, "first");
    assert_status(aead_open_text(f->arena, &key, bytes_of("leaf"), second, &text),
                  STATUS_DATA_LOSS);
    aead_generate(&f->random.source, &other);
    assert_status(aead_text_key(f->arena, &other, first, &key), STATUS_DATA_LOSS);
}

static void too_much_text_is_refused(void **state)
{
    struct fixture *f = *state;
    const bytes huge = { .data = f->key.data, .size = (size_t)AEAD_MAX_TEXT + 1 };
    bytes sealed;

    assert_status(aead_seal(f->arena, &f->key, &f->random.source, huge, bytes_of(""), &sealed),
                  STATUS_INVALID_ARGUMENT);
    assert_status(aead_seal(f->arena, &f->key, &f->random.source, bytes_of(""), huge, &sealed),
                  STATUS_INVALID_ARGUMENT);
}

static void a_wiped_key_is_zeros(void **state)
{
    static const struct aead_key zeros;
    struct fixture *f = *state;

    aead_wipe(&f->key);
    assert_memory_equal(&f->key, &zeros, sizeof zeros);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_sealed_opens),    TEST(the_same_text_is_sealed_differently_each_time),
        TEST(no_byte_may_change),       TEST(another_key_or_context_does_not_open),
        TEST(the_format_is_frozen),     TEST(the_key_of_one_text_opens_that_one_alone),
        TEST(too_much_text_is_refused), TEST(a_wiped_key_is_zeros),
    };

    return cmocka_run_group_tests_name("aead", tests, NULL, NULL);
}
