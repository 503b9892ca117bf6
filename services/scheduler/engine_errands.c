/* Errands, and those that bring jobs into memory. */

#include "services/scheduler/engine_internal.h"

#include <stdlib.h>
#include <string.h>

struct errand *errand_new(void (*run)(struct engine *self, struct errand *errand))
{
    struct arena *arena = arena_new();
    struct errand *errand = ARENA_NEW(arena, struct errand);

    errand->run = run;
    errand->arena = arena;
    return errand;
}

void errand_add(struct errand_queue *queue, struct errand *errand)
{
    *queue->last = errand;
    queue->last = &errand->next;
    pthread_cond_signal(&queue->added);
}

/* ---- Running them ---- */

void errand_queue_init(struct errand_queue *queue, struct engine *engine)
{
    *queue = (struct errand_queue){ .engine = engine };
    queue->last = &queue->first;
    pthread_cond_init(&queue->added, NULL);
}

struct errand *errand_take(struct errand_queue *queue)
{
    struct errand *errand = queue->first;

    if (errand != NULL) {
        queue->first = errand->next;
        if (queue->first == NULL) {
            queue->last = &queue->first;
        }
    }
    return errand;
}

static void run(struct engine *self, struct errand *errand)
{
    errand->run(self, errand);
    arena_free(errand->arena);
}

bool errand_queue_run_one(struct errand_queue *queue)
{
    struct engine *self = queue->engine;

    pthread_mutex_lock(&self->lock);
    struct errand *errand = errand_take(queue);
    pthread_mutex_unlock(&self->lock);
    if (errand != NULL) {
        run(self, errand);
    }
    return errand != NULL;
}

/* Until the engine stops: what a thread does. */
static void *run_queue(void *data)
{
    struct errand_queue *queue = data;
    struct engine *self = queue->engine;

    pthread_mutex_lock(&self->lock);
    while (!self->is_stopping) {
        struct errand *errand = errand_take(queue);
        if (errand == NULL) {
            pthread_cond_wait(&queue->added, &self->lock);
            continue;
        }
        pthread_mutex_unlock(&self->lock);
        run(self, errand);
        pthread_mutex_lock(&self->lock);
    }
    pthread_mutex_unlock(&self->lock);
    return NULL;
}

void errand_queue_start(struct errand_queue *queue, size_t n_threads)
{
    queue->threads = calloc(n_threads, sizeof *queue->threads);
    if (queue->threads == NULL) {
        abort();
    }
    for (; queue->n_threads < n_threads; queue->n_threads++) {
        if (pthread_create(&queue->threads[queue->n_threads], NULL, run_queue, queue) != 0) {
            abort(); /* no memory for a thread, when the service starts */
        }
    }
}

void errand_queue_join(struct errand_queue *queue)
{
    pthread_mutex_lock(&queue->engine->lock);
    pthread_cond_broadcast(&queue->added);
    pthread_mutex_unlock(&queue->engine->lock);
    for (size_t i = 0; i < queue->n_threads; i++) {
        (void)pthread_join(queue->threads[i], NULL);
    }
    free(queue->threads);
    queue->threads = NULL;
    queue->n_threads = 0;
}

void errand_queue_drop(struct errand_queue *queue)
{
    struct errand *errand;

    while ((errand = errand_take(queue)) != NULL) {
        if (errand->change != NULL) {
            changes_drop(queue->engine, errand->change);
        }
        arena_free(errand->arena);
    }
}

void errand_queue_reset(struct errand_queue *queue)
{
    errand_queue_drop(queue);
    pthread_cond_destroy(&queue->added);
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
    errand_add(&self->errands, errand);
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
    errand_add(&self->errands, errand_new(find_lanes));
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
        errand_add(&self->errands, errand_new(promote));
    }
}
