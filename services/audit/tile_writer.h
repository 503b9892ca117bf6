/* tile_writer - takes leaves into the tiles of a log.
 *
 * Writes the entry bundles and tiles that are other at the new size than at the old: the full ones,
 * and the partial ones at the right edge.  A file that a published checkpoint needs is never
 * touched; those that are written may be left of an attempt that failed, and are made anew, and
 * what else such an attempt has left is removed.  All is written first and synced then, file by
 * file and folder by folder, so that the disk has much to do at once.
 *
 * Used by one thread at a time.
 */

#ifndef SERVICES_AUDIT_TILE_WRITER_H_
#define SERVICES_AUDIT_TILE_WRITER_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/bytes.h"
#include "libs/base/files.h"
#include "libs/base/status.h"
#include "libs/tlog/tile_edge.h"

#include <stddef.h>
#include <stdint.h>

/* 32 bundles and 32 tiles, and the partial ones: some 80 files are open at once. */
enum { TILE_WRITER_MAX_LEAVES = 8192 };

/* Takes n leaves, at most TILE_WRITER_MAX_LEAVES, behind those of edge, which becomes that of the
 * larger log; durable on return.  After an error edge must not be used any more, and the log is as
 * before.  RESOURCE_EXHAUSTED: the disk is full.  DATA_LOSS: the last bundle is not as it was
 * written. */
status tile_writer_add(struct files *files, struct arena *arena, struct tile_edge *edge,
                       const bytes *leaves, size_t n_leaves) NONNULL;

/* Removes the partial files of tiles that are full at new_size and were not at old_size.  What
 * cannot be removed stays and does no harm. */
void tile_writer_remove_partials(struct files *files, struct arena *arena, uint64_t old_size,
                                 uint64_t new_size) NONNULL;

#endif
