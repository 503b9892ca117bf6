#include "services/auth/subscribers.h"

#include "services/auth/auth_fixture.h"

typedef Weft__Auth__V1__SubscribeRequest SubscribeRequest;

static const Weft__Auth__V1__TenantStanding suspended =
    WEFT__AUTH__V1__TENANT_STANDING__TENANT_STANDING_SUSPENDED;

static void tick(struct auth_fixture *f)
{
    assert_status(auth_service_tick(f->service, f->call.arena), STATUS_OK);
}

static status send_up(struct point_double *point, uint64_t revision, const char *instance)
{
    SubscribeRequest request;

    weft__auth__v1__subscribe_request__init(&request);
    request.acknowledged_revision = revision;
    request.instance = message_text(instance);
    return test_stream_message(&point->stream, &request.base);
}

static void a_point_knows_what_is_known(void **state)
{
    struct auth_fixture *f = *state;
    struct point_double point;
    struct tenant_limits limits;

    point_double_init(&point, f, "search/1");
    point_double_take(&point, true);
    assert_int_equal(snapshot_revision(point.snapshot), feed_revision(f->feed));
    put_tenant(f, "acme", suspended);
    point_double_take(&point, true);
    assert_true(snapshot_tenant(point.snapshot, "acme", &limits));
    assert_int_equal(limits.standing, suspended);
    point_double_reset(&point);
}

static void a_beat_comes_each_second_behind_all_changes(void **state)
{
    struct auth_fixture *f = *state;
    struct point_double point;

    point_double_init(&point, f, "search/1");
    point_double_take(&point, true);
    tick(f);
    point_double_take(&point, true);
    assert_int_equal(point.n_beats, 0);
    fake_clock_advance_ms(&f->clock, SUBSCRIBERS_BEAT_MS);
    tick(f);
    point_double_take(&point, true);
    assert_int_equal(point.n_beats, 1);
    fake_clock_advance_ms(&f->clock, SUBSCRIBERS_BEAT_MS);
    point.stream.is_full = true;
    put_tenant(f, "acme", suspended);
    tick(f);
    point_double_take(&point, true);
    assert_int_equal(point.n_beats, 1); /* a slow reader hears no beat before the change */
    assert_true(snapshot_revision(point.snapshot) < feed_revision(f->feed));
    point.stream.is_full = false;
    tick(f);
    point_double_take(&point, true);
    assert_int_equal(snapshot_revision(point.snapshot), feed_revision(f->feed));
    point_double_reset(&point);
}

static void the_first_message_says_who_it_is(void **state)
{
    struct auth_fixture *f = *state;
    char long_name[SUBSCRIBERS_MAX_INSTANCE_BYTES + 2];
    const char *const bad[] = { "", long_name };
    struct point_double point;

    for (size_t i = 0; i < sizeof long_name - 1; i++) {
        long_name[i] = 'x';
    }
    long_name[sizeof long_name - 1] = '\0';
    for (size_t i = 0; i < 2; i++) {
        point_double_init(&point, f, bad[i]);
        assert_status(point.stream.result, STATUS_INVALID_ARGUMENT);
        point_double_reset(&point);
    }
    point_double_init(&point, f, long_name + 1);
    assert_status(point.stream.result, STATUS_OK);
    point_double_reset(&point);
}

static void what_was_never_sent_cannot_be_obeyed(void **state)
{
    struct auth_fixture *f = *state;
    struct point_double point;

    point_double_init(&point, f, "search/1");
    point_double_take(&point, true);
    assert_status(send_up(&point, feed_revision(f->feed) + 1, ""), STATUS_INVALID_ARGUMENT);
    point_double_reset(&point);
}

static void all_streams_end_when_the_process_does(void **state)
{
    struct auth_fixture *f = *state;
    struct point_double point, late;

    point_double_init(&point, f, "search/1");
    point_double_take(&point, true);
    auth_service_drain(f->service);
    point_double_take(&point, false);
    assert_status(point.stream.result, STATUS_UNAVAILABLE);
    point_double_init(&late, f, "tenant/1");
    assert_status(late.stream.result, STATUS_UNAVAILABLE);
    point_double_reset(&late);
    point_double_reset(&point);
}

static void who_says_goodbye_is_asked_no_more(void **state)
{
    struct auth_fixture *f = *state;
    struct point_double point;

    point_double_init(&point, f, "search/1");
    point_double_take(&point, true);
    assert_status(test_stream_half_close(&point.stream), STATUS_OK);
    assert_true(point.stream.ended);
    point_double_reset(&point);
    assert_int_equal(points_await(f->points, f->call.arena,
                                  &(struct points_wait){ .revision = UINT64_MAX, .timeout_ms = 1 })
                         .n_points,
                     0);
}

static void who_dies_has_not_said_goodbye(void **state)
{
    struct auth_fixture *f = *state;
    struct point_double point;

    point_double_init(&point, f, "search/1");
    point_double_take(&point, true);
    point.stream.result = status_error(f->call.arena, STATUS_CANCELLED, "the connection is gone");
    point_double_reset(&point);
    assert_int_equal(points_await(f->points, f->call.arena,
                                  &(struct points_wait){ .revision = UINT64_MAX, .timeout_ms = 1 })
                         .n_fenced,
                     1);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, auth_fixture_set_up, auth_fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_point_knows_what_is_known),
        TEST(a_beat_comes_each_second_behind_all_changes),
        TEST(the_first_message_says_who_it_is),
        TEST(what_was_never_sent_cannot_be_obeyed),
        TEST(all_streams_end_when_the_process_does),
        TEST(who_says_goodbye_is_asked_no_more),
        TEST(who_dies_has_not_said_goodbye),
    };

    return cmocka_run_group_tests_name("subscribers", tests, NULL, NULL);
}
