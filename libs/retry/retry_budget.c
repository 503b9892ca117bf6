#include "libs/retry/retry_budget.h"

#include <stdatomic.h>

enum { THOUSAND = 1000, STANDARD_TOKENS = 10, STANDARD_RATIO_THOUSANDTHS = 100 };

void retry_budget_init(struct retry_budget *self, const struct retry_budget_options *options)
{
    int64_t ratio = (int64_t)(options->token_ratio * THOUSAND + 0.5);

    self->max_thousandths =
        (options->max_tokens == 0 ? STANDARD_TOKENS : options->max_tokens) * INT64_C(1000);
    self->success_thousandths = ratio == 0 ? STANDARD_RATIO_THOUSANDTHS : ratio;
    atomic_init(&self->thousandths, self->max_thousandths);
}

/* Adds, within 0 and the maximum; returns what there is then. */
static int64_t add(struct retry_budget *self, int64_t amount)
{
    int64_t before = atomic_load_explicit(&self->thousandths, memory_order_relaxed);
    int64_t after;

    do {
        after = before + amount;
        after = after < 0 ? 0 : after > self->max_thousandths ? self->max_thousandths : after;
        if (after == before) {
            return after; /* full, which it mostly is: no write, so that no cache line moves */
        }
    } while (!atomic_compare_exchange_weak_explicit(&self->thousandths, &before, after,
                                                    memory_order_relaxed, memory_order_relaxed));
    return after;
}

void retry_budget_success(struct retry_budget *self)
{
    (void)add(self, self->success_thousandths);
}

bool retry_budget_failure(struct retry_budget *self)
{
    return add(self, -THOUSAND) > self->max_thousandths / 2;
}
