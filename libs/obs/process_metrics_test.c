#include "libs/obs/process_metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static double value_of(const char *page, const char *name)
{
    const char *at = strstr(page, name);

    if (at == NULL) {
        fail_msg("'%s' is not in:\n%s", name, page);
        abort();
    }
    return strtod(at + strlen(name), NULL);
}

static void the_kernel_says_what_we_know(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct text page = text_new(arena);

    process_metrics(&page);
    const char *text = text_string(&page);
    double started = value_of(text, "\nprocess_start_time_seconds ");
    assert_true(started > (double)time(NULL) - 3600 && started < (double)time(NULL) + 2);
    assert_true(value_of(text, "\nprocess_resident_memory_bytes ") > 100000);
    assert_true(value_of(text, "\nprocess_virtual_memory_bytes ") > 100000);
    assert_true(value_of(text, "\nprocess_cpu_seconds_total ") < 3600);
    assert_true(value_of(text, "\nprocess_threads ") >= 1);
    assert_true(value_of(text, "\nprocess_max_fds ") > 3);
    assert_non_null(strstr(text, "# TYPE process_cpu_seconds_total counter\n"));
    arena_free(arena);
}

static void a_descriptor_that_is_opened_is_counted(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct text before = text_new(arena);
    struct text after = text_new(arena);

    process_metrics(&before);
    int descriptor = dup(0);
    process_metrics(&after);
    close(descriptor);
    assert_int_equal((int)value_of(text_string(&after), "\nprocess_open_fds "),
                     (int)value_of(text_string(&before), "\nprocess_open_fds ") + 1);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_kernel_says_what_we_know),
        cmocka_unit_test(a_descriptor_that_is_opened_is_counted),
    };

    return cmocka_run_group_tests_name("process_metrics", tests, NULL, NULL);
}
