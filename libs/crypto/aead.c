#include "libs/crypto/aead.h"

#include "libs/crypto/sha256.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

/* A new label makes a new format: texts sealed under the old one no longer open. */
#define ENCRYPTION_PURPOSE "weft aead v1 encryption"
#define COMMITMENT_PURPOSE "weft aead v1 commitment"
#define COMMITMENT_LABEL   "weft aead v1 this key and no other"

/* Of one text: its nonce makes its keys, so the vector need not differ. */
static const uint8_t constant_iv[12];

struct text_keys {
    struct sha256 encryption;
    struct sha256 commitment;
};

static void wipe_keys(struct text_keys *keys)
{
    OPENSSL_cleanse(keys, sizeof *keys);
}

static void free_context(EVP_CIPHER_CTX **context)
{
    EVP_CIPHER_CTX_free(*context);
}

static struct text_keys derive_keys(const struct aead_key *key, const uint8_t *nonce)
{
    const bytes secret = { .data = key->data, .size = AEAD_KEY_SIZE };
    const bytes salt = { .data = nonce, .size = AEAD_NONCE_SIZE };
    const bytes label = { .data = (const uint8_t *)COMMITMENT_LABEL,
                          .size = sizeof COMMITMENT_LABEL - 1 };
    struct sha256 committing = hkdf_sha256(secret, salt, COMMITMENT_PURPOSE);
    struct text_keys keys = {
        .encryption = hkdf_sha256(secret, salt, ENCRYPTION_PURPOSE),
        .commitment = hmac_sha256(sha256_bytes(&committing), label),
    };

    sha256_wipe(&committing);
    return keys;
}

void aead_generate(const struct random_source *random, struct aead_key *ret_key)
{
    random_fill(random, ret_key->data, sizeof ret_key->data);
}

void aead_wipe(struct aead_key *key)
{
    OPENSSL_cleanse(key->data, sizeof key->data);
}

/* Ciphertext and tag go to out. */
static bool encrypt(const struct sha256 *key, bytes context, bytes text, uint8_t *out)
{
    CLEANUP(free_context) EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    int n = 0;

    return cipher != NULL &&
           EVP_EncryptInit_ex(cipher, EVP_aes_256_gcm(), NULL, key->data, constant_iv) == 1 &&
           EVP_EncryptUpdate(cipher, NULL, &n, context.data, (int)context.size) == 1 &&
           EVP_EncryptUpdate(cipher, out, &n, text.data, (int)text.size) == 1 &&
           EVP_EncryptFinal_ex(cipher, out + text.size, &n) == 1 &&
           EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG_SIZE, out + text.size) == 1;
}

/* The text goes to out; false when the tag is not that of ciphertext and context. */
static bool decrypt(const struct sha256 *key, bytes context, bytes ciphertext, uint8_t *tag,
                    uint8_t *out)
{
    CLEANUP(free_context) EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    int n = 0;

    return cipher != NULL &&
           EVP_DecryptInit_ex(cipher, EVP_aes_256_gcm(), NULL, key->data, constant_iv) == 1 &&
           EVP_DecryptUpdate(cipher, NULL, &n, context.data, (int)context.size) == 1 &&
           EVP_DecryptUpdate(cipher, out, &n, ciphertext.data, (int)ciphertext.size) == 1 &&
           EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, AEAD_TAG_SIZE, tag) == 1 &&
           EVP_DecryptFinal_ex(cipher, out + ciphertext.size, &n) == 1;
}

status aead_seal(struct arena *arena, const struct aead_key *key,
                 const struct random_source *random, bytes context, bytes text, bytes *ret_sealed)
{
    if (text.size > AEAD_MAX_TEXT || context.size > AEAD_MAX_TEXT) {
        return status_error(arena, STATUS_INVALID_ARGUMENT, "more than %d bytes to seal",
                            AEAD_MAX_TEXT);
    }
    uint8_t *sealed = arena_alloc(arena, AEAD_OVERHEAD + text.size);
    random_fill(random, sealed, AEAD_NONCE_SIZE);
    CLEANUP(wipe_keys) struct text_keys keys = derive_keys(key, sealed);
    memcpy(sealed + AEAD_NONCE_SIZE, keys.commitment.data, AEAD_COMMITMENT_SIZE);
    if (!encrypt(&keys.encryption, context, text,
                 sealed + AEAD_NONCE_SIZE + AEAD_COMMITMENT_SIZE)) {
        return status_error(arena, STATUS_INTERNAL, "libcrypto cannot encrypt");
    }
    *ret_sealed = (bytes){ .data = sealed, .size = AEAD_OVERHEAD + text.size };
    return status_ok();
}

status aead_open(struct arena *arena, const struct aead_key *key, bytes context, bytes sealed,
                 bytes *ret_text)
{
    if (sealed.size < AEAD_OVERHEAD || sealed.size > AEAD_OVERHEAD + (size_t)AEAD_MAX_TEXT ||
        context.size > AEAD_MAX_TEXT) {
        return status_error(arena, STATUS_DATA_LOSS, "%zu bytes are no sealed text", sealed.size);
    }
    CLEANUP(wipe_keys) struct text_keys keys = derive_keys(key, sealed.data);
    const uint8_t *commitment = sealed.data + AEAD_NONCE_SIZE;
    if (CRYPTO_memcmp(commitment, keys.commitment.data, AEAD_COMMITMENT_SIZE) != 0) {
        return status_error(arena, STATUS_DATA_LOSS, "it was sealed under another key");
    }
    const bytes ciphertext = { .data = commitment + AEAD_COMMITMENT_SIZE,
                               .size = sealed.size - AEAD_OVERHEAD };
    uint8_t *text = arena_alloc(arena, ciphertext.size + 1); /* a NUL, for whoever reads text */
    uint8_t tag[AEAD_TAG_SIZE];
    memcpy(tag, ciphertext.data + ciphertext.size, sizeof tag);
    if (!decrypt(&keys.encryption, context, ciphertext, tag, text)) {
        OPENSSL_cleanse(text, ciphertext.size);
        return status_error(arena, STATUS_DATA_LOSS, "it has changed since it was sealed");
    }
    *ret_text = (bytes){ .data = text, .size = ciphertext.size };
    return status_ok();
}
