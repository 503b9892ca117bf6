/* Thousands of random steps, and then: nothing acknowledged is lost, and nothing is done after its
 * completion was acknowledged.  The checks are those of Jepsen's total-queue, kept while it runs:
 *
 *     lost         an enqueue that was answered, and a job that never ends
 *     unexpected   a job that nobody enqueued
 *     done again   a job that was given out after its completion was answered
 *     forked       one attempt given out twice, or an earlier one after a later
 *
 * A failure names its seed, with which it happens again.
 */

#include "libs/testing/assert_status.h"
#include "libs/testing/fake_clock.h"
#include "libs/testing/seeded_random.h"
#include "libs/testing/stepped_store.h"
#include "services/scheduler/engine.h"
#include "services/scheduler/job_store.h"

#include <stdio.h>
#include <string.h>

enum { STEPS = 1500, SEEDS = 20, WORKERS = 4, HELD = 64, MAX_JOBS = STEPS * 3 };

/* What the outside knows of one job. */
struct known_job {
    char tenant_id[8];
    char job_id[32];
    int64_t attempt; /* the last that was given out */
    bool is_done;    /* a completion was answered with OK */
};

struct sim_worker {
    struct engine_worker *worker; /* NULL: it is dead, or away */
    const char *tenant_id;
    struct attempt held[HELD]; /* what it works on, also when the engine has died meanwhile */
    char ids[HELD][32];
    size_t n_held;
};

struct simulation {
    struct token_issuer issuer; /* begins with it: see issue() */
    uint64_t seed;
    struct arena *arena; /* of one step */
    struct store *real;
    struct stepped_store store;
    struct fake_clock clock;
    struct seeded_random random;
    struct engine *engine;
    struct sim_worker workers[WORKERS];
    struct known_job jobs[MAX_JOBS];
    size_t n_jobs;
    int64_t n_given;
    int64_t n_done;
    int64_t n_crashes;
    bool is_over; /* from now on everybody behaves, and can do everything */
};

static uint64_t draw(struct simulation *sim, uint64_t limit)
{
    return random_below(&sim->random.source, limit);
}

static void wake_nobody(void *data)
{
    (void)data;
}

#define CHECK(condition, ...)                                          \
    do {                                                               \
        if (!(condition)) {                                            \
            print_error("seed %llu: ", (unsigned long long)sim->seed); \
            fail_msg(__VA_ARGS__);                                     \
        }                                                              \
    } while (0)

static struct known_job *find(struct simulation *sim, const char *job_id)
{
    for (size_t i = sim->n_jobs; i > 0; i--) {
        if (strcmp(sim->jobs[i - 1].job_id, job_id) == 0) {
            return &sim->jobs[i - 1];
        }
    }
    return NULL;
}

/* ---- The engine's lives ---- */

static enum status_code draw_token_code(struct simulation *sim)
{
    if (sim->is_over || draw(sim, 4) != 0) {
        return STATUS_OK;
    }
    return draw(sim, 8) == 0 ? STATUS_PERMISSION_DENIED : STATUS_UNAVAILABLE;
}

static void issue(struct token_issuer *issuer, struct arena *arena,
                  const struct token_request *const *requests, size_t n,
                  struct token_answer *ret_answers)
{
    struct simulation *sim = (struct simulation *)issuer;

    (void)requests;
    for (size_t i = 0; i < n; i++) {
        enum status_code code = draw_token_code(sim);
        ret_answers[i] = code == STATUS_OK
                             ? (struct token_answer){ .result = status_ok(), .token = "token" }
                             : (struct token_answer){ .result = status_error(arena, code, "no") };
    }
}

static const struct token_issuer_ops issuer_ops = { .issue = issue };

static void start_engine(struct simulation *sim)
{
    sim->issuer.ops = &issuer_ops;
    sim->engine = engine_new(&(struct engine_options){
        .store = &sim->store.store,
        .clock = &sim->clock.clock,
        .random = &sim->random.source,
        .issuer = &sim->issuer,
        .memory = { .window = 8, .max_jobs = 20 }, /* small, so that lanes are loaded often */
    });
    assert_status(engine_recover(sim->engine, sim->arena), STATUS_OK);
}

static void close_workers(struct simulation *sim)
{
    for (size_t i = 0; i < WORKERS; i++) {
        if (sim->workers[i].worker != NULL) {
            engine_worker_close(sim->workers[i].worker);
            sim->workers[i].worker = NULL;
        }
    }
}

/* What is on its way may happen or not, one by one from the oldest; the rest never does. */
static void crash(struct simulation *sim)
{
    sim->store.hold = true;
    stepped_store_release(&sim->store, draw(sim, sim->store.n_held + 1));
    close_workers(sim); /* what this writes is lost: the process is dead already */
    stepped_store_lose(&sim->store);
    engine_free(sim->engine);
    sim->store.hold = false;
    sim->store.fail_commit = sim->store.cut_commit = sim->store.fail_query = 0;
    start_engine(sim);
    sim->n_crashes++;
}

/* ---- Workers ---- */

static void hold(struct sim_worker *self, const struct notice *notice)
{
    assert_true(self->n_held < HELD);
    (void)snprintf(self->ids[self->n_held], sizeof self->ids[0], "%s", notice->job_id);
    self->held[self->n_held++].attempt = notice->attempt;
}

static void take_job(struct simulation *sim, struct sim_worker *self, const struct notice *notice)
{
    struct known_job *job = find(sim, notice->job_id);

    CHECK(job != NULL, "job '%s' was never enqueued", notice->job_id);
    if (job == NULL) {
        return; /* never: the check has jumped away */
    }
    CHECK(!job->is_done, "job '%s' is given out again after it was done", notice->job_id);
    CHECK(notice->attempt > job->attempt, "job '%s': attempt %d after %d", notice->job_id,
          (int)notice->attempt, (int)job->attempt);
    CHECK(self->tenant_id[0] == '\0' || strcmp(self->tenant_id, job->tenant_id) == 0,
          "a worker of '%s' is given a job of '%s'", self->tenant_id, job->tenant_id);
    job->attempt = notice->attempt;
    sim->n_given++;
    hold(self, notice);
}

/* A completion is the only report that these workers mark, by their result. */
static void settle(struct simulation *sim, const struct notice *notice)
{
    struct job_record row;
    struct known_job *job = find(sim, notice->job_id);

    if (notice->code != STATUS_OK) {
        return;
    }
    assert_status(job_store_get(sim->real, sim->arena, job->tenant_id, notice->job_id, &row),
                  STATUS_OK);
    if (row.state == JOB_SUCCEEDED && row.attempt == notice->attempt) {
        CHECK(!job->is_done, "job '%s' is done twice", notice->job_id);
        job->is_done = true;
        sim->n_done++;
    }
}

static void listen(struct simulation *sim, struct sim_worker *self)
{
    struct notice notice;
    bool found = true;

    while (self->worker != NULL && found) {
        status s = engine_worker_next(self->worker, sim->arena, &found, &notice);
        if (!status_is_ok(s)) {
            engine_worker_close(self->worker); /* it was silent for too long */
            self->worker = NULL;
        } else if (found && notice.type == NOTICE_JOB) {
            take_job(sim, self, &notice);
        } else if (found && notice.type == NOTICE_SETTLED) {
            settle(sim, &notice);
        }
    }
}

/* Says how one of those it holds has ended; sometimes of one that is over for long. */
static void report(struct simulation *sim, struct sim_worker *self)
{
    if (self->n_held == 0 || self->worker == NULL) {
        return;
    }
    size_t i = draw(sim, self->n_held);
    const struct attempt attempt = { self->ids[i], self->held[i].attempt };
    switch (draw(sim, 6)) {
    case 0:
        engine_worker_fail(
            self->worker, attempt,
            &(struct attempt_failure){ STATUS_INTERNAL, "broken", draw(sim, 4) == 0 });
        break;
    case 1:
        engine_worker_progress(self->worker, attempt, &(struct job_progress){ 1, 2, "half" });
        return;
    case 2:
        engine_worker_result(self->worker, attempt, (bytes){ (const uint8_t *)"x", 1 });
        return;
    default:
        engine_worker_succeed(self->worker, attempt, (bytes){ (const uint8_t *)"done", 4 });
        break;
    }
    if (draw(sim, 5) != 0) { /* else it says so once more, later */
        self->n_held--;
        memmove(self->ids[i], self->ids[self->n_held], sizeof self->ids[0]);
        self->held[i] = self->held[self->n_held];
    }
}

static void live(struct simulation *sim, struct sim_worker *self)
{
    static const char *const capabilities[] = { "a", "b" };

    if (self->worker == NULL) {
        assert_status(engine_worker_open(sim->engine, sim->arena,
                                         &(struct engine_worker_options){
                                             .worker_id = "w",
                                             .tenant_id = self->tenant_id,
                                             .capabilities = capabilities,
                                             .n_capabilities = sim->is_over ? 2 : 1 + draw(sim, 2),
                                             .wake = wake_nobody,
                                         },
                                         &self->worker),
                      STATUS_OK);
    }
    if (self->n_held < 8) {
        engine_worker_credit(self->worker, (int64_t)draw(sim, 4));
    }
    listen(sim, self);
}

static void die(struct sim_worker *self)
{
    if (self->worker != NULL) {
        engine_worker_close(self->worker);
        self->worker = NULL;
    }
    self->n_held = 0;
}

/* ---- Callers ---- */

static void note(struct simulation *sim, const struct job_record *record)
{
    if (find(sim, record->job_id) != NULL) {
        return; /* its key was known */
    }
    struct known_job *job = &sim->jobs[sim->n_jobs++];
    *job = (struct known_job){ .attempt = 0 };
    (void)snprintf(job->tenant_id, sizeof job->tenant_id, "%s", record->tenant_id);
    (void)snprintf(job->job_id, sizeof job->job_id, "%s", record->job_id);
}

static void meanwhile(void *data)
{
    struct simulation *sim = data;

    if (draw(sim, 8) == 0) {
        die(&sim->workers[draw(sim, WORKERS)]);
    }
    engine_step(sim->engine);
}

static void enqueue(struct simulation *sim)
{
    static const char *const tenants[] = { "acme", "globex" };
    const char *tenant = tenants[draw(sim, 2)];
    size_t n = 1 + draw(sim, 3);
    struct job_record jobs[3];

    for (size_t i = 0; i < n; i++) {
        jobs[i] = (struct job_record){
            .tenant_id = tenant,
            .project_id = "p",
            .capability = draw(sim, 2) == 0 ? "a" : "b",
            .principal = "sa:p",
            .permissions = "",
            .idempotency_key = "",
            .trace = "",
            .priority = (int64_t)draw(sim, 10),
            .max_attempts = 1 + (int64_t)draw(sim, 5),
        };
        if (draw(sim, 4) == 0) {
            jobs[i].run_at_ms = sim->clock.wall_ms + (int64_t)draw(sim, 20000);
        }
    }
    if (n == 1 && draw(sim, 2) == 0) {
        jobs[0].capability = "a";
        jobs[0].idempotency_key = arena_printf(sim->arena, "k%d", (int)draw(sim, 50));
    }
    /* Tokens may come before the commit, and workers may go. */
    sim->store.before = draw(sim, 2) == 0 ? meanwhile : NULL;
    sim->store.data = sim;
    status s = engine_enqueue(sim->engine, sim->arena, jobs, n, NULL);
    sim->store.before = NULL;
    for (size_t i = 0; i < n; i++) {
        /* One that was cut off may be there or not: it is expected, and lost only if it is there.
         */
        if (status_is_ok(s) || s.code == STATUS_UNAVAILABLE) {
            note(sim, &jobs[i]);
        }
    }
}

static void cancel(struct simulation *sim)
{
    if (sim->n_jobs > 0) {
        const struct known_job *job = &sim->jobs[draw(sim, sim->n_jobs)];
        struct job_record record;
        (void)engine_cancel(sim->engine, sim->arena, job->tenant_id, job->job_id, NULL, &record);
    }
}

/* ---- Steps ---- */

static void disturb(struct simulation *sim)
{
    switch (draw(sim, 6)) {
    case 0:
        crash(sim);
        break;
    case 1:
        sim->store.fail_commit = 1 + (unsigned)draw(sim, 3);
        break;
    case 2:
        sim->store.cut_commit = 1 + (unsigned)draw(sim, 3);
        break;
    case 3:
        sim->store.fail_query = 1 + (unsigned)draw(sim, 3);
        break;
    case 4:
        die(&sim->workers[draw(sim, WORKERS)]);
        break;
    default:
        fake_clock_advance_ms(&sim->clock, 31000); /* and nobody has beaten */
        break;
    }
}

/* Workers' calls may be held; those that block may not. */
static void step(struct simulation *sim)
{
    struct sim_worker *worker = &sim->workers[draw(sim, WORKERS)];

    switch (draw(sim, 12)) {
    case 0:
    case 1:
        enqueue(sim);
        break;
    case 2:
        cancel(sim);
        break;
    case 3:
        fake_clock_advance_ms(&sim->clock, (int64_t)draw(sim, 5000));
        break;
    case 4:
        stepped_store_release(&sim->store, draw(sim, 4));
        break;
    case 5:
        if (draw(sim, 8) == 0) {
            disturb(sim);
        }
        break;
    default:
        sim->store.hold = draw(sim, 2) == 0;
        live(sim, worker);
        report(sim, worker);
        break;
    }
    sim->store.hold = draw(sim, 2) == 0;
    engine_step(sim->engine);
    sim->store.hold = false;
    listen(sim, worker);
    arena_reset(sim->arena);
}

static void print_stuck(struct simulation *sim)
{
    for (size_t i = 0; i < sim->n_jobs; i++) {
        struct job_record row;
        status s =
            job_store_get(sim->real, sim->arena, sim->jobs[i].tenant_id, sim->jobs[i].job_id, &row);
        if (status_is_ok(s) && !job_has_ended(row.state)) {
            print_error("job '%s' of '%s' needs '%s' and is %s, attempt %d\n", row.job_id,
                        row.tenant_id, row.capability, job_state_name(row.state), (int)row.attempt);
        }
    }
}

/* Everybody behaves until nothing is left to do. */
static void drain(struct simulation *sim)
{
    struct job_count_list open = { .n_counts = 1 };

    sim->is_over = true;
    for (size_t w = 0; w < WORKERS; w++) {
        die(&sim->workers[w]);
    }
    sim->store.fail_commit = sim->store.cut_commit = sim->store.fail_query = 0;
    for (int i = 0; i < 20000 && open.n_counts > 0; i++) {
        stepped_store_release(&sim->store, sim->store.n_held);
        engine_step(sim->engine);
        for (size_t w = 0; w < WORKERS; w++) {
            live(sim, &sim->workers[w]);
            report(sim, &sim->workers[w]);
            engine_step(sim->engine);
            listen(sim, &sim->workers[w]);
        }
        fake_clock_advance_ms(&sim->clock, 1000);
        if (i % 20 == 0) {
            assert_status(job_store_count_open(sim->real, sim->arena, &open), STATUS_OK);
            arena_reset(sim->arena);
        }
    }
    if (open.n_counts > 0) {
        print_stuck(sim);
    }
    CHECK(open.n_counts == 0, "some jobs never end");
}

static void check_every_job(struct simulation *sim)
{
    for (size_t i = 0; i < sim->n_jobs; i++) {
        const struct known_job *job = &sim->jobs[i];
        struct job_record row;
        status s = job_store_get(sim->real, sim->arena, job->tenant_id, job->job_id, &row);
        CHECK(!job->is_done || (status_is_ok(s) && row.state == JOB_SUCCEEDED),
              "job '%s' was done and is %s", job->job_id,
              status_is_ok(s) ? job_state_name(row.state) : "gone");
    }
    const struct engine_figures figures = engine_figures(sim->engine);
    CHECK(figures.n_waiting == 0 && figures.n_running == 0 && figures.n_changes == 0,
          "%zu wait, %zu run, %zu changes are on their way", figures.n_waiting, figures.n_running,
          figures.n_changes);
    arena_reset(sim->arena);
}

static void simulate(struct simulation *sim)
{
    sim->arena = arena_new();
    assert_status(store_open(sim->arena, ":memory:", &sim->real), STATUS_OK);
    assert_status(job_store_migrate(sim->real, sim->arena), STATUS_OK);
    stepped_store_init(&sim->store, sim->real);
    fake_clock_init(&sim->clock, 1700000000000);
    seeded_random_init(&sim->random, sim->seed);
    sim->workers[0].tenant_id = sim->workers[1].tenant_id = "";
    sim->workers[2].tenant_id = "acme";
    sim->workers[3].tenant_id = "globex";
    start_engine(sim);
    for (int i = 0; i < STEPS; i++) {
        step(sim);
    }
    drain(sim);
    check_every_job(sim);
    close_workers(sim);
    engine_step(sim->engine);
    engine_free(sim->engine);
    store_close(sim->real);
    arena_free(sim->arena);
}

static void nothing_acknowledged_is_lost_or_done_again(void **state)
{
    static struct simulation sim;
    int64_t n_done = 0;
    int64_t n_crashes = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        sim = (struct simulation){ .seed = seed };
        simulate(&sim);
        n_done += sim.n_done;
        n_crashes += sim.n_crashes;
    }
    /* Else the steps have not tried what they should. */
    assert_true(n_done > SEEDS * STEPS / 20);
    assert_true(n_crashes > SEEDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_acknowledged_is_lost_or_done_again),
    };

    return cmocka_run_group_tests_name("engine_property", tests, NULL, NULL);
}
