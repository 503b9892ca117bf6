#include "libs/base/lock_file.h"

#include "libs/testing/assert_status.h"
#include "libs/testing/temp_folder.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE_MS = 60 * 1000 };

static void a_lock_is_held_once(void **state)
{
    const char *path = arena_printf(*state, "%s/lock", temp_folder(*state));
    struct lock_file first;
    struct lock_file second;

    assert_status(lock_file_take(*state, path, &first), STATUS_OK);
    status s = lock_file_take(*state, path, &second);
    assert_status(s, STATUS_FAILED_PRECONDITION);
    assert_non_null(strstr(s.message, arena_printf(*state, "'%ld'", (long)getpid())));
    lock_file_release(&first);
    assert_status(lock_file_take(*state, path, &second), STATUS_OK);
    lock_file_release(&second);
    lock_file_release(&second);
}

static void a_lock_is_waited_for_until_its_holder_dies(void **state)
{
    const char *path = arena_printf(*state, "%s/lock", temp_folder(*state));
    struct lock_file lock;
    int ends[2];
    char byte = 0;

    assert_int_equal(pipe(ends), 0);
    pid_t holder = fork();
    if (holder == 0) {
        status s = lock_file_take(*state, path, &lock);
        _exit(status_is_ok(s) && write(ends[1], "", 1) == 1 ? pause() : 1);
    }
    assert_int_equal(read(ends[0], &byte, 1), 1); /* it holds the lock */
    assert_status(lock_file_wait(*state, path, 1, &lock), STATUS_FAILED_PRECONDITION);
    assert_int_equal(kill(holder, SIGKILL), 0);
    assert_status(lock_file_wait(*state, path, PATIENCE_MS, &lock), STATUS_OK);
    assert_int_equal(waitpid(holder, NULL, 0), holder);
    lock_file_release(&lock);
    assert_int_equal(close(ends[0]) | close(ends[1]), 0);
}

static void a_folder_that_is_not_there_is_said(void **state)
{
    struct lock_file lock;

    assert_status(lock_file_take(*state, "/no/such/folder/lock", &lock), STATUS_UNAVAILABLE);
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
        TEST(a_lock_is_held_once),
        TEST(a_lock_is_waited_for_until_its_holder_dies),
        TEST(a_folder_that_is_not_there_is_said),
    };

    return cmocka_run_group_tests_name("lock_file", tests, NULL, NULL);
}
