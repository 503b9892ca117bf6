#include "libs/base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void a_time_is_written_as_rfc_3339_has_it(void **state)
{
    (void)state;
    static const struct {
        int64_t wall_ms;
        const char *want;
    } cases[] = {
        { 0, "1970-01-01T00:00:00.000Z" },
        { 1, "1970-01-01T00:00:00.001Z" },
        { -1, "1969-12-31T23:59:59.999Z" },
        { 1795265941204, "2026-11-21T12:59:01.204Z" },
        { 1709164800000, "2024-02-29T00:00:00.000Z" },
        { 253402300799999, "9999-12-31T23:59:59.999Z" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[CLOCK_TEXT];
        clock_format(cases[i].wall_ms, text);
        assert_string_equal(text, cases[i].want);
    }
}

static void the_furthest_times_have_room(void **state)
{
    (void)state;
    char text[CLOCK_TEXT];

    clock_format(INT64_MAX, text);
    assert_true(strlen(text) < CLOCK_TEXT);
    clock_format(INT64_MIN + 1000, text);
    assert_true(strlen(text) < CLOCK_TEXT);
}

static void the_monotonic_clock_never_goes_back(void **state)
{
    (void)state;
    int64_t before = clock_monotonic_us(&system_clock);

    for (int i = 0; i < 1000; i++) {
        int64_t now = clock_monotonic_us(&system_clock);
        assert_true(now >= before);
        before = now;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_time_is_written_as_rfc_3339_has_it),
        cmocka_unit_test(the_furthest_times_have_room),
        cmocka_unit_test(the_monotonic_clock_never_goes_back),
    };

    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
