#include "services/search/posting_block.h"

#include "services/search/pack.h"

/* ---- Full blocks ---- */

static unsigned width_of(uint32_t all)
{
    return all == 0 ? 0 : 32 - (unsigned)__builtin_clz(all);
}

static size_t packed_bytes(unsigned width)
{
    return (size_t)width * BLOCK_DOCS / 8;
}

static void pack_bits(const uint32_t values[BLOCK_DOCS], unsigned width, uint8_t *out)
{
    uint64_t waiting = 0;
    unsigned n_waiting = 0;

    for (int i = 0; i < BLOCK_DOCS; i++) {
        waiting |= (uint64_t)values[i] << n_waiting;
        n_waiting += width;
        for (; n_waiting >= 8; n_waiting -= 8) {
            *out++ = (uint8_t)waiting;
            waiting >>= 8;
        }
    }
}

static void unpack_bits(const uint8_t *in, unsigned width, uint32_t values[BLOCK_DOCS])
{
    uint64_t mask = ((uint64_t)1 << width) - 1;

    for (unsigned i = 0; i < BLOCK_DOCS; i++) {
        unsigned bit = i * width;
        values[i] = (uint32_t)(load_u64(in + bit / 8) >> (bit % 8) & mask);
    }
}

static size_t pack_full(const struct posting_block *block, uint32_t before, uint8_t *out)
{
    uint32_t distances[BLOCK_DOCS];
    uint32_t counts[BLOCK_DOCS];
    uint32_t all_distances = 0;
    uint32_t all_counts = 0;

    for (int i = 0; i < BLOCK_DOCS; i++) {
        distances[i] = block->docs[i] - before - 1; /* NO_DOC + 1 is 0 */
        before = block->docs[i];
        counts[i] = block->counts[i] - 1U;
        all_distances |= distances[i];
        all_counts |= counts[i];
    }
    out[0] = (uint8_t)width_of(all_distances);
    out[1] = (uint8_t)width_of(all_counts);
    pack_bits(distances, out[0], out + 2);
    pack_bits(counts, out[1], out + 2 + packed_bytes(out[0]));
    return 2 + packed_bytes(out[0]) + packed_bytes(out[1]);
}

static size_t unpack_full(bytes data, uint32_t before, uint32_t limit, uint32_t *docs,
                          uint16_t *counts)
{
    uint32_t wide_counts[BLOCK_DOCS];
    uint64_t doc = (uint64_t)(uint32_t)(before + 1); /* the least that the first may be */

    if (data.size < 2 || data.data[0] > 32 || data.data[1] > 16 ||
        data.size < 2 + packed_bytes(data.data[0]) + packed_bytes(data.data[1])) {
        return 0;
    }
    unpack_bits(data.data + 2, data.data[0], docs);
    unpack_bits(data.data + 2 + packed_bytes(data.data[0]), data.data[1], wide_counts);
    for (int i = 0; i < BLOCK_DOCS; i++) {
        doc += docs[i];
        docs[i] = (uint32_t)doc++;
        counts[i] = (uint16_t)(wide_counts[i] + 1);
    }
    return doc <= limit ? 2 + packed_bytes(data.data[0]) + packed_bytes(data.data[1]) : 0;
}

/* ---- The last block ---- */

static size_t pack_rest(const struct posting_block *block, uint32_t before, uint8_t *out)
{
    size_t size = 0;

    for (uint32_t i = 0; i < block->n; i++) {
        uint64_t distance = block->docs[i] - before - 1;
        before = block->docs[i];
        size += varint_put(out + size, distance << 1 | (block->counts[i] == 1));
        if (block->counts[i] != 1) {
            size += varint_put(out + size, block->counts[i]);
        }
    }
    return size;
}

static size_t unpack_rest(bytes data, uint32_t n, uint32_t before, uint32_t limit, uint32_t *docs,
                          uint16_t *counts)
{
    struct unpack in = unpack_of(data);
    uint64_t doc = (uint64_t)(uint32_t)(before + 1);

    for (uint32_t i = 0; i < n; i++) {
        uint64_t coded = unpack_varint(&in);
        uint64_t count = (coded & 1) != 0 ? 1 : unpack_varint(&in);
        if (in.failed || coded >> 1 >= limit || doc + (coded >> 1) >= limit || count > MAX_COUNT) {
            return 0;
        }
        doc += coded >> 1;
        docs[i] = (uint32_t)doc++;
        counts[i] = (uint16_t)count;
    }
    return (size_t)(in.at - data.data);
}

/* ---- Either ---- */

size_t posting_block_pack(const struct posting_block *block, uint32_t before,
                          uint8_t out[MAX_BLOCK_BYTES])
{
    return block->n == BLOCK_DOCS ? pack_full(block, before, out) : pack_rest(block, before, out);
}

size_t posting_block_unpack(bytes data, uint32_t n, uint32_t before, uint32_t limit, uint32_t *docs,
                            uint16_t *counts)
{
    return n == BLOCK_DOCS ? unpack_full(data, before, limit, docs, counts)
                           : unpack_rest(data, n, before, limit, docs, counts);
}
