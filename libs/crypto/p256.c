#include "libs/crypto/p256.h"

#include "libs/crypto/pem.h"
#include "libs/crypto/secret.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/param_build.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

struct p256_public {
    uint8_t point[P256_POINT_BYTES];
    EVP_PKEY *evp;
};

struct p256_key {
    uint8_t secret[P256_SECRET_BYTES];
    EVP_PKEY *evp;
    struct p256_public *public;
};

/* What stands around the secret and the point in the DER forms: all lengths are fixed. */
static const uint8_t pkcs8_start[] = { 0x30, 0x81, 0x87, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06,
                                       0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06,
                                       0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07,
                                       0x04, 0x6d, 0x30, 0x6b, 0x02, 0x01, 0x01, 0x04, 0x20 };
static const uint8_t pkcs8_middle[] = { 0xa1, 0x44, 0x03, 0x42, 0x00 };
static const uint8_t spki_start[] = { 0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                                      0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
                                      0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00 };

enum {
    PKCS8_SECRET_AT = sizeof pkcs8_start,
    PKCS8_MIDDLE_AT = PKCS8_SECRET_AT + P256_SECRET_BYTES,
    PKCS8_POINT_AT = PKCS8_MIDDLE_AT + sizeof pkcs8_middle,
    SPKI_POINT_AT = sizeof spki_start,
};
_Static_assert(PKCS8_POINT_AT + P256_POINT_BYTES == P256_PKCS8_BYTES, "the parts make the whole");
_Static_assert(SPKI_POINT_AT + P256_POINT_BYTES == P256_SPKI_BYTES, "the parts make the whole");

/* The number of points, which a secret, r and s must be below (FIPS 186-4, D.1.2.3). */
static const uint8_t order[P256_SECRET_BYTES] = { 0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00,
                                                  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                                  0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84,
                                                  0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51 };

/* For what fails only without memory. */
static void must(bool done)
{
    if (!done) {
        abort();
    }
}

/* ---- libcrypto's objects ---- */

/* The secret may be NULL.  NULL when the point is not on the curve. */
static EVP_PKEY *make_evp(const uint8_t point[P256_POINT_BYTES], const BIGNUM *secret)
{
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    EVP_PKEY *evp = NULL;

    must(builder != NULL && context != NULL);
    must(OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, SN_X9_62_prime256v1,
                                         0));
    must(OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point,
                                          P256_POINT_BYTES));
    must(secret == NULL || OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_PRIV_KEY, secret));
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(builder);
    must(params != NULL && EVP_PKEY_fromdata_init(context) == 1);
    if (EVP_PKEY_fromdata(context, &evp, secret != NULL ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY,
                          params) != 1) {
        evp = NULL;
    }
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(builder);
    EVP_PKEY_CTX_free(context);
    return evp;
}

static void multiply(const BIGNUM *secret, uint8_t ret_point[P256_POINT_BYTES])
{
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);

    must(group != NULL);
    EC_POINT *point = EC_POINT_new(group);
    must(point != NULL && EC_POINT_mul(group, point, secret, NULL, NULL, NULL) == 1);
    must(EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, ret_point,
                            P256_POINT_BYTES, NULL) == P256_POINT_BYTES);
    EC_POINT_clear_free(point);
    EC_GROUP_free(group);
}

/* ---- A public key ---- */

struct p256_public *p256_public_from_point(const uint8_t point[P256_POINT_BYTES])
{
    if (point[0] != POINT_CONVERSION_UNCOMPRESSED) {
        return NULL;
    }
    EVP_PKEY *evp = make_evp(point, NULL);
    if (evp == NULL) {
        return NULL;
    }
    struct p256_public *key = malloc(sizeof *key);
    must(key != NULL);
    key->evp = evp;
    memcpy(key->point, point, P256_POINT_BYTES);
    return key;
}

status p256_public_parse(struct arena *arena, bytes spki, struct p256_public **ret_key)
{
    if (spki.size != P256_SPKI_BYTES || memcmp(spki.data, spki_start, sizeof spki_start) != 0) {
        return status_error(arena, STATUS_INVALID_ARGUMENT,
                            "the public key is not one of P-256 with its point in full");
    }
    struct p256_public *key = p256_public_from_point(spki.data + SPKI_POINT_AT);
    if (key == NULL) {
        return status_error(arena, STATUS_INVALID_ARGUMENT,
                            "the public key is no point of the curve P-256");
    }
    *ret_key = key;
    return status_ok();
}

void p256_public_free(struct p256_public *key)
{
    if (key != NULL) {
        EVP_PKEY_free(key->evp);
        free(key);
    }
}

const uint8_t *p256_public_point(const struct p256_public *key)
{
    return key->point;
}

/* ---- A key pair ---- */

static bool is_secret(const uint8_t secret[P256_SECRET_BYTES])
{
    static const uint8_t zero[P256_SECRET_BYTES];

    return CRYPTO_memcmp(secret, zero, sizeof zero) != 0 && memcmp(secret, order, sizeof order) < 0;
}

static struct p256_key *key_of(const uint8_t secret[P256_SECRET_BYTES])
{
    struct p256_key *key = malloc(sizeof *key);
    BIGNUM *number = BN_secure_new();
    uint8_t point[P256_POINT_BYTES];

    must(key != NULL && number != NULL && BN_bin2bn(secret, P256_SECRET_BYTES, number) != NULL);
    BN_set_flags(number, BN_FLG_CONSTTIME);
    multiply(number, point);
    memcpy(key->secret, secret, P256_SECRET_BYTES);
    key->evp = make_evp(point, number);
    key->public = p256_public_from_point(point);
    must(key->evp != NULL && key->public != NULL);
    BN_clear_free(number);
    return key;
}

struct p256_key *p256_key_generate(const struct random_source *random)
{
    uint8_t secret[P256_SECRET_BYTES];

    do { /* one number in 2^32 is too large */
        random_fill(random, secret, sizeof secret);
    } while (!is_secret(secret));
    struct p256_key *key = key_of(secret);
    OPENSSL_cleanse(secret, sizeof secret);
    return key;
}

static bool is_pkcs8(bytes data)
{
    return data.size == P256_PKCS8_BYTES &&
           memcmp(data.data, pkcs8_start, sizeof pkcs8_start) == 0 &&
           memcmp(data.data + PKCS8_MIDDLE_AT, pkcs8_middle, sizeof pkcs8_middle) == 0 &&
           is_secret(data.data + PKCS8_SECRET_AT);
}

status p256_key_parse(struct arena *arena, bytes pkcs8, struct p256_key **ret_key)
{
    if (!is_pkcs8(pkcs8)) {
        return status_error(arena, STATUS_INVALID_ARGUMENT,
                            "the key is not one of P-256 in PKCS#8");
    }
    struct p256_key *key = key_of(pkcs8.data + PKCS8_SECRET_AT);
    if (memcmp(key->public->point, pkcs8.data + PKCS8_POINT_AT, P256_POINT_BYTES) != 0) {
        p256_key_free(key);
        return status_error(arena, STATUS_INVALID_ARGUMENT,
                            "the two halves of the key do not belong together");
    }
    *ret_key = key;
    return status_ok();
}

void p256_key_free(struct p256_key *key)
{
    if (key != NULL) {
        EVP_PKEY_free(key->evp); /* clears its number */
        p256_public_free(key->public);
        OPENSSL_cleanse(key, sizeof *key);
        free(key);
    }
}

bytes p256_key_der(const struct p256_key *key, struct arena *arena)
{
    uint8_t *der = secret_alloc(arena, P256_PKCS8_BYTES);

    memcpy(der, pkcs8_start, sizeof pkcs8_start);
    memcpy(der + PKCS8_SECRET_AT, key->secret, P256_SECRET_BYTES);
    memcpy(der + PKCS8_MIDDLE_AT, pkcs8_middle, sizeof pkcs8_middle);
    memcpy(der + PKCS8_POINT_AT, key->public->point, P256_POINT_BYTES);
    return (bytes){ .data = der, .size = P256_PKCS8_BYTES };
}

const char *p256_key_pem(const struct p256_key *key, struct arena *arena)
{
    return pem_encode(arena, "PRIVATE KEY", p256_key_der(key, arena));
}

bytes p256_key_spki(const struct p256_key *key, struct arena *arena)
{
    uint8_t *spki = arena_alloc(arena, P256_SPKI_BYTES);

    memcpy(spki, spki_start, sizeof spki_start);
    memcpy(spki + SPKI_POINT_AT, key->public->point, P256_POINT_BYTES);
    return (bytes){ .data = spki, .size = P256_SPKI_BYTES };
}

const struct p256_public *p256_key_public(const struct p256_key *key)
{
    return key->public;
}

/* ---- Signatures ---- */

/* libcrypto's are in DER: SEQUENCE { INTEGER r, INTEGER s }, each at most 33 bytes. */
enum { DER_MAX_BYTES = 2 + 2 * (2 + 33) };

void p256_sign(const struct p256_key *key, bytes message,
               uint8_t ret_signature[P256_SIGNATURE_BYTES])
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, key->evp, NULL);
    uint8_t digest[SHA256_DIGEST_LENGTH];
    uint8_t der[DER_MAX_BYTES];
    size_t size = sizeof der;

    (void)SHA256(message.data, message.size, digest);
    must(context != NULL && EVP_PKEY_sign_init(context) == 1);
    must(EVP_PKEY_sign(context, der, &size, digest, sizeof digest) == 1);
    const uint8_t *at = der;
    ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &at, (long)size);
    must(signature != NULL);
    must(BN_bn2binpad(ECDSA_SIG_get0_r(signature), ret_signature, 32) == 32);
    must(BN_bn2binpad(ECDSA_SIG_get0_s(signature), ret_signature + 32, 32) == 32);
    ECDSA_SIG_free(signature);
    EVP_PKEY_CTX_free(context);
}

/* Writes 32 bytes, big end first, as a DER INTEGER: short as can be, and not negative. */
static uint8_t *put_integer(uint8_t *out, const uint8_t number[32])
{
    size_t skipped = 0;

    while (skipped < 31 && number[skipped] == 0) {
        skipped++;
    }
    size_t pad = number[skipped] >> 7;
    *out++ = 0x02;
    *out++ = (uint8_t)(32 - skipped + pad);
    *out = 0;
    memcpy(out + pad, number + skipped, 32 - skipped);
    return out + pad + 32 - skipped;
}

bool p256_verify(const struct p256_public *key, bytes message, bytes signature)
{
    uint8_t der[DER_MAX_BYTES] = { 0x30 };
    uint8_t digest[SHA256_DIGEST_LENGTH];

    if (signature.size != P256_SIGNATURE_BYTES) {
        return false;
    }
    uint8_t *end = put_integer(der + 2, signature.data);
    end = put_integer(end, signature.data + 32);
    der[1] = (uint8_t)(end - der - 2);
    (void)SHA256(message.data, message.size, digest);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, key->evp, NULL);
    must(context != NULL && EVP_PKEY_verify_init(context) == 1);
    bool good = EVP_PKEY_verify(context, der, (size_t)(end - der), digest, sizeof digest) == 1;
    EVP_PKEY_CTX_free(context);
    return good;
}
