/* What callers ask of jobs that are there. */

#include "services/scheduler/engine_internal.h"

#include "libs/obs/metrics.h"

#include <stdlib.h>
#include <string.h>

enum { TRIES = 5 }; /* of a change that somebody else's change keeps getting in the way of */

/* What became ready may have been started since. */
static bool has_become(const struct job_record *job, const struct job_record *row)
{
    return (row->attempt == job->attempt && row->state == job->state) ||
           (row->attempt > job->attempt && job->state == JOB_READY);
}

status write_settle(struct engine *self, struct arena *arena, status s,
                    const struct job_record *job)
{
    struct job_record row;

    if (s.code != STATUS_UNAVAILABLE && s.code != STATUS_INTERNAL && s.code != STATUS_UNKNOWN) {
        return s;
    }
    status read = job_store_get(self->options.store, arena, job->tenant_id, job->job_id, &row);
    if (status_is_ok(read) && has_become(job, &row)) {
        return status_ok();
    }
    if (!status_is_ok(read) && read.code != STATUS_NOT_FOUND) {
        pthread_mutex_lock(&self->lock);
        self->has_missed_lanes = true;
        pthread_mutex_unlock(&self->lock);
    }
    return s;
}

void write_add_all(struct store_write *write, const struct store_write *with)
{
    const struct store_write_item *item = with != NULL ? with->first : NULL;

    for (; item != NULL; item = item->next) {
        store_write_add(write, item->statement);
    }
}

/* ---- Asking and changing ---- */

/* What only memory knows of a job that runs. */
static void add_live(struct engine *self, struct arena *arena, struct job_record *record)
{
    pthread_mutex_lock(&self->lock);
    const struct job *job = dispatcher_find(self->dispatcher, record->tenant_id, record->job_id);
    if (job != NULL && record->state == JOB_RUNNING && job->attempt == record->attempt) {
        uint8_t *result = arena_alloc(arena, job->result_size);
        if (job->result_size > 0) {
            memcpy(result, job->result, job->result_size);
        }
        record->result = (bytes){ result, job->result_size };
        record->progress = job->progress;
        record->progress.message = arena_strdup(arena, job->progress.message);
    }
    pthread_mutex_unlock(&self->lock);
}

status engine_get(struct engine *self, struct arena *arena, const char *tenant_id,
                  const char *job_id, struct job_record *ret_job)
{
    struct job_record job;

    TRY(job_store_get(self->options.store, arena, tenant_id, job_id, &job));
    add_live(self, arena, &job);
    *ret_job = job;
    return status_ok();
}

/* The store has it cancelled: so has memory. */
static void cancelled(struct engine *self, const struct job_record *record)
{
    pthread_mutex_lock(&self->lock);
    struct job *job = dispatcher_find(self->dispatcher, record->tenant_id, record->job_id);
    if (job != NULL) {
        attempt_cancelled(self, job);
    }
    counter_add(COUNTER_jobs_cancelled, 1);
    (void)engine_count_open(self, record->tenant_id, -1);
    watches_wake(self, record->tenant_id, record->job_id);
    errands_load_low(self);
    pthread_mutex_unlock(&self->lock);
}

status engine_cancel(struct engine *self, struct arena *arena, const char *tenant_id,
                     const char *job_id, const struct store_write *with, struct job_record *ret_job)
{
    status s = status_ok();

    for (int i = 0; i < TRIES; i++) {
        struct store_write *write = store_write_new(arena);
        struct job_record job;
        TRY(engine_get(self, arena, tenant_id, job_id, &job));
        if (job_has_ended(job.state)) {
            return status_error(arena, STATUS_FAILED_PRECONDITION, "job '%s' has ended: %s", job_id,
                                job_state_name(job.state));
        }
        job.end_ms = engine_wall_ms(self);
        job_change_cancel(write, job_seen(&job), job.end_ms);
        write_add_all(write, with);
        job.state = JOB_CANCELLED;
        s = write_settle(self, arena, store_commit(self->options.store, arena, write), &job);
        if (status_is_ok(s)) {
            cancelled(self, &job);
            *ret_job = job;
            return s;
        }
        if (s.code != STATUS_ABORTED) {
            return s;
        }
    }
    return s;
}

static void redriven(struct engine *self, const struct job_record *job)
{
    pthread_mutex_lock(&self->lock);
    engine_offer(self, job);
    watches_wake(self, job->tenant_id, job->job_id);
    errands_load_low(self);
    pthread_mutex_unlock(&self->lock);
}

/* Counted before it is open again, like a new one. */
static status commit_redrive(struct engine *self, struct arena *arena, const struct job_record *job,
                             const struct store_write *write)
{
    const char *tenant_id = job->tenant_id;

    pthread_mutex_lock(&self->lock);
    bool has_room = engine_count_open(self, tenant_id, 1);
    pthread_mutex_unlock(&self->lock);
    if (!has_room) {
        return status_error(arena, STATUS_RESOURCE_EXHAUSTED,
                            "tenant '%s' has too many jobs that have not ended", tenant_id);
    }
    status s = write_settle(self, arena, store_commit(self->options.store, arena, write), job);
    if (!status_is_ok(s)) {
        pthread_mutex_lock(&self->lock);
        (void)engine_count_open(self, tenant_id, -1);
        pthread_mutex_unlock(&self->lock);
    }
    return s;
}

status engine_redrive(struct engine *self, struct arena *arena, const char *tenant_id,
                      const char *job_id, const struct store_write *with,
                      struct job_record *ret_job)
{
    struct store_write *write = store_write_new(arena);
    struct job_record job;

    TRY(job_store_get(self->options.store, arena, tenant_id, job_id, &job));
    if (job.state != JOB_DEAD) {
        return status_error(arena, STATUS_FAILED_PRECONDITION, "job '%s' is not dead: %s", job_id,
                            job_state_name(job.state));
    }
    int64_t now_ms = engine_wall_ms(self);
    job_change_redrive(write, job_seen(&job), now_ms, job.priority);
    write_add_all(write, with);
    job.state = JOB_READY;
    job.failures = 0;
    job.deadline_ms = 0;
    job.end_ms = 0;
    job.run_at_ms = now_ms;
    TRY(commit_redrive(self, arena, &job, write));
    redriven(self, &job);
    *ret_job = job;
    return status_ok();
}
