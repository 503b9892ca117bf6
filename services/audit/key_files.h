/* key_files - the secrets of the audit service, each in a file of mode 0600.
 *
 *     signing_key     signs the checkpoints: "PRIVATE+KEY+name+hash+key" (libs/tlog/note.h)
 *     verifier_key    its public half, for people and programs: "name+hash+key"
 *     master_key      wraps the keys of data subjects: 64 hex digits
 *
 * Each is made when it is needed first, and never silently again: a log that was signed with a lost
 * key, or data keys that were wrapped with one, are a fault that is said, not a reason for a new
 * key. Who backs up the log backs up these; without the master key nobody reads an event any more.
 */

#ifndef SERVICES_AUDIT_KEY_FILES_H_
#define SERVICES_AUDIT_KEY_FILES_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/files.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/crypto/aead.h"
#include "libs/tlog/note.h"

#include <stdbool.h>

struct key_files {
    struct files *files;                /* of the folder of the keys */
    const struct random_source *random; /* what new keys are made of */
    bool make;                          /* whether one that is missing may be made: nothing was
                                           signed or wrapped with it yet */
};

/* The key of the log of this name; the caller wipes it: note_signer_wipe().
 * FAILED_PRECONDITION: it is missing and may not be made, or it is of another log.
 * DATA_LOSS: the file is no key.  UNAVAILABLE and RESOURCE_EXHAUSTED as files. */
status key_files_signer(const struct key_files *self, struct arena *arena, const char *name,
                        struct note_signer *ret_signer) NONNULL;

/* The caller wipes it: aead_wipe().  Fails likewise. */
status key_files_master(const struct key_files *self, struct arena *arena,
                        struct aead_key *ret_master) NONNULL;

#endif
