#include "cli/supervisor/log_file.h"

#include "libs/base/text.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/crash_files.h"

#include <string.h>

struct fixture {
    struct arena *arena;
    struct crash_files files;
    struct log_file *log;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    f->arena = arena_new();
    crash_files_init(&f->files);
    f->log = log_file_new(&(struct log_file_options){
        .files = &f->files.files,
        .name = "tenant.log",
        .max_bytes = 10,
        .n_files = 3,
    });
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    log_file_free(f->log);
    crash_files_reset(&f->files);
    arena_free(f->arena);
    free(f);
    return 0;
}

static const char *content(struct fixture *f, const char *name)
{
    bytes data;

    assert_status(files_read(&f->files.files, f->arena, name, 1000, &data), STATUS_OK);
    return (const char *)data.data;
}

static void lines_are_appended(void **state)
{
    struct fixture *f = *state;

    log_file_write(f->log, bytes_of("a\n"));
    log_file_write(f->log, bytes_of("b\nc"));
    assert_string_equal(content(f, "tenant.log"), "a\nb\nc");
}

static void a_log_goes_on_where_it_ended(void **state)
{
    struct fixture *f = *state;

    log_file_write(f->log, bytes_of("a\n"));
    log_file_free(f->log);
    f->log =
        log_file_new(&(struct log_file_options){ .files = &f->files.files, .name = "tenant.log" });
    log_file_write(f->log, bytes_of("b\n"));
    assert_string_equal(content(f, "tenant.log"), "a\nb\n");
}

static void rotation_keeps_lines_whole_and_files_few(void **state)
{
    struct fixture *f = *state;

    log_file_write(f->log, bytes_of("11111\n22222\n33333\n44444\n55555\n66"));
    log_file_write(f->log, bytes_of("666\n77777\n8"));
    assert_string_equal(content(f, "tenant.log"), "77777\n8");
    assert_string_equal(content(f, "tenant.log.1"), "55555\n66666\n");
    assert_string_equal(content(f, "tenant.log.2"), "33333\n44444\n");
}

static void a_line_longer_than_a_file_has_one_of_its_own(void **state)
{
    struct fixture *f = *state;

    log_file_write(f->log, bytes_of("1111111111111111111"));
    log_file_write(f->log, bytes_of("1\n2\n"));
    assert_string_equal(content(f, "tenant.log.1"), "11111111111111111111\n");
    assert_string_equal(content(f, "tenant.log"), "2\n");
}

static void a_full_disk_leaves_a_gap_that_is_told_of(void **state)
{
    struct fixture *f = *state;

    log_file_free(f->log);
    f->log =
        log_file_new(&(struct log_file_options){ .files = &f->files.files, .name = "tenant.log" });
    log_file_write(f->log, bytes_of("a\n"));
    f->files.full = true;
    log_file_write(f->log, bytes_of("bbbb\n"));
    f->files.full = false;
    log_file_write(f->log, bytes_of("c\n"));
    assert_string_equal(
        content(f, "tenant.log"),
        "a\n{\"level\":\"warn\",\"message\":\"log lines were lost: the disk refused "
        "them\",\"bytes\":5}\nc\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lines_are_appended),
        TEST(a_log_goes_on_where_it_ended),
        TEST(rotation_keeps_lines_whole_and_files_few),
        TEST(a_line_longer_than_a_file_has_one_of_its_own),
        TEST(a_full_disk_leaves_a_gap_that_is_told_of),
    };

    return cmocka_run_group_tests_name("log_file", tests, NULL, NULL);
}
