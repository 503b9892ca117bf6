#include "services/auth/prime.h"

#include "services/auth/auth_fixture.h"

static void a_snapshot_is_as_the_feed_is(void **state)
{
    struct auth_fixture *f = *state;
    struct snapshot *snapshot = snapshot_new(&f->clock.clock);
    struct tenant_limits limits;

    assert_status(prime_snapshot(f->feed, f->call.arena, snapshot), STATUS_OK);
    assert_int_equal(snapshot_revision(snapshot), feed_revision(f->feed));
    assert_true(snapshot_is_fresh(snapshot));
    assert_true(snapshot_tenant(snapshot, "acme", &limits));
    snapshot_free(snapshot);
}

static void nothing_comes_of_a_closed_feed(void **state)
{
    struct auth_fixture *f = *state;
    struct snapshot *snapshot = snapshot_new(&f->clock.clock);
    struct feed *closed = feed_new(&(struct feed_options){
        .clock = &f->clock.clock, .epoch = 7, .changed = auth_fixture_changed });

    assert_status(prime_snapshot(closed, f->call.arena, snapshot), STATUS_OK);
    assert_int_equal(snapshot_revision(snapshot), 0);
    feed_free(closed);
    snapshot_free(snapshot);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, auth_fixture_set_up, auth_fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_snapshot_is_as_the_feed_is),
        TEST(nothing_comes_of_a_closed_feed),
    };

    return cmocka_run_group_tests_name("prime", tests, NULL, NULL);
}
