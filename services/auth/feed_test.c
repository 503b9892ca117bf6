#include "services/auth/feed.h"

#include "libs/rpc/decode.h"
#include "libs/rpc/message.h"
#include "libs/rpc/stream.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/fake_clock.h"

#include <string.h>

typedef Weft__Auth__V1__Snapshot Snapshot;

static const Weft__Auth__V1__TenantStanding active =
    WEFT__AUTH__V1__TENANT_STANDING__TENANT_STANDING_ACTIVE;

struct fixture {
    struct arena *arena;
    struct fake_clock clock;
    struct feed *feed;
    int n_changes;
};

static void count(void *data)
{
    struct fixture *f = data;

    f->n_changes++;
}

static int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){ .arena = arena_new() };
    fake_clock_init(&f.clock, 1700000000000);
    f.feed = feed_new(&(struct feed_options){
        .clock = &f.clock.clock, .epoch = 3, .changed = count, .data = &f });
    (void)feed_set_keys(f.feed, "{\"keys\":[]}");
    feed_open(f.feed);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    feed_free(f->feed);
    arena_free(f->arena);
    return 0;
}

/* NULL when the reader has seen all. */
static const Snapshot *read_next(struct fixture *f, struct feed_cursor *cursor)
{
    struct feed_message *message = feed_next(f->feed, cursor);
    const ProtobufCMessage *decoded;

    if (message == NULL) {
        return NULL;
    }
    bytes data = feed_message_data(message);
    while ((*data.data & 0x80) != 0) { /* the length in front */
        data.data++;
        data.size--;
    }
    assert_status(message_decode(f->arena, &weft__auth__v1__snapshot__descriptor,
                                 (bytes){ data.data + 1, data.size - 1 }, &decoded),
                  STATUS_OK);
    feed_message_unref(message);
    return (const Snapshot *)decoded;
}

static uint64_t put_tenants(struct fixture *f, size_t n, int64_t max_projects)
{
    Weft__Auth__V1__TenantState **tenants =
        ARENA_NEW_ARRAY(f->arena, Weft__Auth__V1__TenantState *, n);

    for (size_t i = 0; i < n; i++) {
        tenants[i] = ARENA_NEW(f->arena, Weft__Auth__V1__TenantState);
        weft__auth__v1__tenant_state__init(tenants[i]);
        tenants[i]->tenant_id = arena_printf(f->arena, "t%zu", i);
        tenants[i]->standing = active;
        tenants[i]->max_projects = max_projects;
    }
    return feed_put_tenants(f->feed, tenants, n);
}

static void a_reader_gets_the_whole_and_then_each_change(void **state)
{
    struct fixture *f = *state;
    struct feed_cursor cursor = { 0 };

    (void)feed_revoke(f->feed, "key:a", 5, 1800000000000);
    const Snapshot *whole = read_next(f, &cursor);
    assert_true(whole->whole);
    assert_false(whole->partial);
    assert_string_equal(whole->jwks, "{\"keys\":[]}");
    assert_int_equal(whole->n_roles, 4);
    assert_int_equal(whole->n_revocations, 1);
    assert_int_equal(whole->revision, cursor.revision);
    assert_null(read_next(f, &cursor));
    uint64_t revision = feed_revoke(f->feed, "key:b", 6, 1800000000000);
    (void)put_tenants(f, 1, 1);
    const Snapshot *change = read_next(f, &cursor);
    assert_false(change->whole);
    assert_int_equal(change->revision, revision);
    assert_int_equal(change->n_revocations, 1);
    assert_string_equal(change->revocations[0]->subject, "key:b");
    assert_string_equal(change->jwks, "");
    assert_int_equal(read_next(f, &cursor)->n_tenants, 1);
    assert_null(read_next(f, &cursor));
}

static void what_has_not_changed_is_no_change(void **state)
{
    struct fixture *f = *state;
    uint64_t revision = put_tenants(f, 10, 1);
    int n_changes = f->n_changes;

    assert_int_equal(put_tenants(f, 10, 1), revision);
    assert_int_equal(f->n_changes, n_changes);
    assert_int_equal(put_tenants(f, 10, 2), revision + 1);
}

static void a_closed_feed_gives_nothing(void **state)
{
    struct fixture *f = *state;
    struct feed *closed = feed_new(&(struct feed_options){
        .clock = &f->clock.clock, .epoch = 4, .changed = count, .data = f });
    struct feed_cursor cursor = { 0 };

    (void)feed_revoke(closed, "key:a", 5, 1800000000000);
    assert_null(feed_next(closed, &cursor));
    feed_free(closed);
}

static void a_large_whole_comes_in_parts(void **state)
{
    struct fixture *f = *state;
    struct feed_cursor cursor = { 0 };
    size_t n_tenants = 0;
    const Snapshot *part;

    (void)put_tenants(f, (size_t)2 * FEED_CHUNK + 1, 1);
    for (int i = 0; i < 3; i++) {
        part = read_next(f, &cursor);
        assert_int_equal(part->whole, i == 0);
        assert_int_equal(part->partial, i < 2);
        assert_int_equal(cursor.revision != 0, i == 2);
        n_tenants += part->n_tenants;
    }
    assert_int_equal(n_tenants, (size_t)2 * FEED_CHUNK + 1);
    assert_null(read_next(f, &cursor));
}

/* What changes while parts of a whole are still to be taken comes after it. */
static void a_whole_is_of_one_revision(void **state)
{
    struct fixture *f = *state;
    struct feed_cursor cursor = { 0 };

    (void)put_tenants(f, FEED_CHUNK + 1, 1);
    const Snapshot *first = read_next(f, &cursor);
    (void)feed_revoke(f->feed, "key:a", 5, 1800000000000);
    const Snapshot *last = read_next(f, &cursor);
    assert_int_equal(first->revision, last->revision);
    assert_int_equal(last->n_revocations, 0);
    assert_int_equal(read_next(f, &cursor)->n_revocations, 1);
}

static void who_is_far_behind_gets_the_whole_again(void **state)
{
    struct fixture *f = *state;
    struct feed_cursor behind = { 0 }, near = { 0 };

    (void)read_next(f, &behind);
    (void)feed_revoke(f->feed, "key:first", 5, 1800000000000);
    (void)read_next(f, &near);
    for (int i = 0; i < FEED_LOG_CHANGES; i++) {
        (void)feed_revoke(f->feed, arena_printf(f->arena, "key:%d", i), 5, 1800000000000);
    }
    assert_false(read_next(f, &near)->whole);
    const Snapshot *whole = read_next(f, &behind);
    assert_true(whole->whole);
    assert_int_equal(whole->n_revocations, FEED_LOG_CHANGES + 1);
    feed_cursor_reset(&near);
}

static void revisions_grow_over_restarts(void **state)
{
    struct fixture *f = *state;
    struct feed *next = feed_new(&(struct feed_options){
        .clock = &f->clock.clock, .epoch = 4, .changed = count, .data = f });

    assert_true(feed_set_keys(next, "") > feed_revoke(f->feed, "key:a", 5, 6));
    feed_free(next);
}

static void what_no_token_can_be_as_old_as_is_forgotten(void **state)
{
    struct fixture *f = *state;
    struct feed_cursor cursor = { 0 };

    (void)feed_revoke(f->feed, "key:a", 5, f->clock.wall_ms + 1000);
    assert_int_equal(feed_revoked_until(f->feed, "key:a"), 5);
    f->clock.wall_ms += 1001;
    feed_forget(f->feed);
    assert_int_equal(feed_revoked_until(f->feed, "key:a"), 0);
    assert_int_equal(read_next(f, &cursor)->n_revocations, 0);
}

static void a_tenant_is_found_with_the_revision_that_brought_it(void **state)
{
    struct fixture *f = *state;
    struct feed_tenant tenant;
    uint64_t revision = put_tenants(f, 1, 1);

    (void)feed_revoke(f->feed, "key:a", 5, 6);
    assert_true(feed_find_tenant(f->feed, "t0", &tenant));
    assert_int_equal(tenant.revision, revision);
    assert_int_equal(tenant.standing, active);
    assert_false(feed_await_tenant(f->feed, "t1", 1, &tenant));
}

/* At most 20 MB at 10,000 tenants: proto. */
static void ten_thousand_tenants_are_small(void **state)
{
    struct fixture *f = *state;
    struct feed_cursor cursor = { 0 };
    struct feed_message *message;
    size_t size = 0;

    (void)put_tenants(f, 10000, 1000000);
    while ((message = feed_next(f->feed, &cursor)) != NULL) {
        assert_true(feed_message_data(message).size < STREAM_ROOM_BYTES); /* a stream's room */
        size += feed_message_data(message).size;
        feed_message_unref(message);
    }
    assert_true(size < STREAM_ROOM_BYTES);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_reader_gets_the_whole_and_then_each_change),
        TEST(what_has_not_changed_is_no_change),
        TEST(a_closed_feed_gives_nothing),
        TEST(a_large_whole_comes_in_parts),
        TEST(a_whole_is_of_one_revision),
        TEST(who_is_far_behind_gets_the_whole_again),
        TEST(revisions_grow_over_restarts),
        TEST(what_no_token_can_be_as_old_as_is_forgotten),
        TEST(a_tenant_is_found_with_the_revision_that_brought_it),
        TEST(ten_thousand_tenants_are_small),
    };

    return cmocka_run_group_tests_name("feed", tests, NULL, NULL);
}
