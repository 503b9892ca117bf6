/* engine_internal - what the parts of the engine share.
 *
 *     engine.c            its life, its thread, what falls due
 *     engine_recover.c    what the last process left
 *     engine_enqueue.c    new jobs
 *     engine_calls.c      what callers ask of jobs that are there
 *     engine_watches.c    who is told when a job changes
 *     engine_workers.c    workers that come and go, and what they say
 *     engine_notices.c    what they are told
 *     engine_attempts.c   an attempt from its match to its end
 *     engine_changes.c    writes on their way to the store
 *     engine_errands.c    what blocks; bringing jobs into memory
 *     engine_tokens.c     tokens
 *     engine_upkeep.c     commits that were cut off, deadlines, history
 *
 * One lock is over everything but the list of finished changes, which the store's thread adds to
 * and which has a lock of its own, taken last and for a few instructions.  No lock is held while
 * the store, the issuer or a stream is waited for.
 */

#ifndef SERVICES_SCHEDULER_ENGINE_INTERNAL_H_
#define SERVICES_SCHEDULER_ENGINE_INTERNAL_H_

#include "libs/base/attributes.h"
#include "libs/base/heap.h"
#include "libs/base/map.h"
#include "services/scheduler/engine.h"
#include "services/scheduler/job_changes.h"
#include "services/scheduler/job_store.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct change;
struct errand;

/* Errands that wait, and the threads that run them.  Under the engine's lock. */
struct errand_queue {
    struct engine *engine;
    struct errand *first;
    struct errand **last;
    pthread_cond_t added;
    pthread_t *threads;
    size_t n_threads;
};

/* How many jobs of a tenant have not ended. */
struct open_jobs {
    int64_t n_jobs;
};

struct engine {
    struct engine_options options;
    struct dispatcher *dispatcher;
    pthread_mutex_t lock;
    struct map running; /* jobs that run or end, by job_id */
    struct map tenants; /* struct open_jobs, by tenant_id */
    struct map watches; /* the first struct engine_watch of a job, by tenant_id, NUL, job_id */
    size_t n_watches;
    struct heap timers; /* of jobs that run, by monotonic ms */
    struct engine_worker *workers;
    size_t n_workers;
    size_t n_changes;       /* on their way */
    struct change *unsure;  /* of which nobody could say yet whether they have happened */
    int64_t next_due_ms;    /* wall: when the next scheduled job is due */
    int64_t next_sweep_ms;  /* monotonic: when to look for silent workers and deadlines again */
    int64_t next_forget_ms; /* monotonic: when to look at history again */
    int64_t store_pause_ms; /* monotonic: no lane is loaded before; after an error */
    bool has_missed_lanes;  /* ready jobs may be in the store that no lane knows of */
    bool is_promoting;
    bool is_draining;
    bool is_stopping;
    struct errand_queue errands; /* that ask the store */
    struct errand_queue tokens;  /* that ask for tokens: an issuer that hangs holds up no other */

    pthread_mutex_t finished_lock; /* over the rest */
    pthread_cond_t something_happened;
    struct change *first_finished;
    struct change **last_finished;
    bool is_kicked; /* something may be due earlier than was thought */

    pthread_t thread;
    bool is_started;
};

int64_t engine_now_ms(const struct engine *self) NONNULL; /* monotonic */
int64_t engine_wall_ms(const struct engine *self) NONNULL;

/* Wakes the thread: to look again at what is due. */
void engine_kick(struct engine *self) NONNULL;

/* All below: the lock is held, unless said otherwise. */

/* ---- engine.c ---- */

/* Counts the tenant's jobs that have not ended.  False: there would be more than max_open_jobs. */
bool engine_count_open(struct engine *self, const char *tenant_id, int64_t n) NONNULL;

/* A job that has just become ready in the store, to whoever can do it. */
void engine_offer(struct engine *self, const struct job_record *job) NONNULL;

/* When the job must be looked at again. */
void engine_arm(struct engine *self, struct job *job) NONNULL;

/* ---- engine_changes.c ---- */

/* A write on its way, and what is done when it is durable or has not happened. */
struct change {
    struct engine *engine;
    struct arena *arena;
    struct store_write *write;
    void (*done)(struct engine *self, struct change *change); /* the lock is held */
    status result;
    struct job *job; /* STARTING or ENDING, and so pinned; NULL for changes of many */
    struct job_seen seen;
    enum job_state to; /* what the job is when it has happened */
    int64_t to_attempt;
    int64_t run_at_ms;    /* to SCHEDULED */
    bool is_report;       /* its worker waits for an answer */
    struct job_list jobs; /* of a change of many */
    struct change *next;
};

struct change *change_new(struct engine *self, struct job *job,
                          void (*done)(struct engine *self, struct change *change))
    NONNULL_ARGS(1, 3) RETURNS_NONNULL;
/* Gives the change away. */
void change_submit(struct change *change) NONNULL;
/* Its result is there: concludes it, or, where nobody can say yet whether it has happened, asks. */
void change_settle(struct engine *self, struct change *change) NONNULL;
/* Does what is to be done once its result is known, and frees it. */
void change_conclude(struct engine *self, struct change *change) NONNULL;
/* Frees changes that nobody will hear of, since the engine stops: the store knows, and the next
 * process reads it there.  NULL is none. */
void changes_drop(struct engine *self, struct change *first) NONNULL_ARGS(1);
/* Does that for those that have finished; takes the lock.  False: there were none. */
bool changes_finish(struct engine *self) NONNULL;

/* ---- engine_attempts.c ---- */

/* Matches what can be matched, and begins the attempts. */
void attempts_match_lane(struct engine *self, struct lane *lane) NONNULL;
void attempts_match_worker(struct engine *self, struct worker *worker) NONNULL;

/* Begins a job with its enqueue, which is in write: matches it, asks for its token, and adds its
 * start.  change_settle() comes next, when the write's result is known.  NULL: nobody waits for it.
 */
struct change *attempt_begin(struct engine *self, const struct job_record *record,
                             struct store_write *write) NONNULL;

/* Goes on with a job that is STARTING and has its token, or needs none. */
void attempt_start(struct engine *self, struct job *job) NONNULL;
/* The store has a STARTING job RUNNING, or its token has come since. */
void attempt_go_on(struct engine *self, struct job *job) NONNULL;
/* It has been refused its token for good, or for now. */
void attempt_refuse(struct engine *self, struct job *job, status why) NONNULL;

/* A RUNNING job has done what it should. */
void attempt_succeed(struct engine *self, struct job *job) NONNULL;
/* Or has not.  is_report: its worker says so. */
void attempt_fail(struct engine *self, struct job *job, const struct attempt_failure *failure,
                  bool is_report) NONNULL;

/* A RUNNING job, or one that has just become so, goes back to READY: its worker is not there, or
 * has not got it, and it has come to no harm. */
void attempt_give_back(struct engine *self, struct job *job) NONNULL;

/* The store has it CANCELLED. */
void attempt_cancelled(struct engine *self, struct job *job) NONNULL;

/* Takes a worker's jobs from it.  why: what is written of the attempts. */
void attempts_release(struct engine *self, struct worker *worker, enum status_code code,
                      const char *why) NONNULL;

/* Takes a job out of memory. */
void attempt_forget(struct engine *self, struct job *job) NONNULL;

/* Whether why means that there will never be a token. */
bool token_is_refused(status why);

/* ---- engine_errands.c, engine_tokens.c, engine_upkeep.c ---- */

/* Something that blocks, in an arena of its own; the lock is not held while it runs. */
struct errand {
    void (*run)(struct engine *self, struct errand *errand);
    struct arena *arena;
    struct lane *lane; /* is loading, and so pinned */
    size_t limit;
    struct token_request token;
    struct change *change;
    struct errand *next;
};

enum {
    MANY = 256, /* jobs of one query or write: 16 MiB of the largest payloads */
    /* After something that is not a job's fault, the store or the issuer being away: it is tried
     * again, but not all the time. */
    PAUSE_MS = 1000,
};

struct errand *errand_new(void (*run)(struct engine *self, struct errand *errand))
    NONNULL RETURNS_NONNULL;
/* Gives it away. */
void errand_add(struct errand_queue *queue, struct errand *errand) NONNULL;
/* The first, which is the caller's then; NULL when there is none.  The lock is held. */
struct errand *errand_take(struct errand_queue *queue) NONNULL;

void errand_load(struct engine *self, struct lane *lane, size_t limit) NONNULL;
void errand_promote(struct engine *self) NONNULL;
void errand_token(struct engine *self, struct job *job) NONNULL;
/* Finds out whether a change whose commit was cut off has happened. */
void errand_reconcile(struct engine *self, struct change *change) NONNULL;
void errand_overdue(struct engine *self) NONNULL;
void errand_forget(struct engine *self) NONNULL;
void errand_find_lanes(struct engine *self) NONNULL;

/* Makes known every lane that has ready jobs in the store; takes the lock. */
status lanes_find(struct engine *self, struct arena *arena) NONNULL;

/* Begins to load the lanes that run low. */
void errands_load_low(struct engine *self) NONNULL;

void errand_queue_init(struct errand_queue *queue, struct engine *engine) NONNULL;
/* When no thread runs it any more. */
void errand_queue_reset(struct errand_queue *queue) NONNULL;
/* The lock is not held for these three. */
void errand_queue_start(struct errand_queue *queue, size_t n_threads) NONNULL;
/* After is_stopping was set. */
void errand_queue_join(struct errand_queue *queue) NONNULL;
/* Runs the first.  False: there was none. */
bool errand_queue_run_one(struct errand_queue *queue) NONNULL;
/* Forgets those that have not been run. */
void errand_queue_drop(struct errand_queue *queue) NONNULL;

/* ---- engine_workers.c, engine_notices.c ---- */

struct queued_notice {
    struct queued_notice *next;
    enum notice_type type;
    enum status_code code;
    int64_t attempt;
    const char *tenant_id;
    const char *job_id;
    const char *text;
    char data[];
};

struct engine_worker {
    struct engine *engine;
    struct worker *worker;
    void (*wake)(void *data);
    void *data;
    int64_t heard_ms; /* monotonic */
    struct queued_notice *first;
    struct queued_notice **last;
    size_t n_notices;
    bool is_lost; /* it was silent */
    struct engine_worker *previous;
    struct engine_worker *next;
};

/* Copies the texts. */
void worker_queue(struct engine_worker *self, const struct queued_notice *notice) NONNULL;
/* The oldest, which the caller frees; NULL when there is none. */
struct queued_notice *worker_take(struct engine_worker *self) NONNULL;
/* Of a job it has. */
void worker_tell(struct engine_worker *self, enum notice_type type, const struct job *job,
                 status settled) NONNULL;

/* Takes the jobs of those that were silent for a lease. */
void workers_sweep(struct engine *self, int64_t now_ms) NONNULL;

/* ---- engine_calls.c ---- */

/* The lock is not held.  A commit that was cut off may have happened: then job is as it should have
 * become, and the caller is told so; where nobody can tell, the error stands, and the store is
 * looked through again. */
status write_settle(struct engine *self, struct arena *arena, status s,
                    const struct job_record *job) NONNULL;

/* What with holds, into another write; NULL is nothing. */
void write_add_all(struct store_write *write, const struct store_write *with) NONNULL_ARGS(1);

/* ---- engine_watches.c ---- */

/* Wakes who watches the job. */
void watches_wake(struct engine *self, const char *tenant_id, const char *job_id) NONNULL;

#endif
