#include "libs/crypto/p256.h"

#include "libs/base/encoding.h"
#include "libs/base/text.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/seeded_random.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

static bytes hex(struct arena *arena, const char *text)
{
    bytes data = { 0 };

    assert_true(hex_decode(arena, bytes_of(text), &data));
    return data;
}

static void the_same_seed_makes_the_same_key(void **state)
{
    struct seeded_random a, b;

    seeded_random_init(&a, 1);
    seeded_random_init(&b, 1);
    struct p256_key *first = p256_key_generate(&a.source);
    struct p256_key *same = p256_key_generate(&b.source);
    struct p256_key *other = p256_key_generate(&b.source);
    bytes der = p256_key_der(first, *state);
    assert_memory_equal(der.data, p256_key_der(same, *state).data, der.size);
    assert_memory_not_equal(der.data, p256_key_der(other, *state).data, der.size);
    p256_key_free(first);
    p256_key_free(same);
    p256_key_free(other);
}

static void a_key_goes_out_and_comes_back(void **state)
{
    struct p256_key *key = p256_key_generate(&system_random);
    struct p256_key *back = NULL;
    uint8_t signature[P256_SIGNATURE_BYTES];

    assert_status(p256_key_parse(*state, p256_key_der(key, *state), &back), STATUS_OK);
    p256_sign(back, bytes_of("hello"), signature);
    assert_true(p256_verify(p256_key_public(key), bytes_of("hello"),
                            (bytes){ signature, sizeof signature }));
    p256_key_free(key);
    p256_key_free(back);
}

/* What stands in our files is what OpenSSL reads, and the other way round. */
static void openssl_reads_our_keys_and_we_read_its(void **state)
{
    struct p256_key *key = p256_key_generate(&system_random);
    const char *pem = p256_key_pem(key, *state);
    BIO *bio = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *evp = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    EVP_PKEY *theirs = EVP_EC_gen("prime256v1");
    uint8_t *der = NULL;
    struct p256_key *ours = NULL;

    assert_non_null(evp);
    int size = i2d_PUBKEY(evp, &der);
    bytes spki = p256_key_spki(key, *state);
    assert_int_equal(size, spki.size);
    assert_memory_equal(der, spki.data, spki.size);
    OPENSSL_free(der);

    PKCS8_PRIV_KEY_INFO *pkcs8 = EVP_PKEY2PKCS8(theirs);
    der = NULL;
    size = i2d_PKCS8_PRIV_KEY_INFO(pkcs8, &der);
    assert_status(p256_key_parse(*state, (bytes){ der, (size_t)size }, &ours), STATUS_OK);
    OPENSSL_free(der);
    PKCS8_PRIV_KEY_INFO_free(pkcs8);
    EVP_PKEY_free(evp);
    EVP_PKEY_free(theirs);
    BIO_free(bio);
    p256_key_free(key);
    p256_key_free(ours);
}

static void a_key_that_is_none_is_refused(void **state)
{
    struct p256_key *key = p256_key_generate(&system_random);
    bytes der = p256_key_der(key, *state);
    struct p256_key *back = NULL;

    for (size_t i = 0; i < der.size; i++) {
        uint8_t changed[P256_PKCS8_BYTES];
        memcpy(changed, der.data, sizeof changed);
        changed[i] ^= 1;
        assert_status(p256_key_parse(*state, (bytes){ changed, sizeof changed }, &back),
                      STATUS_INVALID_ARGUMENT);
        assert_status(p256_key_parse(*state, (bytes){ der.data, i }, &back),
                      STATUS_INVALID_ARGUMENT);
    }
    assert_null(back);
    p256_key_free(key);
}

/* 0 and the order of the group are no secrets; FIPS 186-4, B.4. */
static void secrets_out_of_range_are_refused(void **state)
{
    static const char *const cases[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    };
    struct p256_key *key = p256_key_generate(&system_random);
    bytes der = p256_key_der(key, *state);

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t changed[P256_PKCS8_BYTES];
        struct p256_key *back = NULL;
        memcpy(changed, der.data, sizeof changed);
        memcpy(changed + 36, hex(*state, cases[i]).data, 32);
        assert_status(p256_key_parse(*state, (bytes){ changed, sizeof changed }, &back),
                      STATUS_INVALID_ARGUMENT);
    }
    p256_key_free(key);
}

/* RFC 6979, A.2.5: the key, and its signature with SHA-256 of "sample". */
static const char rfc6979_point[] =
    "04"
    "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
    "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";
static const char rfc6979_signature[] =
    "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
    "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8";

static void the_rfcs_signature_is_good(void **state)
{
    struct p256_public *key = p256_public_from_point(hex(*state, rfc6979_point).data);
    bytes signature = hex(*state, rfc6979_signature);

    assert_non_null(key);
    assert_true(p256_verify(key, bytes_of("sample"), signature));
    assert_false(p256_verify(key, bytes_of("Sample"), signature));
    p256_public_free(key);
}

static void a_signature_changed_anywhere_is_not_good(void **state)
{
    struct p256_public *key = p256_public_from_point(hex(*state, rfc6979_point).data);
    bytes signature = hex(*state, rfc6979_signature);

    for (size_t i = 0; i < signature.size; i++) {
        uint8_t changed[P256_SIGNATURE_BYTES];
        memcpy(changed, signature.data, sizeof changed);
        changed[i] ^= 0x80;
        assert_false(p256_verify(key, bytes_of("sample"), (bytes){ changed, sizeof changed }));
        assert_false(p256_verify(key, bytes_of("sample"), (bytes){ signature.data, i }));
    }
    p256_public_free(key);
}

#define ZERO  "0000000000000000000000000000000000000000000000000000000000000000"
#define ONE   "0000000000000000000000000000000000000000000000000000000000000001"
#define ORDER "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"
#define MORE  "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"

/* "Psychic signatures" (CVE-2022-21449) and the rest of that family. */
static void numbers_out_of_range_are_no_signature(void **state)
{
    static const char *const cases[] = { ZERO ZERO, ZERO ONE,    ONE ZERO,  ORDER ONE, ONE ORDER,
                                         MORE MORE, ORDER ORDER, ZERO MORE, ONE ONE };
    struct p256_public *key = p256_public_from_point(hex(*state, rfc6979_point).data);

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_false(p256_verify(key, bytes_of("sample"), hex(*state, cases[i])));
    }
    p256_public_free(key);
}

static void a_signature_in_der_is_none(void **state)
{
    struct p256_public *key = p256_public_from_point(hex(*state, rfc6979_point).data);
    uint8_t der[72] = { 0x30, 70, 0x02, 33, 0 };

    memcpy(der + 5, hex(*state, rfc6979_signature).data, 32);
    der[37] = 0x02;
    der[38] = 33;
    memcpy(der + 40, hex(*state, rfc6979_signature).data + 32, 32);
    assert_false(p256_verify(key, bytes_of("sample"), (bytes){ der, sizeof der }));
    p256_public_free(key);
}

static void many_signatures_of_many_keys_are_good(void **state)
{
    struct seeded_random random;

    (void)state;
    seeded_random_init(&random, 7);
    for (int i = 0; i < 200; i++) { /* enough for each length of r and s in DER */
        struct p256_key *key = p256_key_generate(&random.source);
        uint8_t signature[P256_SIGNATURE_BYTES];
        uint8_t message[40];
        random_fill(&random.source, message, sizeof message);
        p256_sign(key, (bytes){ message, sizeof message }, signature);
        assert_true(p256_verify(p256_key_public(key), (bytes){ message, sizeof message },
                                (bytes){ signature, sizeof signature }));
        p256_key_free(key);
    }
}

static void public_keys_that_are_none_are_refused(void **state)
{
    struct p256_key *key = p256_key_generate(&system_random);
    bytes spki = p256_key_spki(key, *state);
    struct p256_public *public = NULL;

    assert_status(p256_public_parse(*state, spki, &public), STATUS_OK);
    assert_memory_equal(p256_public_point(public), spki.data + 26, P256_POINT_BYTES);
    p256_public_free(public);
    for (size_t i = 0; i < spki.size; i++) { /* a changed coordinate is off the curve */
        uint8_t changed[P256_SPKI_BYTES];
        memcpy(changed, spki.data, sizeof changed);
        changed[i] ^= 1;
        assert_status(p256_public_parse(*state, (bytes){ changed, sizeof changed }, &public),
                      STATUS_INVALID_ARGUMENT);
    }
    assert_status(p256_public_parse(*state, (bytes){ spki.data, spki.size - 1 }, &public),
                  STATUS_INVALID_ARGUMENT);
    assert_status(p256_public_parse(*state, (bytes){ 0 }, &public), STATUS_INVALID_ARGUMENT);
    p256_key_free(key);
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
        TEST(the_same_seed_makes_the_same_key),
        TEST(a_key_goes_out_and_comes_back),
        TEST(openssl_reads_our_keys_and_we_read_its),
        TEST(a_key_that_is_none_is_refused),
        TEST(secrets_out_of_range_are_refused),
        TEST(the_rfcs_signature_is_good),
        TEST(a_signature_changed_anywhere_is_not_good),
        TEST(numbers_out_of_range_are_no_signature),
        TEST(a_signature_in_der_is_none),
        TEST(many_signatures_of_many_keys_are_good),
        TEST(public_keys_that_are_none_are_refused),
    };

    return cmocka_run_group_tests_name("p256", tests, NULL, NULL);
}
