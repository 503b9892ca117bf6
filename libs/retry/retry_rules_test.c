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
        for (int facts = 0; facts < 4; facts++) {
            struct failed_call call = {
                .code = (enum status_code)code,
                .idempotent = (facts & 1) != 0,
                .never_sent = (facts & 2) != 0,
            };
            bool want = code == STATUS_UNAVAILABLE && facts != 0;
            if (retry_is_safe(&call) != want) {
                fail_msg("%s, facts %d", status_code_name(call.code), facts);
            }
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
