#include "services/auth/standings.h"

#include "services/auth/auth_fixture.h"

typedef Weft__Tenant__V1__WatchTenantsResponse WatchTenantsResponse;

static struct feed *new_feed(struct auth_fixture *f)
{
    return feed_new(&(struct feed_options){
        .clock = &f->clock.clock, .epoch = 7, .changed = auth_fixture_changed });
}

static status take(struct auth_fixture *f, struct feed *feed, const char *tenant_id,
                   int tenant_state, bool synced)
{
    Weft__Tenant__V1__Plan plan;
    Weft__Tenant__V1__Tenant tenant, *tenants[] = { &tenant };
    WatchTenantsResponse response;

    weft__tenant__v1__plan__init(&plan);
    plan.max_projects = 3;
    weft__tenant__v1__tenant__init(&tenant);
    tenant.tenant_id = message_text(tenant_id);
    tenant.state = (Weft__Tenant__V1__TenantState)tenant_state;
    tenant.plan = &plan;
    weft__tenant__v1__watch_tenants_response__init(&response);
    response.n_tenants = tenant_id[0] != '\0';
    response.tenants = tenants;
    response.synced = synced;
    return standings_take(feed, &f->store.store, f->call.arena, &response);
}

static void the_feed_opens_when_all_tenants_are_known(void **state)
{
    struct auth_fixture *f = *state;
    struct feed *feed = new_feed(f);
    struct feed_tenant tenant;

    assert_status(take(f, feed, "acme", 1, false), STATUS_OK);
    assert_false(feed_is_open(feed));
    assert_status(take(f, feed, "", 1, true), STATUS_OK);
    assert_true(feed_is_open(feed));
    assert_true(feed_find_tenant(feed, "acme", &tenant));
    assert_int_equal(tenant.standing, WEFT__AUTH__V1__TENANT_STANDING__TENANT_STANDING_ACTIVE);
    feed_free(feed);
}

static void each_state_has_its_standing(void **state)
{
    static const struct {
        int state, standing;
    } cases[] = {
        { 1, WEFT__AUTH__V1__TENANT_STANDING__TENANT_STANDING_ACTIVE },
        { 2, WEFT__AUTH__V1__TENANT_STANDING__TENANT_STANDING_SUSPENDED },
        { 3, WEFT__AUTH__V1__TENANT_STANDING__TENANT_STANDING_DELETED },
        { 99, WEFT__AUTH__V1__TENANT_STANDING__TENANT_STANDING_SUSPENDED },
    };
    struct auth_fixture *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct feed_tenant tenant;
        assert_status(take(f, f->feed, "acme", cases[i].state, false), STATUS_OK);
        assert_true(feed_find_tenant(f->feed, "acme", &tenant));
        assert_int_equal((int)tenant.standing, cases[i].standing);
    }
}

static void the_next_start_knows_what_this_one_knew(void **state)
{
    struct auth_fixture *f = *state;
    struct feed *feed = new_feed(f);
    struct feed *next = new_feed(f);
    struct feed_tenant tenant;

    assert_status(take(f, feed, "acme", 2, false), STATUS_OK);
    assert_status(standings_load(next, &f->store.store, f->call.arena), STATUS_OK);
    assert_false(feed_is_open(next)); /* not all of them were ever known */
    assert_status(take(f, feed, "bravo", 1, true), STATUS_OK);
    assert_status(standings_load(next, &f->store.store, f->call.arena), STATUS_OK);
    assert_true(feed_is_open(next));
    assert_true(feed_find_tenant(next, "acme", &tenant));
    assert_int_equal(tenant.standing, WEFT__AUTH__V1__TENANT_STANDING__TENANT_STANDING_SUSPENDED);
    feed_free(next);
    feed_free(feed);
}

static void what_cannot_be_kept_is_in_force_all_the_same(void **state)
{
    struct auth_fixture *f = *state;
    struct feed_tenant tenant;

    f->store.fail_commit = 1;
    assert_status(take(f, f->feed, "acme", 3, false), STATUS_UNAVAILABLE);
    assert_true(feed_find_tenant(f->feed, "acme", &tenant));
    assert_int_equal(tenant.standing, WEFT__AUTH__V1__TENANT_STANDING__TENANT_STANDING_DELETED);
    f->store.fail_query = 1;
    assert_status(standings_load(f->feed, &f->store.store, f->call.arena), STATUS_UNAVAILABLE);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, auth_fixture_set_up, auth_fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_feed_opens_when_all_tenants_are_known),
        TEST(each_state_has_its_standing),
        TEST(the_next_start_knows_what_this_one_knew),
        TEST(what_cannot_be_kept_is_in_force_all_the_same),
    };

    return cmocka_run_group_tests_name("standings", tests, NULL, NULL);
}
