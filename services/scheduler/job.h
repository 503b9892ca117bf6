/* job - what is to be done, for whom, and how far it is.
 *
 *                       +--------------- due ----------------+
 *                       v                                    |
 *     enqueue --> JOB_READY --start--> JOB_RUNNING --fail--> JOB_SCHEDULED <-- enqueue for later
 *                       |  ^            |  |   |                   |
 *                       |  |     succeed|  |   +-- no attempts     |
 *                       |  redrive      v  |       left, or not    |
 *                       |  |   JOB_SUCCEEDED      to be retried    |
 *                       |  +---------------|----- JOB_DEAD <-------+  (deadline, revoked)
 *                       +----- cancel -----+----> JOB_CANCELLED <--+
 *
 * The attempt is the fence: it is one more with each start, and every change of a job that runs
 * says which attempt it means.  Who speaks for an attempt that is over changes nothing.  Failures
 * are counted apart, since an attempt that was given back unharmed does not use one up.
 *
 * Rank is what decides who goes first within a tenant: the time a job became ready, less ten
 * seconds for each step of priority.  So a job of priority 0 goes before one of priority 9 that
 * came ninety seconds after it: that is aging (priority + wait / step, without rounding), in a form
 * that does not change while time passes, so that it can be a key of a heap and of an index.
 */

#ifndef SERVICES_SCHEDULER_JOB_H_
#define SERVICES_SCHEDULER_JOB_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/bytes.h"
#include "libs/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* X(name, number in the store, as in the API and in SQL) */
#define JOB_STATES(X) \
    X(READY, 1)       \
    X(SCHEDULED, 2)   \
    X(RUNNING, 3)     \
    X(SUCCEEDED, 4)   \
    X(CANCELLED, 5)   \
    X(DEAD, 6)

enum job_state {
    JOB_ANY_STATE, /* only to ask with */
#define X(name, number) JOB_##name = (number),
    JOB_STATES(X)
#undef X
};

enum {
    /* What a message and a commit carry without hurting others; what is larger, the worker fetches.
     */
    JOB_MAX_PAYLOAD_BYTES = 64 * 1024,
    JOB_MAX_RESULT_BYTES = 64 * 1024,
    JOB_MAX_NAME_BYTES = 63,  /* of projects, capabilities, workers: what a DNS label has */
    JOB_MAX_KEY_BYTES = 128,  /* of idempotency: two UUIDs and words between them */
    JOB_MAX_PERMISSIONS = 64, /* a token travels in a header, of which 8 KiB get through */
    JOB_MAX_PERMISSIONS_BYTES = 4096,
    JOB_MAX_TRACE_BYTES = 55,     /* a W3C traceparent has 55 */
    JOB_MAX_ERROR_BYTES = 1000,   /* what a status carries */
    JOB_MAX_PROGRESS_BYTES = 200, /* a line of a terminal and a half */
    JOB_MAX_PRIORITY = 9,         /* 0 is the lowest */
    JOB_MAX_ATTEMPTS = 100,       /* with the longest back-off, sixteen hours */
    JOB_DEFAULT_ATTEMPTS = 5,
    JOB_STEP_MS = 10 * 1000, /* what one step of priority is worth in waiting */
    JOB_SHOWN_ERRORS = 20,   /* what a person reads; the last ones say most */
};

/* How far a job that runs says it is; the last one counts. */
struct job_progress {
    int64_t done;
    int64_t total; /* 0: not known */
    const char *message;
};

/* One job as a row.  Texts are never NULL; "" and 0 stand for none. */
struct job_record {
    const char *tenant_id;
    const char *job_id;
    const char *project_id;
    const char *capability;      /* what a worker must be able to do */
    const char *principal;       /* on whose behalf */
    const char *permissions;     /* that its token is to have, one a line */
    const char *idempotency_key; /* the second enqueue with it finds the first */
    const char *trace;           /* the traceparent of who enqueued it */
    bytes payload;
    enum job_state state;
    int64_t priority;
    int64_t attempt;      /* of the last start; 0 before the first */
    int64_t failures;     /* since it was enqueued or redriven */
    int64_t max_attempts; /* failures after which it is dead */
    int64_t enqueue_ms;   /* these are wall times, since 1970 */
    int64_t run_at_ms;
    int64_t deadline_ms; /* neither started nor kept running after it; 0 none */
    int64_t start_ms;    /* of the last attempt */
    int64_t end_ms;
    const char *worker_id; /* of the last attempt */
    int64_t code;          /* why the last attempt failed: a status code and a sentence */
    const char *error;
    struct job_progress progress;
    bytes result;
};

/* One attempt that failed. */
struct job_error {
    int64_t attempt;
    int64_t time_ms;
    const char *worker_id;
    int64_t code;
    const char *message;
};

/* What history is kept. */
struct job_retention {
    int64_t before_ms;       /* jobs that ended earlier are forgotten */
    int64_t dead_before_ms;  /* dead letters not before this */
    int64_t keyed_before_ms; /* those with an idempotency key not before this */
    size_t limit;            /* so many at most in one write */
};

static inline int64_t job_rank_ms(int64_t run_at_ms, int64_t priority)
{
    return run_at_ms - priority * JOB_STEP_MS;
}

static inline bool job_has_ended(enum job_state state)
{
    return state == JOB_SUCCEEDED || state == JOB_DEAD || state == JOB_CANCELLED;
}

/* "READY" for JOB_READY. */
const char *job_state_name(enum job_state state) RETURNS_NONNULL;

/* INVALID_ARGUMENT, with the field, for what may not be enqueued. */
status job_check(struct arena *arena, const struct job_record *job) NONNULL;

/* Whether it may name a project: 1 to 63 characters of a-z, 0-9 and '-', the first a letter. */
bool job_project_is_valid(const char *name) NONNULL;
/* The same and '.': "ingest.apt". */
bool job_capability_is_valid(const char *name) NONNULL;
/* A ULID as random_ulid() writes it. */
bool job_id_is_valid(const char *id) NONNULL;

#endif
