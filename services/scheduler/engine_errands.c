/* What blocks: questions to the store, tokens. */

#include "libs/obs/metrics.h"
#include "services/scheduler/engine_internal.h"

#include <stdlib.h>
#include <string.h>

enum {
    MANY = 256,      /* jobs of one query or write: 16 MiB of the largest payloads */
    PAUSE_MS = 1000, /* after an error of the store: it is asked again, but not all the time */
};

static struct errand *errand_new(void (*run)(struct engine *self, struct errand *errand))
{
    struct arena *arena = arena_new();
    struct errand *errand = ARENA_NEW(arena, struct errand);

    errand->run = run;
    errand->arena = arena;
    return errand;
}

static void add(struct engine *self, struct errand *errand)
{
    *self->last_errand = errand;
    self->last_errand = &errand->next;
    pthread_cond_signal(&self->errand_added);
}

/* ---- Running them ---- */

static struct errand *take(struct engine *self)
{
    struct errand *errand = self->first_errand;

    if (errand != NULL) {
        self->first_errand = errand->next;
        if (self->first_errand == NULL) {
            self->last_errand = &self->first_errand;
        }
    }
    return errand;
}

static void run(struct engine *self, struct errand *errand)
{
    errand->run(self, errand);
    arena_free(errand->arena);
}

bool errands_run_one(struct engine *self)
{
    pthread_mutex_lock(&self->lock);
    struct errand *errand = take(self);
    pthread_mutex_unlock(&self->lock);
    if (errand != NULL) {
        run(self, errand);
    }
    return errand != NULL;
}

void *errands_run(void *engine)
{
    struct engine *self = engine;

    pthread_mutex_lock(&self->lock);
    while (!self->is_stopping) {
        struct errand *errand = take(self);
        if (errand == NULL) {
            pthread_cond_wait(&self->errand_added, &self->lock);
            continue;
        }
        pthread_mutex_unlock(&self->lock);
        run(self, errand);
        pthread_mutex_lock(&self->lock);
    }
    pthread_mutex_unlock(&self->lock);
    return NULL;
}

void errands_drop(struct engine *self)
{
    struct errand *errand;

    while ((errand = take(self)) != NULL) {
        if (errand->change != NULL) {
            changes_drop(self, errand->change);
        }
        arena_free(errand->arena);
    }
}

/* ---- Loading a lane ---- */

static void load(struct engine *self, struct errand *errand)
{
    struct lane *lane = errand->lane;
    struct job_list list;
    status s = job_store_ready(self->options.store, errand->arena, lane->tenant_id,
                               lane->pool->capability, errand->limit, &list);

    pthread_mutex_lock(&self->lock);
    if (status_is_ok(s)) {
        int64_t horizon_ms = LANE_IS_WHOLE;
        for (size_t i = 0; i < list.n_jobs; i++) {
            dispatcher_load(self->dispatcher, lane, &list.jobs[i]);
        }
        if (list.more) {
            const struct job_record *last = &list.jobs[list.n_jobs - 1];
            horizon_ms = job_rank_ms(last->run_at_ms, last->priority);
        }
        dispatcher_loaded(self->dispatcher, lane, horizon_ms);
        attempts_match_lane(self, lane);
    } else {
        self->store_pause_ms = engine_now_ms(self) + PAUSE_MS;
        dispatcher_loaded(self->dispatcher, lane, INT64_MIN);
    }
    errands_load_low(self);
    pthread_mutex_unlock(&self->lock);
}

void errand_load(struct engine *self, struct lane *lane, size_t limit)
{
    struct errand *errand = errand_new(load);

    errand->lane = lane;
    errand->limit = limit;
    add(self, errand);
}

void errands_load_low(struct engine *self)
{
    struct lane *lane;
    size_t limit;

    if (engine_now_ms(self) < self->store_pause_ms) {
        return;
    }
    while ((lane = dispatcher_next_low(self->dispatcher, &limit)) != NULL) {
        errand_load(self, lane, limit);
    }
}

/* ---- Finding lanes ---- */

status lanes_find(struct engine *self, struct arena *arena)
{
    struct job_record at = { .tenant_id = "", .capability = "" };
    bool found = true;

    for (;;) {
        TRY(job_store_next_lane(self->options.store, arena, at.tenant_id, at.capability, &at,
                                &found));
        if (!found) {
            return status_ok();
        }
        pthread_mutex_lock(&self->lock);
        struct lane *lane = dispatcher_lane(self->dispatcher, at.tenant_id, at.capability);
        if (lane != NULL) {
            dispatcher_suspect(self->dispatcher, lane);
        } else {
            self->has_missed_lanes = true;
        }
        pthread_mutex_unlock(&self->lock);
    }
}

static void find_lanes(struct engine *self, struct errand *errand)
{
    status s = lanes_find(self, errand->arena);

    pthread_mutex_lock(&self->lock);
    if (!status_is_ok(s)) {
        self->has_missed_lanes = true; /* the next sweep asks again */
    }
    errands_load_low(self);
    pthread_mutex_unlock(&self->lock);
}

void errand_find_lanes(struct engine *self)
{
    self->has_missed_lanes = false;
    errand_promote(self); /* what was missed may as well be scheduled */
    add(self, errand_new(find_lanes));
}

/* ---- Jobs whose time has come ---- */

static void promoted(struct engine *self, struct change *change)
{
    for (size_t i = 0; status_is_ok(change->result) && i < change->jobs.n_jobs; i++) {
        const struct job_record *job = &change->jobs.jobs[i];
        engine_offer(self, job);
        watches_wake(self, job->tenant_id, job->job_id);
    }
    self->is_promoting = false;
    if (status_is_ok(change->result)) {
        errand_promote(self); /* there may be more */
    } else {
        self->next_due_ms = engine_wall_ms(self) + PAUSE_MS;
    }
}

static void submit_promotion(struct change *change)
{
    for (size_t i = 0; i < change->jobs.n_jobs; i++) {
        job_change_promote(change->write, job_seen(&change->jobs.jobs[i]));
    }
    change_submit(change);
}

/* What falls due while we ask makes next_due_ms smaller, and is not overwritten. */
static void promote(struct engine *self, struct errand *errand)
{
    struct change *change = change_new(self, NULL, promoted);
    int64_t next_ms = INT64_MAX;

    pthread_mutex_lock(&self->lock);
    self->next_due_ms = INT64_MAX;
    pthread_mutex_unlock(&self->lock);
    status s = job_store_due(self->options.store, change->arena, engine_wall_ms(self), MANY,
                             &change->jobs);
    if (status_is_ok(s) && change->jobs.n_jobs == 0) {
        s = job_store_next_due(self->options.store, errand->arena, &next_ms);
    }
    if (!status_is_ok(s)) {
        next_ms = engine_wall_ms(self) + PAUSE_MS;
    }
    pthread_mutex_lock(&self->lock);
    if (status_is_ok(s) && change->jobs.n_jobs > 0) {
        submit_promotion(change);
    } else {
        arena_free(change->arena);
        self->next_due_ms = next_ms < self->next_due_ms ? next_ms : self->next_due_ms;
        self->is_promoting = false;
        engine_kick(self);
    }
    pthread_mutex_unlock(&self->lock);
}

void errand_promote(struct engine *self)
{
    if (!self->is_promoting) {
        self->is_promoting = true;
        add(self, errand_new(promote));
    }
}

/* ---- Tokens ---- */

/* A job that starts is given its token, or is told why not. */
static void give_first_token(struct engine *self, struct job *job, status s, const char *token)
{
    if (!status_is_ok(s)) {
        attempt_refuse(self, job, s);
        return;
    }
    job->token = strdup(token);
    if (job->token == NULL) {
        abort();
    }
    attempt_start(self, job);
}

/* A job that runs is given its next one; or fails, when its principal may no more. */
static void give_next_token(struct engine *self, struct job *job, status s, const char *token)
{
    if (status_is_ok(s)) {
        free(job->token);
        job->token = strdup(token);
        if (job->token == NULL) {
            abort();
        }
        job->token_due_ms = engine_now_ms(self) + self->options.lease_ms * 2 / 3;
        if (job->worker != NULL) {
            worker_tell(job->worker->owner, NOTICE_TOKEN, job, status_ok());
        }
    } else if (token_is_refused(s)) {
        const struct attempt_failure failure = { .code = s.code,
                                                 .message = s.message,
                                                 .is_permanent = true };
        if (job->worker != NULL) {
            worker_tell(job->worker->owner, NOTICE_WITHDRAW, job, status_ok());
        }
        attempt_fail(self, job, &failure, false);
        return;
    } else {
        job->token_due_ms = engine_now_ms(self) + PAUSE_MS;
    }
    engine_arm(self, job);
}

static void get_token(struct engine *self, struct errand *errand)
{
    const struct token_request *request = &errand->token;
    const char *token = "";
    status s = token_issue(self->options.issuer, errand->arena, request, &token);

    pthread_mutex_lock(&self->lock);
    struct job *job = dispatcher_find(self->dispatcher, request->tenant_id, request->job_id);
    if (job != NULL && job->phase == PHASE_STARTING && job->attempt + 1 == request->attempt) {
        give_first_token(self, job, s, token);
    } else if (job != NULL && job->phase == PHASE_RUNNING && job->attempt == request->attempt) {
        give_next_token(self, job, s, token);
    }
    errands_load_low(self);
    pthread_mutex_unlock(&self->lock);
}

void errand_token(struct engine *self, const struct job *job)
{
    struct errand *errand = errand_new(get_token);

    errand->token = (struct token_request){
        .tenant_id = arena_strdup(errand->arena, job->tenant_id),
        .principal = arena_strdup(errand->arena, job->principal),
        .permissions = arena_strdup(errand->arena, job->permissions),
        .job_id = arena_strdup(errand->arena, job->job_id),
        .attempt = job->phase == PHASE_STARTING ? job->attempt + 1 : job->attempt,
        .lifetime_ms = self->options.lease_ms,
    };
    add(self, errand);
}

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
    add(self, errand);
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
    add(self, errand_new(find_overdue));
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
    add(self, errand_new(forget));
}
