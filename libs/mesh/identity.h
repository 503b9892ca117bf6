/* identity - who this process is in the mesh, in files that gRPC watches.
 *
 * The agent's Workload API says it (SPIFFE), by the kernel's word about the process at the other
 * end of its socket.  What it sends is written, mode 0600, into the process' own folder:
 *
 *     svid.pem     private key, certificate and chain in one file, replaced by rename: gRPC reads
 *                  a key and a certificate one after the other and would see half of a rotation
 *     bundle.pem   the authorities
 *
 * and is used again, unless it has expired, when the process starts while the agent is away or
 * cannot have it signed, or the disk is full.  Not when the agent says no: then whoever runs this
 * is somebody else now.
 */

#ifndef LIBS_MESH_IDENTITY_H_
#define LIBS_MESH_IDENTITY_H_

#include "libs/base/attributes.h"
#include "libs/base/files.h"
#include "libs/base/status.h"
#include "libs/mesh/keeper.h"
#include "libs/mesh/link.h"

#include <stdint.h>

struct identity;

/* Longer than an agent takes that is there, and also starts; shorter than a supervisor waits. */
enum { IDENTITY_FALL_BACK_MS = 5000 };

struct identity_options {
    struct peer *agent;                 /* required; borrowed: the Workload API */
    struct files *files;                /* required; borrowed: where the two files go */
    struct keeper *keeper;              /* required; borrowed; freed before the identity */
    const struct clock *clock;          /* required; borrowed */
    const struct random_source *random; /* required; borrowed */
    struct log *log;                    /* borrowed; may be NULL */
    /* Held while the files are written, where several processes of one workload share them, as
     * command lines do; NULL: they are this process' own.  Borrowed. */
    const char *lock_file;
    /* After so long without the agent's word the files of before are good; 0: never. */
    int64_t fall_back_ms;
};

#define IDENTITY_SVID_FILE   "svid.pem"
#define IDENTITY_BUNDLE_FILE "bundle.pem"

struct identity *identity_new(const struct identity_options *options) NONNULL RETURNS_NONNULL;
void identity_free(struct identity *identity);

/* Waits until the files are there; a SPIFFE ID in arena.  DEADLINE_EXCEEDED: the agent has said
 * nothing good within timeout_ms; the message says what it said last. */
status identity_wait(struct identity *identity, struct arena *arena, int64_t timeout_ms,
                     const char **ret_spiffe_id) NONNULL;

/* Writes the two files from what the Workload API carries: DER chain, PKCS #8, DER bundle. */
status identity_write(struct files *files, struct arena *arena, bytes chain, bytes key,
                      bytes bundle) NONNULL_ARGS(1, 2);

#endif
