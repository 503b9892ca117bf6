/* Workers that come and go, and what they say. */

#include "services/scheduler/engine_internal.h"

#include "libs/base/status_details.h"

#include <stdlib.h>
#include <string.h>

/* ---- Coming and going ---- */

static status check_worker(struct arena *arena, const struct engine_worker_options *options)
{
    size_t length = strlen(options->worker_id);

    if (length == 0 || length > JOB_MAX_NAME_BYTES) {
        return status_bad_field(arena, "worker_id", "has %zu bytes, 1 to %d are allowed", length,
                                JOB_MAX_NAME_BYTES);
    }
    if (options->n_capabilities == 0 || options->n_capabilities > ENGINE_MAX_CAPABILITIES) {
        return status_bad_field(arena, "capabilities", "are %zu, 1 to %d are allowed",
                                options->n_capabilities, ENGINE_MAX_CAPABILITIES);
    }
    if (options->n_held > ENGINE_MAX_CREDIT) {
        return status_bad_field(arena, "held", "are %zu, %d are allowed", options->n_held,
                                ENGINE_MAX_CREDIT);
    }
    for (size_t i = 0; i < options->n_capabilities; i++) {
        const char *name = options->capabilities[i];
        if (!job_capability_is_valid(name)) {
            return status_bad_field(arena, "capabilities", "'%.*s' is not well formed",
                                    JOB_MAX_NAME_BYTES, name);
        }
        for (size_t j = 0; j < i; j++) {
            if (strcmp(name, options->capabilities[j]) == 0) {
                return status_bad_field(arena, "capabilities", "'%s' comes twice", name);
            }
        }
    }
    return status_ok();
}

static bool holds(const struct engine_worker_options *options, const struct job *job)
{
    for (size_t i = 0; i < options->n_held; i++) {
        if (options->held[i].attempt == job->attempt &&
            strcmp(options->held[i].job_id, job->job_id) == 0) {
            return true;
        }
    }
    return false;
}

/* It has an owner again, and need not be waited for. */
static void take_orphan(struct engine *engine, struct job *job, struct worker *worker)
{
    dispatcher_hand_over(job, worker);
    job->orphan_due_ms = 0;
    job->token_due_ms = engine->options.issuer != NULL ? engine_now_ms(engine) : 0;
    engine_arm(engine, job);
}

/* Jobs that ran under the worker's id when the last process died. */
static void sort_out_orphans(struct engine *engine, const struct engine_worker_options *options,
                             struct worker *worker)
{
    for (struct map_at at = { 0 }; map_next(&engine->running, &at);) {
        struct job *job = at.value;
        if (job->phase != PHASE_RUNNING || job->worker != NULL ||
            strcmp(job->worker_id, options->worker_id) != 0 ||
            !dispatcher_can_serve(worker, job->lane)) {
            continue;
        }
        if (holds(options, job)) {
            take_orphan(engine, job, worker);
        } else {
            attempt_give_back(engine, job);
        }
    }
}

static struct engine_worker *add_worker(struct engine *engine,
                                        const struct engine_worker_options *options)
{
    struct engine_worker *self = calloc(1, sizeof *self);

    if (self == NULL) {
        abort();
    }
    self->worker = dispatcher_worker_add(engine->dispatcher, &(struct worker_options){
                                                                 options->worker_id,
                                                                 options->tenant_id,
                                                                 options->capabilities,
                                                                 options->n_capabilities,
                                                                 self,
                                                             });
    if (self->worker == NULL) {
        free(self);
        return NULL;
    }
    self->engine = engine;
    self->wake = options->wake;
    self->data = options->data;
    self->heard_ms = engine_now_ms(engine);
    self->last = &self->first;
    self->next = engine->workers;
    if (engine->workers != NULL) {
        engine->workers->previous = self;
    }
    engine->workers = self;
    engine->n_workers++;
    sort_out_orphans(engine, options, self->worker);
    return self;
}

status engine_worker_open(struct engine *engine, struct arena *arena,
                          const struct engine_worker_options *options,
                          struct engine_worker **ret_worker)
{
    struct engine_worker *self = NULL;

    TRY(check_worker(arena, options));
    pthread_mutex_lock(&engine->lock);
    if (engine->n_workers < ENGINE_MAX_WORKERS) {
        self = add_worker(engine, options);
        errands_load_low(engine);
    }
    pthread_mutex_unlock(&engine->lock);
    if (self == NULL) {
        return status_error(arena, STATUS_RESOURCE_EXHAUSTED, "there are too many workers");
    }
    *ret_worker = self;
    return status_ok();
}

void engine_worker_close(struct engine_worker *self)
{
    struct engine *engine = self->engine;
    struct queued_notice *notice;

    pthread_mutex_lock(&engine->lock);
    attempts_release(engine, self->worker, STATUS_UNAVAILABLE, "its worker has gone");
    dispatcher_worker_remove(engine->dispatcher, self->worker);
    *(self->previous != NULL ? &self->previous->next : &engine->workers) = self->next;
    if (self->next != NULL) {
        self->next->previous = self->previous;
    }
    engine->n_workers--;
    pthread_mutex_unlock(&engine->lock);
    while ((notice = worker_take(self)) != NULL) {
        free(notice);
    }
    free(self);
}

void workers_sweep(struct engine *engine, int64_t now_ms)
{
    for (struct engine_worker *worker = engine->workers; worker != NULL; worker = worker->next) {
        if (!worker->is_lost && now_ms - worker->heard_ms >= engine->options.lease_ms) {
            worker->is_lost = true;
            dispatcher_credit(worker->worker, 0);
            attempts_release(engine, worker->worker, STATUS_UNAVAILABLE,
                             "its worker was silent for a whole lease");
            worker->wake(worker->data);
        }
    }
}

void engine_drain(struct engine *engine)
{
    pthread_mutex_lock(&engine->lock);
    engine->is_draining = true;
    for (struct engine_worker *worker = engine->workers; worker != NULL; worker = worker->next) {
        dispatcher_credit(worker->worker, 0);
        worker_queue(worker, &(struct queued_notice){
                                 .type = NOTICE_DRAIN, .tenant_id = "", .job_id = "", .text = "" });
    }
    pthread_mutex_unlock(&engine->lock);
}

/* ---- What they say ---- */

/* Whoever was lost stays so: its jobs are others' now, and it must begin anew. */
static void beat(struct engine_worker *self)
{
    if (!self->is_lost) {
        self->heard_ms = engine_now_ms(self->engine);
    }
}

void engine_worker_beat(struct engine_worker *self)
{
    pthread_mutex_lock(&self->engine->lock);
    beat(self);
    pthread_mutex_unlock(&self->engine->lock);
}

void engine_worker_credit(struct engine_worker *self, int64_t n)
{
    struct engine *engine = self->engine;

    pthread_mutex_lock(&engine->lock);
    beat(self);
    int64_t room = ENGINE_MAX_CREDIT - self->worker->credit - (int64_t)self->worker->n_jobs;
    n = n < room ? n : room;
    if (n > 0 && !self->is_lost && !engine->is_draining) {
        dispatcher_credit(self->worker, n);
        attempts_match_worker(engine, self->worker);
        errands_load_low(engine);
    }
    pthread_mutex_unlock(&engine->lock);
}

/* A report that comes too late, or is not this worker's to make. */
static void refuse(struct engine_worker *self, struct attempt attempt)
{
    worker_queue(self, &(struct queued_notice){
                           .type = NOTICE_SETTLED,
                           .code = STATUS_ABORTED,
                           .attempt = attempt.attempt,
                           .tenant_id = "",
                           .job_id = attempt.job_id,
                           .text = "the attempt is over",
                       });
}

/* The job, when it runs in just this attempt and is this worker's, or an orphan that it may take.
 */
static struct job *own_job(struct engine_worker *self, struct attempt attempt)
{
    struct engine *engine = self->engine;
    struct job *job = map_get(&engine->running, attempt.job_id);

    if (job == NULL || job->phase != PHASE_RUNNING || job->attempt != attempt.attempt ||
        self->is_lost || !dispatcher_can_serve(self->worker, job->lane)) {
        return NULL;
    }
    if (job->worker == NULL) {
        take_orphan(engine, job, self->worker);
    }
    return job->worker == self->worker ? job : NULL;
}

void engine_worker_progress(struct engine_worker *self, struct attempt attempt,
                            const struct job_progress *progress)
{
    struct engine *engine = self->engine;

    pthread_mutex_lock(&engine->lock);
    beat(self);
    struct job *job = own_job(self, attempt);
    if (job != NULL) {
        dispatcher_set_progress(engine->dispatcher, job, *progress);
        watches_wake(engine, job->tenant_id, job->job_id);
    } else {
        refuse(self, attempt);
    }
    pthread_mutex_unlock(&engine->lock);
}

/* False: it was too much, and the job has failed. */
static bool add_result(struct engine *engine, struct job *job, bytes chunk)
{
    bool is_too_large = chunk.size > JOB_MAX_RESULT_BYTES - job->result_size;
    struct attempt_failure failure = { .code = STATUS_RESOURCE_EXHAUSTED,
                                       .message = "there is no memory for its result now" };

    if (dispatcher_add_result(engine->dispatcher, job, chunk)) {
        return true;
    }
    if (is_too_large) {
        failure.message = "its result is larger than 64 KiB";
        failure.is_permanent = true;
    }
    worker_tell(job->worker->owner, NOTICE_WITHDRAW, job, status_ok());
    attempt_fail(engine, job, &failure, false);
    return false;
}

void engine_worker_result(struct engine_worker *self, struct attempt attempt, bytes chunk)
{
    struct engine *engine = self->engine;

    pthread_mutex_lock(&engine->lock);
    beat(self);
    struct job *job = own_job(self, attempt);
    if (job == NULL) {
        refuse(self, attempt);
    } else if (add_result(engine, job, chunk)) {
        watches_wake(engine, job->tenant_id, job->job_id);
    }
    pthread_mutex_unlock(&engine->lock);
}

void engine_worker_succeed(struct engine_worker *self, struct attempt attempt, bytes result)
{
    struct engine *engine = self->engine;

    pthread_mutex_lock(&engine->lock);
    beat(self);
    struct job *job = own_job(self, attempt);
    if (job == NULL) {
        refuse(self, attempt);
    } else if (add_result(engine, job, result)) {
        attempt_succeed(engine, job);
    }
    pthread_mutex_unlock(&engine->lock);
}

void engine_worker_fail(struct engine_worker *self, struct attempt attempt,
                        const struct attempt_failure *failure)
{
    struct engine *engine = self->engine;

    pthread_mutex_lock(&engine->lock);
    beat(self);
    struct job *job = own_job(self, attempt);
    if (job == NULL) {
        refuse(self, attempt);
    } else {
        attempt_fail(engine, job, failure, true);
    }
    pthread_mutex_unlock(&engine->lock);
}
