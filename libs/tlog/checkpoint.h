/* checkpoint - what a log says it is: its name, its size, its root (c2sp.org/tlog-checkpoint).
 *
 *     audit.example            origin: the name of the log, and of the key that signs
 *     15                       how many leaves
 *     rKbDipCvhuX1GZ7g...      the root over them, base64
 *
 * as the text of a signed note.  Safe on any thread.
 */

#ifndef LIBS_TLOG_CHECKPOINT_H_
#define LIBS_TLOG_CHECKPOINT_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/bytes.h"
#include "libs/base/status.h"
#include "libs/tlog/merkle.h"
#include "libs/tlog/note.h"

struct checkpoint {
    const char *origin;
    struct merkle_tree tree;
};

/* The text of a note: three lines, and others that are not looked at.  INVALID_ARGUMENT: it is no
 * checkpoint; also when its size is 0 and its root not that of the empty tree. */
status checkpoint_parse(struct arena *arena, bytes body, struct checkpoint *ret_checkpoint) NONNULL;

/* A whole checkpoint, signed by the verifier, whose name is its origin.  Fails as note_open() and
 * checkpoint_parse(); DATA_LOSS: it has another origin. */
status checkpoint_open(struct arena *arena, bytes data, const struct note_verifier *verifier,
                       struct checkpoint *ret_checkpoint) NONNULL;

/* The origin is the signer's name.  Fails as note_sign(). */
status checkpoint_sign(struct arena *arena, const struct merkle_tree *tree,
                       const struct note_signer *signer, bytes *ret_data) NONNULL;

#endif
