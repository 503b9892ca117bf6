/* audit_log - a transparency log on disk, with one writer.
 *
 * What lies in the folder is the log that anybody may read and verify (c2sp.org/tlog-tiles), and
 * beside it, below .state/, what is durable but not yet in tiles:
 *
 *     append --> write-ahead file --fsync--> durable: the caller has its index
 *                      |
 *                integrate, at most a second later
 *                      |
 *                bundles, tiles --fsync--> checkpoint, signed: rename --> integrated
 *
 * Appends that come at the same time share a write and a sync: whoever finds nobody writing writes
 * for all that wait, so batches grow with the load and nobody waits for a timer.
 *
 * Promises.  A leaf whose append has returned OK is in the log under its index, whatever crashes.
 * One that failed may be in it or not.  A checkpoint is signed only over leaves that are durable,
 * and published (written, synced, renamed, its folder synced) only when all its tiles are; so every
 * checkpoint that was ever published is the beginning of every later one.  A log whose files
 * contradict its checkpoint is not opened.
 *
 * When the disk is full, appends are RESOURCE_EXHAUSTED, reading goes on, and the first append that
 * finds room again succeeds.
 *
 * Two writers on one log would sign two histories.  Whoever opens one holds the lock of its folder
 * (libs/base/lock_file.h); and a writer that finds on disk a checkpoint that it has not published
 * publishes nothing any more.
 *
 * Safe on any thread.
 */

#ifndef SERVICES_AUDIT_AUDIT_LOG_H_
#define SERVICES_AUDIT_AUDIT_LOG_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/bytes.h"
#include "libs/base/clock.h"
#include "libs/base/files.h"
#include "libs/base/status.h"
#include "libs/tlog/checkpoint.h"

#include <stddef.h>
#include <stdint.h>

enum {
    /* Waiting for their tiles: three seconds' worth at 20,000 a second.  More would only grow
     * when the disk cannot follow, and the memory with it. */
    AUDIT_LOG_MAX_PENDING_LEAVES = 65536,
    AUDIT_LOG_MAX_PENDING_BYTES = 64 << 20,
    /* Of one append.  As many as a request may have (protos/weft/audit/v1). */
    AUDIT_LOG_MAX_BATCH = 1000,
};

struct audit_log;

struct audit_log_options {
    struct files *files;              /* required; borrowed, and must outlive the log */
    const struct note_signer *signer; /* required; borrowed: its name is the log's */
    const struct clock *clock;        /* required; borrowed */
    int64_t integrate_ms;             /* how long a leaf may wait; 0 means 500, so that with the
                                         work itself it stays below a second */
};

/* Opens the log, or makes an empty one.  The caller owns it: audit_log_close().
 *
 * What a crash left in the write-ahead file is taken into tiles, unless the disk is full.
 * DATA_LOSS: the files are not what the checkpoint says, or it is signed with another key.
 * UNAVAILABLE: they cannot be read. */
status audit_log_open(const struct audit_log_options *options, struct arena *arena,
                      struct audit_log **ret_log) NONNULL;
/* NULL is allowed.  Integrates nothing: what is durable is found at the next open. */
void audit_log_close(struct audit_log *log);

/* ---- Writing ---- */

/* Appends the leaves one behind the other, all or none; they are durable on return.
 * INVALID_ARGUMENT: more than AUDIT_LOG_MAX_BATCH, or one is longer than TILE_MAX_ENTRY_BYTES.
 * RESOURCE_EXHAUSTED: the disk is full, or too much waits for its tiles. */
status audit_log_append(struct audit_log *log, struct arena *arena, const bytes *leaves,
                        size_t n_leaves, uint64_t *ret_first) NONNULL;

/* Takes everything durable into tiles and publishes the checkpoint over it.  Fails as the files do;
 * then the log is as before, and may be asked again.  FAILED_PRECONDITION: somebody else has
 * published a checkpoint. */
status audit_log_integrate(struct audit_log *log, struct arena *arena) NONNULL;

/* Integrates when some leaf has waited long enough.  *ret_wait_ms: call again then, or as soon as
 * something was appended; -1 when nothing waits. */
status audit_log_step(struct audit_log *log, struct arena *arena, int64_t *ret_wait_ms) NONNULL;

/* ---- Reading ---- */

struct audit_log_state {
    uint64_t durable;    /* leaves that will never be lost */
    uint64_t integrated; /* of these, in the checkpoint */
    bytes checkpoint;    /* as published; arena */
};

void audit_log_state(struct audit_log *log, struct arena *arena, struct audit_log_state *ret_state)
    NONNULL;

/* A leaf that is durable, in arena.  OUT_OF_RANGE: there is none of that index. */
status audit_log_read(struct audit_log *log, struct arena *arena, uint64_t index, bytes *ret_leaf)
    NONNULL;

/* Reads many leaves, and a bundle only once when they lie side by side. */
struct audit_log_reader;

/* In arena, and good as long as it. */
struct audit_log_reader *audit_log_reader_new(struct audit_log *log, struct arena *arena)
    NONNULL RETURNS_NONNULL;
/* As audit_log_read(); the leaf is good until the next is read. */
status audit_log_reader_read(struct audit_log_reader *reader, uint64_t index, bytes *ret_leaf)
    NONNULL;

/* The proof bundle of a leaf (libs/tlog/tlog_proof.h), under the newest checkpoint.
 * FAILED_PRECONDITION: it is not integrated yet. */
status audit_log_prove(struct audit_log *log, struct arena *arena, uint64_t index,
                       bytes *ret_bundle) NONNULL;

/* That the log of new_size begins with that of old_size; 0 for new_size is the checkpoint's, which
 * is returned.  OUT_OF_RANGE: not 0 < old_size <= new_size <= the checkpoint's. */
status audit_log_prove_consistency(struct audit_log *log, struct arena *arena, uint64_t old_size,
                                   uint64_t *new_size, struct merkle_path *ret_path) NONNULL;

#endif
