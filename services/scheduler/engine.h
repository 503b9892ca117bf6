/* engine - jobs from their enqueueing to their end: durable, fenced, leased, and never done twice.
 *
 *     callers ---- engine_enqueue() ... --------> store         truth: nothing is answered before
 *                        |                          ^           it is durable there
 *                        v                          | writes, group-committed, never waited for
 *     workers <--- notices ---- dispatcher ---------+
 *        |                      in memory: who is next
 *        +--- credit, beats, reports -------------> engine
 *
 * A job's way: it is enqueued (a commit), matched with a worker that has credit (memory), given a
 * token (if there is an issuer), started (a commit: RUNNING, one attempt more), and only then sent
 * to the worker.  Where a worker waits already, the start is in the enqueue's own commit, while the
 * token is asked for.  What the worker reports is committed before it is answered.  So whatever
 * dies, and whenever:
 *
 *     an enqueue that was answered      the job is in the store, and will be started
 *     a completion that was answered    the job is SUCCEEDED, and is never started again
 *     a worker, or its stream           its jobs go to others, at once or when it has been silent
 *                                       for a lease; the attempt is counted as failed
 *     this process                      its jobs wait for their workers to come back and go on for
 *                                       one lease, and then go to others
 *
 * A worker that comes back too late is refused by the attempt number, which every change of a
 * running job is guarded by, here and in the store.
 *
 * Threads: all functions are safe on any.  Those for workers never block.  Between engine_start()
 * and engine_stop() one thread follows what becomes durable and what falls due, and a few others
 * run errands, which block: reading the store, asking for tokens.  Without engine_start() nothing
 * moves but by engine_step(): so tests drive it, under a clock of their own.
 */

#ifndef SERVICES_SCHEDULER_ENGINE_H_
#define SERVICES_SCHEDULER_ENGINE_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/store/store.h"
#include "services/scheduler/dispatcher.h"
#include "services/scheduler/job.h"
#include "services/scheduler/token_issuer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct engine;

struct engine_options {
    struct store *store;                /* required; borrowed, and closed after engine_free() */
    const struct clock *clock;          /* required; borrowed */
    const struct random_source *random; /* required; borrowed */
    struct token_issuer *issuer;        /* borrowed; NULL: jobs get no token */
    struct dispatcher_options memory;   /* what is held in memory */
    int64_t lease_ms; /* a worker silent for so long is lost; 0 means 30,000: three beats missed */
    int64_t backoff_ms; /* the shortest delay of a retry (libs/retry/backoff.h); 0 means 1,000 */
    int64_t max_backoff_ms; /* 0 means 600,000 */
    int64_t keep_ms;        /* history; 0 means 7 days */
    int64_t keep_dead_ms;   /* dead letters; 0 means 30 days */
    int64_t keep_jobs;      /* ended jobs, beside those with a key; 0 means 1,000,000 */
    int64_t max_open_jobs;  /* of one tenant; 0 means 1,000,000 */
    size_t n_token_threads; /* 0 means 16: so many tokens are asked for at once */
};

/* The caller owns it: engine_free(). */
struct engine *engine_new(const struct engine_options *options) NONNULL RETURNS_NONNULL;
/* After engine_stop(); workers and watches must be closed.  NULL is allowed. */
void engine_free(struct engine *self);

/* Reads what the last process left; once, before anything else.  Blocks. */
status engine_recover(struct engine *self, struct arena *arena) NONNULL;

void engine_start(struct engine *self) NONNULL;
/* Waits for the writes that are on their way. */
void engine_stop(struct engine *self) NONNULL;

/* Does what there is to do now, errands too, until there is nothing: instead of engine_start(). */
void engine_step(struct engine *self) NONNULL;

/* ---- For callers; these block ---- */

/* Adds jobs, all in one write with `with` (NULL: nothing), which holds the audit events.  Fills in
 * what each is given: state, times, and the id where it is NULL (random_ulid()).  A job whose
 * idempotency key was used before becomes that earlier job.  Texts are borrowed until it returns.
 *
 * ALREADY_EXISTS: a key was used with another capability or payload.  RESOURCE_EXHAUSTED: the
 * tenant has max_open_jobs, or there are too many lanes.  INVALID_ARGUMENT: see job_check(). */
status engine_enqueue(struct engine *self, struct arena *arena, struct job_record *jobs,
                      size_t n_jobs, const struct store_write *with) NONNULL_ARGS(1, 2, 3);

/* The job, with the progress and the result it has made so far when it runs. */
status engine_get(struct engine *self, struct arena *arena, const char *tenant_id,
                  const char *job_id, struct job_record *ret_job) NONNULL;

/* Cancels a job that has not ended; its worker is told.  FAILED_PRECONDITION: it has ended. */
status engine_cancel(struct engine *self, struct arena *arena, const char *tenant_id,
                     const char *job_id, const struct store_write *with, struct job_record *ret_job)
    NONNULL_ARGS(1, 2, 3, 4, 6);

/* Gives a dead job its attempts again.  FAILED_PRECONDITION: it is not dead. */
status engine_redrive(struct engine *self, struct arena *arena, const char *tenant_id,
                      const char *job_id, const struct store_write *with,
                      struct job_record *ret_job) NONNULL_ARGS(1, 2, 3, 4, 6);

/* ---- For those who watch a job ---- */

struct engine_watch;

/* From now on wake(data) is called after each change of the job; what has changed is asked with
 * engine_get().  wake must neither block nor call the engine.  The caller owns the watch.
 * RESOURCE_EXHAUSTED: there are ENGINE_MAX_WATCHES. */
status engine_watch_open(struct engine *self, struct arena *arena, const char *tenant_id,
                         const char *job_id, void (*wake)(void *data), void *data,
                         struct engine_watch **ret_watch) NONNULL_ARGS(1, 2, 3, 4, 5, 7);
/* No wake comes after it has returned. */
void engine_watch_close(struct engine_watch *watch) NONNULL;

enum {
    ENGINE_MAX_WATCHES = 10 * 1000, /* one stream each, of which a server bears no more */
    ENGINE_MAX_WORKERS = 10 * 1000, /* the same */
    ENGINE_MAX_CREDIT = 10 * 1000,  /* of one worker: more than it can do within a lease */
    ENGINE_MAX_NOTICES =
        20 * 1000,                /* waiting for one worker: its credit twice; past it, it is cut */
    ENGINE_MAX_CAPABILITIES = 32, /* of one worker */
};

/* ---- For workers; these never block ---- */

struct engine_worker;

/* One attempt of one job, as the worker was told of it. */
struct attempt {
    const char *job_id;
    int64_t attempt;
};

struct engine_worker_options {
    const char *worker_id;
    const char *tenant_id; /* "": works for every tenant */
    const char *const *capabilities;
    size_t n_capabilities;
    /* What it still works on.  Of the jobs that this process has inherited, it becomes the owner of
     * those again; others that ran under its id go to others at once. */
    const struct attempt *held;
    size_t n_held;
    /* There are notices where there were none: take all, now or when there is room.  Must neither
     * block nor call the engine. */
    void (*wake)(void *data);
    void *data;
};

/* The caller owns it: engine_worker_close().  INVALID_ARGUMENT: a name is not well formed or comes
 * twice.  RESOURCE_EXHAUSTED: there are too many workers. */
status engine_worker_open(struct engine *self, struct arena *arena,
                          const struct engine_worker_options *options,
                          struct engine_worker **ret_worker) NONNULL;
/* Its jobs go to others.  No wake comes after it has returned. */
void engine_worker_close(struct engine_worker *worker) NONNULL;

/* Any of these is a beat. */
void engine_worker_beat(struct engine_worker *worker) NONNULL;
void engine_worker_credit(struct engine_worker *worker, int64_t n) NONNULL;

/* Reports.  One of an attempt that is over, or of somebody else's, changes nothing; it is answered
 * by a notice with ABORTED.  The first report of an attempt that this process has inherited makes
 * the worker its owner again. */
void engine_worker_progress(struct engine_worker *worker, struct attempt attempt,
                            const struct job_progress *progress) NONNULL;
/* Adds to the result.  When it becomes too large the job fails for good. */
void engine_worker_result(struct engine_worker *worker, struct attempt attempt, bytes chunk)
    NONNULL;
void engine_worker_succeed(struct engine_worker *worker, struct attempt attempt, bytes result)
    NONNULL;

struct attempt_failure {
    enum status_code code;
    const char *message;
    bool is_permanent; /* trying again would not help */
};

void engine_worker_fail(struct engine_worker *worker, struct attempt attempt,
                        const struct attempt_failure *failure) NONNULL;

enum notice_type {
    NOTICE_JOB,      /* do it */
    NOTICE_TOKEN,    /* a new token for one it has */
    NOTICE_WITHDRAW, /* stop it */
    NOTICE_SETTLED,  /* its report is durable, or refused: code and text */
    NOTICE_DRAIN,    /* take no more */
};

struct notice {
    enum notice_type type;
    const char *tenant_id;
    const char *job_id;
    int64_t attempt;
    enum status_code code;
    const char *text;        /* SETTLED: why it was refused; JOB and TOKEN: the token */
    int64_t lease_expire_ms; /* JOB and TOKEN: wall time */
    struct job_record job;   /* JOB: project, capability, payload, trace, times */
};

/* The next thing the worker is to be told, in arena.  An error says that the worker is cut off, and
 * its stream should end with it.  DEADLINE_EXCEEDED: it was silent for a lease, and its jobs went
 * to others.  RESOURCE_EXHAUSTED: it has not listened while ENGINE_MAX_NOTICES gathered. */
status engine_worker_next(struct engine_worker *worker, struct arena *arena, bool *ret_found,
                          struct notice *ret_notice) NONNULL;

/* Tells all workers to take no more; nothing is sent to them from now on but answers. */
void engine_drain(struct engine *self) NONNULL;

/* ---- Figures ---- */

struct engine_figures {
    size_t n_workers;
    size_t n_waiting; /* ready jobs in memory */
    size_t n_running;
    size_t n_changes; /* writes on their way */
};

struct engine_figures engine_figures(struct engine *self) NONNULL;

#endif
