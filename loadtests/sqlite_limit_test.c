#include "loadtests/sqlite_limit.h"

#include "libs/testing/assert_status.h"
#include "libs/testing/temp_folder.h"

#include <unistd.h>

static void it_takes_jobs_by_the_batch_and_one_by_one(void **state)
{
    struct arena *arena = arena_new();
    const char *folder = temp_folder(arena);
    struct sqlite_limit *limit = NULL;
    double jobs_per_s = 0;
    double ms[3] = { 0 };

    (void)state;
    assert_status(sqlite_limit_new(arena, folder, &limit), STATUS_OK);
    assert_status(sqlite_limit_jobs(limit, arena, 10, 1, &jobs_per_s), STATUS_OK);
    assert_true(jobs_per_s > 0);
    assert_status(sqlite_limit_add(limit, arena, 3, ms), STATUS_OK);
    assert_true(ms[2] > 0);
    sqlite_limit_free(limit);
    assert_int_not_equal(access(arena_printf(arena, "%s/sqlite_limit.db", folder), F_OK), 0);
    arena_free(arena);
}

static void a_folder_that_is_not_there_is_said_to_be(void **state)
{
    struct arena *arena = arena_new();
    struct sqlite_limit *limit = NULL;

    (void)state;
    assert_status(sqlite_limit_new(arena, "/proc/nowhere", &limit), STATUS_UNAVAILABLE);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_takes_jobs_by_the_batch_and_one_by_one),
        cmocka_unit_test(a_folder_that_is_not_there_is_said_to_be),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
