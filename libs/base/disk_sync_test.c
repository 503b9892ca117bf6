/* That disk_files really syncs: everything above it is tested over crash_files, which would not
 * notice if these two system calls were gone.  The linker brings them here (BUILD, --wrap). */

#include "libs/base/files.h"
#include "libs/base/text.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/temp_folder.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

int __real_fdatasync(int fd);
int __real_fsync(int fd);
int __wrap_fdatasync(int fd);
int __wrap_fsync(int fd);

static char calls[64]; /* 'd' for a file's, 'D' for a folder's, in their order */
static int fail_with;  /* an errno, for the next */

static int note(int fd, char name, int (*sync)(int fd))
{
    struct stat info;

    assert_int_equal(fstat(fd, &info), 0);
    assert_int_equal(S_ISDIR(info.st_mode), name == 'D');
    calls[strlen(calls)] = name;
    if (fail_with != 0) {
        errno = fail_with;
        fail_with = 0;
        return -1;
    }
    return sync(fd);
}

int __wrap_fdatasync(int fd)
{
    return note(fd, 'd', __real_fdatasync);
}

int __wrap_fsync(int fd)
{
    return note(fd, 'D', __real_fsync);
}

struct fixture {
    struct arena *arena;
    struct disk_files disk;
    struct files *files;
};

static int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){ .arena = arena_new() };
    assert_status(disk_files_init(&f.disk, f.arena, temp_folder(f.arena)), STATUS_OK);
    f.files = &f.disk.files;
    memset(calls, 0, sizeof calls);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    disk_files_reset(&f->disk);
    arena_free(f->arena);
    return 0;
}

static void a_files_sync_reaches_the_disk(void **state)
{
    struct fixture *f = *state;
    struct file *file;

    assert_status(files_open(f->files, f->arena, "a", FILES_WRITE, &file), STATUS_OK);
    assert_status(file_write_at(file, f->arena, 0, bytes_of("x")), STATUS_OK);
    assert_string_equal(calls, "");
    assert_status(file_sync(file, f->arena), STATUS_OK);
    assert_string_equal(calls, "d");
    file_close(file);
}

static void a_folders_sync_reaches_the_disk(void **state)
{
    struct fixture *f = *state;

    assert_status(files_sync_folder(f->files, f->arena, ""), STATUS_OK);
    assert_string_equal(calls, "D");
}

static void what_is_replaced_is_synced_before_its_name_is(void **state)
{
    struct fixture *f = *state;

    assert_status(files_replace(f->files, f->arena, "a", bytes_of("x")), STATUS_OK);
    assert_string_equal(calls, "dD");
}

static void a_new_folder_is_there_for_good(void **state)
{
    struct fixture *f = *state;

    assert_status(files_make_folder(f->files, f->arena, "a/b"), STATUS_OK);
    assert_true(strlen(calls) >= 2 && strchr(calls, 'd') == NULL); /* the parent of each */
}

static void a_sync_that_fails_is_told(void **state)
{
    struct fixture *f = *state;

    fail_with = EIO;
    assert_status(files_replace(f->files, f->arena, "a", bytes_of("x")), STATUS_UNAVAILABLE);
    fail_with = ENOSPC;
    assert_status(files_sync_folder(f->files, f->arena, ""), STATUS_RESOURCE_EXHAUSTED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_files_sync_reaches_the_disk),
        TEST(a_folders_sync_reaches_the_disk),
        TEST(what_is_replaced_is_synced_before_its_name_is),
        TEST(a_new_folder_is_there_for_good),
        TEST(a_sync_that_fails_is_told),
    };

    return cmocka_run_group_tests_name("disk_sync", tests, NULL, NULL);
}
