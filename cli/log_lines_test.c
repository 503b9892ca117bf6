#include "cli/log_lines.h"

#include "libs/testing/assert_status.h"
#include "libs/testing/temp_folder.h"

#include <stdio.h>
#include <string.h>

struct fixture {
    struct arena *arena;
    const char *path;
    struct log_reader reader;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    f->arena = arena_new();
    f->path = arena_printf(f->arena, "%s/log", temp_folder(f->arena));
    log_reader_init(&f->reader, f->path);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    log_reader_reset(&f->reader);
    arena_free(f->arena);
    free(f);
    return 0;
}

static void append(struct fixture *f, const char *text)
{
    FILE *file = fopen(f->path, "ae");

    assert_non_null(file);
    (void)fputs(text, file);
    (void)fclose(file);
}

static void the_last_lines_come_first_and_then_what_is_added(void **state)
{
    struct fixture *f = *state;

    append(f, "1\n2\n3\n4");
    struct log_lines last = log_reader_last(&f->reader, f->arena, 2);
    assert_int_equal(last.n_lines, 2);
    assert_string_equal(last.lines[0], "2");
    assert_string_equal(last.lines[1], "3");
    append(f, "4\n");
    struct log_lines next = log_reader_next(&f->reader, f->arena);
    assert_int_equal(next.n_lines, 1);
    assert_string_equal(next.lines[0], "44");
    assert_int_equal(log_reader_next(&f->reader, f->arena).n_lines, 0);
}

static void a_log_may_not_be_there_yet(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(log_reader_last(&f->reader, f->arena, 10).n_lines, 0);
    append(f, "1\n");
    assert_int_equal(log_reader_next(&f->reader, f->arena).n_lines, 1);
}

static void nothing_is_lost_over_a_rotation(void **state)
{
    struct fixture *f = *state;

    append(f, "1\n");
    assert_int_equal(log_reader_last(&f->reader, f->arena, 10).n_lines, 1);
    append(f, "2\n");
    assert_int_equal(rename(f->path, arena_printf(f->arena, "%s.1", f->path)), 0);
    append(f, "3\n");
    struct log_lines next = log_reader_next(&f->reader, f->arena);
    assert_int_equal(next.n_lines, 2);
    assert_string_equal(next.lines[0], "2");
    assert_string_equal(next.lines[1], "3");
}

static void a_line_is_shown_as_people_read(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(
        log_line_for_people(f->arena, "{\"time\":\"2026-11-21T12:59:01.204Z\",\"level\":\"warn\","
                                      "\"service\":\"tenant\",\"msg\":\"slow\",\"peer\":\"audit\","
                                      "\"ms\":812}"),
        "12:59:01.204Z warn  tenant     slow  peer=audit  ms=812");
    assert_string_equal(log_line_for_people(f->arena, "Segmentation fault"), "Segmentation fault");
    assert_string_equal(log_line_time(f->arena, "{\"time\":\"2026\"}"), "2026");
    assert_string_equal(log_line_time(f->arena, "[]"), "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_last_lines_come_first_and_then_what_is_added),
        TEST(a_log_may_not_be_there_yet),
        TEST(nothing_is_lost_over_a_rotation),
        TEST(a_line_is_shown_as_people_read),
    };

    return cmocka_run_group_tests_name("log_lines", tests, NULL, NULL);
}
