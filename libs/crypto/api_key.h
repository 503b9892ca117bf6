/* api_key - keys that people and programs paste into configuration, and what is kept of them.
 *
 *     weft_sa_4tm2x09kq7vhd3gy_1n8ZkQ...32 characters...rT0b3fJw
 *     |    |  |                |                          ^ checksum: CRC-32 of all before it, in
 *     |    |  |                |                            6 digits of base 62
 *     |    |  |                ^ secret: 32 digits of base 62, 190 bits
 *     |    |  ^ id: 16 digits of Crockford's base 32, 80 bits; public: lists and logs show it
 *     |    ^ purpose: what it opens, 2 to 12 letters: "sa" a service account, "join" the mesh
 *     ^ so that secret scanners find it; one word for a double click
 *
 *     weft_[a-z]{2,12}_[0-9a-hjkmnp-tv-z]{16}_[0-9A-Za-z]{38}
 *
 * The checksum tells a scanner, off line, that this is one of ours, and tells a person that a
 * character was lost, before anybody is asked.  It is no protection: everybody can compute it.
 *
 * What is stored is the id and a hash of the whole under a key of the server's own (the pepper),
 * which is not in the same database.  A hash without salt and iterations is enough: nobody
 * guesses 190 bits, and the id finds the row, so only one comparison is made, in constant time.
 *
 * Safe on any thread.
 */

#ifndef LIBS_CRYPTO_API_KEY_H_
#define LIBS_CRYPTO_API_KEY_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/bytes.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/crypto/sha256.h"

enum {
    API_KEY_ID_CHARS = 16,
    API_KEY_SECRET_CHARS = 32,
    API_KEY_CHECKSUM_CHARS = 6,
    API_KEY_PURPOSE_MIN_CHARS = 2,
    API_KEY_PURPOSE_MAX_CHARS = 12,
    API_KEY_PEPPER_BYTES = 32,
    /* "weft_", purpose, "_", id, "_", secret and checksum */
    API_KEY_MAX_BYTES = 5 + 12 + 1 + 16 + 1 + 32 + 6,
};

/* Of the server's; wiped by its owner. */
struct api_key_pepper {
    uint8_t data[API_KEY_PEPPER_BYTES];
};

/* What of a key is public, in the arena it was made in. */
struct api_key {
    const char *purpose;
    const char *id;
};

/* A new key for a purpose, which is ours and well formed.  Returns its text: secret, shown once,
 * wiped with its arena. */
const char *api_key_generate(struct arena *arena, const struct random_source *random,
                             const char *purpose, struct api_key *ret_key) NONNULL RETURNS_NONNULL;

/* What a text says it is.  That it is well formed says nothing of whether it exists.
 * INVALID_ARGUMENT: it is no key, and the message says in what; nothing of the text is in it. */
status api_key_parse(struct arena *arena, bytes text, struct api_key *ret_key) NONNULL_ARGS(1, 3);

/* What is stored, and compared by sha256_equal(). */
struct sha256 api_key_hash(const struct api_key_pepper *pepper, bytes text) NONNULL_ARGS(1);

#endif
