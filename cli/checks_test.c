#include "cli/checks.h"

#include "libs/testing/assert_status.h"

#include <string.h>

static const int64_t now_ms = INT64_C(1795266000000); /* in November 2026 */

static void a_clock_must_be_plausible_and_not_behind_the_state(void **state)
{
    (void)state;
    struct arena *arena = arena_new();

    assert_int_equal(check_clock_against(arena, now_ms, 0).verdict, VERDICT_OK);
    assert_int_equal(check_clock_against(arena, now_ms, now_ms + 30000).verdict, VERDICT_OK);
    struct finding behind = check_clock_against(arena, now_ms, now_ms + INT64_C(259200000));
    assert_int_equal(behind.verdict, VERDICT_FAIL);
    assert_string_equal(behind.found, "the clock is 259200 s behind what is in the state");
    assert_int_equal(check_clock_against(arena, 0, 0).verdict, VERDICT_FAIL);
    arena_free(arena);
}

static void little_room_is_a_warning_and_none_a_failure(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    const uint64_t mib = UINT64_C(1) << 20;

    assert_int_equal(check_space(arena, "/", 2048 * mib, 1000).verdict, VERDICT_OK);
    assert_int_equal(check_space(arena, "/", 2047 * mib, 1000).verdict, VERDICT_WARN);
    assert_int_equal(check_space(arena, "/", 199 * mib, 1000).verdict, VERDICT_FAIL);
    assert_int_equal(check_space(arena, "/", 2048 * mib, 999).verdict, VERDICT_FAIL);
    assert_int_equal(check_memory_of(arena, 512 * mib).verdict, VERDICT_OK);
    assert_int_equal(check_memory_of(arena, 511 * mib).verdict, VERDICT_WARN);
    assert_int_equal(check_memory_of(arena, 199 * mib).verdict, VERDICT_FAIL);
    arena_free(arena);
}

static void every_check_answers_for_a_machine_without_a_mesh(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    const struct home home = { .root = "/proc/nowhere" };

    for (const struct check *check = checks; check->name != NULL; check++) {
        struct finding finding = check->look(arena, &home);
        assert_non_null(finding.found);
        assert_true((finding.verdict == VERDICT_OK) == (finding.next == NULL));
    }
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clock_must_be_plausible_and_not_behind_the_state),
        cmocka_unit_test(little_room_is_a_warning_and_none_a_failure),
        cmocka_unit_test(every_check_answers_for_a_machine_without_a_mesh),
    };

    return cmocka_run_group_tests_name("checks", tests, NULL, NULL);
}
