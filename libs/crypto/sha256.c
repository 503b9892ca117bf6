/* The one-shot functions of libcrypto 3 look the algorithm up at each call; these, which it calls
 * deprecated, are the same code without that. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "libs/crypto/sha256.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <string.h>

enum { BLOCK_SIZE = SHA256_CBLOCK };

struct sha256 sha256_of_parts(const bytes *parts, size_t n_parts)
{
    struct sha256 hash;
    SHA256_CTX context;

    (void)SHA256_Init(&context);
    for (size_t i = 0; i < n_parts; i++) {
        (void)SHA256_Update(&context, parts[i].data, parts[i].size);
    }
    (void)SHA256_Final(hash.data, &context);
    OPENSSL_cleanse(&context, sizeof context); /* a key may have gone through it */
    return hash;
}

struct sha256 sha256_of(bytes data)
{
    return sha256_of_parts(&data, 1);
}

/* RFC 2104: H(key ^ opad, H(key ^ ipad, data)). */
static struct sha256 hmac_of_parts(bytes key, const bytes parts[2])
{
    struct sha256 short_key;
    uint8_t inner_pad[BLOCK_SIZE];
    uint8_t outer_pad[BLOCK_SIZE];

    if (key.size > BLOCK_SIZE) {
        short_key = sha256_of(key);
        key = sha256_bytes(&short_key);
    }
    for (size_t i = 0; i < BLOCK_SIZE; i++) {
        uint8_t byte = i < key.size ? key.data[i] : 0;
        inner_pad[i] = byte ^ 0x36;
        outer_pad[i] = byte ^ 0x5c;
    }
    struct sha256 inner =
        sha256_of_parts((const bytes[]){ { inner_pad, sizeof inner_pad }, parts[0], parts[1] }, 3);
    struct sha256 hash = sha256_of_parts(
        (const bytes[]){ { outer_pad, sizeof outer_pad }, sha256_bytes(&inner) }, 2);
    OPENSSL_cleanse(inner_pad, sizeof inner_pad);
    OPENSSL_cleanse(outer_pad, sizeof outer_pad);
    return hash;
}

struct sha256 hmac_sha256(bytes key, bytes data)
{
    return hmac_of_parts(key, (const bytes[2]){ data });
}

struct sha256 hkdf_sha256_extract(bytes secret, bytes salt)
{
    return hmac_sha256(salt, secret);
}

struct sha256 hkdf_sha256_expand(const struct sha256 *extracted, const char *purpose)
{
    static const uint8_t first_block[1] = { 1 };
    const bytes info = { .data = (const uint8_t *)purpose, .size = strlen(purpose) };

    return hmac_of_parts(sha256_bytes(extracted), (const bytes[2]){ info, { first_block, 1 } });
}

struct sha256 hkdf_sha256(bytes secret, bytes salt, const char *purpose)
{
    struct sha256 extracted = hkdf_sha256_extract(secret, salt);
    struct sha256 key = hkdf_sha256_expand(&extracted, purpose);

    sha256_wipe(&extracted);
    return key;
}

bool sha256_equal(const struct sha256 *a, const struct sha256 *b)
{
    return CRYPTO_memcmp(a->data, b->data, SHA256_SIZE) == 0;
}

void sha256_wipe(struct sha256 *hash)
{
    OPENSSL_cleanse(hash->data, SHA256_SIZE);
}
