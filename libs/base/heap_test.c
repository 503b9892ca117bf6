#include "libs/base/heap.h"

#include "libs/testing/seeded_random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void an_empty_heap_has_no_first(void **state)
{
    struct heap heap;

    (void)state;
    heap_init(&heap);
    assert_null(heap_first(&heap));
    heap_reset(&heap);
}

static void equal_keys_come_in_the_order_they_were_put(void **state)
{
    struct heap heap;
    struct heap_node nodes[50] = { 0 };

    (void)state;
    heap_init(&heap);
    for (int i = 0; i < 50; i++) {
        heap_put(&heap, &nodes[i], 7, &nodes[i]);
    }
    for (int i = 0; i < 50; i++) {
        assert_ptr_equal(heap_first(&heap)->owner, &nodes[i]);
        heap_remove(&heap, &nodes[i]);
        heap_remove(&heap, &nodes[i]); /* twice does no harm */
    }
    assert_null(heap_first(&heap));
    heap_reset(&heap);
}

/* The smallest of those that are in, by looking at all. */
static const struct heap_node *smallest(const struct heap_node *nodes, size_t n)
{
    const struct heap_node *best = NULL;

    for (size_t i = 0; i < n; i++) {
        if (heap_has(&nodes[i]) && (best == NULL || nodes[i].key < best->key ||
                                    (nodes[i].key == best->key && nodes[i].turn < best->turn))) {
            best = &nodes[i];
        }
    }
    return best;
}

static void the_smallest_is_first_whatever_is_put_moved_and_removed(void **state)
{
    enum { NODES = 100, STEPS = 20000 };
    struct heap heap;
    struct heap_node nodes[NODES] = { 0 };
    struct seeded_random random;

    (void)state;
    heap_init(&heap);
    seeded_random_init(&random, 1);
    for (int step = 0; step < STEPS; step++) {
        struct heap_node *node = &nodes[random_below(&random.source, NODES)];
        if (random_below(&random.source, 3) == 0) {
            heap_remove(&heap, node);
        } else {
            heap_put(&heap, node, (int64_t)random_below(&random.source, 40) - 20, node);
        }
        assert_ptr_equal(heap_first(&heap), smallest(nodes, NODES));
    }
    heap_reset(&heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_heap_has_no_first),
        cmocka_unit_test(equal_keys_come_in_the_order_they_were_put),
        cmocka_unit_test(the_smallest_is_first_whatever_is_put_moved_and_removed),
    };

    return cmocka_run_group_tests_name("heap", tests, NULL, NULL);
}
