#include "services/scheduler/dispatcher.h"

#include "services/scheduler/dispatcher_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    DEFAULT_MAX_JOBS = 100 * 1000, /* some 60 MB of small jobs, ten seconds of work at full speed */
    DEFAULT_MAX_BYTES = 64 * 1024 * 1024, /* a thousand jobs with the largest payload */
    DEFAULT_WINDOW = 512,      /* one query a few hundred dispatches; 32 MiB of largest payloads */
    DEFAULT_MAX_LANES = 65536, /* some 20 MB; ten thousand tenants with six capabilities each */
    MAX_WEIGHT = 1000,
};

static void *must(void *memory)
{
    if (memory == NULL) {
        abort();
    }
    return memory;
}

static int64_t min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static size_t or_default(size_t value, size_t standard)
{
    return value != 0 ? value : standard;
}

struct dispatcher *dispatcher_new(const struct dispatcher_options *options)
{
    struct dispatcher *self = must(calloc(1, sizeof *self));

    self->limits = (struct dispatcher_options){
        .max_jobs = or_default(options->max_jobs, DEFAULT_MAX_JOBS),
        .max_bytes = or_default(options->max_bytes, DEFAULT_MAX_BYTES),
        .window = or_default(options->window, DEFAULT_WINDOW),
        .max_lanes = or_default(options->max_lanes, DEFAULT_MAX_LANES),
    };
    map_init(&self->pools);
    map_init(&self->lanes);
    map_init(&self->jobs);
    return self;
}

/* ---- Two names as one key ---- */

/* Longer ones are refused long before. */
enum { MAX_PAIR_BYTES = 512 };

struct pair {
    char data[MAX_PAIR_BYTES];
    size_t size;
};

static bytes pair(struct pair *pair, const char *first, const char *second)
{
    size_t n = strlen(first) + 1;
    size_t m = strlen(second);

    assert(n + m <= sizeof pair->data);
    memcpy(pair->data, first, n);
    memcpy(pair->data + n, second, m);
    return (bytes){ (const uint8_t *)pair->data, n + m };
}

/* ---- Lanes ---- */

bool lane_has_workers(const struct lane *lane)
{
    return lane->line.n_seats > 0 || lane->pool->line.n_seats > 0;
}

struct pool *dispatcher_pool(struct dispatcher *self, const char *capability)
{
    struct pool *pool = map_get(&self->pools, capability);

    if (pool == NULL) {
        pool = must(calloc(1, sizeof *pool));
        pool->capability = must(strdup(capability));
        heap_init(&pool->turns);
        (void)map_put(&self->pools, capability, pool);
    }
    return pool;
}

static void free_pool(struct pool *pool)
{
    heap_reset(&pool->turns);
    free(pool->capability);
    free(pool);
}

static void free_lane(struct lane *lane)
{
    heap_reset(&lane->jobs);
    free(lane->tenant_id);
    free(lane);
}

/* Nobody would notice if it were made anew. */
static bool lane_is_idle(const struct lane *lane)
{
    return lane->n_jobs == 0 && lane->line.n_seats == 0 && lane->horizon_ms == LANE_IS_WHOLE &&
           !lane->is_loading && !lane->is_low && lane->weight == 1;
}

/* Forgets lanes that have nothing to do, and pools that have no lanes. */
static void sweep(struct dispatcher *self)
{
    for (struct map_at at = { 0 }; map_next(&self->pools, &at);) {
        struct pool *pool = at.value;
        for (struct lane **link = &pool->lanes; *link != NULL;) {
            struct lane *lane = *link;
            struct pair key;
            if (!lane_is_idle(lane)) {
                link = &lane->next_in_pool;
                continue;
            }
            *link = lane->next_in_pool;
            (void)map_remove_bytes(&self->lanes, pair(&key, lane->tenant_id, pool->capability));
            free_lane(lane);
        }
        if (pool->lanes == NULL && pool->line.n_seats == 0) {
            (void)map_remove(&self->pools, pool->capability);
            free_pool(pool);
        }
    }
}

struct lane *dispatcher_lane(struct dispatcher *self, const char *tenant_id, const char *capability)
{
    struct pair key;
    struct lane *lane = map_get_bytes(&self->lanes, pair(&key, tenant_id, capability));

    if (lane != NULL) {
        return lane;
    }
    if (self->lanes.n_entries >= self->limits.max_lanes) {
        sweep(self);
    }
    if (self->lanes.n_entries >= self->limits.max_lanes) {
        return NULL;
    }
    lane = must(calloc(1, sizeof *lane));
    lane->pool = dispatcher_pool(self, capability);
    lane->tenant_id = must(strdup(tenant_id));
    lane->weight = 1;
    lane->horizon_ms = LANE_IS_WHOLE;
    heap_init(&lane->jobs);
    lane->next_in_pool = lane->pool->lanes;
    lane->pool->lanes = lane;
    (void)map_put_bytes(&self->lanes, pair(&key, tenant_id, capability), lane);
    return lane;
}

void dispatcher_set_weight(struct lane *lane, int64_t weight)
{
    assert(weight >= 1 && weight <= MAX_WEIGHT);
    lane->weight = weight;
}

void lane_check_low(struct dispatcher *self, struct lane *lane)
{
    if (lane->is_low || lane->is_loading || lane->horizon_ms == LANE_IS_WHOLE ||
        lane->jobs.n_nodes > self->limits.window / 2 || !lane_has_workers(lane)) {
        return;
    }
    lane->is_low = true;
    lane->next_low = NULL;
    *(self->first_low != NULL ? &self->last_low->next_low : &self->first_low) = lane;
    self->last_low = lane;
}

/* One job of each lane always has room: a full memory slows lanes down, and stops none. */
static bool has_room(const struct dispatcher *self, const struct lane *lane)
{
    return lane->jobs.n_nodes == 0 ||
           (lane->jobs.n_nodes < self->limits.window && self->n_waiting < self->limits.max_jobs &&
            self->n_bytes < self->limits.max_bytes);
}

struct lane *dispatcher_next_low(struct dispatcher *self, size_t *ret_limit)
{
    struct lane **link = &self->first_low;
    struct lane *before = NULL;

    while (*link != NULL && lane_has_workers(*link) && !has_room(self, *link)) {
        before = *link;
        link = &before->next_low;
    }
    struct lane *lane = *link;
    if (lane == NULL) {
        return NULL;
    }
    *link = lane->next_low;
    if (self->last_low == lane) {
        self->last_low = before;
    }
    lane->is_low = false;
    if (!lane_has_workers(lane)) { /* they have left meanwhile */
        return dispatcher_next_low(self, ret_limit);
    }
    lane->is_loading = true;
    lane->missed_ms = LANE_IS_WHOLE;
    *ret_limit = self->limits.window + lane->n_jobs; /* some of those found may be here */
    return lane;
}

/* A ready job of this rank is in the store and not here. */
static void miss(struct dispatcher *self, struct lane *lane, int64_t rank_ms)
{
    lane->horizon_ms = min(lane->horizon_ms, rank_ms);
    lane->missed_ms = min(lane->missed_ms, rank_ms);
    lane_check_low(self, lane);
}

void dispatcher_suspect(struct dispatcher *self, struct lane *lane)
{
    miss(self, lane, INT64_MIN);
}

void dispatcher_loaded(struct dispatcher *self, struct lane *lane, int64_t horizon_ms)
{
    lane->is_loading = false;
    lane->horizon_ms = min(horizon_ms, lane->missed_ms);
    lane_check_low(self, lane);
}

/* ---- Jobs ---- */

static char *pack(char **at, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = memcpy(*at, text, size);

    *at += size;
    return copy;
}

static struct job *job_new(struct lane *lane, const struct job_record *record)
{
    size_t n_bytes = sizeof(struct job) + strlen(record->tenant_id) + strlen(record->job_id) +
                     strlen(record->project_id) + strlen(record->principal) +
                     strlen(record->permissions) + strlen(record->trace) + 6 + record->payload.size;
    struct job *job = must(calloc(1, n_bytes));
    char *at = job->text;

    job->lane = lane;
    job->tenant_id = pack(&at, record->tenant_id);
    job->job_id = pack(&at, record->job_id);
    job->project_id = pack(&at, record->project_id);
    job->principal = pack(&at, record->principal);
    job->permissions = pack(&at, record->permissions);
    job->trace = pack(&at, record->trace);
    if (record->payload.size > 0) {
        memcpy(at, record->payload.data, record->payload.size);
    }
    job->payload = (bytes){ (const uint8_t *)at, record->payload.size };
    job->priority = record->priority;
    job->rank_ms = job_rank_ms(record->run_at_ms, record->priority);
    job->attempt = record->attempt;
    job->failures = record->failures;
    job->max_attempts = record->max_attempts;
    job->deadline_ms = record->deadline_ms;
    job->enqueue_ms = record->enqueue_ms;
    job->progress.message = "";
    job->n_bytes = n_bytes;
    return job;
}

static void free_job(struct job *job)
{
    free(job->message);
    free(job->token);
    free(job->result);
    free(job);
}

static struct job *add_job(struct dispatcher *self, struct lane *lane,
                           const struct job_record *record)
{
    struct job *job = job_new(lane, record);
    struct pair key;

    (void)map_put_bytes(&self->jobs, pair(&key, job->tenant_id, job->job_id), job);
    self->n_bytes += job->n_bytes;
    lane->n_jobs++;
    return job;
}

struct job *dispatcher_find(const struct dispatcher *self, const char *tenant_id,
                            const char *job_id)
{
    struct pair key;

    return map_get_bytes(&self->jobs, pair(&key, tenant_id, job_id));
}

size_t dispatcher_waiting(const struct dispatcher *self)
{
    return self->n_waiting;
}

/* A lane that was empty neither saved up turns nor owes any. */
static void take_turn(struct lane *lane)
{
    if (!heap_has(&lane->turn)) {
        lane->pass = lane->pass > lane->pool->pass ? lane->pass : lane->pool->pass;
        heap_put(&lane->pool->turns, &lane->turn, lane->pass, lane);
    }
}

static void wait_in_lane(struct dispatcher *self, struct job *job)
{
    heap_put(&job->lane->jobs, &job->place, job->rank_ms, job);
    self->n_waiting++;
    take_turn(job->lane);
}

void job_leave_lane(struct dispatcher *self, struct job *job)
{
    struct lane *lane = job->lane;

    heap_remove(&lane->jobs, &job->place);
    self->n_waiting--;
    if (lane->jobs.n_nodes == 0) {
        heap_remove(&lane->pool->turns, &lane->turn);
    }
    lane_check_low(self, lane);
}

void dispatcher_hand_over(struct job *job, struct worker *worker)
{
    struct worker *before = job->worker;

    if (before != NULL) {
        *(job->previous_of_worker != NULL ? &job->previous_of_worker->next_of_worker
                                          : &before->jobs) = job->next_of_worker;
        if (job->next_of_worker != NULL) {
            job->next_of_worker->previous_of_worker = job->previous_of_worker;
        }
        before->n_jobs--;
    }
    job->worker = worker;
    job->previous_of_worker = NULL;
    job->next_of_worker = NULL;
    if (worker != NULL) {
        job->next_of_worker = worker->jobs;
        if (worker->jobs != NULL) {
            worker->jobs->previous_of_worker = job;
        }
        worker->jobs = job;
        worker->n_jobs++;
    }
}

void dispatcher_forget(struct dispatcher *self, struct job *job)
{
    struct pair key;

    assert(!heap_has(&job->timer));
    if (job->phase == PHASE_WAITING) {
        job_leave_lane(self, job);
    }
    dispatcher_hand_over(job, NULL);
    (void)map_remove_bytes(&self->jobs, pair(&key, job->tenant_id, job->job_id));
    self->n_bytes -= job->n_bytes;
    job->lane->n_jobs--;
    free_job(job);
}

static int by_rank(const void *a, const void *b)
{
    const struct heap_node *const *left = a;
    const struct heap_node *const *right = b;

    if ((*left)->key != (*right)->key) {
        return (*left)->key < (*right)->key ? -1 : 1;
    }
    return (*left)->turn < (*right)->turn ? -1 : 1;
}

void lane_trim(struct dispatcher *self, struct lane *lane, size_t n)
{
    size_t n_jobs = lane->jobs.n_nodes;

    if (n_jobs <= n) {
        return;
    }
    /* A sorted array is a heap; each node is told its new place. */
    qsort(lane->jobs.nodes, n_jobs, sizeof(struct heap_node *), by_rank);
    for (size_t i = 0; i < n_jobs; i++) {
        lane->jobs.nodes[i]->place = i + 1;
    }
    miss(self, lane, lane->jobs.nodes[n]->key);
    while (lane->jobs.n_nodes > n) {
        dispatcher_forget(self, lane->jobs.nodes[lane->jobs.n_nodes - 1]->owner);
    }
}

void dispatcher_offer(struct dispatcher *self, struct lane *lane, const struct job_record *record)
{
    int64_t rank_ms = job_rank_ms(record->run_at_ms, record->priority);

    if (dispatcher_find(self, record->tenant_id, record->job_id) != NULL) {
        return;
    }
    if (lane->jobs.n_nodes >= self->limits.window && rank_ms < lane->horizon_ms) {
        lane_trim(self, lane, self->limits.window / 2);
    }
    if (rank_ms < lane->horizon_ms && lane_has_workers(lane) && has_room(self, lane)) {
        wait_in_lane(self, add_job(self, lane, record));
    } else {
        miss(self, lane, rank_ms);
    }
}

void dispatcher_load(struct dispatcher *self, struct lane *lane, const struct job_record *record)
{
    if (dispatcher_find(self, record->tenant_id, record->job_id) != NULL) {
        return;
    }
    if (lane_has_workers(lane) && has_room(self, lane)) {
        wait_in_lane(self, add_job(self, lane, record));
    } else {
        miss(self, lane, job_rank_ms(record->run_at_ms, record->priority));
    }
}

struct job *dispatcher_adopt(struct dispatcher *self, struct lane *lane,
                             const struct job_record *record, struct worker *worker)
{
    struct job *job = add_job(self, lane, record);

    job->phase = PHASE_RUNNING;
    dispatcher_hand_over(job, worker);
    return job;
}

/* Adjusts what memory job is counted with. */
static void grow_job(struct dispatcher *self, struct job *job, size_t before, size_t after)
{
    job->n_bytes += after - before; /* modulo 2^64, and so right when it shrinks */
    self->n_bytes += after - before;
}

void dispatcher_set_progress(struct dispatcher *self, struct job *job, struct job_progress progress)
{
    char *message = must(strdup(progress.message));

    grow_job(self, job, strlen(job->progress.message), strlen(message));
    free(job->message);
    job->message = message;
    job->progress = progress;
    job->progress.message = message;
}

bool dispatcher_add_result(struct dispatcher *self, struct job *job, bytes chunk)
{
    if (chunk.size > JOB_MAX_RESULT_BYTES - job->result_size ||
        self->n_bytes + chunk.size > self->limits.max_bytes) {
        return false;
    }
    if (chunk.size > 0) {
        job->result = must(realloc(job->result, job->result_size + chunk.size));
        memcpy(job->result + job->result_size, chunk.data, chunk.size);
        job->result_size += chunk.size;
        grow_job(self, job, 0, chunk.size);
    }
    return true;
}

void dispatcher_free(struct dispatcher *self)
{
    if (self == NULL) {
        return;
    }
    for (struct map_at at = { 0 }; map_next(&self->jobs, &at);) {
        free_job(at.value);
    }
    for (struct map_at at = { 0 }; map_next(&self->lanes, &at);) {
        free_lane(at.value);
    }
    for (struct map_at at = { 0 }; map_next(&self->pools, &at);) {
        free_pool(at.value);
    }
    map_reset(&self->jobs, NULL);
    map_reset(&self->lanes, NULL);
    map_reset(&self->pools, NULL);
    free(self);
}
