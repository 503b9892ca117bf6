/* tile_edge - the right edge of a log: the tiles that still grow, in memory.
 *
 *     level 1   [r0 r1 r2             ]   each the root of a full tile of level 0
 *     level 0   [h0 h1 h2 ... h111    ]   <- the next leaf
 *
 * Adding a leaf fills at most one tile per level; each full one is given to a sink, and its root
 * goes into the level above.  The root of the whole log comes from the edge alone, so whoever
 * writes or verifies a log goes through it once and needs 64 KiB.
 *
 * Used by one thread at a time.
 */

#ifndef LIBS_TLOG_TILE_EDGE_H_
#define LIBS_TLOG_TILE_EDGE_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/status.h"
#include "libs/crypto/sha256.h"
#include "libs/tlog/tile.h"

#include <stdint.h>

struct tile_edge {
    uint64_t size; /* leaves */
    struct sha256 hashes[TILE_LEVELS][TILE_WIDTH];
};

/* Who takes the tiles that are full; a struct that begins with this one. */
struct tile_sink {
    status (*full)(struct tile_sink *sink, struct arena *arena, const struct tile *tile,
                   const struct sha256 *hashes);
};

/* Of the log with no leaf. */
void tile_edge_init(struct tile_edge *edge) NONNULL;

/* Fails as the sink does; then the edge must not be used any more. */
status tile_edge_add(struct tile_edge *edge, struct arena *arena, const struct sha256 *leaf,
                     struct tile_sink *sink) NONNULL;

struct sha256 tile_edge_root(const struct tile_edge *edge) NONNULL;

#endif
