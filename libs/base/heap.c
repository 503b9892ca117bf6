#include "libs/base/heap.h"

#include <stdlib.h>

enum { FIRST_CAPACITY = 16 };

void heap_init(struct heap *heap)
{
    *heap = (struct heap){ .nodes = NULL };
}

void heap_reset(struct heap *heap)
{
    free(heap->nodes);
    heap_init(heap);
}

static bool is_before(const struct heap_node *a, const struct heap_node *b)
{
    return a->key != b->key ? a->key < b->key : a->turn < b->turn;
}

static void set(struct heap *heap, size_t i, struct heap_node *node)
{
    heap->nodes[i] = node;
    node->place = i + 1;
}

static void sift_up(struct heap *heap, size_t i)
{
    struct heap_node *node = heap->nodes[i];

    while (i > 0 && is_before(node, heap->nodes[(i - 1) / 2])) {
        set(heap, i, heap->nodes[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    set(heap, i, node);
}

static void sift_down(struct heap *heap, size_t i)
{
    struct heap_node *node = heap->nodes[i];

    for (;;) {
        size_t child = 2 * i + 1;
        if (child + 1 < heap->n_nodes && is_before(heap->nodes[child + 1], heap->nodes[child])) {
            child++;
        }
        if (child >= heap->n_nodes || !is_before(heap->nodes[child], node)) {
            break;
        }
        set(heap, i, heap->nodes[child]);
        i = child;
    }
    set(heap, i, node);
}

static void grow(struct heap *heap)
{
    size_t capacity = heap->capacity == 0 ? FIRST_CAPACITY : heap->capacity * 2;
    struct heap_node **nodes = reallocarray(heap->nodes, capacity, sizeof(struct heap_node *));

    if (nodes == NULL) {
        abort();
    }
    heap->nodes = nodes;
    heap->capacity = capacity;
}

void heap_put(struct heap *heap, struct heap_node *node, int64_t key, void *owner)
{
    heap_remove(heap, node);
    if (heap->n_nodes == heap->capacity) {
        grow(heap);
    }
    *node = (struct heap_node){ .key = key, .turn = heap->next_turn++, .owner = owner };
    heap->nodes[heap->n_nodes] = node;
    sift_up(heap, heap->n_nodes++);
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
    if (!heap_has(node)) {
        return;
    }
    size_t i = node->place - 1;
    struct heap_node *last = heap->nodes[--heap->n_nodes];
    node->place = 0;
    if (last != node) {
        set(heap, i, last);
        sift_up(heap, i);
        sift_down(heap, last->place - 1);
    }
}

struct heap_node *heap_first(const struct heap *heap)
{
    return heap->n_nodes > 0 ? heap->nodes[0] : NULL;
}
