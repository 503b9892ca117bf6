#include "libs/crypto/ed25519.h"

#include "libs/base/encoding.h"
#include "libs/base/text.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/seeded_random.h"

#include <string.h>

static bytes unhex(struct arena *arena, const char *text)
{
    bytes data;

    assert_true(hex_decode(arena, bytes_of(text), &data));
    return data;
}

/* RFC 8032, section 7.1: tests 1, 2 and 3. */
static void signatures_are_those_of_rfc_8032(void **state)
{
    static const struct {
        const char *seed, *public_key, *message, *signature;
    } cases[] = {
        { "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
          "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
          "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e3970"
          "1cf9b46bd25bf5f0595bbe24655141438e7a100b" },
        { "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
          "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
          "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613"
          "d0f11d8c387b2eaeb4302aeeb00d291612bb0c00" },
        { "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
          "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
          "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760"
          "984dc6594a7c15e9716ed28dc027beceea1ec40a" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bytes message = unhex(*state, cases[i].message);
        uint8_t signature[ED25519_SIGNATURE_SIZE];
        struct ed25519_key key;

        assert_status(ed25519_from_seed(*state, unhex(*state, cases[i].seed).data, &key),
                      STATUS_OK);
        assert_string_equal(hex_encode(*state, (bytes){ key.public_key, 32 }), cases[i].public_key);
        assert_status(ed25519_sign(*state, &key, message, signature), STATUS_OK);
        assert_string_equal(hex_encode(*state, (bytes){ signature, 64 }), cases[i].signature);
        assert_true(ed25519_verify(key.public_key, message, (bytes){ signature, 64 }));
    }
}

static void what_was_changed_does_not_verify(void **state)
{
    const bytes message = bytes_of("size 7");
    uint8_t signature[ED25519_SIGNATURE_SIZE];
    struct seeded_random random;
    struct ed25519_key key;

    seeded_random_init(&random, 1);
    assert_status(ed25519_generate(*state, &random.source, &key), STATUS_OK);
    assert_status(ed25519_sign(*state, &key, message, signature), STATUS_OK);
    assert_false(ed25519_verify(key.public_key, bytes_of("size 8"), (bytes){ signature, 64 }));
    assert_false(ed25519_verify(key.public_key, message, (bytes){ signature, 63 }));
    signature[40] ^= 1;
    assert_false(ed25519_verify(key.public_key, message, (bytes){ signature, 64 }));
    signature[40] ^= 1;
    key.public_key[0] ^= 1;
    assert_false(ed25519_verify(key.public_key, message, (bytes){ signature, 64 }));
}

static void generated_keys_differ_and_are_wiped(void **state)
{
    static const struct ed25519_key zeros;
    struct seeded_random random;
    struct ed25519_key a;
    struct ed25519_key b;

    seeded_random_init(&random, 1);
    assert_status(ed25519_generate(*state, &random.source, &a), STATUS_OK);
    assert_status(ed25519_generate(*state, &random.source, &b), STATUS_OK);
    assert_memory_not_equal(a.seed, b.seed, sizeof a.seed);
    ed25519_wipe(&a);
    assert_memory_equal(&a, &zeros, sizeof a);
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
        TEST(signatures_are_those_of_rfc_8032),
        TEST(what_was_changed_does_not_verify),
        TEST(generated_keys_differ_and_are_wiped),
    };

    return cmocka_run_group_tests_name("ed25519", tests, NULL, NULL);
}
