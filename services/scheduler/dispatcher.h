/* dispatcher - who does what next: the waiting jobs, the waiting workers, and nothing else.
 *
 * Memory only, and pure: it asks no clock, no store, no network, and has no thread and no lock. The
 * engine tells it what has happened and asks for matches.
 *
 *     pool "ingest.apt"                              one for each capability
 *      |- lanes, by pass                             whose turn it is among the tenants
 *      |    |- lane of acme:  jobs, by rank          which of its jobs (job.h says what rank is)
 *      |    |     `- line: workers of acme alone
 *      |    `- lane of globex: jobs, by rank
 *      `- line: workers for every tenant             who waits longest is first
 *
 * Fairness is stride scheduling (Waldspurger, Weihl 1995): a lane's pass grows with each job it
 * gets, the smallest pass is next, and a lane that was empty begins at the pool's pass, so that
 * it neither saves up turns nor waits for others to catch up.  A tenant with a million
 * jobs and one with ten get turns alike.
 *
 * Each event looks only at what it changed, a new job at its lane's workers, a new credit at that
 * worker's lanes, since before it nothing could be matched.  So a match costs O(log n).
 *
 * Memory is bounded.  A lane holds the best of its jobs, a window of them; the rest stay in the
 * store, and the engine brings the next when the window runs low.  Lanes for which there is no
 * worker hold none at all, so that jobs nobody can do never crowd out others.  What memory does not
 * take is never lost: it is in the store, and its lane knows from which rank on.
 */

#ifndef SERVICES_SCHEDULER_DISPATCHER_H_
#define SERVICES_SCHEDULER_DISPATCHER_H_

#include "libs/base/attributes.h"
#include "libs/base/heap.h"
#include "libs/base/map.h"
#include "services/scheduler/job.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- Lines: workers that have credit, in the order they have waited ---- */

/* A worker's place in one line. */
struct seat {
    struct worker *worker;
    struct pool *pool;
    struct lane *lane; /* NULL for a worker for every tenant, whose line is the pool's */
    struct seat *previous;
    struct seat *next;
    bool is_waiting; /* it is in the line */
};

struct line {
    struct seat *first;
    struct seat *last;
    size_t n_seats; /* that belong here, waiting or not */
};

/* ---- Lanes ---- */

struct pool {
    char *capability;
    struct heap turns;  /* lanes with waiting jobs, by pass */
    struct line line;   /* workers for every tenant */
    int64_t pass;       /* of the lane that was served last */
    struct lane *lanes; /* all of them, a list */
};

struct lane {
    struct pool *pool;
    struct lane *next_in_pool;
    char *tenant_id;
    struct heap jobs; /* waiting, by rank */
    struct line line; /* workers of this tenant alone */
    struct heap_node turn;
    int64_t pass;
    int64_t weight;
    size_t n_jobs;      /* in memory, in whatever phase */
    int64_t horizon_ms; /* no ready job that is missing here has a lower rank */
    int64_t missed_ms;  /* the lowest rank that was not taken while loading */
    bool is_loading;    /* the engine is asking the store */
    bool is_low;        /* in the list of those that want to be loaded */
    struct lane *next_low;
};

/* lane->horizon_ms: the store has no ready job that is not here. */
#define LANE_IS_WHOLE INT64_MAX

/* ---- Jobs in memory ---- */

/* Where a job is between the store and its worker.  In all but WAITING and RUNNING a write is on
 * its way, and nothing else may begin. */
enum job_phase {
    PHASE_WAITING,  /* in its lane */
    PHASE_STARTING, /* matched; its token is asked for and its start written */
    PHASE_RUNNING,  /* its worker has it, or will as soon as the stream has room */
    PHASE_ENDING,   /* its worker has said how it ended, or was lost */
};

/* A job that may start or runs.  Texts and payload live in the same allocation. */
struct job {
    struct lane *lane;
    struct heap_node place; /* in the lane */
    struct heap_node timer; /* the engine's: deadline, token */
    enum job_phase phase;
    struct worker *worker; /* from STARTING on; NULL when it is gone */
    struct job *previous_of_worker;
    struct job *next_of_worker;
    bool is_cancelled; /* in the store, while a write was on its way */
    bool is_new;       /* the engine's: matched while its enqueue was on its way, and not told */
    bool awaits_token; /* the engine's: asked for, and the answer is not here */
    bool lacks_token;  /* the engine's: the answer was no, while its start was on its way */
    const char *tenant_id;
    const char *job_id;
    const char *project_id;
    const char *principal;
    const char *permissions;
    const char *trace;
    const char *worker_id; /* of the attempt before it came into memory */
    bytes payload;
    int64_t priority;
    int64_t rank_ms;
    int64_t attempt; /* of the last start */
    int64_t failures;
    int64_t max_attempts;
    int64_t deadline_ms;
    int64_t enqueue_ms;
    int64_t token_due_ms;  /* the engine's, monotonic: when the next token is needed; 0 never */
    int64_t orphan_due_ms; /* the same: when a job without a worker has waited enough; 0 never */
    char *token;           /* owned; NULL: none */
    struct job_progress progress; /* its message is owned, or "" */
    char *message;
    uint8_t *result; /* what has come of it so far; owned */
    size_t result_size;
    size_t n_bytes; /* of all this, as far as it can grow */
    char text[];    /* tenant_id, NUL, job_id, NUL, the other texts, the payload */
};

/* ---- Workers ---- */

struct worker {
    char *worker_id;
    char *tenant_id;    /* "": works for every tenant */
    struct seat *seats; /* one for each capability */
    size_t n_seats;
    size_t next_seat; /* whose turn it is among its capabilities */
    int64_t credit;   /* jobs it asks for */
    struct job *jobs; /* STARTING, RUNNING or ENDING */
    size_t n_jobs;
    void *owner; /* the engine's */
};

struct dispatcher_options {
    size_t max_jobs;  /* waiting, in memory, beside one for each lane; 0 means 100,000 */
    size_t max_bytes; /* of payloads and results; 0 means 64 MiB */
    size_t window;    /* waiting jobs of one lane; 0 means 512 */
    size_t max_lanes; /* 0 means 65,536 */
};

struct dispatcher;

/* The caller owns it: dispatcher_free(). */
struct dispatcher *dispatcher_new(const struct dispatcher_options *options) NONNULL RETURNS_NONNULL;
/* Frees jobs and lanes too; workers must have been removed.  NULL is allowed. */
void dispatcher_free(struct dispatcher *self);

/* ---- Lanes ---- */

/* Finds or makes it; NULL when there are max_lanes. */
struct lane *dispatcher_lane(struct dispatcher *self, const char *tenant_id, const char *capability)
    NONNULL;

/* A tenant of weight 2 gets two turns where one of weight 1 gets one.  From 1 to 1000. */
void dispatcher_set_weight(struct lane *lane, int64_t weight) NONNULL;

/* Whether somebody is there who can do its jobs, with credit or without. */
bool lane_has_workers(const struct lane *lane) NONNULL;

/* A lane that has at most half its window waiting, more in the store, and workers; NULL when there
 * is none.  It is loading from now on.  The engine asks the store for the first *ret_limit ready
 * jobs, says dispatcher_load() for each and dispatcher_loaded() at the end. */
struct lane *dispatcher_next_low(struct dispatcher *self, size_t *ret_limit) NONNULL;
void dispatcher_load(struct dispatcher *self, struct lane *lane, const struct job_record *record)
    NONNULL;
/* horizon_ms: the rank of the last that was found; LANE_IS_WHOLE when there are no more. */
void dispatcher_loaded(struct dispatcher *self, struct lane *lane, int64_t horizon_ms) NONNULL;

/* ---- Jobs ---- */

struct job *dispatcher_find(const struct dispatcher *self, const char *tenant_id,
                            const char *job_id) NONNULL;

/* A job that has just become ready in the store.  It may be taken into memory or not; one that is
 * here already stays as it is. */
void dispatcher_offer(struct dispatcher *self, struct lane *lane, const struct job_record *record)
    NONNULL;

/* There are ready jobs of this lane in the store, nobody knows how many. */
void dispatcher_suspect(struct dispatcher *self, struct lane *lane) NONNULL;

/* A job that runs in the store, after a crash: PHASE_RUNNING, with worker or with none. */
struct job *dispatcher_adopt(struct dispatcher *self, struct lane *lane,
                             const struct job_record *record, struct worker *worker)
    NONNULL_ARGS(1, 2, 3) RETURNS_NONNULL;

/* How many jobs wait in memory. */
size_t dispatcher_waiting(const struct dispatcher *self) NONNULL;

/* Takes job out of everything here and frees it. */
void dispatcher_forget(struct dispatcher *self, struct job *job) NONNULL;

/* Gives a running job to another worker, or to none. */
void dispatcher_hand_over(struct job *job, struct worker *worker) NONNULL_ARGS(1);

/* Copies message. */
void dispatcher_set_progress(struct dispatcher *self, struct job *job, struct job_progress progress)
    NONNULL;

/* Adds to its result.  False: it would be larger than JOB_MAX_RESULT_BYTES, or than memory allows.
 */
bool dispatcher_add_result(struct dispatcher *self, struct job *job, bytes chunk) NONNULL;

/* ---- Workers ---- */

struct worker_options {
    const char *worker_id;
    const char *tenant_id;           /* "": works for every tenant */
    const char *const *capabilities; /* different from each other */
    size_t n_capabilities;
    void *owner;
};

/* The caller owns it: dispatcher_worker_remove().  NULL when there is no room for its lanes. */
struct worker *dispatcher_worker_add(struct dispatcher *self, const struct worker_options *options)
    NONNULL;
/* Its jobs must have been taken from it.  Lanes that have no worker now let their jobs go. */
void dispatcher_worker_remove(struct dispatcher *self, struct worker *worker) NONNULL;

/* Adds n to its credit; 0 or less takes all of it away. */
void dispatcher_credit(struct worker *worker, int64_t n) NONNULL;

/* Whether worker may do the lane's jobs. */
bool dispatcher_can_serve(const struct worker *worker, const struct lane *lane) NONNULL;

/* ---- Matches ---- */

/* The next job of lane that somebody can do now, with its worker, STARTING; NULL when there is
 * none.  Call it until then, after each offer. */
struct job *dispatcher_match_lane(struct dispatcher *self, struct lane *lane) NONNULL;

/* A job that is not ready in the store yet, but about to be: its match, if it would have one at
 * once; NULL when others are before it or nobody has credit.  One that does not become ready after
 * all is forgotten like any other. */
struct job *dispatcher_match_new(struct dispatcher *self, struct lane *lane,
                                 const struct job_record *record) NONNULL;

/* The next job for worker; NULL when there is none.  Call it until then, after each credit. */
struct job *dispatcher_match_worker(struct dispatcher *self, struct worker *worker) NONNULL;

#endif
