/* audit_leaf - an event as it stands in the audit log: sealed.
 *
 *     version     1 byte, 1
 *     key id      16 bytes: whose key opens it
 *     sealed      nonce, key commitment, ciphertext, tag (libs/crypto/aead.h)
 *
 * The log may be public, and it never forgets; so what is in it is noise without the key of its
 * data subject, and when that is destroyed it stays noise, in its place and provably so.
 *
 * Who is shown one event gets the key of that one leaf (audit_leaf_text_key()), with which anybody
 * may see that the leaf, whose inclusion the proof bundle proves, says what it is said to say.
 *
 * Safe on any thread.
 */

#ifndef LIBS_AUDIT_AUDIT_LEAF_H_
#define LIBS_AUDIT_AUDIT_LEAF_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/bytes.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/crypto/aead.h"

#include <stdint.h>

enum {
    AUDIT_KEY_ID_SIZE = 16,
    AUDIT_LEAF_OVERHEAD = 1 + AUDIT_KEY_ID_SIZE + AEAD_OVERHEAD,
    /* An entry bundle holds no larger leaf (libs/tlog/tile.h: 65,535 bytes). */
    AUDIT_LEAF_MAX_TEXT = 65535 - AUDIT_LEAF_OVERHEAD,
};

struct audit_key_id {
    uint8_t data[AUDIT_KEY_ID_SIZE];
};

/* INVALID_ARGUMENT: text is longer than AUDIT_LEAF_MAX_TEXT. */
status audit_leaf_seal(struct arena *arena, const struct audit_key_id *key_id,
                       const struct aead_key *key, const struct random_source *random, bytes text,
                       bytes *ret_leaf) NONNULL;

/* Whose key opens the leaf.  DATA_LOSS: it is no leaf, or of a version we do not know. */
status audit_leaf_key_id(struct arena *arena, bytes leaf, struct audit_key_id *ret_key_id) NONNULL;

/* The text.  DATA_LOSS: the key is another's, or the leaf has changed. */
status audit_leaf_open(struct arena *arena, const struct aead_key *key, bytes leaf, bytes *ret_text)
    NONNULL;

/* The key of this leaf alone.  DATA_LOSS as above. */
status audit_leaf_text_key(struct arena *arena, const struct aead_key *key, bytes leaf,
                           struct aead_key *ret_text_key) NONNULL;
/* The text, by the key of this leaf alone. */
status audit_leaf_open_text(struct arena *arena, const struct aead_key *text_key, bytes leaf,
                            bytes *ret_text) NONNULL;

#endif
