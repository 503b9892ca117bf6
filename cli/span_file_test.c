#include "cli/span_file.h"

#include "libs/testing/assert_status.h"
#include "libs/testing/temp_folder.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const char one[] = "11111111111111111111111111111111";
static const char two[] = "22222222222222222222222222222222";

static const struct trace_span span = { "a1", "", "weft \"demo\"", "cli", 1000, 20, 5 };

static void spans_are_found_by_their_trace(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    const char *folder = temp_folder(arena);
    const struct trace_span *found;
    size_t n = 0;

    span_file_append(arena, folder, one, &span, 1);
    span_file_append(arena, folder, two, &span, 1);
    span_file_append(arena, folder, one, &span, 1);
    span_file_find(arena, folder, one, &found, &n);
    assert_int_equal(n, 2);
    assert_string_equal(found[0].span_id, "a1");
    assert_string_equal(found[0].name, "weft \"demo\"");
    assert_string_equal(found[0].service, "cli");
    assert_int_equal(found[0].start_us, 1000);
    assert_int_equal(found[0].duration_us, 20);
    assert_int_equal(found[0].code, 5);
    span_file_find(arena, folder, "33333333333333333333333333333333", &found, &n);
    assert_int_equal(n, 0);
    arena_free(arena);
}

static void the_file_does_not_grow_for_ever(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    const char *folder = temp_folder(arena);
    const struct trace_span *found;
    struct stat info;
    size_t n = 0;

    span_file_append(arena, folder, one, &span, 1);
    for (int i = 0; i < 30; i++) {
        struct arena *scratch = arena_new();
        struct trace_span *many = ARENA_NEW_ARRAY(scratch, struct trace_span, 1000);
        for (int j = 0; j < 1000; j++) {
            many[j] = span;
        }
        span_file_append(scratch, folder, two, many, 1000);
        arena_free(scratch);
    }
    assert_int_equal(stat(arena_printf(arena, "%s/spans", folder), &info), 0);
    assert_true(info.st_size < 2 * SPAN_FILE_MAX_BYTES);
    assert_int_equal(stat(arena_printf(arena, "%s/spans.1", folder), &info), 0);
    span_file_find(arena, folder, one, &found, &n);
    assert_int_equal(n, 0); /* forgotten */
    span_file_find(arena, folder, two, &found, &n);
    assert_true(n > 1000);
    arena_free(arena);
}

static void what_is_no_span_is_left_out(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    const char *folder = temp_folder(arena);
    const struct trace_span *found;
    size_t n = 0;

    span_file_find(arena, folder, one, &found, &n);
    assert_int_equal(n, 0);
    FILE *file = fopen(arena_printf(arena, "%s/spans", folder), "we");
    assert_non_null(file);
    (void)fprintf(file, "%s\n{\"trace_id\":\"%s\"\n{\"span_id\":\"%s\"}\n", one, one, one);
    (void)fclose(file);
    span_file_append(arena, folder, one, &span, 1);
    span_file_find(arena, folder, one, &found, &n);
    assert_int_equal(n, 1);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans_are_found_by_their_trace),
        cmocka_unit_test(the_file_does_not_grow_for_ever),
        cmocka_unit_test(what_is_no_span_is_left_out),
    };

    return cmocka_run_group_tests_name("span_file", tests, NULL, NULL);
}
