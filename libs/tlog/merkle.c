#include "libs/tlog/merkle.h"

#include <inttypes.h>

/* ---- Hashes ---- */

struct sha256 merkle_leaf_hash(bytes data)
{
    static const uint8_t prefix[1] = { 0 };

    return sha256_of_parts((const bytes[]){ { prefix, 1 }, data }, 2);
}

struct sha256 merkle_node_hash(const struct sha256 *left, const struct sha256 *right)
{
    static const uint8_t prefix[1] = { 1 };

    return sha256_of_parts(
        (const bytes[]){ { prefix, 1 }, sha256_bytes(left), sha256_bytes(right) }, 3);
}

struct sha256 merkle_empty_root(void)
{
    return sha256_of((bytes){ 0 });
}

/* The largest power of two less than n > 1. */
static uint64_t split(uint64_t n)
{
    return (uint64_t)1 << (63 - __builtin_clzll(n - 1));
}

struct sha256 merkle_root(const struct sha256 *hashes, size_t n)
{
    if (n < 2) {
        return n == 1 ? hashes[0] : merkle_empty_root();
    }
    size_t k = (size_t)split(n);
    struct sha256 left = merkle_root(hashes, k);
    struct sha256 right = merkle_root(hashes + k, n - k);
    return merkle_node_hash(&left, &right);
}

/* ---- Checking proofs ---- */

/* Where a proof has come to: the node's number in its row, and the number of the row's last. */
struct position {
    uint64_t node;
    uint64_t last;
};

/* Whether the next hash of the proof stands left of the node; else it stands right. */
static bool is_right_child(const struct position *at)
{
    return (at->node & 1) != 0 || at->node == at->last;
}

static void go_up(struct position *at)
{
    at->node >>= 1;
    at->last >>= 1;
}

/* A last node without a sibling is its own parent. */
static void skip_lone_rows(struct position *at)
{
    while ((at->node & 1) == 0 && at->node != 0) {
        go_up(at);
    }
}

bool merkle_check_inclusion(uint64_t index, uint64_t size, const struct sha256 *leaf,
                            const struct merkle_path *path, const struct sha256 *root)
{
    if (index >= size) {
        return false;
    }
    struct position at = { .node = index, .last = size - 1 };
    struct sha256 hash = *leaf;
    for (size_t i = 0; i < path->n_hashes; i++) {
        if (at.last == 0) {
            return false;
        }
        if (is_right_child(&at)) {
            hash = merkle_node_hash(&path->hashes[i], &hash);
            skip_lone_rows(&at);
        } else {
            hash = merkle_node_hash(&hash, &path->hashes[i]);
        }
        go_up(&at);
    }
    return at.last == 0 && sha256_equal(&hash, root);
}

/* Both roots, from the hash of the largest perfect subtree that ends where the old tree ends. */
static bool check_from(struct position at, const struct sha256 *start,
                       const struct merkle_path *path, struct sha256 *ret_old,
                       struct sha256 *ret_new)
{
    struct sha256 old_hash = *start;
    struct sha256 new_hash = *start;

    for (size_t i = 0; i < path->n_hashes; i++) {
        if (at.last == 0) {
            return false;
        }
        if (is_right_child(&at)) {
            old_hash = merkle_node_hash(&path->hashes[i], &old_hash);
            new_hash = merkle_node_hash(&path->hashes[i], &new_hash);
            skip_lone_rows(&at);
        } else {
            new_hash = merkle_node_hash(&new_hash, &path->hashes[i]);
        }
        go_up(&at);
    }
    *ret_old = old_hash;
    *ret_new = new_hash;
    return at.last == 0;
}

bool merkle_check_consistency(const struct merkle_tree *old_tree,
                              const struct merkle_tree *new_tree, const struct merkle_path *path)
{
    if (old_tree->size == 0 || old_tree->size > new_tree->size) {
        return false;
    }
    if (old_tree->size == new_tree->size) {
        return path->n_hashes == 0 && sha256_equal(&old_tree->root, &new_tree->root);
    }
    if (path->n_hashes == 0) {
        return false;
    }
    struct position at = { .node = old_tree->size - 1, .last = new_tree->size - 1 };
    while ((at.node & 1) != 0) {
        go_up(&at);
    }
    /* An old tree that is perfect is itself where the proof starts, so it is left out of it. */
    bool perfect = (old_tree->size & (old_tree->size - 1)) == 0;
    size_t skip = perfect ? 0 : 1;
    const struct merkle_path rest = { path->hashes + skip, path->n_hashes - skip };
    struct sha256 old_root;
    struct sha256 new_root;
    return check_from(at, perfect ? &old_tree->root : &path->hashes[0], &rest, &old_root,
                      &new_root) &&
           sha256_equal(&old_root, &old_tree->root) && sha256_equal(&new_root, &new_tree->root);
}

/* ---- Making proofs ---- */

/* Leaves [first, first + n) of a tree, as it splits: first is a multiple of every power of two
 * up to n. */
struct range {
    uint64_t first;
    uint64_t n;
};

static status range_hash(struct merkle_nodes *nodes, struct arena *arena, struct range range,
                         struct sha256 *ret_hash)
{
    struct sha256 hash;
    bool have = false;

    /* From the right edge, where the subtrees are smallest. */
    for (uint64_t end = range.first + range.n; end > range.first;) {
        uint64_t rest = end - range.first;
        unsigned level = (unsigned)__builtin_ctzll(rest);
        struct sha256 subtree;
        end -= (uint64_t)1 << level;
        TRY(nodes->node(nodes, arena, level, end >> level, &subtree));
        hash = have ? merkle_node_hash(&subtree, &hash) : subtree;
        have = true;
    }
    *ret_hash = hash;
    return status_ok();
}

status merkle_tree_root(struct merkle_nodes *nodes, struct arena *arena, uint64_t size,
                        struct sha256 *ret_root)
{
    if (size == 0) {
        *ret_root = merkle_empty_root();
        return status_ok();
    }
    return range_hash(nodes, arena, (struct range){ .n = size }, ret_root);
}

/* The hashes of the ranges, the last first: proofs are found from the root downward and written
 * from the leaf upward. */
static status hash_ranges(struct merkle_nodes *nodes, struct arena *arena,
                          const struct range *ranges, size_t n_ranges, struct merkle_path *ret_path)
{
    struct sha256 *hashes = ARENA_NEW_ARRAY(arena, struct sha256, n_ranges);

    for (size_t i = 0; i < n_ranges; i++) {
        TRY(range_hash(nodes, arena, ranges[n_ranges - 1 - i], &hashes[i]));
    }
    *ret_path = (struct merkle_path){ .hashes = hashes, .n_hashes = n_ranges };
    return status_ok();
}

/* Goes one step from range towards leaf; returns the half that was not taken. */
static struct range step_down(struct range *range, uint64_t leaf)
{
    uint64_t k = split(range->n);
    struct range left = { .first = range->first, .n = k };
    struct range right = { .first = range->first + k, .n = range->n - k };
    bool goes_left = leaf < right.first;

    *range = goes_left ? left : right;
    return goes_left ? right : left;
}

status merkle_prove_inclusion(struct merkle_nodes *nodes, struct arena *arena, uint64_t index,
                              uint64_t size, struct merkle_path *ret_path)
{
    struct range others[MERKLE_MAX_PATH];
    size_t n_others = 0;

    if (index >= size) {
        return status_error(arena, STATUS_OUT_OF_RANGE,
                            "a tree of size %" PRIu64 " has no leaf %" PRIu64, size, index);
    }
    for (struct range range = { .n = size }; range.n > 1;) {
        others[n_others++] = step_down(&range, index);
    }
    return hash_ranges(nodes, arena, others, n_others, ret_path);
}

status merkle_prove_consistency(struct merkle_nodes *nodes, struct arena *arena, uint64_t old_size,
                                uint64_t new_size, struct merkle_path *ret_path)
{
    struct range others[MERKLE_MAX_PATH];
    struct range range = { .n = new_size };
    size_t n_others = 0;

    if (old_size == 0 || old_size > new_size) {
        return status_error(arena, STATUS_OUT_OF_RANGE,
                            "no tree of size %" PRIu64
                            " is the proper beginning of one of %" PRIu64,
                            old_size, new_size);
    }
    /* Down the right edge of the old tree, until a subtree ends where it ends. */
    while (range.first + range.n != old_size) {
        others[n_others++] = step_down(&range, old_size - 1);
    }
    if (range.first > 0) { /* else it is the old tree, whose root the verifier has */
        others[n_others++] = range;
    }
    return hash_ranges(nodes, arena, others, n_others, ret_path);
}
