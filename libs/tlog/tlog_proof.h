/* tlog_proof - the receipt of one entry: all that is needed to verify it off line
 * (c2sp.org/tlog-proof, files named .tlog-proof).
 *
 *     c2sp.org/tlog-proof@v1
 *     extra dGVuYW50...          may be left out; in no signature
 *     index 3
 *     xhd2...                    the hashes of the inclusion proof, from the leaf upward
 *
 *     audit.example              a checkpoint, as it was published
 *     ...
 *
 * Safe on any thread.
 */

#ifndef LIBS_TLOG_TLOG_PROOF_H_
#define LIBS_TLOG_TLOG_PROOF_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/bytes.h"
#include "libs/base/status.h"
#include "libs/tlog/checkpoint.h"
#include "libs/tlog/merkle.h"

#include <stdint.h>

struct tlog_proof {
    bytes extra; /* data is NULL when there is none */
    uint64_t index;
    struct merkle_path path;
    bytes checkpoint; /* a signed note */
};

/* In arena.  The checkpoint is borrowed no longer than that takes. */
bytes tlog_proof_encode(struct arena *arena, const struct tlog_proof *proof) NONNULL;

/* The checkpoint points into data.  INVALID_ARGUMENT: it is no proof bundle. */
status tlog_proof_parse(struct arena *arena, bytes data, struct tlog_proof *ret_proof) NONNULL;

/* That leaf is in the log of the verifier's name, as of a checkpoint it has signed, which is
 * returned.  Fails as checkpoint_open(); DATA_LOSS: the proof does not lead from leaf to the root.
 */
status tlog_proof_verify(struct arena *arena, const struct tlog_proof *proof, bytes leaf,
                         const struct note_verifier *verifier, struct checkpoint *ret_checkpoint)
    NONNULL;

#endif
