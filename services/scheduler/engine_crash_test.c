/* A machine that dies at any operation of its disk, with what was not synced: what callers and
 * workers were told before is true afterwards.  (That each sync of the store is needed is shown in
 * libs/store/store_crash_test.c; here one is left out to show that this test would see it.)
 *
 * One life: three jobs are enqueued and given to a worker, which completes the first, fails the
 * second and keeps the third.
 */

#include "libs/testing/assert_status.h"
#include "libs/testing/crash_files.h"
#include "libs/testing/crash_vfs.h"
#include "libs/testing/fake_clock.h"
#include "libs/testing/seeded_random.h"
#include "libs/testing/stepped_store.h"
#include "services/scheduler/engine.h"
#include "services/scheduler/job_store.h"

#include <string.h>

enum { JOBS = 3 };

/* What the outside was told of one job. */
struct told {
    const char *job_id; /* NULL: its enqueue was not answered */
    int64_t attempt;    /* that a worker was given; 0 none */
    bool has_succeeded;
    bool has_failed;
};

struct fixture {
    struct crash_files files;
    struct crash_vfs vfs;
    struct arena *arena;
    struct store *real;
    struct stepped_store store;
    struct fake_clock clock;
    struct seeded_random random;
    struct engine *engine;
    struct engine_worker *worker;
    struct told jobs[JOBS];
};

static void wake_nobody(void *data)
{
    (void)data;
}

static void set_up_fixture(struct fixture *f)
{
    *f = (struct fixture){ .arena = arena_new() };
    crash_files_init(&f->files);
    crash_vfs_init(&f->vfs, &f->files.files);
    fake_clock_init(&f->clock, 1700000000000);
    seeded_random_init(&f->random, 1);
}

static void tear_down_fixture(struct fixture *f)
{
    crash_vfs_reset(&f->vfs);
    crash_files_reset(&f->files);
    arena_free(f->arena);
}

static status open_engine(struct fixture *f)
{
    const struct store_options options = { .url = "sqlite:jobs.db",
                                           .vfs = crash_vfs_name(&f->vfs) };

    TRY(store_open_with(f->arena, &options, &f->real));
    TRY(job_store_migrate(f->real, f->arena));
    stepped_store_init(&f->store, f->real);
    f->engine = engine_new(&(struct engine_options){
        .store = &f->store.store, .clock = &f->clock.clock, .random = &f->random.source });
    return engine_recover(f->engine, f->arena);
}

static void close_engine(struct fixture *f)
{
    if (f->worker != NULL) {
        f->store.hold = true; /* the machine is dead: nobody notices that the stream has ended */
        engine_worker_close(f->worker);
        f->worker = NULL;
        stepped_store_lose(&f->store);
    }
    engine_free(f->engine);
    f->engine = NULL;
    store_close(f->real);
    f->real = NULL;
}

static status add_worker(struct fixture *f)
{
    static const char *const capabilities[] = { "noop" };

    return engine_worker_open(f->engine, f->arena,
                              &(struct engine_worker_options){
                                  .worker_id = "w",
                                  .tenant_id = "",
                                  .capabilities = capabilities,
                                  .n_capabilities = 1,
                                  .wake = wake_nobody,
                              },
                              &f->worker);
}

static struct told *find(struct fixture *f, const char *job_id)
{
    for (int i = 0; i < JOBS; i++) {
        if (f->jobs[i].job_id != NULL && strcmp(f->jobs[i].job_id, job_id) == 0) {
            return &f->jobs[i];
        }
    }
    return NULL; /* its enqueue was not answered, and has happened all the same */
}

static void listen(struct fixture *f)
{
    struct notice notice;
    bool found = true;

    while (found) {
        engine_step(f->engine);
        assert_status(engine_worker_next(f->worker, f->arena, &found, &notice), STATUS_OK);
        struct told *job = found ? find(f, notice.job_id) : NULL;
        if (job == NULL) {
            continue;
        }
        if (notice.type == NOTICE_JOB) {
            job->attempt = notice.attempt;
        } else if (notice.type == NOTICE_SETTLED && notice.code == STATUS_OK) {
            job->has_succeeded = job == &f->jobs[0];
            job->has_failed = job == &f->jobs[1];
        }
    }
}

static void live(struct fixture *f)
{
    if (!status_is_ok(open_engine(f)) || !status_is_ok(add_worker(f))) {
        return;
    }
    for (int i = 0; i < JOBS; i++) {
        struct job_record job = { .tenant_id = "acme",
                                  .project_id = "p",
                                  .capability = "noop",
                                  .principal = "sa:p",
                                  .permissions = "",
                                  .idempotency_key = "",
                                  .trace = "" };
        if (status_is_ok(engine_enqueue(f->engine, f->arena, &job, 1, NULL))) {
            f->jobs[i].job_id = job.job_id;
        }
    }
    engine_worker_credit(f->worker, JOBS);
    listen(f);
    for (int i = 0; i < 2; i++) {
        const struct attempt attempt = { f->jobs[i].job_id, f->jobs[i].attempt };
        if (attempt.attempt != 0 && i == 0) {
            engine_worker_succeed(f->worker, attempt, (bytes){ NULL, 0 });
        } else if (attempt.attempt != 0) {
            engine_worker_fail(f->worker, attempt,
                               &(struct attempt_failure){ STATUS_INTERNAL, "broken", true });
        }
    }
    listen(f);
}

/* What was said of job and is no longer so, or NULL. */
static const char *fault_of(struct fixture *f, const struct told *job)
{
    struct job_record row;

    if (job->job_id == NULL) {
        return NULL;
    }
    status s = job_store_get(f->real, f->arena, "acme", job->job_id, &row);
    if (!status_is_ok(s)) {
        return "a job that was enqueued is lost";
    }
    if (row.attempt < job->attempt) {
        return "a worker was given an attempt that nobody knows of";
    }
    if (job->has_succeeded && row.state != JOB_SUCCEEDED) {
        return "a completion is lost";
    }
    return job->has_failed && row.state != JOB_DEAD ? "a failure is lost" : NULL;
}

static const char *find_fault(struct fixture *f)
{
    status s = open_engine(f);

    if (!status_is_ok(s)) {
        return arena_printf(f->arena, "it does not start: %s", s.message);
    }
    for (int i = 0; i < JOBS; i++) {
        const char *fault = fault_of(f, &f->jobs[i]);
        if (fault != NULL) {
            return fault;
        }
    }
    return NULL;
}

/* A life with a crash at operation crash_after, or at its end.  Whether that came first. */
static bool crash_once(unsigned crash_after, unsigned skip_sync, enum crash_torn torn,
                       const char **ret_fault, struct arena *arena)
{
    struct fixture f;

    set_up_fixture(&f);
    f.files.crash_after = crash_after;
    f.files.skip_sync = skip_sync;
    f.files.torn = torn;
    live(&f);
    bool is_over = crash_after == 0 || f.files.n_operations < crash_after;
    close_engine(&f);
    crash_files_crash(&f.files);
    const char *fault = find_fault(&f);
    *ret_fault = fault != NULL ? arena_strdup(arena, fault) : NULL;
    close_engine(&f);
    tear_down_fixture(&f);
    return is_over;
}

static void what_was_answered_is_true_after_a_crash_at_any_operation(void **state)
{
    for (enum crash_torn torn = TORN_NOTHING; torn <= TORN_LAST_HALF; torn++) {
        bool is_over = false;
        for (unsigned n = 1; !is_over; n++) {
            const char *fault = NULL;
            is_over = crash_once(n, 0, torn, &fault, *state);
            if (fault != NULL) {
                fail_msg("crash at operation %u, torn %d: %s", n, (int)torn, fault);
            }
        }
    }
}

static void a_sync_left_out_would_be_seen(void **state)
{
    int n_seen = 0;

    for (unsigned sync = 1; sync <= 60; sync++) {
        bool is_over = false;
        for (unsigned n = 1; !is_over && n_seen == 0; n++) {
            const char *fault = NULL;
            is_over = crash_once(n, sync, TORN_NOTHING, &fault, *state);
            n_seen += fault != NULL;
        }
    }
    assert_true(n_seen > 0);
}

static int set_up(void **state)
{
    *state = arena_new();
    return 0;
}

static int tear_down(void **state)
{
    arena_free(*state);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_answered_is_true_after_a_crash_at_any_operation),
        TEST(a_sync_left_out_would_be_seen),
    };

    return cmocka_run_group_tests_name("engine_crash", tests, NULL, NULL);
}
