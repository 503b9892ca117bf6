#include "libs/authz/eraser.h"

#include "libs/base/text.h"
#include "libs/rpc/message.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/fake_clock.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ACTIVE    WEFT__AUTH__V1__TENANT_STANDING__TENANT_STANDING_ACTIVE
#define SUSPENDED WEFT__AUTH__V1__TENANT_STANDING__TENANT_STANDING_SUSPENDED
#define DELETED   WEFT__AUTH__V1__TENANT_STANDING__TENANT_STANDING_DELETED

/* A service that has something of three tenants, and notes what is erased. */
struct fixture {
    struct arena *arena;
    struct fake_clock clock;
    struct snapshot *snapshot;
    struct eraser *eraser;
    uint64_t revision;
    enum status_code list_code;
    const char *failing; /* whose erasure fails */
    atomic_int n_lists;
    atomic_int n_erased;
    char erased[64]; /* their ids, each followed by a space */
};

static status tenants(void *data, struct arena *arena, struct eraser_tenants *ret_tenants)
{
    static const char *const here[] = { "acme", "bravo", "charlie" };
    struct fixture *f = data;

    f->n_lists++;
    if (f->list_code != STATUS_OK) {
        return status_error(arena, f->list_code, "the disk");
    }
    *ret_tenants = (struct eraser_tenants){ here, 3 };
    return status_ok();
}

static status erase(void *data, struct arena *arena, const char *tenant_id,
                    const _Atomic bool *stopping)
{
    struct fixture *f = data;
    size_t length = strlen(f->erased);

    (void)stopping;
    if (strcmp(tenant_id, f->failing) == 0) {
        return status_error(arena, STATUS_RESOURCE_EXHAUSTED, "the disk");
    }
    (void)snprintf(f->erased + length, sizeof f->erased - length, "%s ", tenant_id);
    f->n_erased++;
    return status_ok();
}

static const struct eraser_ops ops = { .tenants = tenants, .erase = erase };

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    f->arena = arena_new();
    fake_clock_init(&f->clock, 1700000000000);
    f->snapshot = snapshot_new(&f->clock.clock);
    f->failing = "";
    f->eraser = eraser_new(&(struct eraser_options){
        .ops = &ops,
        .data = f,
        .snapshot = f->snapshot,
        .clock = &f->clock.clock,
    });
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    eraser_free(f->eraser);
    snapshot_free(f->snapshot);
    arena_free(f->arena);
    free(f);
    return 0;
}

/* What auth says of one tenant; whole: and of no other. */
static void hear(struct fixture *f, const char *tenant_id, Weft__Auth__V1__TenantStanding standing,
                 bool whole)
{
    Weft__Auth__V1__TenantState tenant, *all[] = { &tenant };
    Weft__Auth__V1__Snapshot change;

    weft__auth__v1__tenant_state__init(&tenant);
    tenant.tenant_id = message_text(tenant_id);
    tenant.standing = standing;
    weft__auth__v1__snapshot__init(&change);
    change.revision = ++f->revision;
    change.whole = whole;
    change.tenants = all;
    change.n_tenants = 1;
    assert_status(snapshot_apply(f->snapshot, f->arena, &change), STATUS_OK);
}

static void a_deleted_tenant_is_erased_and_no_other(void **state)
{
    struct fixture *f = *state;

    hear(f, "acme", ACTIVE, true);
    hear(f, "bravo", DELETED, false);
    hear(f, "charlie", SUSPENDED, false);
    assert_status(eraser_sweep(f->eraser, f->arena), STATUS_OK);
    assert_string_equal(f->erased, "bravo ");
}

static void who_is_not_known_is_left_alone(void **state)
{
    struct fixture *f = *state;

    assert_status(eraser_sweep(f->eraser, f->arena), STATUS_OK); /* before the first snapshot */
    hear(f, "somebody", DELETED, true); /* and with one that lacks all who are here */
    assert_status(eraser_sweep(f->eraser, f->arena), STATUS_OK);
    hear(f, "acme", 17, false); /* or says what a newer program alone understands */
    assert_status(eraser_sweep(f->eraser, f->arena), STATUS_OK);
    assert_string_equal(f->erased, "");
}

static void one_failure_holds_up_no_other_and_is_tried_again(void **state)
{
    struct fixture *f = *state;

    hear(f, "acme", DELETED, true);
    hear(f, "charlie", DELETED, false);
    f->failing = "acme";
    assert_status(eraser_sweep(f->eraser, f->arena), STATUS_RESOURCE_EXHAUSTED);
    assert_string_equal(f->erased, "charlie ");
    f->failing = "";
    assert_status(eraser_sweep(f->eraser, f->arena), STATUS_OK);
    assert_string_equal(f->erased, "charlie acme charlie ");
}

static void a_service_that_does_not_know_whom_it_has_erases_nobody(void **state)
{
    struct fixture *f = *state;

    hear(f, "acme", DELETED, true);
    f->list_code = STATUS_UNAVAILABLE;
    assert_status(eraser_sweep(f->eraser, f->arena), STATUS_UNAVAILABLE);
    assert_string_equal(f->erased, "");
}

static void wait_until_more(const atomic_int *number, int than)
{
    for (int ms = 0; atomic_load(number) <= than; ms++) {
        assert_true(ms < 120000);
        (void)usleep(1000);
    }
}

static void the_thread_sweeps_when_the_snapshot_is_another(void **state)
{
    struct fixture *f = *state;

    eraser_start(f->eraser);
    wait_until_more(&f->n_lists, 0); /* as at every start */
    hear(f, "bravo", DELETED, true);
    wait_until_more(&f->n_erased, 0);
    eraser_free(f->eraser);
    f->eraser = NULL;
    assert_string_equal(f->erased, "bravo ");
}

/* Waits in its erasure until it is told to stop. */
static status erase_slowly(void *data, struct arena *arena, const char *tenant_id,
                           const _Atomic bool *stopping)
{
    struct fixture *f = data;

    (void)tenant_id;
    f->n_erased++;
    while (!atomic_load(stopping)) {
        (void)usleep(1000);
    }
    return status_error(arena, STATUS_CANCELLED, "the process ends");
}

static void an_erasure_under_way_is_told_to_stop(void **state)
{
    static const struct eraser_ops slow = { .tenants = tenants, .erase = erase_slowly };
    struct fixture *f = *state;
    struct eraser *eraser = eraser_new(&(struct eraser_options){
        .ops = &slow, .data = f, .snapshot = f->snapshot, .clock = &f->clock.clock });

    hear(f, "acme", DELETED, true);
    hear(f, "bravo", DELETED, false);
    eraser_start(eraser);
    wait_until_more(&f->n_erased, 0);
    eraser_free(eraser);
    assert_int_equal(f->n_erased, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_deleted_tenant_is_erased_and_no_other),
        TEST(who_is_not_known_is_left_alone),
        TEST(one_failure_holds_up_no_other_and_is_tried_again),
        TEST(a_service_that_does_not_know_whom_it_has_erases_nobody),
        TEST(the_thread_sweeps_when_the_snapshot_is_another),
        TEST(an_erasure_under_way_is_told_to_stop),
    };

    return cmocka_run_group_tests_name("eraser", tests, NULL, NULL);
}
