#include "services/registry/policy_board.h"

#include "libs/base/text.h"
#include "libs/testing/fake_clock.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct fake_clock clock;
    struct policy_board *board;
    struct arena *arena;
    struct policy_point points[3];
    int wakes[3];
};

static void count_wake(void *object)
{
    (*(int *)object)++;
}

static int set_up(void **state)
{
    static struct fixture f;
    static const char *const names[] = { "a", "b", "c" };

    f = (struct fixture){ .arena = arena_new() };
    fake_clock_init(&f.clock, 0);
    f.board = policy_board_new(&f.clock.clock);
    for (size_t i = 0; i < 3; i++) {
        f.points[i] =
            (struct policy_point){ .wake = count_wake, .object = &f.wakes[i], .name = names[i] };
        policy_board_join(f.board, &f.points[i]);
    }
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < 3; i++) {
        policy_board_leave(f->board, &f->points[i]);
    }
    policy_board_free(f->board);
    arena_free(f->arena);
    return 0;
}

static void a_published_policy_wakes_every_point(void **state)
{
    struct fixture *f = *state;
    bytes packed;

    assert_int_equal(policy_board_get(f->board, f->arena, &packed), 0);
    assert_int_equal(packed.size, 0);
    policy_board_publish(f->board, 1, bytes_of("one"));
    assert_int_equal(f->wakes[0] + f->wakes[1] + f->wakes[2], 3);
    assert_int_equal(policy_board_get(f->board, f->arena, &packed), 1);
    assert_memory_equal(packed.data, "one", packed.size);
}

static void an_older_revision_is_passed_over(void **state)
{
    struct fixture *f = *state;
    bytes packed;

    policy_board_publish(f->board, 2, bytes_of("two"));
    policy_board_publish(f->board, 1, bytes_of("one"));
    assert_int_equal(policy_board_get(f->board, f->arena, &packed), 2);
    assert_memory_equal(packed.data, "two", packed.size);
    assert_int_equal(f->wakes[0], 1);
}

static void a_receipt_names_the_silent(void **state)
{
    struct fixture *f = *state;

    policy_board_publish(f->board, 2, bytes_of("two"));
    policy_board_obeyed(f->board, &f->points[0], 2);
    policy_board_obeyed(f->board, &f->points[1], 1);
    policy_board_obeyed(f->board, &f->points[2], 3);
    struct policy_receipt receipt = policy_board_wait(f->board, f->arena, 2, 0);
    assert_int_equal(receipt.revision, 2);
    assert_int_equal(receipt.n_points, 3);
    assert_int_equal(receipt.n_obeyed, 2);
    assert_int_equal(receipt.n_fenced, 1);
    assert_string_equal(receipt.fenced[0], "b");
}

static void *obey_and_leave(void *data)
{
    struct fixture *f = data;

    policy_board_obeyed(f->board, &f->points[0], 2);
    policy_board_leave(f->board, &f->points[1]);
    policy_board_obeyed(f->board, &f->points[2], 2);
    return NULL;
}

static void a_wait_ends_when_the_last_has_obeyed_or_left(void **state)
{
    struct fixture *f = *state;
    pthread_t thread;

    policy_board_publish(f->board, 2, bytes_of("two"));
    assert_int_equal(pthread_create(&thread, NULL, obey_and_leave, f), 0);
    struct policy_receipt receipt = policy_board_wait(f->board, f->arena, 2, 60000);
    assert_int_equal(pthread_join(thread, NULL), 0);
    /* The one that left was there when the wait began, or it was not. */
    assert_int_equal(receipt.n_obeyed, 2);
    assert_int_equal(receipt.n_points, 2 + receipt.n_fenced);
    assert_true(receipt.n_fenced == 0 || strcmp(receipt.fenced[0], "b") == 0);
    policy_board_join(f->board, &f->points[1]);
}

static void one_that_joins_later_is_not_waited_for(void **state)
{
    struct fixture *f = *state;

    policy_board_leave(f->board, &f->points[2]);
    policy_board_publish(f->board, 2, bytes_of("two"));
    policy_board_obeyed(f->board, &f->points[0], 2);
    policy_board_obeyed(f->board, &f->points[1], 2);
    struct policy_receipt receipt = policy_board_wait(f->board, f->arena, 2, 60000);
    assert_int_equal(receipt.n_points, 2);
    policy_board_join(f->board, &f->points[2]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_published_policy_wakes_every_point),
        TEST(an_older_revision_is_passed_over),
        TEST(a_receipt_names_the_silent),
        TEST(a_wait_ends_when_the_last_has_obeyed_or_left),
        TEST(one_that_joins_later_is_not_waited_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
