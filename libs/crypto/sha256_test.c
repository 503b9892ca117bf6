#include "libs/crypto/sha256.h"

#include "libs/base/encoding.h"
#include "libs/base/text.h"
#include "libs/testing/assert_status.h"

#include <string.h>

static const char *hex(struct arena *arena, struct sha256 hash)
{
    return hex_encode(arena, sha256_bytes(&hash));
}

static bytes unhex(struct arena *arena, const char *text)
{
    bytes data;

    assert_true(hex_decode(arena, bytes_of(text), &data));
    return data;
}

static void hashes_are_those_of_fips_180(void **state)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        { "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
        { "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
        { "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_string_equal(hex(*state, sha256_of(bytes_of(cases[i].text))), cases[i].want);
    }
}

static void parts_hash_as_one(void **state)
{
    const bytes parts[] = { bytes_of("a"), bytes_of(""), bytes_of("bc") };
    struct sha256 whole = sha256_of(bytes_of("abc"));
    struct sha256 sum = sha256_of_parts(parts, 3);

    (void)state;
    assert_true(sha256_equal(&whole, &sum));
    sum.data[31] ^= 1;
    assert_false(sha256_equal(&whole, &sum));
}

/* RFC 4231, test cases 1, 2 and 6, the last with a key longer than a block. */
static void hmac_is_that_of_rfc_4231(void **state)
{
    char long_key[131];
    uint8_t key[20];

    memset(long_key, 0xaa, sizeof long_key);
    memset(key, 0x0b, sizeof key);
    assert_string_equal(hex(*state, hmac_sha256((bytes){ key, 20 }, bytes_of("Hi There"))),
                        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    assert_string_equal(
        hex(*state, hmac_sha256(bytes_of("Jefe"), bytes_of("what do ya want for nothing?"))),
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    assert_string_equal(
        hex(*state,
            hmac_sha256((bytes){ (const uint8_t *)long_key, sizeof long_key },
                        bytes_of("Test Using Larger Than Block-Size Key - Hash Key First"))),
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

/* RFC 5869, A.1 and A.3: their first 32 bytes.  The purpose of A.1 is f0 to f9. */
static void hkdf_is_that_of_rfc_5869(void **state)
{
    const bytes secret = unhex(*state, "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b");
    const bytes salt = unhex(*state, "000102030405060708090a0b0c");

    assert_string_equal(
        hex(*state, hkdf_sha256(secret, salt, "\xf0\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8\xf9")),
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf");
    assert_string_equal(hex(*state, hkdf_sha256(secret, (bytes){ 0 }, "")),
                        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d");
}

static void a_wiped_hash_is_zeros(void **state)
{
    static const uint8_t zeros[SHA256_SIZE];
    struct sha256 hash = sha256_of(bytes_of("secret"));

    (void)state;
    sha256_wipe(&hash);
    assert_memory_equal(hash.data, zeros, SHA256_SIZE);
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
        TEST(hashes_are_those_of_fips_180), TEST(parts_hash_as_one),
        TEST(hmac_is_that_of_rfc_4231),     TEST(hkdf_is_that_of_rfc_5869),
        TEST(a_wiped_hash_is_zeros),
    };

    return cmocka_run_group_tests_name("sha256", tests, NULL, NULL);
}
