/* merkle - the hash tree of a transparency log, and its proofs (RFC 6962, section 2.1).
 *
 *     leaf = SHA-256(00 || data)     node = SHA-256(01 || left || right)
 *
 * A tree of n > 1 leaves splits at the largest power of two less than n:
 *
 *              root of 7
 *             /         \
 *         0..3           4..6          "node (2, 0)" is the perfect subtree of 2^2 leaves
 *        /    \         /    \         with number 0: leaves 0..3.  Only perfect ones are
 *     0..1   2..3    4..5     6        stored; those at the right edge are made of them.
 *
 * An inclusion proof is what else must be hashed to get from a leaf to the root; a consistency
 * proof shows that the tree of m leaves is the beginning of the one of n.  Both are at most 64
 * and 65 hashes.
 *
 * Safe on any thread.
 */

#ifndef LIBS_TLOG_MERKLE_H_
#define LIBS_TLOG_MERKLE_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/bytes.h"
#include "libs/base/status.h"
#include "libs/crypto/sha256.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of proofs for trees of up to 2^64 leaves. */
enum { MERKLE_MAX_PATH = 65 };

struct merkle_path {
    const struct sha256 *hashes; /* from the leaf upward */
    size_t n_hashes;
};

/* ---- Hashes ---- */

struct sha256 merkle_leaf_hash(bytes data);
struct sha256 merkle_node_hash(const struct sha256 *left, const struct sha256 *right) NONNULL;
/* The root of the tree with no leaf: SHA-256 of nothing. */
struct sha256 merkle_empty_root(void);
/* The root over n leaf hashes, or over n hashes of perfect subtrees of one size. */
struct sha256 merkle_root(const struct sha256 *hashes, size_t n) NONNULL;

/* ---- Checking proofs: RFC 9162, 2.1.3.2 and 2.1.4.2 ---- */

/* Whether leaf is number index of the tree of size leaves with this root. */
bool merkle_check_inclusion(uint64_t index, uint64_t size, const struct sha256 *leaf,
                            const struct merkle_path *path, const struct sha256 *root) NONNULL;

/* A tree as a checkpoint names it. */
struct merkle_tree {
    uint64_t size;
    struct sha256 root;
};

/* Whether the old tree is the beginning of the new one.  No for an old tree of size 0: it is the
 * beginning of every tree, and a proof of that proves nothing. */
bool merkle_check_consistency(const struct merkle_tree *old_tree,
                              const struct merkle_tree *new_tree, const struct merkle_path *path)
    NONNULL;

/* ---- Making proofs ---- */

/* Who has the hashes of the perfect subtrees; a struct that begins with this one. */
struct merkle_nodes {
    /* The hash over leaves [index * 2^level, (index + 1) * 2^level). */
    status (*node)(struct merkle_nodes *nodes, struct arena *arena, unsigned level, uint64_t index,
                   struct sha256 *ret_hash);
};

/* All three fail as nodes do.  The root of the first size leaves. */
status merkle_tree_root(struct merkle_nodes *nodes, struct arena *arena, uint64_t size,
                        struct sha256 *ret_root) NONNULL;
/* OUT_OF_RANGE unless index < size. */
status merkle_prove_inclusion(struct merkle_nodes *nodes, struct arena *arena, uint64_t index,
                              uint64_t size, struct merkle_path *ret_path) NONNULL;
/* OUT_OF_RANGE unless 0 < old_size <= new_size. */
status merkle_prove_consistency(struct merkle_nodes *nodes, struct arena *arena, uint64_t old_size,
                                uint64_t new_size, struct merkle_path *ret_path) NONNULL;

#endif
