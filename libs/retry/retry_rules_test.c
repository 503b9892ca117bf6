#include "libs/retry/retry_rules.h"

#include "libs/base/status_details.h"
#include "libs/testing/seeded_random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void only_unavailable_is_retried_and_only_where_it_does_no_harm(void **state)
{
    (void)state;
    for (int code = 0; code <= STATUS_UNAUTHENTICATED; code++) {
        assert_false(retry_is_safe((enum status_code)code, false));
        if (retry_is_safe((enum status_code)code, true) != (code == STATUS_UNAVAILABLE)) {
            fail_msg("%s", status_code_name((enum status_code)code));
        }
    }
}

static void who_is_told_to_wait_longer_waits_longer(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct seeded_random random;
    struct backoff backoff = { .random = &random.source, .min_ms = 100, .max_ms = 100 };
    status plain = status_error(arena, STATUS_UNAVAILABLE, "gone");

    seeded_random_init(&random, 1);
    assert_int_equal(retry_wait_ms(&backoff, plain), 100);
    assert_int_equal(retry_wait_ms(&backoff, status_retry_after(arena, plain, 700)), 700);
    assert_int_equal(retry_wait_ms(&backoff, status_retry_after(arena, plain, 30)), 100);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_unavailable_is_retried_and_only_where_it_does_no_harm),
        cmocka_unit_test(who_is_told_to_wait_longer_waits_longer),
    };

    return cmocka_run_group_tests_name("retry_rules", tests, NULL, NULL);
}
