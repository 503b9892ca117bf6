#include "services/scheduler/job_changes.h"

#include "services/scheduler/job_store.h"

enum {
    KEPT_ERRORS = 100
}; /* JOB_MAX_ATTEMPTS: a job's errors stay bounded however often it is redriven */

static status changed_meanwhile(struct store_write *write, struct job_seen seen)
{
    return status_error(write->arena, STATUS_ABORTED, "job '%s' has changed meanwhile",
                        seen.job_id);
}

static struct store_value text_or_null(const char *text)
{
    return text[0] == '\0' ? (struct store_value){ .type = STORE_NULL } : store_text(text);
}

void job_change_insert(struct store_write *write, const struct job_record *job)
{
    store_write_add(
        write,
        (struct store_statement){
            .sql = "INSERT INTO job (tenant_id, job_id, state, attempt, rank_ms, run_at_ms,"
                   " project_id, capability, principal, permissions, idempotency_key, trace,"
                   " priority, failures, max_attempts, enqueue_ms, deadline_ms, start_ms, end_ms,"
                   " worker_id, code, error, progress_done, progress_total, progress_message,"
                   " payload) VALUES ($1, $2, $3, 0, $4, $5, $6, $7, $8, $9, $10, $11, $12, 0,"
                   " $13, $14, $15, 0, 0, '', 0, '', 0, 0, '', $16) ON CONFLICT DO NOTHING",
            .params = PARAMS(
                store_text(job->tenant_id), store_text(job->job_id), store_int(job->state),
                store_int(job_rank_ms(job->run_at_ms, job->priority)), store_int(job->run_at_ms),
                store_text(job->project_id), store_text(job->capability),
                store_text(job->principal), store_text(job->permissions),
                text_or_null(job->idempotency_key), store_text(job->trace),
                store_int(job->priority), store_int(job->max_attempts), store_int(job->enqueue_ms),
                store_int(job->deadline_ms), store_blob(job->payload)),
            .expect = EXPECT_ONE,
            .otherwise = status_error(write->arena, STATUS_ALREADY_EXISTS,
                                      "a job was enqueued with key '%s'", job->idempotency_key),
        });
}

void job_change_start(struct store_write *write, struct job_seen seen, const char *worker_id,
                      int64_t now_ms)
{
    store_write_add(write,
                    (struct store_statement){
                        .sql = "UPDATE job SET state = 3, attempt = $4, worker_id = $5,"
                               " start_ms = $6, progress_done = 0, progress_total = 0,"
                               " progress_message = ''"
                               " WHERE tenant_id = $1 AND job_id = $2 AND state = 1"
                               " AND attempt = $3",
                        .params = PARAMS(store_text(seen.tenant_id), store_text(seen.job_id),
                                         store_int(seen.attempt), store_int(seen.attempt + 1),
                                         store_text(worker_id), store_int(now_ms)),
                        .expect = EXPECT_ONE,
                        .otherwise = changed_meanwhile(write, seen),
                    });
}

void job_change_succeed(struct store_write *write, struct job_seen seen,
                        const struct job_progress *progress, bytes result, int64_t now_ms)
{
    store_write_add(
        write, (struct store_statement){
                   .sql = "UPDATE job SET state = 4, end_ms = $4, result = $5, progress_done = $6,"
                          " progress_total = $7, progress_message = $8, code = 0, error = ''"
                          " WHERE tenant_id = $1 AND job_id = $2 AND state = 3 AND attempt = $3",
                   .params = PARAMS(store_text(seen.tenant_id), store_text(seen.job_id),
                                    store_int(seen.attempt), store_int(now_ms), store_blob(result),
                                    store_int(progress->done), store_int(progress->total),
                                    store_text(progress->message)),
                   .expect = EXPECT_ONE,
                   .otherwise = changed_meanwhile(write, seen),
               });
}

static void add_error(struct store_write *write, struct job_seen seen,
                      const struct job_error *error)
{
    store_write_add(
        write, (struct store_statement){
                   .sql = "INSERT INTO job_error (tenant_id, job_id, attempt, time_ms, worker_id,"
                          " code, message) VALUES ($1, $2, $3, $4, $5, $6, $7)",
                   .params = PARAMS(store_text(seen.tenant_id), store_text(seen.job_id),
                                    store_int(error->attempt), store_int(error->time_ms),
                                    store_text(error->worker_id), store_int(error->code),
                                    store_text(error->message)),
               });
}

void job_change_fail(struct store_write *write, struct job_seen seen,
                     const struct job_failure *failure)
{
    const struct job_error *error = &failure->error;

    store_write_add(
        write,
        (struct store_statement){
            .sql = "UPDATE job SET state = $5, attempt = $6, failures = failures + $7,"
                   " run_at_ms = $8, rank_ms = $9, end_ms = $10, code = $11, error = $12,"
                   " progress_done = $13, progress_total = $14, progress_message = $15"
                   " WHERE tenant_id = $1 AND job_id = $2 AND state = $3 AND attempt = $4",
            .params = PARAMS(
                store_text(seen.tenant_id), store_text(seen.job_id), store_int(seen.state),
                store_int(seen.attempt), store_int(failure->is_last ? JOB_DEAD : JOB_SCHEDULED),
                store_int(error->attempt), store_int(failure->counts),
                store_int(failure->run_at_ms),
                store_int(job_rank_ms(failure->run_at_ms, failure->priority)),
                store_int(failure->is_last ? error->time_ms : 0), store_int(error->code),
                store_text(error->message), store_int(failure->progress.done),
                store_int(failure->progress.total), store_text(failure->progress.message)),
            .expect = EXPECT_ONE,
            .otherwise = changed_meanwhile(write, seen),
        });
    add_error(write, seen, error);
}

void job_change_give_back(struct store_write *write, struct job_seen seen)
{
    store_write_add(write, (struct store_statement){
                               .sql = "UPDATE job SET state = 1 WHERE tenant_id = $1"
                                      " AND job_id = $2 AND state = 3 AND attempt = $3",
                               .params = PARAMS(store_text(seen.tenant_id), store_text(seen.job_id),
                                                store_int(seen.attempt)),
                               .expect = EXPECT_ONE,
                               .otherwise = changed_meanwhile(write, seen),
                           });
}

void job_change_postpone(struct store_write *write, struct job_seen seen, int64_t run_at_ms,
                         int64_t priority)
{
    store_write_add(write, (struct store_statement){
                               .sql = "UPDATE job SET state = 2, run_at_ms = $4, rank_ms = $5"
                                      " WHERE tenant_id = $1 AND job_id = $2 AND state = 1"
                                      " AND attempt = $3",
                               .params = PARAMS(store_text(seen.tenant_id), store_text(seen.job_id),
                                                store_int(seen.attempt), store_int(run_at_ms),
                                                store_int(job_rank_ms(run_at_ms, priority))),
                               .expect = EXPECT_ONE,
                               .otherwise = changed_meanwhile(write, seen),
                           });
}

void job_change_promote(struct store_write *write, struct job_seen seen)
{
    store_write_add(write, (struct store_statement){
                               .sql = "UPDATE job SET state = 1 WHERE tenant_id = $1"
                                      " AND job_id = $2 AND state = 2 AND attempt = $3",
                               .params = PARAMS(store_text(seen.tenant_id), store_text(seen.job_id),
                                                store_int(seen.attempt)),
                           });
}

void job_change_cancel(struct store_write *write, struct job_seen seen, int64_t now_ms)
{
    store_write_add(write, (struct store_statement){
                               .sql = "UPDATE job SET state = 5, end_ms = $4 WHERE tenant_id = $1"
                                      " AND job_id = $2 AND state <= 3 AND attempt = $3",
                               .params = PARAMS(store_text(seen.tenant_id), store_text(seen.job_id),
                                                store_int(seen.attempt), store_int(now_ms)),
                               .expect = EXPECT_ONE,
                               .otherwise = changed_meanwhile(write, seen),
                           });
}

void job_change_redrive(struct store_write *write, struct job_seen seen, int64_t now_ms,
                        int64_t priority)
{
    store_write_add(
        write, (struct store_statement){
                   .sql = "UPDATE job SET state = 1, failures = 0, end_ms = 0, deadline_ms = 0,"
                          " run_at_ms = $4, rank_ms = $5 WHERE tenant_id = $1"
                          " AND job_id = $2 AND state = 6 AND attempt = $3",
                   .params = PARAMS(store_text(seen.tenant_id), store_text(seen.job_id),
                                    store_int(seen.attempt), store_int(now_ms),
                                    store_int(job_rank_ms(now_ms, priority))),
                   .expect = EXPECT_ONE,
                   .otherwise = changed_meanwhile(write, seen),
               });
    store_write_add(write, (struct store_statement){
                               .sql = "DELETE FROM job_error WHERE tenant_id = $1"
                                      " AND job_id = $2 AND attempt <= $3",
                               .params = PARAMS(store_text(seen.tenant_id), store_text(seen.job_id),
                                                store_int(seen.attempt - KEPT_ERRORS)),
                           });
}

void job_change_forget(struct store_write *write, const struct job_retention *retention)
{
    /* Twice the same question: the second sees what the first has not changed. */
#define OLD_JOBS                                                                         \
    " WHERE (tenant_id, job_id) IN (SELECT tenant_id, job_id FROM job WHERE " JOB_IS_OLD \
    " ORDER BY end_ms LIMIT $4)"
    const struct store_params params =
        PARAMS(store_int(retention->before_ms), store_int(retention->dead_before_ms),
               store_int(retention->keyed_before_ms), store_int((int64_t)retention->limit));

    store_write_add(write, (struct store_statement){
                               .sql = "DELETE FROM job_error" OLD_JOBS,
                               .params = params,
                           });
    store_write_add(write, (struct store_statement){
                               .sql = "DELETE FROM job" OLD_JOBS,
                               .params = params,
                           });
#undef OLD_JOBS
}

void job_change_erase(struct store_write *write, const char *tenant_id, size_t limit)
{
#define FIRST_ENDED                                                                    \
    " WHERE tenant_id = $1 AND job_id IN (SELECT job_id FROM job WHERE tenant_id = $1" \
    " AND state >= 4 ORDER BY job_id LIMIT $2)"
    const struct store_params params = PARAMS(store_text(tenant_id), store_int((int64_t)limit));

    store_write_add(write, (struct store_statement){
                               .sql = "DELETE FROM job_error" FIRST_ENDED,
                               .params = params,
                           });
    store_write_add(write, (struct store_statement){
                               .sql = "DELETE FROM job" FIRST_ENDED,
                               .params = params,
                           });
#undef FIRST_ENDED
}
