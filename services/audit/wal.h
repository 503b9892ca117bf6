/* wal - the leaves that are durable but not yet in tiles.
 *
 * Tiles are written some times a second; an append must be durable at once.  So leaves first go, a
 * batch at a time, to the end of a file, and one sync later they are safe:
 *
 *     .state/wal.00000000000000001024      the first leaf in it is number 1024
 *
 *         size of the batch     4 bytes, big-endian
 *         SHA-256               of the number of the batch's first leaf, 8 bytes, and the batch
 *         the batch             as an entry bundle: each leaf with its size in 2 bytes before it
 *
 * A file is never continued after something went wrong with it.  A batch that may be torn stays
 * where it is, and the next one begins a new file under the number that is free: what stands in an
 * older file from that number on does not count.  So no write ever goes over another, and a sync
 * that failed is not asked again (its pages may be lost though a second one says OK).
 *
 * Used by one thread at a time, but for wal_drop().
 */

#ifndef SERVICES_AUDIT_WAL_H_
#define SERVICES_AUDIT_WAL_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/bytes.h"
#include "libs/base/files.h"
#include "libs/base/status.h"

#include <stddef.h>
#include <stdint.h>

#define WAL_FOLDER ".state"

enum {
    /* What is waiting for its tiles is bounded by the log to a quarter of this. */
    WAL_MAX_FILE_BYTES = 1 << 28,
};

struct wal {
    struct files *files;
    struct file *file; /* NULL: the next batch begins a new one */
    uint64_t offset;   /* its end */
};

/* Who takes the leaves that are replayed; a struct that begins with this one. */
struct wal_sink {
    void (*leaf)(struct wal_sink *sink, bytes leaf);
};

/* Borrows files. */
void wal_init(struct wal *self, struct files *files) NONNULL;
void wal_reset(struct wal *self) NONNULL;

/* Gives sink the leaves from number `from` on, and ends where the last whole batch ends.
 * DATA_LOSS: some leaves between are missing. */
status wal_replay(struct files *files, struct arena *arena, uint64_t from, struct wal_sink *sink)
    NONNULL;

/* Appends a batch whose first leaf is number `first`; it is durable on return.  After an error none
 * of it counts.  RESOURCE_EXHAUSTED: the disk is full. */
status wal_append(struct wal *self, struct arena *arena, uint64_t first, bytes batch) NONNULL;

/* The next batch begins a new file, so that the present one can be dropped some time. */
void wal_rotate(struct wal *self) NONNULL;

/* Removes the files whose leaves are all numbered below `before` and that others have followed.
 * Safe while another thread appends. */
status wal_drop(struct files *files, struct arena *arena, uint64_t before) NONNULL;

#endif
