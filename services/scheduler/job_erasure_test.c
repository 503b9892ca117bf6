#include "services/scheduler/job_erasure.h"

#include "libs/audit/outbox.h"
#include "libs/rpc/message.h"
#include "libs/testing/assert_status.h"
#include "services/scheduler/engine_fixture.h"
#include "services/scheduler/job_store.h"

#include <string.h>

#define ACTIVE    WEFT__AUTH__V1__TENANT_STANDING__TENANT_STANDING_ACTIVE
#define SUSPENDED WEFT__AUTH__V1__TENANT_STANDING__TENANT_STANDING_SUSPENDED
#define DELETED   WEFT__AUTH__V1__TENANT_STANDING__TENANT_STANDING_DELETED
#define OURSELVES "spiffe://weft.local/scheduler"

/* What auth says of acme, and an eraser that sweeps once. */
static status sweep(struct fixture *f, Weft__Auth__V1__TenantStanding standing)
{
    struct job_erasure erasure = {
        .engine = f->engine,
        .store = &f->store.store,
        .clock = &f->clock.clock,
        .random = &f->random.source,
        .spiffe_id = OURSELVES,
    };
    struct snapshot *snapshot = snapshot_new(&f->clock.clock);
    struct eraser *eraser = eraser_new(&(struct eraser_options){ .ops = &job_erasure_ops,
                                                                 .data = &erasure,
                                                                 .snapshot = snapshot,
                                                                 .clock = &f->clock.clock });
    Weft__Auth__V1__TenantState acme, *tenants[] = { &acme };
    Weft__Auth__V1__Snapshot whole;

    weft__auth__v1__tenant_state__init(&acme);
    acme.tenant_id = message_text("acme");
    acme.standing = standing;
    weft__auth__v1__snapshot__init(&whole);
    whole.whole = true;
    whole.revision = 1;
    whole.tenants = tenants;
    whole.n_tenants = 1;
    assert_status(snapshot_apply(snapshot, f->arena, &whole), STATUS_OK);
    status s = eraser_sweep(eraser, f->arena);
    eraser_free(eraser);
    snapshot_free(snapshot);
    return s;
}

static int set_up_with_outbox(void **state)
{
    int result = set_up(state);
    struct fixture *f = *state;

    assert_status(outbox_migrate(f->real, f->arena), STATUS_OK);
    return result;
}

static const char *enqueue_for(struct fixture *f, const char *tenant_id)
{
    struct job_record job = a_job();

    job.tenant_id = tenant_id;
    return enqueue(f, job);
}

static int64_t count(struct fixture *f, const char *sql, const char *tenant_id)
{
    const struct store_statement query = { .sql = sql, .params = PARAMS(store_text(tenant_id)) };
    struct store_rows rows;

    assert_status(store_query(f->real, f->arena, &query, &rows), STATUS_OK);
    return store_int_at(&rows, 0, 0);
}

static int64_t n_jobs(struct fixture *f, const char *tenant_id)
{
    return count(f, "SELECT count(*) FROM job WHERE tenant_id = $1", tenant_id);
}

static int64_t n_errors(struct fixture *f, const char *tenant_id)
{
    return count(f, "SELECT count(*) FROM job_error WHERE tenant_id = $1", tenant_id);
}

/* How often it was told; always alike. */
static size_t n_events(struct fixture *f)
{
    const struct audit_event *events = NULL;
    size_t n = 0;

    assert_status(outbox_read(f->real, f->arena, 100, &events, &n), STATUS_OK);
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(events[i].action, "tenant.erase");
        assert_string_equal(events[i].target, "tenant:acme");
        assert_string_equal(events[i].subject, OURSELVES);
    }
    return n;
}

static void all_of_a_deleted_tenant_goes_and_nothing_of_another(void **state)
{
    struct fixture *f = *state;

    (void)enqueue_for(f, "acme");
    fail_once(f, true); /* one is dead */
    (void)enqueue_for(f, "acme");
    engine_worker_credit(f->worker, 1);
    const struct notice running = expect(f, f->worker, NOTICE_JOB);
    (void)enqueue_for(f, "acme"); /* and one waits */
    (void)enqueue_for(f, "globex");
    assert_int_equal(n_errors(f, "acme"), 1);
    assert_status(sweep(f, DELETED), STATUS_OK);
    assert_string_equal(expect(f, f->worker, NOTICE_WITHDRAW).job_id, running.job_id);
    assert_int_equal(n_jobs(f, "acme"), 0);
    assert_int_equal(n_errors(f, "acme"), 0);
    assert_int_equal(n_events(f), 1);
    assert_int_equal(n_jobs(f, "globex"), 1);
    engine_worker_credit(f->worker, 5);
    assert_string_equal(expect(f, f->worker, NOTICE_JOB).tenant_id, "globex");
    expect_silence(f, f->worker);
    assert_status(sweep(f, DELETED), STATUS_OK);
    assert_int_equal(n_events(f), 1); /* not once more for nothing */
}

/* Its worker slept, and says only now that the job is done. */
static void a_report_on_a_job_that_was_erased_changes_nothing(void **state)
{
    struct fixture *f = *state;

    (void)enqueue_for(f, "acme");
    engine_worker_credit(f->worker, 1);
    const struct notice job = expect(f, f->worker, NOTICE_JOB);
    assert_status(sweep(f, DELETED), STATUS_OK);
    (void)expect(f, f->worker, NOTICE_WITHDRAW);
    engine_worker_succeed(f->worker, attempt_of(&job), nothing);
    assert_int_equal(expect(f, f->worker, NOTICE_SETTLED).code, STATUS_ABORTED);
    assert_int_equal(n_jobs(f, "acme"), 0);
}

static void who_is_not_deleted_keeps_everything(void **state)
{
    struct fixture *f = *state;

    (void)enqueue_for(f, "acme");
    (void)enqueue_for(f, "globex"); /* of whom nothing is said */
    assert_status(sweep(f, ACTIVE), STATUS_OK);
    assert_status(sweep(f, SUSPENDED), STATUS_OK);
    assert_int_equal(n_jobs(f, "acme"), 1);
    assert_int_equal(n_jobs(f, "globex"), 1);
    assert_int_equal(n_events(f), 0);
}

enum { MANY_JOBS = 600 }; /* three batches */

static void enqueue_many(struct fixture *f)
{
    for (int i = 0; i < MANY_JOBS; i++) {
        struct job_record job = a_job();
        assert_status(engine_enqueue(f->engine, f->arena, &job, 1, NULL), STATUS_OK);
        if (i % 20 > 0) { /* a tenant of the fixture may have 40 that are open */
            assert_status(engine_cancel(f->engine, f->arena, "acme", job.job_id, NULL, &job),
                          STATUS_OK);
        }
    }
}

/* Wherever the database fails, it is gone on with: also by another process. */
static void an_erasure_that_was_cut_short_is_ended_by_the_next(void **state)
{
    bool whole = false;

    for (unsigned n = 1; !whole; n++) {
        assert_int_equal(tear_down(state), 0);
        assert_int_equal(set_up_with_outbox(state), 0);
        struct fixture *f = *state;
        enqueue_many(f);
        f->store.fail_commit = n;
        whole = status_is_ok(sweep(f, DELETED));
        f->store.fail_commit = 0;
        assert_int_equal(n_events(f), whole);
        crash(f);
        assert_status(sweep(f, DELETED), STATUS_OK);
        assert_int_equal(n_jobs(f, "acme"), 0);
        assert_int_equal(n_events(f), 1);
    }
}

static void a_database_that_is_away_puts_it_off(void **state)
{
    struct fixture *f = *state;

    (void)enqueue_for(f, "acme");
    for (unsigned n = 1; n <= 3; n++) { /* who, which, and whether there are more */
        f->store.fail_query = n;
        assert_status(sweep(f, DELETED), STATUS_UNAVAILABLE);
        f->store.fail_query = 0;
        assert_int_equal(n_events(f), 0);
    }
    assert_status(sweep(f, DELETED), STATUS_OK);
    assert_int_equal(n_events(f), 1);
}

static void a_process_that_ends_leaves_the_rest_to_the_next(void **state)
{
    const _Atomic bool stopping = true;
    struct fixture *f = *state;
    struct job_erasure erasure = { .engine = f->engine, .store = &f->store.store };

    (void)enqueue_for(f, "acme");
    assert_status(job_erasure_ops.erase(&erasure, f->arena, "acme", &stopping), STATUS_CANCELLED);
    assert_int_equal(n_jobs(f, "acme"), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_with_outbox, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_of_a_deleted_tenant_goes_and_nothing_of_another),
        TEST(a_report_on_a_job_that_was_erased_changes_nothing),
        TEST(who_is_not_deleted_keeps_everything),
        TEST(an_erasure_that_was_cut_short_is_ended_by_the_next),
        TEST(a_database_that_is_away_puts_it_off),
        TEST(a_process_that_ends_leaves_the_rest_to_the_next),
    };

    return cmocka_run_group_tests_name("job_erasure", tests, NULL, NULL);
}
