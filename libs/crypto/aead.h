/* aead - text sealed under a key, so that without the key it is noise, and under no other key text.
 *
 * AES-256-GCM with key commitment.  GCM alone does not commit to its key: one ciphertext can be
 * made that opens to two texts under two keys, and then a record in an audit log could be shown
 * to say either.  So a sealed text carries a commitment to its key, checked before it is opened.
 *
 *     nonce        32 random bytes
 *     commitment   32 bytes: HMAC-SHA-256 of a fixed label under a key derived from key and nonce
 *     ciphertext   as long as the text
 *     tag          16 bytes
 *
 * Each text has a key of its own, extracted from key and nonce by HKDF (RFC 5869, the nonce its
 * salt), and from that come the key for encryption and the one for the commitment.  So the
 * initialisation vector of GCM may be a constant, and random nonces do not collide: with GCM's own
 * 96 bits, a key would be worn out after 2^32 texts (NIST SP 800-38D, 8.3).  This is the
 * construction of the AWS Encryption SDK's committing suites.
 *
 * Destroying the key destroys the text: that is how the audit log forgets.
 *
 * Safe on any thread.
 */

#ifndef LIBS_CRYPTO_AEAD_H_
#define LIBS_CRYPTO_AEAD_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/bytes.h"
#include "libs/base/random.h"
#include "libs/base/status.h"

#include <stdint.h>

enum {
    AEAD_KEY_SIZE = 32,
    AEAD_NONCE_SIZE = 32,
    AEAD_COMMITMENT_SIZE = 32,
    AEAD_TAG_SIZE = 16,
    AEAD_OVERHEAD = AEAD_NONCE_SIZE + AEAD_COMMITMENT_SIZE + AEAD_TAG_SIZE,
    /* The interface of libcrypto takes an int; nothing of ours is near 1 GiB. */
    AEAD_MAX_TEXT = 1 << 30,
};

struct aead_key {
    uint8_t data[AEAD_KEY_SIZE];
};

/* The caller wipes the key: aead_wipe(). */
void aead_generate(const struct random_source *random, struct aead_key *ret_key) NONNULL;
void aead_wipe(struct aead_key *key) NONNULL;

/* Seals text, in arena.  Context is not part of the result but must be the same to open it: it
 * says where the sealed text belongs, so that it cannot be moved to another place.
 * INVALID_ARGUMENT: text or context is longer than AEAD_MAX_TEXT.  INTERNAL: libcrypto refuses. */
status aead_seal(struct arena *arena, const struct aead_key *key,
                 const struct random_source *random, bytes context, bytes text, bytes *ret_sealed)
    NONNULL;

/* The text, in arena.  DATA_LOSS: it was sealed under another key or with another context, or it
 * has changed since. */
status aead_open(struct arena *arena, const struct aead_key *key, bytes context, bytes sealed,
                 bytes *ret_text) NONNULL;

/* The key of this one text: with it, and nothing else, a third party can be shown that the text is
 * what was sealed, while all others under the same key stay closed.  DATA_LOSS: not sealed under
 * this key. */
status aead_text_key(struct arena *arena, const struct aead_key *key, bytes sealed,
                     struct aead_key *ret_text_key) NONNULL;

/* As aead_open(), by the key of the one text. */
status aead_open_text(struct arena *arena, const struct aead_key *text_key, bytes context,
                      bytes sealed, bytes *ret_text) NONNULL;

#endif
