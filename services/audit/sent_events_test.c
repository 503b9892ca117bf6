#include "services/audit/sent_events.h"

#include "libs/testing/assert_status.h"

#include <pthread.h>
#include <string.h>

enum { ROOM = 4 };

struct fixture {
    struct arena *arena;
    struct sent_events *sent;
};

static int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){ .arena = arena_new(), .sent = sent_events_new(10, ROOM) };
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    sent_events_free(f->sent);
    arena_free(f->arena);
    return 0;
}

static struct sent *claim(struct fixture *f, const char *event_id, bool want_mine)
{
    const struct audit_event_name name = { "acme", event_id };
    struct sent *sent = NULL;
    bool mine;

    assert_true(sent_events_claim(f->sent, &name, 1, &sent, &mine));
    assert_int_equal(mine, want_mine);
    return sent;
}

static uint64_t result(struct fixture *f, struct sent *sent)
{
    uint64_t index = 0;

    assert_status(sent_events_result(f->sent, f->arena, sent, &index), STATUS_OK);
    return index;
}

static void append(struct fixture *f, struct sent *sent, int64_t index)
{
    const struct audit_row row = {
        .index = index,
        .tenant_id = "acme",
        .event_id = "e",
        .action = "a",
        .actor_tag = { (const uint8_t *)"tag", 3 },
    };

    sent_events_appended(f->sent, sent, &row);
}

static void the_first_to_send_an_event_owns_it(void **state)
{
    struct fixture *f = *state;
    struct sent *first = claim(f, "a", true);
    struct sent *second = claim(f, "a", false);

    assert_ptr_equal(first, second);
    assert_false(sent_events_ended(f->sent, first));
    append(f, first, 10);
    assert_true(sent_events_ended(f->sent, first));
    assert_int_equal(result(f, first), 10);
    assert_int_equal(result(f, second), 10);
    assert_int_equal(result(f, claim(f, "a", false)), 10); /* until the index has it */
}

static void what_was_appended_is_found_before_the_index_has_it(void **state)
{
    static const struct audit_event_name name = { "acme", "a" };
    struct fixture *f = *state;
    uint64_t index = 0;

    assert_false(sent_events_find(f->sent, &name, &index));
    struct sent *sent = claim(f, "a", true);
    assert_false(sent_events_find(f->sent, &name, &index));
    append(f, sent, 10);
    assert_true(sent_events_find(f->sent, &name, &index));
    assert_int_equal(index, 10);
    (void)result(f, sent);
    sent_events_indexed(f->sent, 1);
    assert_false(sent_events_find(f->sent, &name, &index));
}

static void what_failed_may_be_sent_again(void **state)
{
    struct fixture *f = *state;
    struct sent *first = claim(f, "a", true);
    struct sent *second = claim(f, "a", false);
    uint64_t index;

    sent_events_failed(f->sent, first, status_error(f->arena, STATUS_RESOURCE_EXHAUSTED, "full"));
    assert_status(sent_events_result(f->sent, f->arena, first, &index), STATUS_RESOURCE_EXHAUSTED);
    status s = sent_events_result(f->sent, f->arena, second, &index);
    assert_status(s, STATUS_RESOURCE_EXHAUSTED);
    assert_string_equal(s.message, "full");
    struct sent *third = claim(f, "a", true);
    sent_events_found(f->sent, third, 3);
    assert_int_equal(result(f, third), 3);
}

static void rows_come_in_the_order_of_the_log(void **state)
{
    struct fixture *f = *state;
    struct sent *a = claim(f, "a", true);
    struct sent *b = claim(f, "b", true);
    struct audit_row rows[8];

    append(f, b, 11);
    assert_int_equal(sent_events_take(f->sent, 8, rows), 0); /* 10 is still to come */
    append(f, a, 10);
    assert_int_equal(sent_events_take(f->sent, 1, rows), 1);
    assert_int_equal(sent_events_take(f->sent, 8, rows), 2);
    assert_int_equal(rows[0].index, 10);
    assert_int_equal(rows[1].index, 11);
    assert_string_equal(rows[1].event_id, "e");
    assert_int_equal(rows[1].actor_tag.size, 3);
    assert_null(rows[1].target_tag.data);
    sent_events_indexed(f->sent, 2);
    assert_int_equal(sent_events_next(f->sent), 12);
    assert_true(sent_events_wait(f->sent, 12));
    assert_int_equal(result(f, a), 10); /* who holds it still gets its answer */
    assert_int_equal(result(f, b), 11);
    struct sent *again = claim(f, "a", true);
    sent_events_found(f->sent, again, 10);
    assert_int_equal(result(f, again), 10);
}

static void there_is_room_for_so_many_and_all_or_none_are_taken(void **state)
{
    static const struct audit_event_name names[] = {
        { "acme", "a" }, { "acme", "b" }, { "acme", "c" }, { "acme", "d" }, { "acme", "e" }
    };
    struct fixture *f = *state;
    struct sent *sent[5];
    bool mine[5];
    struct audit_row rows[ROOM];

    assert_false(sent_events_claim(f->sent, names, 5, sent, mine));
    assert_true(sent_events_claim(f->sent, names, 4, sent, mine));
    assert_false(sent_events_claim(f->sent, names + 4, 1, sent + 4, mine + 4));
    for (int i = 0; i < ROOM; i++) {
        append(f, sent[i], 10 + i);
        (void)result(f, sent[i]);
    }
    assert_int_equal(sent_events_take(f->sent, ROOM, rows), ROOM);
    sent_events_indexed(f->sent, ROOM);
    struct sent *next = claim(f, "e", true);
    append(f, next, 14);
    assert_int_equal(result(f, next), 14);
}

static void *append_later(void *data)
{
    struct fixture *f = data;

    append(f, claim(f, "a", true), 10);
    return NULL;
}

static void who_waits_for_the_index_is_woken_by_the_append(void **state)
{
    struct fixture *f = *state;
    pthread_t thread;

    assert_true(sent_events_wait(f->sent, 10)); /* nothing to wait for */
    assert_int_equal(pthread_create(&thread, NULL, append_later, f), 0);
    assert_false(sent_events_wait(f->sent, 11)); /* it is there, and in no index */
    (void)pthread_join(thread, NULL);
    (void)result(f, claim(f, "a", false));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_to_send_an_event_owns_it),
        TEST(what_was_appended_is_found_before_the_index_has_it),
        TEST(what_failed_may_be_sent_again),
        TEST(rows_come_in_the_order_of_the_log),
        TEST(there_is_room_for_so_many_and_all_or_none_are_taken),
        TEST(who_waits_for_the_index_is_woken_by_the_append),
    };

    return cmocka_run_group_tests_name("sent_events", tests, NULL, NULL);
}
