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

static struct sha256 text_key_of(const struct aead_key *key, const uint8_t *nonce)
{
    return hkdf_sha256_extract((bytes){ key->data, AEAD_KEY_SIZE },
                               (bytes){ nonce, AEAD_NONCE_SIZE });
}

static struct text_keys derive_keys(const struct sha256 *text_key)
{
    const bytes label = { .data = (const uint8_t *)COMMITMENT_LABEL,
                          .size = sizeof COMMITMENT_LABEL - 1 };
    struct sha256 committing = hkdf_sha256_expand(text_key, COMMITMENT_PURPOSE);
    struct text_keys keys = {
        .encryption = hkdf_sha256_expand(text_key, ENCRYPTION_PURPOSE),
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
    CLEANUP(sha256_wipe) struct sha256 text_key = text_key_of(key, sealed);
    CLEANUP(wipe_keys) struct text_keys keys = derive_keys(&text_key);
    memcpy(sealed + AEAD_NONCE_SIZE, keys.commitment.data, AEAD_COMMITMENT_SIZE);
    if (!encrypt(&keys.encryption, context, text,
                 sealed + AEAD_NONCE_SIZE + AEAD_COMMITMENT_SIZE)) {
        return status_error(arena, STATUS_INTERNAL, "libcrypto cannot encrypt");
    }
    *ret_sealed = (bytes){ .data = sealed, .size = AEAD_OVERHEAD + text.size };
    return status_ok();
}

static status check_size(struct arena *arena, bytes sealed)
{
    if (sealed.size < AEAD_OVERHEAD || sealed.size > AEAD_OVERHEAD + (size_t)AEAD_MAX_TEXT) {
        return status_error(arena, STATUS_DATA_LOSS, "%zu bytes are no sealed text", sealed.size);
    }
    return status_ok();
}

static status check_commitment(struct arena *arena, const struct text_keys *keys, bytes sealed)
{
    const uint8_t *commitment = sealed.data + AEAD_NONCE_SIZE;

    if (CRYPTO_memcmp(commitment, keys->commitment.data, AEAD_COMMITMENT_SIZE) != 0) {
        return status_error(arena, STATUS_DATA_LOSS, "it was sealed under another key");
    }
    return status_ok();
}

/* sealed is of a size that can be. */
static status open_text(struct arena *arena, const struct sha256 *text_key, bytes context,
                        bytes sealed, bytes *ret_text)
{
    CLEANUP(wipe_keys) struct text_keys keys = derive_keys(text_key);
    const bytes ciphertext = { .data = sealed.data + AEAD_NONCE_SIZE + AEAD_COMMITMENT_SIZE,
                               .size = sealed.size - AEAD_OVERHEAD };
    uint8_t tag[AEAD_TAG_SIZE];

    TRY(check_commitment(arena, &keys, sealed));
    uint8_t *text = arena_alloc(arena, ciphertext.size + 1); /* a NUL, for whoever reads text */
    memcpy(tag, ciphertext.data + ciphertext.size, sizeof tag);
    if (context.size > AEAD_MAX_TEXT ||
        !decrypt(&keys.encryption, context, ciphertext, tag, text)) {
        OPENSSL_cleanse(text, ciphertext.size);
        return status_error(arena, STATUS_DATA_LOSS, "it has changed since it was sealed");
    }
    *ret_text = (bytes){ .data = text, .size = ciphertext.size };
    return status_ok();
}

status aead_open(struct arena *arena, const struct aead_key *key, bytes context, bytes sealed,
                 bytes *ret_text)
{
    TRY(check_size(arena, sealed));
    CLEANUP(sha256_wipe) struct sha256 text_key = text_key_of(key, sealed.data);
    return open_text(arena, &text_key, context, sealed, ret_text);
}

status aead_text_key(struct arena *arena, const struct aead_key *key, bytes sealed,
                     struct aead_key *ret_text_key)
{
    TRY(check_size(arena, sealed));
    CLEANUP(sha256_wipe) struct sha256 text_key = text_key_of(key, sealed.data);
    CLEANUP(wipe_keys) struct text_keys keys = derive_keys(&text_key);
    TRY(check_commitment(arena, &keys, sealed));
    memcpy(ret_text_key->data, text_key.data, AEAD_KEY_SIZE);
    return status_ok();
}

status aead_open_text(struct arena *arena, const struct aead_key *text_key, bytes context,
                      bytes sealed, bytes *ret_text)
{
    CLEANUP(sha256_wipe) struct sha256 key;

    memcpy(key.data, text_key->data, sizeof key.data);
    TRY(check_size(arena, sealed));
    return open_text(arena, &key, context, sealed, ret_text);
}
