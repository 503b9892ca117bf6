/* engine_fixture - an engine that moves when the test says so, over a real database: what the
 * engine's tests share. */

#ifndef SERVICES_SCHEDULER_ENGINE_FIXTURE_H_
#define SERVICES_SCHEDULER_ENGINE_FIXTURE_H_

#include "libs/base/attributes.h"
#include "libs/testing/fake_clock.h"
#include "libs/testing/seeded_random.h"
#include "libs/testing/stepped_store.h"
#include "services/scheduler/engine.h"

#include <stdbool.h>

/* An issuer that does what the test says. */
struct test_issuer {
    struct token_issuer issuer;
    enum status_code code;
    int n_issued;
    int n_calls;
    void (*meanwhile)(void *data); /* while it is asked; NULL: nothing */
    void *data;
};

/* An engine with a worker that may do ingest.apt for all tenants. */
struct fixture {
    struct arena *arena;
    struct store *real;
    struct stepped_store store;
    struct fake_clock clock;
    struct seeded_random random;
    struct test_issuer issuer;
    struct engine *engine;
    struct engine_worker *worker; /* may do ingest.apt for all */
    int n_wakes;
};

/* For cmocka_unit_test_setup_teardown(). */
int set_up(void **state) NONNULL;
int tear_down(void **state) NONNULL;

/* issuer may be NULL. */
void start_engine(struct fixture *f, struct token_issuer *issuer) NONNULL_ARGS(1);
void stop_engine(struct fixture *f) NONNULL;
/* Instead of the engine and the worker that set_up() makes, which have no issuer. */
void with_issuer(struct fixture *f) NONNULL;
/* The process dies: what was not in the store is gone.  A new one has no workers yet. */
void crash(struct fixture *f) NONNULL;

struct engine_worker *add_worker(struct fixture *f, const char *id, const char *tenant) NONNULL;
/* A worker's or a watch's wake, with the fixture. */
void count_wake(void *data) NONNULL;

/* Of acme, for ingest.apt. */
struct job_record a_job(void);
/* Its id. */
const char *enqueue(struct fixture *f, struct job_record job) NONNULL;
/* Of acme. */
struct job_record get(struct fixture *f, const char *job_id) NONNULL;

/* Steps the engine, and takes the worker's next notice; false when there is none. */
bool next(struct fixture *f, struct engine_worker *worker, struct notice *ret_notice) NONNULL;
/* The next notice must be of this type. */
struct notice expect(struct fixture *f, struct engine_worker *worker, enum notice_type type)
    NONNULL;
void expect_silence(struct fixture *f, struct engine_worker *worker) NONNULL;

struct attempt attempt_of(const struct notice *notice) NONNULL;
extern const bytes nothing;

/* The fixture's worker is given a job, and says that it has failed. */
void fail_once(struct fixture *f, bool is_permanent) NONNULL;

#endif
