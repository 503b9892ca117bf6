#include "libs/base/files.h"

#include "libs/base/files_contract.h"
#include "libs/base/text.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/temp_folder.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static void a_real_folder_keeps_the_contract(void **state)
{
    struct disk_files files;

    assert_status(disk_files_init(&files, *state, temp_folder(*state)), STATUS_OK);
    files_contract(&files.files);
    disk_files_reset(&files);
}

static void what_is_made_is_the_owners_alone(void **state)
{
    const char *root = arena_printf(*state, "%s/state", temp_folder(*state));
    struct disk_files files;
    struct stat info;

    assert_status(disk_files_init(&files, *state, root), STATUS_OK);
    assert_status(files_make_folder(&files.files, *state, "sub"), STATUS_OK);
    assert_status(files_replace(&files.files, *state, "sub/file", bytes_of("x")), STATUS_OK);
    assert_int_equal(stat(root, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    assert_int_equal(stat(arena_printf(*state, "%s/sub", root), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    assert_int_equal(stat(arena_printf(*state, "%s/sub/file", root), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    disk_files_reset(&files);
}

/* A service works in its own folder, below one that it could not pass again. */
static void a_relative_root_stays_relative(void **state)
{
    const char *parent = temp_folder(*state);
    struct disk_files files;
    bytes data;

    assert_int_equal(chdir(parent), 0);
    assert_status(disk_files_init(&files, *state, "state"), STATUS_OK);
    assert_status(files_replace(&files.files, *state, "file", bytes_of("x")), STATUS_OK);
    assert_int_equal(rename(parent, arena_printf(*state, "%s-moved", parent)), 0);
    assert_status(files_read(&files.files, *state, "file", 1, &data), STATUS_OK);
    assert_int_equal(rename(arena_printf(*state, "%s-moved", parent), parent), 0);
    assert_int_equal(chdir("/"), 0);
    disk_files_reset(&files);
}

static void a_root_that_cannot_be_made_is_said(void **state)
{
    struct disk_files files;

    assert_status(disk_files_init(&files, *state, "/no/such/folder"), STATUS_NOT_FOUND);
    assert_status(disk_files_init(&files, *state, "/proc/state"), STATUS_NOT_FOUND);
}

/* /dev/full is a disk without room. */
static void a_full_disk_is_said(void **state)
{
    struct disk_files files;
    struct file *file;

    assert_status(disk_files_init(&files, *state, "/dev"), STATUS_OK);
    assert_status(files_open(&files.files, *state, "full", FILES_WRITE, &file), STATUS_OK);
    status s = file_write_at(file, *state, 0, bytes_of("x"));
    assert_status(s, STATUS_RESOURCE_EXHAUSTED);
    assert_string_equal(s.message, "the disk is full");
    file_close(file);
    disk_files_reset(&files);
}

static int set_up(void **state)
{
    *state = arena_new();
    return 0;
}

static int tear_down(void **state)
{
    arena_free(*state);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_real_folder_keeps_the_contract),
        TEST(what_is_made_is_the_owners_alone),
        TEST(a_relative_root_stays_relative),
        TEST(a_root_that_cannot_be_made_is_said),
        TEST(a_full_disk_is_said),
    };

    return cmocka_run_group_tests_name("files", tests, NULL, NULL);
}
