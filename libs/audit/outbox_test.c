#include "libs/audit/outbox.h"

#include "libs/store/store_contract.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/failing_store.h"
#include "libs/testing/seeded_random.h"
#include "libs/testing/test_call.h"

#include <string.h>

struct fixture {
    struct failing_store failing;
    struct store *store;
    struct seeded_random random;
    struct call call;
};

static int set_up(void **state)
{
    static struct fixture f;
    struct store *real;

    f = (struct fixture){ .store = &f.failing.store, .call = test_call() };
    seeded_random_init(&f.random, 1);
    assert_status(store_open(f.call.arena, ":memory:", &real), STATUS_OK);
    failing_store_init(&f.failing, real);
    assert_status(outbox_migrate(f.store, f.call.arena), STATUS_OK);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    store_close(f->store);
    arena_free(f->call.arena);
    return 0;
}

static void add(struct fixture *f, const char *target, int64_t time_ms)
{
    struct store_write *write = store_write_new(f->call.arena);

    write_audit(write, &f->call, "tenant.create", target, time_ms);
    assert_status(store_commit(f->store, f->call.arena, write), STATUS_OK);
}

static const struct audit_event *read_all(struct fixture *f, size_t want)
{
    const struct audit_event *events;
    size_t n;

    assert_status(outbox_read(f->store, f->call.arena, 100, &events, &n), STATUS_OK);
    assert_int_equal(n, want);
    return events;
}

static void who_calls_is_who_did_it(void **state)
{
    struct fixture *f = *state;

    add(f, "tenant:acme", 1700000000123);
    const struct audit_event *event = read_all(f, 1);
    assert_string_equal(event->tenant_id, f->call.principal->tenant_id);
    assert_string_equal(event->subject, f->call.principal->subject);
    assert_string_equal(event->action, "tenant.create");
    assert_string_equal(event->target, "tenant:acme");
    assert_true(event->time_ms == 1700000000123);
    assert_int_equal(event->outcome, AUDIT_DONE);
    assert_string_equal(event->trace_id, "");
    assert_int_equal(strlen(event->event_id), 26);
}

static void the_trace_goes_along(void **state)
{
    struct fixture *f = *state;
    struct span span = { .trace_id = { 0xab } };

    f->call.span = &span;
    add(f, "tenant:acme", 1);
    assert_string_equal(read_all(f, 1)->trace_id, "ab000000000000000000000000000000");
}

static void there_may_be_more_to_say(void **state)
{
    static const struct audit_detail details[] = { { "plan", "free" } };
    struct fixture *f = *state;
    struct store_write *write = store_write_new(f->call.arena);
    struct audit_event event =
        audit_event_of(&f->call, &f->random.source, "tenant.update", "tenant:acme", 7);

    event.tenant_id = "acme";
    event.outcome = AUDIT_FAILED;
    event.details = details;
    event.n_details = 1;
    outbox_write(write, &event);
    assert_status(store_commit(f->store, f->call.arena, write), STATUS_OK);
    const struct audit_event *got = read_all(f, 1);
    assert_string_equal(got->event_id, event.event_id);
    assert_int_equal(got->outcome, AUDIT_FAILED);
    assert_string_equal(got->details[0].value, "free");
}

static void the_oldest_come_first_and_go_one_by_one(void **state)
{
    struct fixture *f = *state;

    add(f, "third", 3000);
    add(f, "first", 1000);
    add(f, "second", 2000);
    const struct audit_event *events = read_all(f, 3);
    assert_string_equal(events[0].target, "first");
    assert_string_equal(events[2].target, "third");
    add(f, "late, and earlier", 500);
    assert_status(outbox_delete(f->store, f->call.arena, events, 2), STATUS_OK);
    events = read_all(f, 2);
    assert_string_equal(events[0].target, "late, and earlier");
    assert_string_equal(events[1].target, "third");
}

static void what_is_refused_is_kept_for_a_person(void **state)
{
    const struct store_statement query = {
        .sql = "SELECT reason, code, event_id FROM audit_refused",
    };
    struct fixture *f = *state;
    struct store_rows rows;
    status why = status_error(f->call.arena, STATUS_INVALID_ARGUMENT, "action is empty");

    add(f, "tenant:acme", 1);
    const struct audit_event *event = read_all(f, 1);
    assert_status(outbox_refuse(f->store, f->call.arena, event, why), STATUS_OK);
    assert_status(outbox_refuse(f->store, f->call.arena, event, why), STATUS_OK);
    (void)read_all(f, 0);
    assert_status(store_query(f->store, f->call.arena, &query, &rows), STATUS_OK);
    assert_int_equal(rows.n_rows, 1);
    assert_string_equal(store_text_at(&rows, 0, 0), "action is empty");
    assert_int_equal(store_int_at(&rows, 0, 1), STATUS_INVALID_ARGUMENT);
    assert_string_equal(store_text_at(&rows, 0, 2), event->event_id);
}

static void a_store_that_fails_is_said(void **state)
{
    struct fixture *f = *state;
    const struct audit_event *events;
    size_t n;

    f->failing.fail_query = 1;
    assert_status(outbox_read(f->store, f->call.arena, 1, &events, &n), STATUS_UNAVAILABLE);
    add(f, "tenant:acme", 1);
    events = read_all(f, 1);
    f->failing.fail_commit = 1;
    assert_status(outbox_delete(f->store, f->call.arena, events, 1), STATUS_UNAVAILABLE);
    f->failing.fail_statement = 2;
    assert_status(outbox_refuse(f->store, f->call.arena, events, status_ok()), STATUS_UNAVAILABLE);
    (void)read_all(f, 1);
}

static void its_migrations_have_a_way_back(void **state)
{
    (void)state;
    store_migrations_contract(outbox_migrate);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_calls_is_who_did_it),
        TEST(the_trace_goes_along),
        TEST(there_may_be_more_to_say),
        TEST(the_oldest_come_first_and_go_one_by_one),
        TEST(what_is_refused_is_kept_for_a_person),
        TEST(a_store_that_fails_is_said),
        cmocka_unit_test(its_migrations_have_a_way_back),
    };

    return cmocka_run_group_tests_name("outbox", tests, NULL, NULL);
}
