/* heap - what comes first, with things that leave from the middle.
 *
 * A binary heap of nodes that live inside other structs.  The smallest key is first; of equal keys,
 * the one put first.  Each node knows where it is, so that one can be moved or taken out in
 * O(log n): timers, queues in order of rank, turns in order of pass.
 *
 *     struct timer { struct heap_node node; ... };
 *     heap_put(&timers, &timer->node, due_ms, timer);
 *     while ((node = heap_first(&timers)) != NULL && node->key <= now_ms) ...
 *
 * Not locked.
 */

#ifndef LIBS_BASE_HEAP_H_
#define LIBS_BASE_HEAP_H_

#include "libs/base/attributes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero is a node that is in no heap.  Borrowed while it is in one. */
struct heap_node {
    int64_t key;
    uint64_t turn; /* which of equal keys was put first */
    size_t place;  /* from 1; 0 is nowhere */
    void *owner;
};

struct heap {
    struct heap_node **nodes; /* nodes[0] is first; the children of i are 2i + 1 and 2i + 2 */
    size_t n_nodes;
    size_t capacity;
    uint64_t next_turn;
};

void heap_init(struct heap *heap) NONNULL;
/* Frees the table; the nodes are their owners'. */
void heap_reset(struct heap *heap) NONNULL;

/* Puts node in, or moves it to another key when it is in already. */
void heap_put(struct heap *heap, struct heap_node *node, int64_t key, void *owner) NONNULL;
/* A node that is nowhere stays there. */
void heap_remove(struct heap *heap, struct heap_node *node) NONNULL;

/* NULL when the heap is empty. */
struct heap_node *heap_first(const struct heap *heap) NONNULL;

static inline bool heap_has(const struct heap_node *node)
{
    return node->place != 0;
}

#endif
