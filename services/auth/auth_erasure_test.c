#include "services/auth/auth_erasure.h"

#include "services/auth/auth_fixture.h"

#include <string.h>

#define OURSELVES "spiffe://weft.local/auth"
#define DELETED   WEFT__AUTH__V1__TENANT_STANDING__TENANT_STANDING_DELETED
#define SUSPENDED WEFT__AUTH__V1__TENANT_STANDING__TENANT_STANDING_SUSPENDED

/* By what the feed tells enforcement points, of which this one is the eraser's.  failure is one of
 * the store's counts. */
static status sweep_failing(struct auth_fixture *f, unsigned *failure, unsigned n)
{
    struct auth_erasure erasure = {
        .store = &f->store.store,
        .directory = f->directory,
        .clock = &f->clock.clock,
        .random = &f->random.source,
        .spiffe_id = OURSELVES,
    };
    struct point_double point;

    point_double_init(&point, f, "auth/1");
    point_double_take(&point, true);
    struct eraser *eraser = eraser_new(&(struct eraser_options){ .ops = &auth_erasure_ops,
                                                                 .data = &erasure,
                                                                 .snapshot = point.snapshot,
                                                                 .clock = &f->clock.clock });
    *failure = n;
    status s = eraser_sweep(eraser, f->call.arena);
    *failure = 0;
    eraser_free(eraser);
    point_double_reset(&point);
    return s;
}

static status sweep(struct auth_fixture *f)
{
    return sweep_failing(f, &f->store.fail_commit, 0);
}

static int64_t n_told(struct auth_fixture *f)
{
    const char *last = "";
    int64_t n = n_events(f, "tenant.erase", &last);

    if (n > 0) {
        assert_string_equal(last, PLATFORM_TENANT " " OURSELVES " tenant:acme");
    }
    return n;
}

static size_t n_keys(struct auth_fixture *f, const char *tenant_id)
{
    struct key_page page;

    assert_status(
        auth_store_list_keys(&f->store.store, f->call.arena, tenant_id, "", "", 100, &page),
        STATUS_OK);
    return page.n_records;
}

static size_t n_accounts(struct auth_fixture *f, const char *tenant_id)
{
    struct account_page page;

    assert_status(
        auth_store_list_accounts(&f->store.store, f->call.arena, tenant_id, "", 100, &page),
        STATUS_OK);
    return page.n_records;
}

struct secrets {
    const char *acme, *bravo;
};

/* acme has two accounts, and one of its keys is revoked; bravo has one of either. */
static struct secrets make_both(struct auth_fixture *f)
{
    const Weft__Auth__V1__RevokeApiKeyResponse *revoked;

    assert_status(create_account(f, "acme", "robot", "publisher", ""), STATUS_OK);
    assert_status(create_account(f, "acme", "other", "publisher", ""), STATUS_OK);
    assert_status(create_account(f, "bravo", "robot", "publisher", ""), STATUS_OK);
    const char *old = a_key(f, "acme", "robot")->api_key->key_id;
    assert_status(revoke(f, "acme", old, &revoked), STATUS_OK);
    (void)a_key(f, "acme", "other");
    return (struct secrets){ a_key(f, "acme", "robot")->secret,
                             a_key(f, "bravo", "robot")->secret };
}

static void accounts_and_keys_of_a_deleted_tenant_go_and_no_others(void **state)
{
    struct auth_fixture *f = *state;
    const struct secrets secrets = make_both(f);
    const char *token = "";

    put_tenant(f, "acme", DELETED);
    assert_status(sweep(f), STATUS_OK);
    for (uint32_t epoch = 2; epoch < 4; epoch++) {
        assert_int_equal(n_accounts(f, "acme"), 0);
        assert_int_equal(n_keys(f, "acme"), 0);
        assert_int_equal(n_told(f), 1);
        assert_int_equal(n_accounts(f, "bravo"), 1);
        assert_int_equal(n_keys(f, "bravo"), 1);
        assert_status(exchange(f, secrets.acme, &token), STATUS_UNAUTHENTICATED);
        assert_status(exchange(f, secrets.bravo, &token), STATUS_OK);
        assert_status(sweep(f), STATUS_OK);
        auth_fixture_stop(f); /* and the next process has read nothing of it */
        auth_fixture_start(f, epoch);
    }
}

static void who_is_suspended_keeps_everything(void **state)
{
    struct auth_fixture *f = *state;

    (void)make_both(f);
    put_tenant(f, "acme", SUSPENDED);
    assert_status(sweep(f), STATUS_OK);
    assert_int_equal(n_accounts(f, "acme"), 2);
    assert_int_equal(n_keys(f, "acme"), 3);
    assert_int_equal(n_told(f), 0);
}

/* Neither the database nor memory, and it is not told. */
static void an_erasure_that_fails_erases_nothing_and_is_tried_again(void **state)
{
    struct auth_fixture *f = *state;
    const struct secrets secrets = make_both(f);
    const char *token = "";

    put_tenant(f, "acme", DELETED);
    for (unsigned n = 1; n <= 3; n++) { /* accounts, keys, event */
        assert_status(sweep_failing(f, &f->store.fail_statement, n), STATUS_UNAVAILABLE);
        assert_int_equal(n_accounts(f, "acme"), 2);
        assert_int_equal(n_keys(f, "acme"), 3);
        assert_int_equal(n_told(f), 0);
    }
    assert_status(sweep_failing(f, &f->store.fail_query, 1), STATUS_UNAVAILABLE);
    assert_status(sweep(f), STATUS_OK);
    assert_int_equal(n_accounts(f, "acme"), 0);
    assert_int_equal(n_told(f), 1);
    assert_status(exchange(f, secrets.acme, &token), STATUS_UNAUTHENTICATED);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, auth_fixture_set_up, auth_fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(accounts_and_keys_of_a_deleted_tenant_go_and_no_others),
        TEST(who_is_suspended_keeps_everything),
        TEST(an_erasure_that_fails_erases_nothing_and_is_tried_again),
    };

    return cmocka_run_group_tests_name("auth_erasure", tests, NULL, NULL);
}
