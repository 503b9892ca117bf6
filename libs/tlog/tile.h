/* tile - how a log lies in files (c2sp.org/tlog-tiles).
 *
 *     checkpoint              the last one
 *     tile/0/x001/000         the hashes of leaves 256,000 to 256,255: 256 times 32 bytes
 *     tile/1/003.p/232        232 roots of tiles of level 0, the first of them tile 768
 *     tile/entries/x001/000   the leaves themselves: a bundle
 *
 * Hash i of tile n at level l is the root over leaves [(n * 256 + i) * 256^l, and as many as
 * 256^l). The tile at the right edge is partial: its file's name ends in .p/ and its width.  A tile
 * that is published never changes; a wider one is another file.
 *
 * An entry bundle is up to 256 entries, each with its size in two bytes, big-endian, before it: so
 * an entry is at most 65,535 bytes.
 *
 * Safe on any thread.
 */

#ifndef LIBS_TLOG_TILE_H_
#define LIBS_TLOG_TILE_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/bytes.h"
#include "libs/base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TILE_HEIGHT = 8,
    TILE_WIDTH = 1 << TILE_HEIGHT,
    TILE_LEVELS = 8,     /* 256^8 leaves: more than a size can say */
    TILE_MAX_LEVEL = 63, /* of a path, by the specification */
    TILE_ENTRIES = -1,   /* the level of an entry bundle */
    TILE_MAX_ENTRY_BYTES = 65535,
    TILE_MAX_BUNDLE_BYTES = TILE_WIDTH * (2 + TILE_MAX_ENTRY_BYTES),
};

struct tile {
    int level;      /* or TILE_ENTRIES */
    uint64_t n;     /* from the left */
    unsigned width; /* 1 to 256: how many hashes, or entries */
};

/* The name of the tile's file, from the folder of the log. */
const char *tile_path(struct arena *arena, const struct tile *tile) NONNULL RETURNS_NONNULL;
/* The same without the width: the file of the full tile.  Its partials are below this + ".p/". */
const char *tile_full_path(struct arena *arena, const struct tile *tile) NONNULL RETURNS_NONNULL;
/* Whether path is one; there is one path for each tile. */
bool tile_parse_path(bytes path, struct tile *ret_tile) NONNULL;

/* How many hashes the level has in a log of this size; bundles have those of level 0. */
uint64_t tile_level_size(uint64_t size, int level);
/* How wide tile n of the level is in a log of this size; 0 when it is not there. */
unsigned tile_width(uint64_t size, int level, uint64_t n);

/* ---- Entry bundles ---- */

/* entry has at most TILE_MAX_ENTRY_BYTES. */
void bundle_add(struct text *bundle, bytes entry) NONNULL;
/* Takes the first entry off bundle; false when no whole one is left.  Afterwards bundle is empty
 * unless it was cut off. */
bool bundle_next(bytes *bundle, bytes *ret_entry) NONNULL;

#endif
