#include "services/tenant/tenant_watch.h"

#include "libs/testing/assert_status.h"
#include "libs/testing/failing_store.h"
#include "libs/testing/fake_clock.h"
#include "libs/testing/seeded_random.h"
#include "libs/testing/test_call.h"
#include "libs/testing/test_stream.h"
#include "services/tenant/tenant_service.h"
#include "services/tenant/tenant_store.h"

#include <sched.h>
#include <stdatomic.h>

typedef Weft__Tenant__V1__WatchTenantsResponse Response;

struct fixture {
    struct failing_store store;
    struct fake_clock clock;
    struct seeded_random random;
    struct tenant_service *service;
    struct call call;
    struct test_stream stream;
};

static int set_up(void **state)
{
    static struct fixture f;
    struct store *store;

    f = (struct fixture){ .call = test_call() };
    assert_status(store_open(f.call.arena, ":memory:", &store), STATUS_OK);
    assert_status(tenant_store_migrate(store, f.call.arena), STATUS_OK);
    failing_store_init(&f.store, store);
    fake_clock_init(&f.clock, 1700000000000);
    seeded_random_init(&f.random, 1);
    f.service = tenant_service_new(&(struct tenant_service_options){
        .store = &f.store.store,
        .clock = &f.clock.clock,
        .random = &f.random.source,
    });
    test_stream_init(&f.stream, &tenant_service_methods, "WatchTenants", f.service, &f.call);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    test_stream_close(&f->stream);
    tenant_service_free(f->service);
    store_close(&f->store.store);
    arena_free(f->call.arena);
    return 0;
}

static status begin(struct fixture *f)
{
    Weft__Tenant__V1__WatchTenantsRequest request;

    weft__tenant__v1__watch_tenants_request__init(&request);
    TRY(test_stream_message(&f->stream, &request.base));
    return test_stream_half_close(&f->stream);
}

static const Response *take(struct fixture *f)
{
    return (const Response *)test_stream_take(&f->stream);
}

/* n tenants, "t000000" the first of them. */
static void make_tenants(struct fixture *f, size_t first, size_t n)
{
    struct store_write *write = store_write_new(f->call.arena);

    for (size_t i = first; i < first + n; i++) {
        const struct tenant_record record = {
            .tenant_id = arena_printf(f->call.arena, "t%06zu", i),
            .display_name = "",
            .plan.name = "",
            .state = TENANT_ACTIVE,
            .version = 1,
        };
        tenant_store_insert(write, &record);
    }
    assert_status(store_commit(&f->store.store, f->call.arena, write), STATUS_OK);
}

static void suspend(struct fixture *f, const char *id)
{
    struct store_write *write = store_write_new(f->call.arena);
    struct tenant_record record;

    assert_status(tenant_store_get(&f->store.store, f->call.arena, id, &record), STATUS_OK);
    record.state = TENANT_SUSPENDED;
    record.version++;
    tenant_store_update(write, &record);
    assert_status(store_commit(&f->store.store, f->call.arena, write), STATUS_OK);
}

/* The store tells of a commit on a thread of its own, in its own time: a wake that comes late finds
 * nothing that was not sent, so tests may be early. */
static status commit_is_told(struct fixture *f)
{
    stream_wake(&f->stream.stream);
    return test_stream_wake(&f->stream);
}

static void who_watches_nothing_learns_so(void **state)
{
    struct fixture *f = *state;

    assert_status(begin(f), STATUS_OK);
    const Response *response = take(f);
    assert_int_equal(response->n_tenants, 0);
    assert_true(response->synced);
    assert_null(take(f));
}

static void all_tenants_come_in_batches_of_which_the_last_says_so(void **state)
{
    struct fixture *f = *state;

    make_tenants(f, 0, 1000);
    make_tenants(f, 1000, 201);
    assert_status(begin(f), STATUS_OK);
    const Response *first = take(f), *second = take(f), *third = take(f);
    assert_int_equal(first->n_tenants, 500);
    assert_string_equal(first->tenants[0]->tenant_id, "t000000");
    assert_false(first->synced);
    assert_int_equal(second->n_tenants, 500);
    assert_false(second->synced);
    assert_int_equal(third->n_tenants, 201);
    assert_true(third->synced);
    assert_null(take(f));
}

static void a_full_batch_that_is_the_last_says_so(void **state)
{
    struct fixture *f = *state;

    make_tenants(f, 0, 500);
    assert_status(begin(f), STATUS_OK);
    const Response *response = take(f);
    assert_int_equal(response->n_tenants, 500);
    assert_true(response->synced);
    assert_null(take(f));
}

static void each_change_comes_after(void **state)
{
    struct fixture *f = *state;

    make_tenants(f, 0, 2);
    assert_status(begin(f), STATUS_OK);
    (void)take(f);
    suspend(f, "t000000");
    assert_status(commit_is_told(f), STATUS_OK);
    const Response *response = take(f);
    assert_int_equal(response->n_tenants, 1);
    assert_string_equal(response->tenants[0]->tenant_id, "t000000");
    assert_int_equal(response->tenants[0]->state,
                     WEFT__TENANT__V1__TENANT_STATE__TENANT_STATE_SUSPENDED);
    assert_true(response->synced);
    assert_status(commit_is_told(f), STATUS_OK); /* of something else */
    assert_null(take(f));
}

static void a_change_during_the_beginning_is_not_lost(void **state)
{
    struct fixture *f = *state;

    make_tenants(f, 0, 700);
    f->stream.is_full = true;
    assert_status(begin(f), STATUS_OK);
    assert_null(take(f));
    suspend(f, "t000000"); /* now the last in the order of changes */
    f->stream.is_full = false;
    assert_status(test_stream_writable(&f->stream), STATUS_OK);
    const Response *first = take(f), *second = take(f);
    assert_false(first->synced);
    assert_string_equal(first->tenants[0]->tenant_id, "t000001");
    assert_true(second->synced);
    assert_int_equal(second->n_tenants, 200);
    assert_string_equal(second->tenants[199]->tenant_id, "t000000");
}

static void who_is_slow_is_sent_the_last_state_alone(void **state)
{
    struct fixture *f = *state;

    make_tenants(f, 0, 1);
    assert_status(begin(f), STATUS_OK);
    (void)take(f);
    f->stream.is_full = true;
    make_tenants(f, 1, 1);
    assert_status(commit_is_told(f), STATUS_OK);
    suspend(f, "t000001");
    assert_status(commit_is_told(f), STATUS_OK);
    f->stream.is_full = false;
    assert_status(test_stream_writable(&f->stream), STATUS_OK);
    const Response *response = take(f);
    assert_int_equal(response->n_tenants, 1);
    assert_int_equal(response->tenants[0]->state,
                     WEFT__TENANT__V1__TENANT_STATE__TENANT_STATE_SUSPENDED);
    assert_null(take(f));
}

static void who_is_too_far_behind_begins_anew(void **state)
{
    struct fixture *f = *state;

    assert_status(begin(f), STATUS_OK);
    (void)take(f);
    f->stream.is_full = true;
    make_tenants(f, 0, 1000);
    assert_status(commit_is_told(f), STATUS_OK);
    make_tenants(f, 1000, 1);
    assert_status(commit_is_told(f), STATUS_RESOURCE_EXHAUSTED);
    assert_string_equal(f->stream.result.message,
                        "the reader is 1001 changes behind, and may be 1000");
}

static void a_commit_wakes_who_watches_and_nobody_else(void **state)
{
    struct fixture *f = *state;
    struct test_stream gone;

    test_stream_init(&gone, &tenant_service_methods, "WatchTenants", f->service, &f->call);
    assert_status(begin(f), STATUS_OK);
    Weft__Tenant__V1__WatchTenantsRequest request;
    weft__tenant__v1__watch_tenants_request__init(&request);
    assert_status(test_stream_message(&gone, &request.base), STATUS_OK);
    test_stream_close(&gone);
    int woken_before = atomic_load(&gone.woken); /* of the tables' making, perhaps */
    atomic_store(&f->stream.woken, 0);
    make_tenants(f, 0, 1);
    while (atomic_load(&f->stream.woken) == 0) {
        sched_yield(); /* for the store's thread, which is about to say so */
    }
    assert_int_equal(atomic_load(&gone.woken), woken_before);
}

static void a_store_that_cannot_be_asked_ends_the_stream(void **state)
{
    struct fixture *f = *state;

    f->store.fail_query = 1;
    assert_status(begin(f), STATUS_UNAVAILABLE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_watches_nothing_learns_so),
        TEST(all_tenants_come_in_batches_of_which_the_last_says_so),
        TEST(a_full_batch_that_is_the_last_says_so),
        TEST(each_change_comes_after),
        TEST(a_change_during_the_beginning_is_not_lost),
        TEST(who_is_slow_is_sent_the_last_state_alone),
        TEST(who_is_too_far_behind_begins_anew),
        TEST(a_commit_wakes_who_watches_and_nobody_else),
        TEST(a_store_that_cannot_be_asked_ends_the_stream),
    };

    return cmocka_run_group_tests_name("tenant_watch", tests, NULL, NULL);
}
