#include "libs/retry/retry_budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* How many of n failures in a row may be retried. */
static int retries_of(struct retry_budget *budget, int n)
{
    int n_retries = 0;

    for (int i = 0; i < n; i++) {
        n_retries += retry_budget_failure(budget);
    }
    return n_retries;
}

static void a_peer_that_fails_always_is_left_alone_soon(void **state)
{
    (void)state;
    static const struct {
        struct retry_budget_options options;
        int want_retries;
    } cases[] = {
        { { .max_tokens = 0 }, 4 }, /* 10 tokens: 9, 8, 7, 6 */
        { { .max_tokens = 10 }, 4 },
        { { .max_tokens = 100 }, 49 },
        { { .max_tokens = 1 }, 0 },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct retry_budget budget;
        retry_budget_init(&budget, &cases[i].options);
        assert_int_equal(retries_of(&budget, 10000), cases[i].want_retries);
    }
}

static void in_the_long_run_retries_are_a_tenth_of_what_succeeds(void **state)
{
    (void)state;
    struct retry_budget budget;
    int n_retries = 0;

    retry_budget_init(&budget, &(struct retry_budget_options){ .token_ratio = 0.1 });
    for (int i = 0; i < 10000; i++) { /* half of the calls fail */
        retry_budget_success(&budget);
        n_retries += retry_budget_failure(&budget);
    }
    assert_true(n_retries < 1010);
    assert_int_equal(retries_of(&budget, 1), 0);
}

static void a_peer_that_recovers_is_retried_again(void **state)
{
    (void)state;
    struct retry_budget budget;

    retry_budget_init(&budget, &(struct retry_budget_options){ .max_tokens = 10 });
    (void)retries_of(&budget, 100);
    for (int i = 0; i < 60; i++) {
        retry_budget_success(&budget); /* 0 to 6 tokens, and one failure leaves 5 */
    }
    assert_int_equal(retries_of(&budget, 1), 0);
    for (int i = 0; i < 1000; i++) {
        retry_budget_success(&budget);
    }
    assert_int_equal(retries_of(&budget, 100), 4); /* full, and no fuller than at first */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_peer_that_fails_always_is_left_alone_soon),
        cmocka_unit_test(in_the_long_run_retries_are_a_tenth_of_what_succeeds),
        cmocka_unit_test(a_peer_that_recovers_is_retried_again),
    };

    return cmocka_run_group_tests_name("retry_budget", tests, NULL, NULL);
}
