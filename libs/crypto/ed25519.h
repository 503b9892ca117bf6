/* ed25519 - signatures of 64 bytes with keys of 32 (RFC 8032, pure Ed25519).
 *
 * Signs the checkpoints of the audit log.  A key is a plain struct of its seed and its public
 * half: whoever makes one wipes it.
 *
 * Safe on any thread.
 */

#ifndef LIBS_CRYPTO_ED25519_H_
#define LIBS_CRYPTO_ED25519_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/bytes.h"
#include "libs/base/random.h"
#include "libs/base/status.h"

#include <stdbool.h>
#include <stdint.h>

enum { ED25519_SEED_SIZE = 32, ED25519_PUBLIC_SIZE = 32, ED25519_SIGNATURE_SIZE = 64 };

struct ed25519_key {
    uint8_t seed[ED25519_SEED_SIZE]; /* the secret: all there is to keep */
    uint8_t public_key[ED25519_PUBLIC_SIZE];
};

/* The caller wipes the key when it is no longer needed: ed25519_wipe().
 * INTERNAL: libcrypto refuses, as it does when it has no memory; true of all that follow. */
status ed25519_generate(struct arena *arena, const struct random_source *random,
                        struct ed25519_key *ret_key) NONNULL;

/* The key that has this seed. */
status ed25519_from_seed(struct arena *arena, const uint8_t seed[ED25519_SEED_SIZE],
                         struct ed25519_key *ret_key) NONNULL;

void ed25519_wipe(struct ed25519_key *key) NONNULL;

status ed25519_sign(struct arena *arena, const struct ed25519_key *key, bytes message,
                    uint8_t ret_signature[ED25519_SIGNATURE_SIZE]) NONNULL;

/* Whether who holds the key has signed message.  No, too, for a public key that is none and a
 * signature of another length. */
bool ed25519_verify(const uint8_t public_key[ED25519_PUBLIC_SIZE], bytes message, bytes signature)
    NONNULL;

#endif
