#include "services/auth/points.h"

#include "libs/testing/assert_status.h"
#include "libs/testing/fake_clock.h"

#include <string.h>

/* A stream that counts its wakes. */
struct counted_stream {
    struct stream stream;
    int n_wakes;
};

static void count_wake(struct stream *stream)
{
    ((struct counted_stream *)stream)->n_wakes++;
}

static const struct stream_ops counted_ops = { .wake = count_wake };

struct fixture {
    struct arena *arena;
    struct fake_clock clock;
    struct points *points;
    struct counted_stream streams[3];
    struct point point[3];
};

static int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){ .arena = arena_new() };
    fake_clock_init(&f.clock, 1700000000000);
    f.points = points_new(&f.clock.clock);
    for (int i = 0; i < 3; i++) {
        f.streams[i].stream.ops = &counted_ops;
        f.point[i] = (struct point){ .stream = &f.streams[i].stream,
                                     .name = i == 0   ? "search search/1"
                                             : i == 1 ? "tenant tenant/1"
                                                      : "search search/1" };
    }
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    points_free(f->points);
    arena_free(f->arena);
    return 0;
}

static void join(struct fixture *f, int i)
{
    assert_status(points_join(f->points, f->arena, &f->point[i]), STATUS_OK);
}

static struct points_receipt await(struct fixture *f, uint64_t revision, bool do_not_fence)
{
    return points_await(f->points, f->arena,
                        &(struct points_wait){ .revision = revision,
                                               .since_us = f->clock.monotonic_us - 1500,
                                               .timeout_ms = 1,
                                               .do_not_fence = do_not_fence });
}

static void nobody_is_waited_for_where_there_is_nobody(void **state)
{
    struct fixture *f = *state;
    struct points_receipt receipt = await(f, 7, false);

    assert_int_equal(receipt.revision, 7);
    assert_int_equal(receipt.n_points, 0);
    assert_int_equal(receipt.n_fenced, 0);
    assert_int_equal(receipt.elapsed_us, 1500);
}

static void a_receipt_counts_who_obeys_and_names_who_does_not(void **state)
{
    struct fixture *f = *state;

    join(f, 0);
    join(f, 1);
    points_obeyed(f->points, &f->point[0], 7);
    points_obeyed(f->points, &f->point[1], 6);
    struct points_receipt receipt = await(f, 7, false);
    assert_int_equal(receipt.n_points, 2);
    assert_int_equal(receipt.n_obeyed, 1);
    assert_int_equal(receipt.n_fenced, 1);
    assert_string_equal(receipt.fenced[0], "tenant tenant/1");
    assert_true(points_is_fenced(f->points, &f->point[1]));
    assert_int_equal(f->streams[1].n_wakes, 1);
    assert_false(points_is_fenced(f->points, &f->point[0]));
    (void)points_leave(f->points, &f->point[0], true);
    (void)points_leave(f->points, &f->point[1], true);
}

static void who_is_late_for_good_news_is_not_fenced(void **state)
{
    struct fixture *f = *state;

    join(f, 0);
    assert_int_equal(await(f, 7, true).n_fenced, 1);
    assert_false(points_is_fenced(f->points, &f->point[0]));
    (void)points_leave(f->points, &f->point[0], true);
}

static void who_has_vanished_may_still_decide_while_its_lease_runs(void **state)
{
    struct fixture *f = *state;

    join(f, 0);
    points_obeyed(f->points, &f->point[0], 6);
    (void)points_leave(f->points, &f->point[0], false);
    struct points_receipt receipt = await(f, 7, false);
    assert_int_equal(receipt.n_points, 1);
    assert_int_equal(receipt.n_fenced, 1);
    assert_string_equal(receipt.fenced[0], "search search/1");
    fake_clock_advance_ms(&f->clock, POINTS_LEASE_MS);
    assert_int_equal(await(f, 7, false).n_points, 0);
}

static void who_has_come_back_and_obeys_is_not_lost(void **state)
{
    struct fixture *f = *state;

    join(f, 0);
    points_obeyed(f->points, &f->point[0], 6);
    (void)points_leave(f->points, &f->point[0], false);
    join(f, 2); /* of the same name */
    assert_int_equal(await(f, 7, true).n_obeyed, 0);
    points_obeyed(f->points, &f->point[2], 7);
    struct points_receipt receipt = await(f, 7, false);
    assert_int_equal(receipt.n_points, 1);
    assert_int_equal(receipt.n_obeyed, 1);
    (void)points_leave(f->points, &f->point[2], true);
}

static void who_said_goodbye_decides_nothing_any_more(void **state)
{
    struct fixture *f = *state;

    join(f, 0);
    points_obeyed(f->points, &f->point[0], 6);
    (void)points_leave(f->points, &f->point[0], true);
    assert_int_equal(await(f, 7, false).n_points, 0);
}

static void who_is_gone_waits_no_longer_and_fences_nobody(void **state)
{
    struct fixture *f = *state;
    const _Atomic bool cancelled = true;
    struct call call = call_of_process(f->arena);

    call.cancelled = &cancelled;
    join(f, 0);
    struct points_receipt receipt =
        points_await(f->points, f->arena,
                     &(struct points_wait){ .revision = 7, .timeout_ms = 60000, .call = &call });
    assert_int_equal(receipt.n_fenced, 1);
    assert_false(points_is_fenced(f->points, &f->point[0]));
    (void)points_leave(f->points, &f->point[0], true);
}

static void all_are_woken(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 3; i++) {
        join(f, i);
    }
    points_wake(f->points);
    (void)points_leave(f->points, &f->point[1], true);
    points_wake(f->points);
    assert_int_equal(f->streams[0].n_wakes, 2);
    assert_int_equal(f->streams[1].n_wakes, 1);
    assert_int_equal(f->streams[2].n_wakes, 2);
    (void)points_leave(f->points, &f->point[0], true);
    (void)points_leave(f->points, &f->point[2], true);
}

static void there_is_a_limit(void **state)
{
    struct fixture *f = *state;
    struct point *many = ARENA_NEW_ARRAY(f->arena, struct point, POINTS_MAX);

    for (int i = 0; i < POINTS_MAX; i++) {
        many[i] = (struct point){ .stream = &f->streams[0].stream, .name = "x" };
        assert_status(points_join(f->points, f->arena, &many[i]), STATUS_OK);
    }
    assert_status(points_join(f->points, f->arena, &f->point[0]), STATUS_RESOURCE_EXHAUSTED);
    for (int i = 0; i < POINTS_MAX; i++) {
        (void)points_leave(f->points, &many[i], true);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nobody_is_waited_for_where_there_is_nobody),
        TEST(a_receipt_counts_who_obeys_and_names_who_does_not),
        TEST(who_is_late_for_good_news_is_not_fenced),
        TEST(who_has_vanished_may_still_decide_while_its_lease_runs),
        TEST(who_has_come_back_and_obeys_is_not_lost),
        TEST(who_said_goodbye_decides_nothing_any_more),
        TEST(who_is_gone_waits_no_longer_and_fences_nobody),
        TEST(all_are_woken),
        TEST(there_is_a_limit),
    };

    return cmocka_run_group_tests_name("points", tests, NULL, NULL);
}
