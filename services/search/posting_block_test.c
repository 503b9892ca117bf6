#include "services/search/posting_block.h"

#include "libs/testing/seeded_random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct posting_block random_block(struct seeded_random *random, uint32_t n, uint32_t before,
                                         uint64_t widest)
{
    struct posting_block block = { .n = n };
    uint32_t doc = before;

    for (uint32_t i = 0; i < n; i++) {
        doc += 1 + (uint32_t)random_below(&random->source, widest);
        block.docs[i] = doc;
        block.counts[i] = (uint16_t)(1 + random_below(&random->source, widest > 1000 ? 65535 : 3));
    }
    return block;
}

static void check_both_ways(struct seeded_random *random, uint32_t n, uint32_t before,
                            uint64_t widest)
{
    const struct posting_block block = random_block(random, n, before, widest);
    uint8_t packed[MAX_BLOCK_BYTES + BLOCK_PADDING] = { 0 };
    uint32_t docs[BLOCK_DOCS];
    uint16_t counts[BLOCK_DOCS];
    size_t size = posting_block_pack(&block, before, packed);
    uint32_t limit = block.docs[n - 1] + 1;

    assert_true(size > 0 && size <= MAX_BLOCK_BYTES);
    bytes data = { packed, size };
    assert_int_equal(posting_block_unpack(data, n, before, limit, docs, counts), size);
    assert_memory_equal(docs, block.docs, n * sizeof docs[0]);
    assert_memory_equal(counts, block.counts, n * sizeof counts[0]);
    assert_int_equal(posting_block_unpack(data, n, before, limit - 1, docs, counts), 0);
    data.size--;
    assert_int_equal(posting_block_unpack(data, n, before, limit, docs, counts), 0);
}

static void blocks_of_all_sizes_and_widths_come_back(void **state)
{
    struct seeded_random random;

    (void)state;
    seeded_random_init(&random, 1);
    for (uint32_t n = 1; n <= BLOCK_DOCS; n++) {
        for (uint64_t widest = 1; widest < 10000000; widest *= 7) {
            check_both_ways(&random, n, NO_DOC, widest);
            check_both_ways(&random, n, 1000000, widest);
        }
    }
}

static void a_dense_block_takes_two_bytes(void **state)
{
    struct posting_block block = { .n = BLOCK_DOCS };
    uint8_t packed[MAX_BLOCK_BYTES];

    (void)state;
    for (uint32_t i = 0; i < BLOCK_DOCS; i++) {
        block.docs[i] = i;
        block.counts[i] = 1;
    }
    assert_int_equal(posting_block_pack(&block, NO_DOC, packed), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_of_all_sizes_and_widths_come_back),
        cmocka_unit_test(a_dense_block_takes_two_bytes),
    };

    return cmocka_run_group_tests_name("posting_block", tests, NULL, NULL);
}
