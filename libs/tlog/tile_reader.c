#include "libs/tlog/tile_reader.h"

#include <string.h>

/* The file of the tile, whatever its length.  A partial one may have been removed when the full one
 * was there. */
static status read_file(struct files *files, struct arena *arena, const struct tile *tile,
                        size_t limit, const char **ret_name, bytes *ret_data)
{
    *ret_name = tile_path(arena, tile);
    status s = files_read(files, arena, *ret_name, limit, ret_data);
    if (s.code == STATUS_NOT_FOUND && tile->width < TILE_WIDTH) {
        const char *full = tile_full_path(arena, tile);
        s = files_read(files, arena, full, limit, ret_data);
        *ret_name = s.code == STATUS_NOT_FOUND ? *ret_name : full;
    }
    if (s.code == STATUS_NOT_FOUND) {
        return status_error(arena, STATUS_DATA_LOSS, "%s: is missing", *ret_name);
    }
    if (s.code == STATUS_RESOURCE_EXHAUSTED) {
        return status_error(arena, STATUS_DATA_LOSS, "%s: is too long", *ret_name);
    }
    return s;
}

status tile_read(struct files *files, struct arena *arena, uint64_t size, const struct tile *tile,
                 const struct sha256 **ret_hashes)
{
    const struct tile at = { tile->level, tile->n, tile_width(size, tile->level, tile->n) };
    const char *name;
    bytes data;

    TRY(read_file(files, arena, &at, sizeof(struct sha256[TILE_WIDTH]), &name, &data));
    if (data.size != at.width * sizeof(struct sha256) &&
        data.size != sizeof(struct sha256[TILE_WIDTH])) {
        return status_error(arena, STATUS_DATA_LOSS, "%s: has %zu bytes, not %zu", name, data.size,
                            at.width * sizeof(struct sha256));
    }
    *ret_hashes = (const struct sha256 *)data.data;
    return status_ok();
}

bool tile_bundle_parse(bytes data, unsigned width, struct tile_bundle *ret_bundle)
{
    for (unsigned i = 0; i < width; i++) {
        if (!bundle_next(&data, &ret_bundle->entries[i])) {
            return false;
        }
    }
    ret_bundle->n_entries = width;
    return data.size == 0;
}

status tile_read_bundle(struct files *files, struct arena *arena, uint64_t size, uint64_t n,
                        struct tile_bundle *ret_bundle)
{
    const struct tile at = { TILE_ENTRIES, n, tile_width(size, TILE_ENTRIES, n) };
    const char *name;
    bytes data;

    TRY(read_file(files, arena, &at, TILE_MAX_BUNDLE_BYTES, &name, &data));
    if (tile_bundle_parse(data, at.width, ret_bundle)) {
        return status_ok();
    }
    if (tile_bundle_parse(data, TILE_WIDTH, ret_bundle)) { /* the full one in its place */
        ret_bundle->n_entries = at.width;
        return status_ok();
    }
    return status_error(arena, STATUS_DATA_LOSS, "%s: is not a bundle of %u entries", name,
                        at.width);
}

status tile_read_edge(struct files *files, struct arena *arena, uint64_t size,
                      struct tile_edge *ret_edge)
{
    for (int level = 0; level < TILE_LEVELS; level++) {
        const struct tile tile = {
            .level = level,
            .n = tile_level_size(size, level) >> TILE_HEIGHT,
        };
        unsigned width = tile_width(size, level, tile.n);
        const struct sha256 *hashes;
        if (width > 0) {
            TRY(tile_read(files, arena, size, &tile, &hashes));
            memcpy(ret_edge->hashes[level], hashes, width * sizeof *hashes);
        }
    }
    ret_edge->size = size;
    return status_ok();
}

/* A subtree lies in one tile: its leaves are hashes of the level below it that has tiles. */
static status read_node(struct merkle_nodes *nodes, struct arena *arena, unsigned level,
                        uint64_t index, struct sha256 *ret_hash)
{
    const struct tile_nodes *self = (const struct tile_nodes *)nodes;
    unsigned height = level % TILE_HEIGHT;
    uint64_t first = index << height;
    const struct tile tile = {
        .level = (int)(level / TILE_HEIGHT),
        .n = first >> TILE_HEIGHT,
    };
    const struct sha256 *hashes;

    TRY(tile_read(self->files, arena, self->size, &tile, &hashes));
    *ret_hash = merkle_root(hashes + first % TILE_WIDTH, (size_t)1 << height);
    return status_ok();
}

void tile_nodes_init(struct tile_nodes *self, struct files *files, uint64_t size)
{
    *self = (struct tile_nodes){ .nodes = { .node = read_node }, .files = files, .size = size };
}
