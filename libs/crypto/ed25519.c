#include "libs/crypto/ed25519.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

static void free_key(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}

static void free_context(EVP_MD_CTX **context)
{
    EVP_MD_CTX_free(*context);
}

static status refused(struct arena *arena, const char *what)
{
    return status_error(arena, STATUS_INTERNAL, "libcrypto cannot %s with Ed25519", what);
}

status ed25519_from_seed(struct arena *arena, const uint8_t seed[ED25519_SEED_SIZE],
                         struct ed25519_key *ret_key)
{
    CLEANUP(free_key)
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, ED25519_SEED_SIZE);
    struct ed25519_key made;
    size_t size = sizeof made.public_key;

    if (key == NULL || EVP_PKEY_get_raw_public_key(key, made.public_key, &size) != 1) {
        return refused(arena, "make a key");
    }
    memcpy(made.seed, seed, ED25519_SEED_SIZE);
    *ret_key = made;
    ed25519_wipe(&made);
    return status_ok();
}

status ed25519_generate(struct arena *arena, const struct random_source *random,
                        struct ed25519_key *ret_key)
{
    uint8_t seed[ED25519_SEED_SIZE];

    random_fill(random, seed, sizeof seed);
    status s = ed25519_from_seed(arena, seed, ret_key);
    OPENSSL_cleanse(seed, sizeof seed);
    return s;
}

void ed25519_wipe(struct ed25519_key *key)
{
    OPENSSL_cleanse(key, sizeof *key);
}

status ed25519_sign(struct arena *arena, const struct ed25519_key *key, bytes message,
                    uint8_t ret_signature[ED25519_SIGNATURE_SIZE])
{
    CLEANUP(free_key)
    EVP_PKEY *secret =
        EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, key->seed, ED25519_SEED_SIZE);
    CLEANUP(free_context) EVP_MD_CTX *context = EVP_MD_CTX_new();
    uint8_t signature[ED25519_SIGNATURE_SIZE];
    size_t size = sizeof signature;

    if (secret == NULL || context == NULL ||
        EVP_DigestSignInit(context, NULL, NULL, NULL, secret) != 1 ||
        EVP_DigestSign(context, signature, &size, message.data, message.size) != 1) {
        return refused(arena, "sign");
    }
    memcpy(ret_signature, signature, sizeof signature);
    return status_ok();
}

bool ed25519_verify(const uint8_t public_key[ED25519_PUBLIC_SIZE], bytes message, bytes signature)
{
    CLEANUP(free_key)
    EVP_PKEY *key =
        EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key, ED25519_PUBLIC_SIZE);
    CLEANUP(free_context) EVP_MD_CTX *context = EVP_MD_CTX_new();

    return key != NULL && context != NULL && signature.size == ED25519_SIGNATURE_SIZE &&
           EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1 &&
           EVP_DigestVerify(context, signature.data, signature.size, message.data, message.size) ==
               1;
}
