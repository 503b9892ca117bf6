#include "services/scheduler/engine.h"

#include "libs/base/wait.h"
#include "libs/obs/metrics.h"
#include "services/scheduler/engine_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    DEFAULT_LEASE_MS = 30 * 1000,
    DEFAULT_BACKOFF_MS = 1000,
    DEFAULT_MAX_BACKOFF_MS = 600 * 1000,
    DEFAULT_KEPT_JOBS = 1000 * 1000, /* some 500 MB of small jobs */
    DEFAULT_MAX_OPEN_JOBS = 1000 * 1000,
    DEFAULT_TOKEN_THREADS = 16, /* at a millisecond each, 16,000 tokens a second */
    ERRAND_THREADS = 4,         /* queries run side by side, on as many cores */
    DAY_MS = 24 * 60 * 60 * 1000,
    SWEEP_MS = 1000,       /* how late a silent worker or a deadline may be noticed */
    FORGET_MS = 60 * 1000, /* the history grows by no more than what comes in a minute */
};

static int64_t or_default(int64_t value, int64_t standard)
{
    return value != 0 ? value : standard;
}

int64_t engine_now_ms(const struct engine *self)
{
    return clock_monotonic_ms(self->options.clock);
}

int64_t engine_wall_ms(const struct engine *self)
{
    return clock_wall_ms(self->options.clock);
}

/* ---- Life ---- */

static struct engine_options with_defaults(const struct engine_options *options)
{
    struct engine_options all = *options;

    all.lease_ms = or_default(all.lease_ms, DEFAULT_LEASE_MS);
    all.backoff_ms = or_default(all.backoff_ms, DEFAULT_BACKOFF_MS);
    all.max_backoff_ms = or_default(all.max_backoff_ms, DEFAULT_MAX_BACKOFF_MS);
    all.keep_ms = or_default(all.keep_ms, INT64_C(7) * DAY_MS);
    all.keep_dead_ms = or_default(all.keep_dead_ms, INT64_C(30) * DAY_MS);
    all.keep_jobs = or_default(all.keep_jobs, DEFAULT_KEPT_JOBS);
    all.max_open_jobs = or_default(all.max_open_jobs, DEFAULT_MAX_OPEN_JOBS);
    if (all.n_token_threads == 0) {
        all.n_token_threads = DEFAULT_TOKEN_THREADS;
    }
    return all;
}

struct engine *engine_new(const struct engine_options *options)
{
    struct engine *self = calloc(1, sizeof *self);

    assert(options->store != NULL && options->clock != NULL && options->random != NULL);
    if (self == NULL) {
        abort();
    }
    self->options = with_defaults(options);
    self->dispatcher = dispatcher_new(&options->memory);
    self->next_due_ms = INT64_MAX;
    errand_queue_init(&self->errands, self);
    errand_queue_init(&self->tokens, self);
    self->last_finished = &self->first_finished;
    pthread_mutex_init(&self->lock, NULL);
    pthread_mutex_init(&self->finished_lock, NULL);
    pthread_cond_init(&self->something_happened, NULL);
    map_init(&self->running);
    map_init(&self->tenants);
    map_init(&self->watches);
    heap_init(&self->timers);
    return self;
}

void engine_free(struct engine *self)
{
    if (self == NULL) {
        return;
    }
    assert(!self->is_started && self->workers == NULL && self->n_watches == 0);
    errand_queue_reset(&self->errands);
    errand_queue_reset(&self->tokens);
    changes_drop(self, self->first_finished);
    changes_drop(self, self->unsure);
    dispatcher_free(self->dispatcher);
    heap_reset(&self->timers);
    map_reset(&self->running, NULL);
    map_reset(&self->tenants, free);
    map_reset(&self->watches, NULL);
    pthread_cond_destroy(&self->something_happened);
    pthread_mutex_destroy(&self->finished_lock);
    pthread_mutex_destroy(&self->lock);
    free(self);
}

/* ---- Open jobs ---- */

bool engine_count_open(struct engine *self, const char *tenant_id, int64_t n)
{
    struct open_jobs *open = map_get(&self->tenants, tenant_id);

    if (open == NULL) {
        open = calloc(1, sizeof *open);
        if (open == NULL) {
            abort();
        }
        (void)map_put(&self->tenants, tenant_id, open);
    }
    if (n > 0 && open->n_jobs + n > self->options.max_open_jobs) {
        return false;
    }
    open->n_jobs += n;
    if (open->n_jobs == 0) {
        free(map_remove(&self->tenants, tenant_id));
    }
    return true;
}

void engine_offer(struct engine *self, const struct job_record *job)
{
    struct lane *lane = dispatcher_lane(self->dispatcher, job->tenant_id, job->capability);

    if (lane == NULL) {
        self->has_missed_lanes = true; /* it is in the store, and found when there is room */
        return;
    }
    dispatcher_offer(self->dispatcher, lane, job);
    attempts_match_lane(self, lane);
}

/* ---- What falls due ---- */

static int64_t earlier(int64_t at_ms, int64_t other_ms)
{
    return other_ms != 0 && other_ms < at_ms ? other_ms : at_ms;
}

void engine_arm(struct engine *self, struct job *job)
{
    int64_t due_ms = earlier(earlier(INT64_MAX, job->token_due_ms), job->orphan_due_ms);

    if (job->deadline_ms != 0) {
        /* The wall's time may be set; the handler looks again. */
        int64_t left_ms = job->deadline_ms - engine_wall_ms(self);
        due_ms = earlier(due_ms, engine_now_ms(self) + (left_ms > 0 ? left_ms : 0) + 1);
    }
    heap_remove(&self->timers, &job->timer);
    if (due_ms != INT64_MAX) {
        heap_put(&self->timers, &job->timer, due_ms, job);
    }
    if (due_ms < engine_now_ms(self) + SWEEP_MS) { /* else the thread looks in time by itself */
        engine_kick(self);
    }
}

/* Its time has come, in one way or another. */
static void look_at(struct engine *self, struct job *job)
{
    int64_t now_ms = engine_now_ms(self);

    if (job->deadline_ms != 0 && job->deadline_ms <= engine_wall_ms(self)) {
        const struct attempt_failure failure = { .code = STATUS_DEADLINE_EXCEEDED,
                                                 .message = "its deadline has passed",
                                                 .is_permanent = true };
        if (job->worker != NULL) {
            worker_tell(job->worker->owner, NOTICE_WITHDRAW, job, status_ok());
        }
        attempt_fail(self, job, &failure, false);
        return;
    }
    if (job->orphan_due_ms != 0 && job->orphan_due_ms <= now_ms) {
        const struct attempt_failure failure = { .code = STATUS_UNAVAILABLE,
                                                 .message = "its worker did not come back" };
        attempt_fail(self, job, &failure, false);
        return;
    }
    if (job->token_due_ms != 0 && job->token_due_ms <= now_ms) {
        job->token_due_ms = 0; /* until the answer is here */
        errand_token(self, job);
    }
    engine_arm(self, job);
}

static void sweep(struct engine *self, int64_t now_ms)
{
    struct change *unsure = self->unsure;

    self->next_sweep_ms = now_ms + SWEEP_MS;
    gauge_set(GAUGE_job_workers, (int64_t)self->n_workers);
    gauge_set(GAUGE_jobs_running, (int64_t)self->running.n_entries);
    gauge_set(GAUGE_jobs_waiting, (int64_t)dispatcher_waiting(self->dispatcher));
    workers_sweep(self, now_ms);
    errand_overdue(self);
    self->unsure = NULL;
    while (unsure != NULL) {
        struct change *next = unsure->next;
        errand_reconcile(self, unsure);
        unsure = next;
    }
    if (self->has_missed_lanes) {
        errand_find_lanes(self);
    }
    if (now_ms >= self->next_forget_ms) {
        self->next_forget_ms = now_ms + FORGET_MS;
        errand_forget(self);
    }
    errands_load_low(self);
}

/* Does what is due; returns for how long nothing will be, at most SWEEP_MS. */
static int64_t tick(struct engine *self)
{
    pthread_mutex_lock(&self->lock);
    int64_t now_ms = engine_now_ms(self);
    struct heap_node *node;
    while ((node = heap_first(&self->timers)) != NULL && node->key <= now_ms) {
        heap_remove(&self->timers, node);
        look_at(self, node->owner);
    }
    if (self->next_due_ms <= engine_wall_ms(self)) {
        errand_promote(self);
    }
    if (now_ms >= self->next_sweep_ms) {
        sweep(self, now_ms);
    }
    int64_t next_ms = earlier(self->next_sweep_ms, node != NULL ? node->key : 0);
    int64_t left_ms = next_ms - now_ms;
    if (!self->is_promoting && self->next_due_ms - engine_wall_ms(self) < left_ms) {
        left_ms = self->next_due_ms - engine_wall_ms(self);
    }
    pthread_mutex_unlock(&self->lock);
    return left_ms > 0 ? left_ms : 0;
}

void engine_step(struct engine *self)
{
    bool is_busy = true;

    while (is_busy) {
        (void)tick(self);
        is_busy = changes_finish(self);
        while (errand_queue_run_one(&self->errands) || errand_queue_run_one(&self->tokens)) {
            is_busy = true;
        }
    }
}

/* ---- The thread ---- */

void engine_kick(struct engine *self)
{
    pthread_mutex_lock(&self->finished_lock);
    self->is_kicked = true;
    pthread_cond_signal(&self->something_happened);
    pthread_mutex_unlock(&self->finished_lock);
}

static void wait_for_something(struct engine *self, int64_t ms)
{
    const struct timespec end = wait_end(ms);

    pthread_mutex_lock(&self->finished_lock);
    while (self->first_finished == NULL && !self->is_kicked &&
           wait_until(&self->something_happened, &self->finished_lock, &end)) {
    }
    self->is_kicked = false;
    pthread_mutex_unlock(&self->finished_lock);
}

/* Stopping, and nothing on its way. */
static bool is_at_rest(struct engine *self)
{
    pthread_mutex_lock(&self->lock);
    bool is_at_rest = self->is_stopping && self->n_changes == 0;
    pthread_mutex_unlock(&self->lock);
    return is_at_rest;
}

static void *run(void *engine)
{
    struct engine *self = engine;

    while (!is_at_rest(self)) {
        int64_t ms = tick(self);
        if (!changes_finish(self)) {
            wait_for_something(self, ms);
        }
    }
    return NULL;
}

void engine_start(struct engine *self)
{
    if (pthread_create(&self->thread, NULL, run, self) != 0) {
        abort(); /* no memory for a thread, when the service starts */
    }
    errand_queue_start(&self->errands, ERRAND_THREADS);
    if (self->options.issuer != NULL) {
        errand_queue_start(&self->tokens, self->options.n_token_threads);
    }
    self->is_started = true;
}

void engine_stop(struct engine *self)
{
    if (!self->is_started) {
        return;
    }
    pthread_mutex_lock(&self->lock);
    self->is_stopping = true;
    pthread_mutex_unlock(&self->lock);
    errand_queue_join(&self->errands);
    errand_queue_join(&self->tokens);
    pthread_mutex_lock(&self->lock);
    errand_queue_drop(&self->errands);
    errand_queue_drop(&self->tokens);
    changes_drop(self, self->unsure);
    self->unsure = NULL;
    pthread_mutex_unlock(&self->lock);
    engine_kick(self);
    (void)pthread_join(self->thread, NULL);
    self->is_started = false;
}

struct engine_figures engine_figures(struct engine *self)
{
    pthread_mutex_lock(&self->lock);
    const struct engine_figures figures = {
        .n_workers = self->n_workers,
        .n_waiting = dispatcher_waiting(self->dispatcher),
        .n_running = self->running.n_entries,
        .n_changes = self->n_changes,
    };
    pthread_mutex_unlock(&self->lock);
    return figures;
}
