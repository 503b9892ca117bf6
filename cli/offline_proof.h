/* offline_proof - what can be known of the audit log from files alone: no mesh, no network.
 *
 * A proof is a folder, as `weft audit get EVENT_ID --save FOLDER` writes it:
 *
 *     leaf                 the entry as it stands in the log (ciphertext)
 *     proof.tlog-proof     inclusion proof and signed checkpoint (c2sp.org/tlog-proof)
 *     vkey                 the verifier's key; keep one of your own, and compare
 *     older-checkpoint     when there is one: an earlier checkpoint, and
 *     consistency          the hashes, hex, a line each, that the log only grew since
 */

#ifndef CLI_OFFLINE_PROOF_H_
#define CLI_OFFLINE_PROOF_H_

#include "cli/output.h"
#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/bytes.h"
#include "libs/base/status.h"

#include <stddef.h>

struct offline_proof {
    bytes leaf;
    bytes bundle;
    bytes verifier_key;
    bytes older_checkpoint; /* data is NULL when there is none */
    const bytes *consistency;
    size_t n_consistency;
};

status offline_proof_save(struct arena *arena, const char *folder,
                          const struct offline_proof *proof) NONNULL;

/* Verifies inclusion and, when there is an older checkpoint, consistency; a row for each.
 * DATA_LOSS names the file that is not what it should be. */
status offline_proof_verify(struct arena *arena, const char *folder, struct output *output) NONNULL;

/* Verifies all files of a log: folder has checkpoint and tile/.  A row for each fault; DATA_LOSS
 * when there is one.  older may be empty. */
status offline_log_verify(struct arena *arena, const char *folder, bytes verifier_key, bytes older,
                          struct output *output) NONNULL;

#endif
