#include "loadtests/disk_limit.h"

#include "libs/testing/assert_status.h"
#include "libs/testing/temp_folder.h"

#include <unistd.h>

static void it_counts_writes_and_leaves_nothing(void **state)
{
    struct arena *arena = arena_new();
    const char *folder = temp_folder(arena);
    double writes = 0;

    (void)state;
    assert_status(disk_limit_run(arena, folder, 4096, 1, &writes), STATUS_OK);
    assert_true(writes > 0);
    assert_int_not_equal(access(arena_printf(arena, "%s/disk_limit", folder), F_OK), 0);
    arena_free(arena);
}

static void a_folder_that_is_not_there_is_said_to_be(void **state)
{
    struct arena *arena = arena_new();
    double writes = 0;

    (void)state;
    assert_status(disk_limit_run(arena, "/proc/nowhere", 4096, 1, &writes), STATUS_UNAVAILABLE);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_counts_writes_and_leaves_nothing),
        cmocka_unit_test(a_folder_that_is_not_there_is_said_to_be),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
