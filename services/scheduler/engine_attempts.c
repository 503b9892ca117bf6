/* An attempt, from its match to its end. */

#include "libs/obs/metrics.h"
#include "libs/retry/backoff.h"
#include "services/scheduler/engine_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void attempt_forget(struct engine *self, struct job *job)
{
    heap_remove(&self->timers, &job->timer);
    if (map_get(&self->running, job->job_id) == job) {
        (void)map_remove(&self->running, job->job_id);
    }
    dispatcher_forget(self->dispatcher, job);
}

/* Is told to its worker, when it has one. */
static void tell(struct job *job, enum notice_type type, status settled)
{
    if (job->worker != NULL) {
        worker_tell(job->worker->owner, type, job, settled);
    }
}

static struct job_seen seen_as(const struct job *job, enum job_state state)
{
    return (struct job_seen){ job->tenant_id, job->job_id, state, job->attempt };
}

/* A change of job from what it is now. */
static struct change *change_of(struct engine *self, struct job *job, struct job_seen seen,
                                enum job_state to, int64_t to_attempt,
                                void (*done)(struct engine *, struct change *))
{
    struct change *change = change_new(self, job, done);

    change->seen = seen;
    change->to = to;
    change->to_attempt = to_attempt;
    return change;
}

/* ---- From a match to a start ---- */

/* What its worker was given up for nothing. */
static void return_credit(struct engine *self, struct job *job)
{
    struct worker *worker = job->worker;

    attempt_forget(self, job);
    if (worker != NULL && !self->is_draining) {
        dispatcher_credit(worker, 1);
        attempts_match_worker(self, worker);
    }
}

/* The store has, or may have, more of this lane than memory knows. */
static void leave_to_store(struct engine *self, struct job *job)
{
    struct lane *lane = job->lane;

    return_credit(self, job);
    dispatcher_suspect(self->dispatcher, lane);
}

/* It cannot be written now; trying again at once would only burn time. */
static void leave_to_store_for_now(struct engine *self, struct job *job)
{
    self->store_pause_ms = engine_now_ms(self) + PAUSE_MS;
    leave_to_store(self, job);
}

static void schedule(struct engine *self, int64_t run_at_ms)
{
    if (run_at_ms < self->next_due_ms) {
        self->next_due_ms = run_at_ms;
        engine_kick(self);
    }
}

/* A job that has never started is dead, or put off. */
static void refused(struct engine *self, struct change *change)
{
    struct job *job = change->job;

    if (change->result.code == STATUS_ABORTED) {
        return_credit(self, job);
        return;
    }
    if (!status_is_ok(change->result)) {
        leave_to_store_for_now(self, job);
        return;
    }
    if (change->to == JOB_DEAD) {
        counter_add(COUNTER_jobs_dead, 1);
        (void)engine_count_open(self, job->tenant_id, -1);
    } else {
        schedule(self, change->run_at_ms);
    }
    watches_wake(self, job->tenant_id, job->job_id);
    return_credit(self, job);
}

static void bury(struct engine *self, struct job *job, status why)
{
    struct change *change =
        change_of(self, job, seen_as(job, JOB_READY), JOB_DEAD, job->attempt + 1, refused);
    const struct job_failure failure = {
        .error = { .attempt = job->attempt + 1,
                   .time_ms = engine_wall_ms(self),
                   .worker_id = "",
                   .code = why.code,
                   .message = arena_strdup(change->arena, why.message) },
        .counts = true,
        .is_last = true,
        .run_at_ms = engine_wall_ms(self),
        .priority = job->priority,
        .progress = { .message = "" },
    };

    job_change_fail(change->write, change->seen, &failure);
    change_submit(change);
}

static void postpone(struct engine *self, struct job *job)
{
    struct change *change =
        change_of(self, job, seen_as(job, JOB_READY), JOB_SCHEDULED, job->attempt, refused);

    change->run_at_ms = engine_wall_ms(self) + PAUSE_MS;
    job_change_postpone(change->write, change->seen, change->run_at_ms, job->priority);
    change_submit(change);
}

bool token_is_refused(status why)
{
    return why.code == STATUS_PERMISSION_DENIED || why.code == STATUS_NOT_FOUND ||
           why.code == STATUS_FAILED_PRECONDITION || why.code == STATUS_INVALID_ARGUMENT;
}

void attempt_refuse(struct engine *self, struct job *job, status why)
{
    if (job->is_cancelled) {
        return_credit(self, job);
    } else if (token_is_refused(why)) {
        bury(self, job, why);
    } else {
        postpone(self, job);
    }
}

/* The job runs: now, and not earlier, its worker hears of it. */
static void deliver(struct engine *self, struct job *job)
{
    int64_t ready_ms = job->rank_ms + job->priority * JOB_STEP_MS;

    counter_add(COUNTER_jobs_started, 1);
    histogram_record(HISTOGRAM_job_pickup, (engine_wall_ms(self) - ready_ms) * 1000);
    job->phase = PHASE_RUNNING;
    job->is_new = false;
    (void)map_put(&self->running, job->job_id, job);
    watches_wake(self, job->tenant_id, job->job_id);
    if (job->token != NULL) {
        job->token_due_ms = engine_now_ms(self) + self->options.lease_ms * 2 / 3;
    }
    engine_arm(self, job);
    tell(job, NOTICE_JOB, status_ok());
}

static void ended(struct engine *self, struct change *change);

void attempt_give_back(struct engine *self, struct job *job)
{
    struct change *change =
        change_of(self, job, seen_as(job, JOB_RUNNING), JOB_READY, job->attempt, ended);

    job->phase = PHASE_ENDING;
    job->orphan_due_ms = 0;
    heap_remove(&self->timers, &job->timer);
    job_change_give_back(change->write, change->seen);
    change_submit(change);
}

void attempt_go_on(struct engine *self, struct job *job)
{
    if (job->is_cancelled) {
        return_credit(self, job);
    } else if (job->worker == NULL || job->lacks_token) {
        attempt_give_back(self, job);
    } else if (!job->awaits_token) {
        deliver(self, job);
    }
}

static void started(struct engine *self, struct change *change)
{
    struct job *job = change->job;

    bool was_not_enqueued = job->is_new && !status_is_ok(change->result);

    if (was_not_enqueued || change->result.code == STATUS_ABORTED) { /* or cancelled, or overdue */
        return_credit(self, job);
        return;
    }
    if (!status_is_ok(change->result)) {
        leave_to_store_for_now(self, job);
        return;
    }
    job->attempt++;
    attempt_go_on(self, job);
}

static struct change *start_of(struct engine *self, struct job *job)
{
    return change_of(self, job, seen_as(job, JOB_READY), JOB_RUNNING, job->attempt + 1, started);
}

static void add_start(struct store_write *write, struct change *change)
{
    job_change_start(write, change->seen,
                     arena_strdup(change->arena, change->job->worker->worker_id),
                     engine_wall_ms(change->engine));
}

void attempt_start(struct engine *self, struct job *job)
{
    if (job->is_cancelled) {
        return_credit(self, job);
        return;
    }
    if (job->worker == NULL) {
        leave_to_store(self, job);
        return;
    }
    struct change *change = start_of(self, job);
    add_start(change->write, change);
    change_submit(change);
}

static void begin(struct engine *self, struct job *job)
{
    if (job->deadline_ms != 0 && job->deadline_ms <= engine_wall_ms(self)) {
        bury(self, job,
             (status){ .code = STATUS_DEADLINE_EXCEEDED, .message = "its deadline has passed" });
    } else if (self->options.issuer != NULL) {
        errand_token(self, job);
    } else {
        attempt_start(self, job);
    }
}

struct change *attempt_begin(struct engine *self, const struct job_record *record,
                             struct store_write *write)
{
    struct lane *lane = dispatcher_lane(self->dispatcher, record->tenant_id, record->capability);
    struct job *job = NULL;

    if (lane != NULL && record->state == JOB_READY) {
        job = dispatcher_match_new(self->dispatcher, lane, record);
    }
    if (job == NULL) {
        return NULL;
    }
    job->is_new = true;
    if (self->options.issuer != NULL) {
        errand_token(self, job);
    }
    struct change *change = start_of(self, job);
    add_start(write, change);
    self->n_changes++;
    return change;
}

void attempts_match_lane(struct engine *self, struct lane *lane)
{
    struct job *job;

    while ((job = dispatcher_match_lane(self->dispatcher, lane)) != NULL) {
        begin(self, job);
    }
}

void attempts_match_worker(struct engine *self, struct worker *worker)
{
    struct job *job;

    while ((job = dispatcher_match_worker(self->dispatcher, worker)) != NULL) {
        begin(self, job);
    }
}

/* ---- The end ---- */

/* The write failed, and has not happened: the job still runs. */
static void resume(struct engine *self, struct change *change)
{
    struct job *job = change->job;

    job->phase = PHASE_RUNNING;
    if (change->is_report) {
        tell(job, NOTICE_SETTLED, change->result); /* the worker reports again */
    }
    if (!change->is_report || job->worker == NULL) {
        job->orphan_due_ms = engine_now_ms(self) + PAUSE_MS; /* we try again */
    }
    engine_arm(self, job);
}

static void count(const struct change *change)
{
    counter_add(COUNTER_jobs_succeeded, change->to == JOB_SUCCEEDED);
    counter_add(COUNTER_jobs_dead, change->to == JOB_DEAD);
    counter_add(COUNTER_jobs_failed, change->to == JOB_DEAD || change->to == JOB_SCHEDULED);
}

static void ended(struct engine *self, struct change *change)
{
    struct job *job = change->job;

    if (!status_is_ok(change->result) && change->result.code != STATUS_ABORTED) {
        resume(self, change);
        return;
    }
    if (change->is_report) {
        tell(job, NOTICE_SETTLED, change->result);
    }
    if (status_is_ok(change->result)) {
        count(change);
        if (job_has_ended(change->to)) {
            (void)engine_count_open(self, job->tenant_id, -1);
        } else if (change->to == JOB_SCHEDULED) {
            schedule(self, change->run_at_ms);
        }
        watches_wake(self, job->tenant_id, job->job_id);
    }
    if (change->to == JOB_READY) {
        leave_to_store(self, job);
    } else if (job->is_new) {
        return_credit(self, job); /* its worker has never heard of it */
    } else {
        attempt_forget(self, job);
    }
}

/* Nothing else may begin until the write has come back. */
static void end(struct engine *self, struct job *job)
{
    assert(job->phase == PHASE_RUNNING);
    job->phase = PHASE_ENDING;
    job->orphan_due_ms = 0;
    heap_remove(&self->timers, &job->timer);
}

void attempt_succeed(struct engine *self, struct job *job)
{
    struct change *change =
        change_of(self, job, seen_as(job, JOB_RUNNING), JOB_SUCCEEDED, job->attempt, ended);

    end(self, job);
    change->is_report = true;
    job_change_succeed(change->write, change->seen, &job->progress,
                       (bytes){ job->result, job->result_size }, engine_wall_ms(self));
    change_submit(change);
}

static int64_t retry_delay_ms(const struct engine *self, const struct job *job)
{
    struct backoff backoff = {
        .random = self->options.random,
        .min_ms = self->options.backoff_ms,
        .max_ms = self->options.max_backoff_ms,
        .n_failures = (unsigned)job->failures,
    };

    return backoff_next_ms(&backoff);
}

void attempt_fail(struct engine *self, struct job *job, const struct attempt_failure *failure,
                  bool is_report)
{
    int64_t now_ms = engine_wall_ms(self);
    int64_t run_at_ms = now_ms + retry_delay_ms(self, job);
    bool is_last = failure->is_permanent || job->failures + 1 >= job->max_attempts ||
                   (job->deadline_ms != 0 && run_at_ms >= job->deadline_ms);
    struct change *change = change_of(self, job, seen_as(job, JOB_RUNNING),
                                      is_last ? JOB_DEAD : JOB_SCHEDULED, job->attempt, ended);
    const char *worker_id = job->worker != NULL ? job->worker->worker_id : "";

    end(self, job);
    change->is_report = is_report;
    change->run_at_ms = run_at_ms;
    job_change_fail(change->write, change->seen,
                    &(struct job_failure){
                        .error = { .attempt = job->attempt,
                                   .time_ms = now_ms,
                                   .worker_id = arena_strdup(change->arena, worker_id),
                                   .code = failure->code,
                                   .message = arena_printf(change->arena, "%.*s",
                                                           JOB_MAX_ERROR_BYTES, failure->message) },
                        .counts = true,
                        .is_last = is_last,
                        .run_at_ms = run_at_ms,
                        .priority = job->priority,
                        .progress = job->progress,
                    });
    change_submit(change);
}

void attempt_cancelled(struct engine *self, struct job *job)
{
    if (job->phase == PHASE_STARTING || job->phase == PHASE_ENDING) {
        job->is_cancelled = true; /* a write is on its way, which will find it so */
        return;
    }
    tell(job, NOTICE_WITHDRAW, status_ok());
    attempt_forget(self, job);
}

void attempts_release(struct engine *self, struct worker *worker, enum status_code code,
                      const char *why)
{
    while (worker->jobs != NULL) {
        struct job *job = worker->jobs;
        if (job->phase == PHASE_RUNNING && self->is_draining) {
            job->orphan_due_ms = engine_now_ms(self) + self->options.lease_ms;
            engine_arm(self, job); /* the next process inherits it */
        } else if (job->phase == PHASE_RUNNING) {
            const struct attempt_failure failure = { .code = code, .message = why };
            tell(job, NOTICE_WITHDRAW, status_ok());
            attempt_fail(self, job, &failure, false);
        }
        dispatcher_hand_over(job, NULL);
    }
}
