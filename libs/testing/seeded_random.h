/* seeded_random - the same bytes for the same seed: for simulations, never for keys. */

#ifndef LIBS_TESTING_SEEDED_RANDOM_H_
#define LIBS_TESTING_SEEDED_RANDOM_H_

#include "libs/base/attributes.h"
#include "libs/base/random.h"

#include <stdint.h>

struct seeded_random {
    struct random_source source; /* what is passed in */
    _Atomic uint64_t state;
};

void seeded_random_init(struct seeded_random *self, uint64_t seed) NONNULL;

#endif
