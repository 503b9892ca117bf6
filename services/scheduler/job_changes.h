/* job_changes - each way a job goes from one state to another, as statements of a write.
 *
 * A change names the job, the state it was seen in and the attempt: when the row is no longer so,
 * the commit is ABORTED and nothing of the write has happened.  That is the fence: of a worker that
 * slept past its lease and the one that has the job now, only one can be right.
 *
 * Texts and blobs are borrowed until the commit.
 */

#ifndef SERVICES_SCHEDULER_JOB_CHANGES_H_
#define SERVICES_SCHEDULER_JOB_CHANGES_H_

#include "libs/base/attributes.h"
#include "libs/store/store.h"
#include "services/scheduler/job.h"

#include <stddef.h>
#include <stdint.h>

/* A job as it was seen. */
struct job_seen {
    const char *tenant_id;
    const char *job_id;
    enum job_state state;
    int64_t attempt;
};

static inline struct job_seen job_seen(const struct job_record *job)
{
    return (struct job_seen){ job->tenant_id, job->job_id, job->state, job->attempt };
}

/* A new job, ready or scheduled.  The commit is ALREADY_EXISTS when its idempotency key is taken.
 */
void job_change_insert(struct store_write *write, const struct job_record *job) NONNULL;

/* READY to RUNNING; seen.attempt is the one before, and goes up by one. */
void job_change_start(struct store_write *write, struct job_seen seen, const char *worker_id,
                      int64_t now_ms) NONNULL;

/* RUNNING to SUCCEEDED. */
void job_change_succeed(struct store_write *write, struct job_seen seen,
                        const struct job_progress *progress, bytes result, int64_t now_ms) NONNULL;

/* How an attempt ended badly. */
struct job_failure {
    struct job_error error; /* its attempt is the one that the row shall have */
    bool counts;            /* as one of max_attempts */
    bool is_last;           /* the job is DEAD; else SCHEDULED for run_at_ms */
    int64_t run_at_ms;
    int64_t priority; /* for the rank */
    struct job_progress progress;
};

/* RUNNING, READY or SCHEDULED to SCHEDULED or DEAD, and a row for the attempt. */
void job_change_fail(struct store_write *write, struct job_seen seen,
                     const struct job_failure *failure) NONNULL;

/* RUNNING to READY, in its old place: the attempt did the job no harm, and is not counted. */
void job_change_give_back(struct store_write *write, struct job_seen seen) NONNULL;

/* READY to SCHEDULED: it cannot be started now, and that is not its fault. */
void job_change_postpone(struct store_write *write, struct job_seen seen, int64_t run_at_ms,
                         int64_t priority) NONNULL;

/* SCHEDULED to READY.  A job that is no longer so stays as it is, and the commit succeeds: this is
 * for many in one write. */
void job_change_promote(struct store_write *write, struct job_seen seen) NONNULL;

/* Whatever has not ended to CANCELLED. */
void job_change_cancel(struct store_write *write, struct job_seen seen, int64_t now_ms) NONNULL;

/* DEAD to READY, with all its attempts before it again.  Of its errors the last 100 are kept. */
void job_change_redrive(struct store_write *write, struct job_seen seen, int64_t now_ms,
                        int64_t priority) NONNULL;

/* Deletes ended jobs and their errors, the oldest first. */
void job_change_forget(struct store_write *write, const struct job_retention *retention) NONNULL;

/* The same for a tenant's first ended jobs, however new. */
void job_change_erase(struct store_write *write, const char *tenant_id, size_t limit) NONNULL;

#endif
