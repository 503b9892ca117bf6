/* bitmap - a set of document numbers. */

#ifndef SERVICES_SEARCH_BITMAP_H_
#define SERVICES_SEARCH_BITMAP_H_

#include "libs/base/attributes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bitmap {
    uint64_t *words; /* owned */
    size_t n_words;
};

static inline size_t bitmap_words_for(size_t n_bits)
{
    return (n_bits + 63) / 64;
}

/* Makes room for n_bits, none of the new ones set. */
void bitmap_reserve(struct bitmap *bitmap, size_t n_bits) NONNULL;
void bitmap_reset(struct bitmap *bitmap) NONNULL;
/* A copy that the caller owns. */
struct bitmap bitmap_clone(const struct bitmap *bitmap) NONNULL;
size_t bitmap_count(const struct bitmap *bitmap) NONNULL;

/* What lies beyond the room is not set. */
static inline bool bitmap_has(const struct bitmap *bitmap, size_t bit)
{
    return bit / 64 < bitmap->n_words && (bitmap->words[bit / 64] >> (bit % 64) & 1) != 0;
}

/* bit is within the room. */
static inline void bitmap_set(struct bitmap *bitmap, size_t bit)
{
    bitmap->words[bit / 64] |= (uint64_t)1 << (bit % 64);
}

#endif
