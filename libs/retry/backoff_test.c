#include "libs/retry/backoff.h"

#include "libs/testing/seeded_random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* The shortest and the longest of many waits after n failures. */
static void range_after(unsigned n, struct backoff backoff, int64_t *ret_low, int64_t *ret_high)
{
    *ret_low = INT64_MAX;
    *ret_high = 0;
    for (int i = 0; i < 2000; i++) {
        backoff.n_failures = n - 1;
        int64_t wait = backoff_next_ms(&backoff);
        *ret_low = wait < *ret_low ? wait : *ret_low;
        *ret_high = wait > *ret_high ? wait : *ret_high;
    }
}

static void the_wait_is_drawn_from_a_range_that_doubles_up_to_its_limit(void **state)
{
    (void)state;
    static const struct {
        unsigned n_failures;
        int64_t min_ms, max_ms;
        int64_t want_most;
    } cases[] = {
        { 1, 100, 30000, 200 },
        { 2, 100, 30000, 400 },
        { 5, 100, 30000, 3200 },
        { 9, 100, 30000, 30000 },
        { 1000000000, 100, 30000, 30000 },
        { 1, 100, 150, 150 },
        { 3, 7, 7, 7 },
        { 70, 1, INT64_MAX / 2, INT64_MAX / 2 },
    };
    struct seeded_random random;

    seeded_random_init(&random, 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct backoff backoff = {
            .random = &random.source,
            .min_ms = cases[i].min_ms,
            .max_ms = cases[i].max_ms,
        };
        int64_t low;
        int64_t high;
        range_after(cases[i].n_failures, backoff, &low, &high);
        int64_t width = cases[i].want_most - cases[i].min_ms;
        if (low < cases[i].min_ms || high > cases[i].want_most ||
            low > cases[i].min_ms + width / 50 || high < cases[i].want_most - width / 50) {
            fail_msg("case %zu: from %lld to %lld", i, (long long)low, (long long)high);
        }
    }
}

static void a_success_begins_anew(void **state)
{
    (void)state;
    struct seeded_random random;
    struct backoff backoff = { .random = &random.source, .min_ms = 10, .max_ms = 10000 };

    seeded_random_init(&random, 1);
    for (int i = 0; i < 20; i++) {
        (void)backoff_next_ms(&backoff);
    }
    backoff_reset(&backoff);
    assert_in_range(backoff_next_ms(&backoff), 10, 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_wait_is_drawn_from_a_range_that_doubles_up_to_its_limit),
        cmocka_unit_test(a_success_begins_anew),
    };

    return cmocka_run_group_tests_name("backoff", tests, NULL, NULL);
}
