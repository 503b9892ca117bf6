#include "libs/testing/crash_files.h"

#include "libs/base/files_contract.h"
#include "libs/base/text.h"
#include "libs/testing/assert_status.h"

#include <string.h>

struct fixture {
    struct crash_files crash;
    struct files *files;
    struct arena *arena;
};

static int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){ .files = &f.crash.files, .arena = arena_new() };
    crash_files_init(&f.crash);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    crash_files_reset(&f->crash);
    arena_free(f->arena);
    return 0;
}

static struct file *open_file(struct fixture *f, const char *name)
{
    struct file *file = NULL;

    assert_status(files_open(f->files, f->arena, name, FILES_WRITE, &file), STATUS_OK);
    return file;
}

/* What the file holds, or "none". */
static const char *content(struct fixture *f, const char *name)
{
    bytes data = { 0 };
    status s = files_read(f->files, f->arena, name, 1000, &data);

    return s.code == STATUS_NOT_FOUND ? "none" : arena_strdup(f->arena, (const char *)data.data);
}

static void it_keeps_the_contract(void **state)
{
    struct fixture *f = *state;

    files_contract(f->files);
}

static void bytes_that_were_not_synced_are_forgotten(void **state)
{
    struct fixture *f = *state;
    struct file *file = open_file(f, "log");

    assert_status(files_sync_folder(f->files, f->arena, ""), STATUS_OK);
    assert_status(file_write_at(file, f->arena, 0, bytes_of("one")), STATUS_OK);
    assert_status(file_sync(file, f->arena), STATUS_OK);
    assert_status(file_write_at(file, f->arena, 3, bytes_of("two")), STATUS_OK);
    assert_string_equal(content(f, "log"), "onetwo");
    crash_files_crash(&f->crash);
    assert_string_equal(content(f, "log"), "one");
    file_close(file);
}

static void a_name_that_was_not_synced_is_forgotten(void **state)
{
    struct fixture *f = *state;
    struct file *file = open_file(f, "log");

    assert_status(file_write_at(file, f->arena, 0, bytes_of("one")), STATUS_OK);
    assert_status(file_sync(file, f->arena), STATUS_OK);
    file_close(file);
    crash_files_crash(&f->crash);
    assert_string_equal(content(f, "log"), "none");
}

static void a_removed_name_comes_back(void **state)
{
    struct fixture *f = *state;

    assert_status(files_replace(f->files, f->arena, "state", bytes_of("x")), STATUS_OK);
    assert_status(files_remove(f->files, f->arena, "state"), STATUS_OK);
    crash_files_crash(&f->crash);
    assert_string_equal(content(f, "state"), "x");
    assert_status(files_remove(f->files, f->arena, "state"), STATUS_OK);
    assert_status(files_sync_folder(f->files, f->arena, ""), STATUS_OK);
    crash_files_crash(&f->crash);
    assert_string_equal(content(f, "state"), "none");
}

/* The mistake that leaves empty files after a power cut. */
static void a_rename_does_not_wait_for_the_bytes(void **state)
{
    struct fixture *f = *state;
    struct file *file = open_file(f, "state.new");

    assert_status(file_write_at(file, f->arena, 0, bytes_of("x")), STATUS_OK);
    assert_status(files_rename(f->files, f->arena, "state.new", "state"), STATUS_OK);
    assert_status(files_sync_folder(f->files, f->arena, ""), STATUS_OK);
    file_close(file);
    crash_files_crash(&f->crash);
    assert_string_equal(content(f, "state"), "");
}

static void a_rename_between_folders_needs_both_synced(void **state)
{
    struct fixture *f = *state;

    assert_status(files_make_folder(f->files, f->arena, "a"), STATUS_OK);
    assert_status(files_make_folder(f->files, f->arena, "b"), STATUS_OK);
    assert_status(files_replace(f->files, f->arena, "a/x", bytes_of("x")), STATUS_OK);
    assert_status(files_rename(f->files, f->arena, "a/x", "b/x"), STATUS_OK);
    assert_status(files_sync_folder(f->files, f->arena, "a"), STATUS_OK);
    crash_files_crash(&f->crash);
    assert_string_equal(content(f, "a/x"), "none");
    assert_string_equal(content(f, "b/x"), "none");
}

/* At every crash, and with any sync left out when nothing crashes before the end. */
static void replace_is_all_or_nothing(void **state)
{
    struct fixture *f = *state;
    bool is_over = false;

    assert_status(files_replace(f->files, f->arena, "state", bytes_of("old")), STATUS_OK);
    for (unsigned n = 1; !is_over; n++) {
        f->crash.crash_after = n;
        f->crash.n_operations = 0;
        status s = files_replace(f->files, f->arena, "state", bytes_of("new"));
        is_over = status_is_ok(s);
        crash_files_crash(&f->crash);
        if (strcmp(content(f, "state"), is_over ? "new" : "old") != 0) {
            fail_msg("crash at %u leaves '%s'", n, content(f, "state"));
        }
    }
}

static void a_sync_left_out_shows(void **state)
{
    struct fixture *f = *state;

    assert_status(files_replace(f->files, f->arena, "state", bytes_of("old")), STATUS_OK);
    assert_int_equal(f->crash.n_syncs, 2);
    for (unsigned n = 1; n <= 2; n++) {
        crash_files_crash(&f->crash);
        f->crash.skip_sync = n;
        assert_status(files_replace(f->files, f->arena, "state", bytes_of("new")), STATUS_OK);
        crash_files_crash(&f->crash);
        assert_string_not_equal(content(f, "state"), "new");
        assert_status(files_replace(f->files, f->arena, "state", bytes_of("old")), STATUS_OK);
    }
}

static void of_a_torn_write_one_half_is_there(void **state)
{
    static const struct {
        enum crash_torn torn;
        const char *want;
    } cases[] = {
        { TORN_NOTHING, "abcdefgh" },
        { TORN_FIRST_HALF, "ABCDEfgh" },
        { TORN_LAST_HALF, "abcdeFGHIJ" },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_status(files_replace(f->files, f->arena, "log", bytes_of("abcdefgh")), STATUS_OK);
        struct file *file = open_file(f, "log");
        assert_status(file_write_at(file, f->arena, 0, bytes_of("ABCD")), STATUS_OK);
        assert_status(file_write_at(file, f->arena, 4, bytes_of("EFGHIJ")), STATUS_OK);
        f->crash.torn = cases[i].torn;
        crash_files_crash(&f->crash);
        file_close(file);
        assert_string_equal(content(f, "log"), cases[i].want);
    }
}

static void a_full_disk_reads_and_goes_on_when_there_is_room(void **state)
{
    struct fixture *f = *state;
    struct file *file = open_file(f, "log");
    struct file *other;

    assert_status(file_write_at(file, f->arena, 0, bytes_of("one")), STATUS_OK);
    f->crash.full = true;
    assert_status(file_write_at(file, f->arena, 3, bytes_of("two!")), STATUS_RESOURCE_EXHAUSTED);
    assert_status(file_truncate(file, f->arena, 100), STATUS_RESOURCE_EXHAUSTED);
    assert_status(files_open(f->files, f->arena, "x", FILES_WRITE, &other),
                  STATUS_RESOURCE_EXHAUSTED);
    assert_status(files_make_folder(f->files, f->arena, "x"), STATUS_RESOURCE_EXHAUSTED);
    assert_string_equal(content(f, "log"), "onetw");
    assert_status(file_truncate(file, f->arena, 3), STATUS_OK);
    f->crash.full = false;
    assert_status(file_write_at(file, f->arena, 3, bytes_of("two")), STATUS_OK);
    assert_string_equal(content(f, "log"), "onetwo");
    file_close(file);
}

static void one_operation_fails_and_the_next_does_not(void **state)
{
    struct fixture *f = *state;
    struct file *file = open_file(f, "log");

    f->crash.fail_operation = 2;
    assert_status(file_write_at(file, f->arena, 0, bytes_of("four")), STATUS_UNAVAILABLE);
    assert_string_equal(content(f, "log"), "fo");
    assert_status(file_write_at(file, f->arena, 0, bytes_of("four")), STATUS_OK);
    assert_int_equal(f->crash.n_operations, 3);
    file_close(file);
}

/* A program that calls fsync() again until it says OK has lost data (fsyncgate). */
static void what_a_failed_sync_lost_no_other_brings_back(void **state)
{
    struct fixture *f = *state;
    struct file *file = open_file(f, "log");

    assert_status(files_sync_folder(f->files, f->arena, ""), STATUS_OK);
    assert_status(file_write_at(file, f->arena, 0, bytes_of("one")), STATUS_OK);
    f->crash.fail_operation = 4;
    assert_status(file_sync(file, f->arena), STATUS_UNAVAILABLE);
    assert_status(file_sync(file, f->arena), STATUS_OK);
    assert_string_equal(content(f, "log"), "one");
    crash_files_crash(&f->crash);
    assert_string_equal(content(f, "log"), "");
    file_close(file);
}

static void what_was_open_before_the_crash_is_dead(void **state)
{
    struct fixture *f = *state;
    struct file *file = open_file(f, "log");
    uint64_t size;

    crash_files_crash(&f->crash);
    assert_status(file_size(file, f->arena, &size), STATUS_UNAVAILABLE);
    assert_status(file_write_at(file, f->arena, 0, bytes_of("x")), STATUS_UNAVAILABLE);
    assert_status(file_sync(file, f->arena), STATUS_UNAVAILABLE);
    file_close(file);
}

static void a_flipped_bit_stays(void **state)
{
    struct fixture *f = *state;

    assert_status(files_replace(f->files, f->arena, "state", bytes_of("aaa")), STATUS_OK);
    crash_files_flip(&f->crash, "state", 1);
    assert_string_equal(content(f, "state"), "aqa");
    crash_files_crash(&f->crash);
    assert_string_equal(content(f, "state"), "aqa");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_keeps_the_contract),
        TEST(bytes_that_were_not_synced_are_forgotten),
        TEST(a_name_that_was_not_synced_is_forgotten),
        TEST(a_removed_name_comes_back),
        TEST(a_rename_does_not_wait_for_the_bytes),
        TEST(a_rename_between_folders_needs_both_synced),
        TEST(replace_is_all_or_nothing),
        TEST(a_sync_left_out_shows),
        TEST(of_a_torn_write_one_half_is_there),
        TEST(a_full_disk_reads_and_goes_on_when_there_is_room),
        TEST(one_operation_fails_and_the_next_does_not),
        TEST(what_a_failed_sync_lost_no_other_brings_back),
        TEST(what_was_open_before_the_crash_is_dead),
        TEST(a_flipped_bit_stays),
    };

    return cmocka_run_group_tests_name("crash_files", tests, NULL, NULL);
}
