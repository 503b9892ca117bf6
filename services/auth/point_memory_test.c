#include "services/auth/point_memory.h"

#include "services/auth/auth_fixture.h"

/* Whom the next process would name in a receipt. */
static struct points_receipt next_receipt(struct auth_fixture *f)
{
    const struct point_memory memory = { &f->store.store, &f->clock.clock };
    struct points *points = points_new(&f->clock.clock);

    assert_status(point_memory_load(&memory, f->call.arena, points), STATUS_OK);
    struct points_receipt receipt = points_await(
        points, f->call.arena, &(struct points_wait){ .revision = UINT64_MAX, .timeout_ms = 1 });
    points_free(points);
    return receipt;
}

static void who_was_there_is_expected_back(void **state)
{
    struct auth_fixture *f = *state;
    struct point_double point;

    point_double_init(&point, f, "search/1");
    assert_int_equal(next_receipt(f).n_points, 0); /* it obeys nothing yet */
    point_double_take(&point, true);
    struct points_receipt receipt = next_receipt(f);
    assert_int_equal(receipt.n_fenced, 1);
    assert_string_equal(receipt.fenced[0], "spiffe://weft.local/search search/1");
    f->clock.wall_ms += POINTS_LEASE_MS - 1;
    assert_int_equal(next_receipt(f).n_fenced, 1);
    f->clock.wall_ms += 2; /* since the process before, which did not hear of it again */
    assert_int_equal(next_receipt(f).n_fenced, 0);
    point_double_reset(&point);
}

static void who_has_gone_is_expected_while_its_lease_runs(void **state)
{
    struct auth_fixture *f = *state;
    struct point_double point;

    point_double_init(&point, f, "search/1");
    point_double_take(&point, true);
    point_double_reset(&point);
    assert_int_equal(next_receipt(f).n_fenced, 1);
    f->clock.wall_ms += POINTS_LEASE_MS + 1;
    assert_int_equal(next_receipt(f).n_fenced, 0);
}

static void who_said_goodbye_is_not_expected(void **state)
{
    struct auth_fixture *f = *state;
    struct point_double point;

    point_double_init(&point, f, "search/1");
    point_double_take(&point, true);
    assert_status(test_stream_half_close(&point.stream), STATUS_OK);
    point_double_reset(&point);
    assert_int_equal(next_receipt(f).n_points, 0);
}

static void who_has_come_back_is_not_gone_when_its_old_stream_ends(void **state)
{
    struct auth_fixture *f = *state;
    struct point_double old, new;

    point_double_init(&old, f, "search/1");
    point_double_take(&old, true);
    point_double_init(&new, f, "search/1");
    point_double_take(&new, true);
    point_double_reset(&old);
    f->clock.wall_ms += POINTS_LEASE_MS + 1;
    assert_int_equal(next_receipt(f).n_fenced, 1);
    point_double_reset(&new);
}

static void a_store_that_fails_is_told(void **state)
{
    struct auth_fixture *f = *state;
    const struct point_memory memory = { &f->store.store, &f->clock.clock };

    f->store.fail_commit = 1;
    assert_status(point_memory_load(&memory, f->call.arena, f->points), STATUS_UNAVAILABLE);
    f->store.fail_query = 1;
    assert_status(point_memory_load(&memory, f->call.arena, f->points), STATUS_UNAVAILABLE);
    f->store.fail_commit = 1;
    point_memory_note_here(&memory, "search/1"); /* nobody waits for it */
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, auth_fixture_set_up, auth_fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_was_there_is_expected_back),
        TEST(who_has_gone_is_expected_while_its_lease_runs),
        TEST(who_said_goodbye_is_not_expected),
        TEST(who_has_come_back_is_not_gone_when_its_old_stream_ends),
        TEST(a_store_that_fails_is_told),
    };

    return cmocka_run_group_tests_name("point_memory", tests, NULL, NULL);
}
