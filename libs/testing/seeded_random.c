#include "libs/testing/seeded_random.h"

#include <stdatomic.h>

/* SplitMix64 (Steele, Lea, Flood 2014): one addition a step, so any thread may take one. */
static uint64_t next(struct seeded_random *self)
{
    uint64_t z = atomic_fetch_add(&self->state, 0x9e3779b97f4a7c15u) + 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static void seeded_fill(const struct random_source *source, uint8_t *data, size_t size)
{
    union {
        const struct random_source *in;
        struct seeded_random *out;
    } self = { .in = source }; /* the interface is const for those that have no state */

    for (size_t i = 0; i < size; i++) {
        data[i] = (uint8_t)next(self.out);
    }
}

static const struct random_ops seeded_ops = { .fill = seeded_fill };

void seeded_random_init(struct seeded_random *self, uint64_t seed)
{
    self->source.ops = &seeded_ops;
    atomic_init(&self->state, seed);
}
