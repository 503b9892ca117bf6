/* random - bytes nobody can guess, as something that is passed in.
 *
 * Keys, nonces, ids and jitter come from here, so that a simulation can run under a seed
 * (libs/testing/seeded_random.h).  system_random is the kernel's generator.
 */

#ifndef LIBS_BASE_RANDOM_H_
#define LIBS_BASE_RANDOM_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"

#include <stddef.h>
#include <stdint.h>

/* A source is a struct that begins with this one.  Safe on any thread. */
struct random_source {
    const struct random_ops *ops;
};

struct random_ops {
    void (*fill)(const struct random_source *source, uint8_t *data, size_t size);
};

/* getrandom(2).  Never fails: where the kernel has no randomness the process aborts. */
extern const struct random_source system_random;

void random_fill(const struct random_source *source, uint8_t *data, size_t size) NONNULL;

/* A number from 0 up to, not including, limit; each as likely as the other.  limit > 0. */
uint64_t random_below(const struct random_source *source, uint64_t limit) NONNULL;

/* A new name in arena: 26 characters of Crockford's base 32 (a ULID: 48 bits of wall_ms, then 80
 * random ones), lower case, so that names sort by the time they were made. */
const char *random_ulid(const struct random_source *source, struct arena *arena, int64_t wall_ms)
    NONNULL RETURNS_NONNULL;

#endif
