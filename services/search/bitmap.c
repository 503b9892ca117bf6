#include "services/search/bitmap.h"

#include <stdlib.h>
#include <string.h>

void bitmap_reserve(struct bitmap *bitmap, size_t n_bits)
{
    size_t n = bitmap_words_for(n_bits);

    if (n <= bitmap->n_words) {
        return;
    }
    uint64_t *words = realloc(bitmap->words, n * sizeof *words);
    if (words == NULL) {
        abort();
    }
    memset(words + bitmap->n_words, 0, (n - bitmap->n_words) * sizeof *words);
    bitmap->words = words;
    bitmap->n_words = n;
}

void bitmap_reset(struct bitmap *bitmap)
{
    free(bitmap->words);
    *bitmap = (struct bitmap){ .words = NULL };
}

struct bitmap bitmap_clone(const struct bitmap *bitmap)
{
    struct bitmap clone = { .words = NULL };

    bitmap_reserve(&clone, bitmap->n_words * 64);
    if (clone.words != NULL) {
        memcpy(clone.words, bitmap->words, bitmap->n_words * sizeof *clone.words);
    }
    return clone;
}

size_t bitmap_count(const struct bitmap *bitmap)
{
    size_t n = 0;

    for (size_t i = 0; i < bitmap->n_words; i++) {
        n += (size_t)__builtin_popcountll(bitmap->words[i]);
    }
    return n;
}
