/* Upkeep: commits that were cut off, deadlines of jobs that wait, history. */

#include "libs/obs/metrics.h"
#include "services/scheduler/engine_internal.h"

/* ---- A commit that was cut off ---- */

/* row is the job as it is now; NULL: gone. */
static status what_happened(const struct change *change, const struct job_record *row)
{
    const struct job_seen *seen = &change->seen;

    if (row != NULL && row->state == change->to && row->attempt == change->to_attempt) {
        return status_ok();
    }
    if (row != NULL && row->state == seen->state && row->attempt == seen->attempt) {
        return status_error(change->arena, STATUS_RESOURCE_EXHAUSTED,
                            "the store could not be written");
    }
    return status_error(change->arena, STATUS_ABORTED, "job '%s' has changed meanwhile",
                        seen->job_id);
}

static void reconcile(struct engine *self, struct errand *errand)
{
    struct change *change = errand->change;
    const struct job_seen *seen = &change->seen;
    struct job_record row;
    status s =
        job_store_get(self->options.store, errand->arena, seen->tenant_id, seen->job_id, &row);

    errand->change = NULL;
    pthread_mutex_lock(&self->lock);
    if (!status_is_ok(s) && s.code != STATUS_NOT_FOUND) {
        change->next = self->unsure; /* the next sweep asks again */
        self->unsure = change;
    } else {
        change->result = what_happened(change, status_is_ok(s) ? &row : NULL);
        change_conclude(self, change);
        errands_load_low(self);
    }
    pthread_mutex_unlock(&self->lock);
}

void errand_reconcile(struct engine *self, struct change *change)
{
    struct errand *errand = errand_new(reconcile);

    errand->change = change;
    errand_add(&self->errands, errand);
}

/* ---- Deadlines of jobs that wait ---- */

/* A dead job may still wait in memory. */
static void overdue_died(struct engine *self, struct change *change)
{
    const struct job_record *record = &change->jobs.jobs[0];

    if (!status_is_ok(change->result)) {
        return; /* it has started meanwhile, or is found again in a second */
    }
    struct job *job = dispatcher_find(self->dispatcher, record->tenant_id, record->job_id);
    if (job != NULL && job->phase == PHASE_WAITING) {
        attempt_forget(self, job);
    }
    counter_add(COUNTER_jobs_dead, 1);
    (void)engine_count_open(self, record->tenant_id, -1);
    watches_wake(self, record->tenant_id, record->job_id);
}

static void bury_overdue(struct engine *self, const struct job_record *record)
{
    struct change *change = change_new(self, NULL, overdue_died);
    struct job_record *copy = ARENA_NEW(change->arena, struct job_record);

    *copy = *record;
    copy->tenant_id = arena_strdup(change->arena, record->tenant_id);
    copy->job_id = arena_strdup(change->arena, record->job_id);
    change->jobs = (struct job_list){ .jobs = copy, .n_jobs = 1 };
    job_change_fail(change->write, job_seen(copy),
                    &(struct job_failure){
                        .error = { .attempt = copy->attempt + 1,
                                   .time_ms = engine_wall_ms(self),
                                   .worker_id = "",
                                   .code = STATUS_DEADLINE_EXCEEDED,
                                   .message = "its deadline has passed" },
                        .counts = true,
                        .is_last = true,
                        .run_at_ms = copy->run_at_ms,
                        .priority = copy->priority,
                        .progress = { .message = "" },
                    });
    change_submit(change);
}

static void find_overdue(struct engine *self, struct errand *errand)
{
    struct job_list list;
    status s =
        job_store_overdue(self->options.store, errand->arena, engine_wall_ms(self), MANY, &list);

    if (!status_is_ok(s)) {
        return; /* the next sweep asks again */
    }
    pthread_mutex_lock(&self->lock);
    for (size_t i = 0; i < list.n_jobs; i++) {
        bury_overdue(self, &list.jobs[i]);
    }
    pthread_mutex_unlock(&self->lock);
}

void errand_overdue(struct engine *self)
{
    errand_add(&self->errands, errand_new(find_overdue));
}

/* ---- History ---- */

static void forgotten(struct engine *self, struct change *change)
{
    if (status_is_ok(change->result)) {
        errand_forget(self); /* there may be more */
    }
}

static void forget(struct engine *self, struct errand *errand)
{
    const struct engine_options *options = &self->options;
    const int64_t day_ms = INT64_C(24) * 60 * 60 * 1000;
    int64_t now_ms = engine_wall_ms(self);
    int64_t too_many_ms = 0;
    status s =
        job_store_newest_end(options->store, errand->arena, options->keep_jobs, &too_many_ms);

    if (!status_is_ok(s)) {
        return; /* the next time will do */
    }
    int64_t too_old_ms = now_ms - options->keep_ms;
    const struct job_retention retention = {
        .before_ms = too_many_ms > too_old_ms ? too_many_ms : too_old_ms,
        .dead_before_ms = now_ms - options->keep_dead_ms,
        .keyed_before_ms = now_ms - day_ms, /* what the API promises */
        .limit = MANY,
    };
    bool found = false;
    s = job_store_has_old(options->store, errand->arena, &retention, &found);
    if (!status_is_ok(s) || !found) {
        return;
    }
    struct change *change = change_new(self, NULL, forgotten);
    job_change_forget(change->write, &retention);
    pthread_mutex_lock(&self->lock);
    change_submit(change);
    pthread_mutex_unlock(&self->lock);
}

void errand_forget(struct engine *self)
{
    errand_add(&self->errands, errand_new(forget));
}
