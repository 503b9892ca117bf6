#include "services/scheduler/engine_fixture.h"

#include "libs/testing/assert_status.h"
#include "services/scheduler/job_store.h"

static struct token_answer answer(struct test_issuer *self, struct arena *arena,
                                  const struct token_request *request)
{
    if (self->code != STATUS_OK) {
        return (struct token_answer){
            .result = status_error(arena, self->code, "'%s' has been revoked", request->principal)
        };
    }
    self->n_issued++;
    return (struct token_answer){ .result = status_ok(),
                                  .token = arena_printf(arena, "token-%d", self->n_issued) };
}

static void issue(struct token_issuer *issuer, struct arena *arena,
                  const struct token_request *const *requests, size_t n,
                  struct token_answer *ret_answers)
{
    struct test_issuer *self = (struct test_issuer *)issuer;

    self->n_calls++;
    if (self->meanwhile != NULL) {
        self->meanwhile(self->data);
    }
    for (size_t i = 0; i < n; i++) {
        ret_answers[i] = answer(self, arena, requests[i]);
    }
}

static const struct token_issuer_ops issuer_ops = { .issue = issue };

void count_wake(void *data)
{
    struct fixture *f = data;

    f->n_wakes++;
}

void start_engine(struct fixture *f, struct token_issuer *issuer)
{
    f->engine = engine_new(&(struct engine_options){
        .store = &f->store.store,
        .clock = &f->clock.clock,
        .random = &f->random.source,
        .issuer = issuer,
        .max_open_jobs = 40,
    });
    assert_status(engine_recover(f->engine, f->arena), STATUS_OK);
}

struct engine_worker *add_worker(struct fixture *f, const char *id, const char *tenant)
{
    static const char *const capabilities[] = { "ingest.apt" };
    struct engine_worker *worker;

    assert_status(engine_worker_open(f->engine, f->arena,
                                     &(struct engine_worker_options){
                                         .worker_id = id,
                                         .tenant_id = tenant,
                                         .capabilities = capabilities,
                                         .n_capabilities = 1,
                                         .wake = count_wake,
                                         .data = f,
                                     },
                                     &worker),
                  STATUS_OK);
    return worker;
}

int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){ .arena = arena_new(), .issuer = { .issuer = { &issuer_ops } } };
    assert_status(store_open(f.arena, ":memory:", &f.real), STATUS_OK);
    assert_status(job_store_migrate(f.real, f.arena), STATUS_OK);
    stepped_store_init(&f.store, f.real);
    fake_clock_init(&f.clock, 1700000000000);
    seeded_random_init(&f.random, 1);
    start_engine(&f, NULL);
    f.worker = add_worker(&f, "w1", "");
    *state = &f;
    return 0;
}

void stop_engine(struct fixture *f)
{
    if (f->worker != NULL) {
        engine_worker_close(f->worker);
        f->worker = NULL;
    }
    stepped_store_lose(&f->store);
    engine_free(f->engine);
}

int tear_down(void **state)
{
    struct fixture *f = *state;

    stop_engine(f);
    store_close(f->real);
    arena_free(f->arena);
    return 0;
}

void with_issuer(struct fixture *f)
{
    stop_engine(f);
    start_engine(f, &f->issuer.issuer);
    f->worker = add_worker(f, "w1", "");
}

/* The process dies: what was not in the store is gone. */
void crash(struct fixture *f)
{
    f->store.hold = true; /* what the end of streams would write never happens */
    stop_engine(f);
    f->store.hold = false;
    start_engine(f, NULL);
}

struct job_record a_job(void)
{
    return (struct job_record){
        .tenant_id = "acme",
        .project_id = "debian",
        .capability = "ingest.apt",
        .principal = "sa:publisher",
        .permissions = "project:debian:data:publish",
        .idempotency_key = "",
        .trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        .payload = { (const uint8_t *)"work", 4 },
        .priority = 5,
    };
}

const char *enqueue(struct fixture *f, struct job_record job)
{
    assert_status(engine_enqueue(f->engine, f->arena, &job, 1, NULL), STATUS_OK);
    engine_step(f->engine);
    return job.job_id;
}

struct job_record get(struct fixture *f, const char *job_id)
{
    struct job_record job;

    assert_status(engine_get(f->engine, f->arena, "acme", job_id, &job), STATUS_OK);
    return job;
}

bool next(struct fixture *f, struct engine_worker *worker, struct notice *ret_notice)
{
    bool found;

    engine_step(f->engine);
    assert_status(engine_worker_next(worker, f->arena, &found, ret_notice), STATUS_OK);
    return found;
}

/* The next notice must be of this type. */
struct notice expect(struct fixture *f, struct engine_worker *worker, enum notice_type type)
{
    struct notice notice;

    if (!next(f, worker, &notice)) {
        fail_msg("no notice, want one of type %d", (int)type);
    }
    if (notice.type != type) {
        fail_msg("notice of type %d (%s), want %d", (int)notice.type, notice.text, (int)type);
    }
    return notice;
}

void expect_silence(struct fixture *f, struct engine_worker *worker)
{
    struct notice notice;

    if (next(f, worker, &notice)) {
        fail_msg("notice of type %d, want none", (int)notice.type);
    }
}

struct attempt attempt_of(const struct notice *notice)
{
    return (struct attempt){ notice->job_id, notice->attempt };
}

const bytes nothing = { NULL, 0 };

void fail_once(struct fixture *f, bool is_permanent)
{
    engine_worker_credit(f->worker, 1);
    const struct notice notice = expect(f, f->worker, NOTICE_JOB);

    engine_worker_fail(
        f->worker, attempt_of(&notice),
        &(struct attempt_failure){ STATUS_INTERNAL, "no such mirror", is_permanent });
    assert_int_equal(expect(f, f->worker, NOTICE_SETTLED).code, STATUS_OK);
}
