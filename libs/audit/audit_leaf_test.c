#include "libs/audit/audit_leaf.h"

#include "libs/base/text.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/seeded_random.h"

#include <string.h>

struct fixture {
    struct arena *arena;
    struct seeded_random random;
    struct audit_key_id key_id;
    struct aead_key key;
    bytes leaf; /* of "ada was here" */
};

static int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){ .arena = arena_new(), .key_id = { "0123456789abcde" } };
    seeded_random_init(&f.random, 7);
    aead_generate(&f.random.source, &f.key);
    assert_status(audit_leaf_seal(f.arena, &f.key_id, &f.key, &f.random.source,
                                  bytes_of("ada was here"), &f.leaf),
                  STATUS_OK);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    arena_free(f->arena);
    return 0;
}

static void a_leaf_names_its_key_and_opens_with_it(void **state)
{
    struct fixture *f = *state;
    struct audit_key_id key_id;
    struct aead_key text_key;
    bytes text;

    assert_int_equal(f->leaf.size, AUDIT_LEAF_OVERHEAD + strlen("ada was here"));
    assert_status(audit_leaf_key_id(f->arena, f->leaf, &key_id), STATUS_OK);
    assert_memory_equal(&key_id, &f->key_id, sizeof key_id);
    assert_status(audit_leaf_open(f->arena, &f->key, f->leaf, &text), STATUS_OK);
    assert_string_equal((const char *)text.data, "ada was here");
    assert_status(audit_leaf_text_key(f->arena, &f->key, f->leaf, &text_key), STATUS_OK);
    assert_status(audit_leaf_open_text(f->arena, &text_key, f->leaf, &text), STATUS_OK);
    assert_string_equal((const char *)text.data, "ada was here");
}

static void no_byte_of_a_leaf_may_change(void **state)
{
    struct fixture *f = *state;
    bytes text;

    for (size_t i = 0; i < f->leaf.size; i++) {
        uint8_t *copy = arena_alloc(f->arena, f->leaf.size);
        memcpy(copy, f->leaf.data, f->leaf.size);
        copy[i] ^= 4;
        assert_status(audit_leaf_open(f->arena, &f->key, (bytes){ copy, f->leaf.size }, &text),
                      STATUS_DATA_LOSS);
    }
}

static void what_is_no_leaf_is_refused(void **state)
{
    struct fixture *f = *state;
    struct audit_key_id key_id;
    struct aead_key key;
    bytes text;

    for (size_t size = 0; size < AUDIT_LEAF_OVERHEAD; size++) {
        const bytes cut = { f->leaf.data, size };
        assert_status(audit_leaf_key_id(f->arena, cut, &key_id), STATUS_DATA_LOSS);
        assert_status(audit_leaf_open(f->arena, &f->key, cut, &text), STATUS_DATA_LOSS);
        assert_status(audit_leaf_open_text(f->arena, &f->key, cut, &text), STATUS_DATA_LOSS);
        assert_status(audit_leaf_text_key(f->arena, &f->key, cut, &key), STATUS_DATA_LOSS);
    }
}

static void the_largest_text_makes_the_largest_entry(void **state)
{
    struct fixture *f = *state;
    uint8_t *large = arena_alloc(f->arena, AUDIT_LEAF_MAX_TEXT + 1);
    bytes leaf;

    assert_status(audit_leaf_seal(f->arena, &f->key_id, &f->key, &f->random.source,
                                  (bytes){ large, AUDIT_LEAF_MAX_TEXT }, &leaf),
                  STATUS_OK);
    assert_int_equal(leaf.size, 65535);
    assert_status(audit_leaf_seal(f->arena, &f->key_id, &f->key, &f->random.source,
                                  (bytes){ large, AUDIT_LEAF_MAX_TEXT + 1 }, &leaf),
                  STATUS_INVALID_ARGUMENT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_leaf_names_its_key_and_opens_with_it),
        TEST(no_byte_of_a_leaf_may_change),
        TEST(what_is_no_leaf_is_refused),
        TEST(the_largest_text_makes_the_largest_entry),
    };

    return cmocka_run_group_tests_name("audit_leaf", tests, NULL, NULL);
}
