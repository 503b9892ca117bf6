#include "libs/tlog/tile_edge.h"

#include "libs/tlog/merkle.h"

void tile_edge_init(struct tile_edge *edge)
{
    edge->size = 0; /* the hashes are read only as far as the size goes */
}

status tile_edge_add(struct tile_edge *edge, struct arena *arena, const struct sha256 *leaf,
                     struct tile_sink *sink)
{
    struct sha256 hash = *leaf;
    uint64_t n = edge->size++; /* where the hash goes in its level */

    for (int level = 0; level < TILE_LEVELS; level++, n >>= TILE_HEIGHT) {
        edge->hashes[level][n % TILE_WIDTH] = hash;
        if (n % TILE_WIDTH != TILE_WIDTH - 1) {
            break;
        }
        const struct tile tile = { .level = level, .n = n >> TILE_HEIGHT, .width = TILE_WIDTH };
        TRY(sink->full(sink, arena, &tile, edge->hashes[level]));
        hash = merkle_root(edge->hashes[level], TILE_WIDTH);
    }
    return status_ok();
}

struct sha256 tile_edge_root(const struct tile_edge *edge)
{
    struct sha256 root = merkle_empty_root();
    bool empty = true;

    /* From the right, where the subtrees are smallest: each bit of the size is one. */
    for (int level = 0; level < TILE_LEVELS; level++) {
        size_t width = (size_t)(tile_level_size(edge->size, level) % TILE_WIDTH);
        while (width > 0) {
            size_t n = width & -width;
            width -= n;
            struct sha256 subtree = merkle_root(&edge->hashes[level][width], n);
            root = empty ? subtree : merkle_node_hash(&subtree, &root);
            empty = false;
        }
    }
    return root;
}
