/* tile_reader - tiles, entries and proofs out of a log's files.
 *
 * All are asked for as of a size, that of a checkpoint which has been published: a tile that is
 * partial at that size is read from its own file or, when that was removed since, from the full
 * one.  Nothing is verified but lengths: who does not trust the files verifies a proof, or the
 * whole log (libs/tlog/log_verify.h).
 *
 * DATA_LOSS: a file is missing or of a wrong length; the message begins with its name.
 * UNAVAILABLE: it cannot be read.  Safe on any thread.
 */

#ifndef LIBS_TLOG_TILE_READER_H_
#define LIBS_TLOG_TILE_READER_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/bytes.h"
#include "libs/base/files.h"
#include "libs/base/status.h"
#include "libs/tlog/merkle.h"
#include "libs/tlog/tile.h"
#include "libs/tlog/tile_edge.h"

#include <stdint.h>

/* The hashes of tile n of level in a log of this size, in arena: tile_width() many. */
status tile_read(struct files *files, struct arena *arena, uint64_t size, const struct tile *tile,
                 const struct sha256 **ret_hashes) NONNULL;

struct tile_bundle {
    bytes entries[TILE_WIDTH];
    unsigned n_entries;
};

/* Parses a bundle that must have exactly width entries; false when it has not. */
bool tile_bundle_parse(bytes data, unsigned width, struct tile_bundle *ret_bundle) NONNULL;
/* Bundle n of a log of this size; entries are in arena. */
status tile_read_bundle(struct files *files, struct arena *arena, uint64_t size, uint64_t n,
                        struct tile_bundle *ret_bundle) NONNULL;

/* The tiles at the right edge. */
status tile_read_edge(struct files *files, struct arena *arena, uint64_t size,
                      struct tile_edge *ret_edge) NONNULL;

/* For merkle_prove_inclusion() and merkle_prove_consistency() up to size. */
struct tile_nodes {
    struct merkle_nodes nodes; /* what is passed in */
    struct files *files;
    uint64_t size;
};

/* Borrows files. */
void tile_nodes_init(struct tile_nodes *self, struct files *files, uint64_t size) NONNULL;

#endif
