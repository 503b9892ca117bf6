#include "libs/retry/backoff.h"

/* The longest wait after so many failures.  Doubles step by step, for the product may not fit. */
static int64_t ceiling_ms(const struct backoff *self)
{
    int64_t ceiling = self->min_ms;

    for (unsigned i = 0; i < self->n_failures && ceiling < self->max_ms; i++) {
        ceiling = ceiling > self->max_ms / 2 ? self->max_ms : ceiling * 2;
    }
    return ceiling;
}

int64_t backoff_next_ms(struct backoff *self)
{
    self->n_failures++;
    uint64_t span = (uint64_t)(ceiling_ms(self) - self->min_ms) + 1;
    return self->min_ms + (int64_t)random_below(self->random, span);
}

void backoff_reset(struct backoff *self)
{
    self->n_failures = 0;
}
