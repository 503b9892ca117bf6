/* note - a text and who has signed it (c2sp.org/signed-note).
 *
 *     This is an example message.              the text, which ends in a newline
 *                                              a blank line, in no signature
 *     — example.com/foo Uw2QOkn8srV1yJGh...    name, base64(key id, signature)
 *
 * Keys are written as one line: the verifier's "name+hash+key" may be published, the signer's
 * begins with PRIVATE+KEY.  Both are as Go's tools for notes read and write them.  Ed25519 alone is
 * signed and verified here; signatures of other kinds are left standing.
 *
 * Safe on any thread.
 */

#ifndef LIBS_TLOG_NOTE_H_
#define LIBS_TLOG_NOTE_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/bytes.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/crypto/ed25519.h"

#include <stddef.h>
#include <stdint.h>

enum {
    NOTE_MAX_BYTES = 1000000,   /* as Go's reader; a checkpoint has some 200 */
    NOTE_MAX_SIGNATURES = 100,  /* as Go's reader; the specification asks for at least 16 */
    NOTE_MAX_NAME_BYTES = 1000, /* no limit is specified; an error message holds a name whole */
};

struct note_signature {
    const char *name;
    uint32_t key_id;
    bytes signature; /* without the key id */
};

struct note {
    bytes text; /* its final newline included */
    const struct note_signature *signatures;
    size_t n_signatures;
};

/* Who can check signatures by name. */
struct note_verifier {
    const char *name;
    uint32_t key_id;
    uint8_t public_key[ED25519_PUBLIC_SIZE];
};

/* Who can make them.  Holds a secret: note_signer_wipe(). */
struct note_signer {
    const char *name;
    uint32_t key_id;
    struct ed25519_key key;
};

/* ---- Keys ---- */

/* A new key under name, which is copied to arena.  INVALID_ARGUMENT: a name is not empty, and has
 * no space and no '+'. */
status note_signer_generate(struct arena *arena, const struct random_source *random,
                            const char *name, struct note_signer *ret_signer) NONNULL;
/* "PRIVATE+KEY+name+hash+key", without or with a newline at its end. */
status note_signer_parse(struct arena *arena, bytes text, struct note_signer *ret_signer) NONNULL;
/* With a newline. */
const char *note_signer_format(struct arena *arena, const struct note_signer *signer)
    NONNULL RETURNS_NONNULL;
void note_signer_wipe(struct note_signer *signer) NONNULL;

/* Shares the signer's name. */
struct note_verifier note_signer_verifier(const struct note_signer *signer) NONNULL;
/* "name+hash+key". */
status note_verifier_parse(struct arena *arena, bytes text, struct note_verifier *ret_verifier)
    NONNULL;
const char *note_verifier_format(struct arena *arena, const struct note_verifier *verifier)
    NONNULL RETURNS_NONNULL;

/* ---- Notes ---- */

/* Parses without verifying.  What is returned points into data.  INVALID_ARGUMENT: it is no note.
 */
status note_parse(struct arena *arena, bytes data, struct note *ret_note) NONNULL;

/* Parses, and requires a signature by the verifier, which must verify; those of others are not
 * looked at.  INVALID_ARGUMENT as above; DATA_LOSS: it has no such signature, or a wrong one. */
status note_open(struct arena *arena, bytes data, const struct note_verifier *verifier,
                 struct note *ret_note) NONNULL;

/* text ends in a newline.  Fails as ed25519_sign(); INVALID_ARGUMENT: text cannot be that of a
 * note. */
status note_sign(struct arena *arena, bytes text, const struct note_signer *signer, bytes *ret_note)
    NONNULL;

#endif
