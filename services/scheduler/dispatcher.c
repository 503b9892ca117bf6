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
            (void)map_remove_bytes(&self->lanes, pair_of(&key, lane->tenant_id, pool->capability));
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
    struct lane *lane = map_get_bytes(&self->lanes, pair_of(&key, tenant_id, capability));

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
    (void)map_put_bytes(&self->lanes, pair_of(&key, tenant_id, capability), lane);
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

bool lane_has_room(const struct dispatcher *self, const struct lane *lane)
{
    return lane->jobs.n_nodes == 0 ||
           (lane->jobs.n_nodes < self->limits.window && self->n_waiting < self->limits.max_jobs &&
            self->n_bytes < self->limits.max_bytes);
}

struct lane *dispatcher_next_low(struct dispatcher *self, size_t *ret_limit)
{
    struct lane **link = &self->first_low;
    struct lane *before = NULL;

    while (*link != NULL && lane_has_workers(*link) && !lane_has_room(self, *link)) {
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

void lane_miss(struct dispatcher *self, struct lane *lane, int64_t rank_ms)
{
    lane->horizon_ms = min(lane->horizon_ms, rank_ms);
    lane->missed_ms = min(lane->missed_ms, rank_ms);
    lane_check_low(self, lane);
}

void dispatcher_suspect(struct dispatcher *self, struct lane *lane)
{
    lane_miss(self, lane, INT64_MIN);
}

void dispatcher_loaded(struct dispatcher *self, struct lane *lane, int64_t horizon_ms)
{
    lane->is_loading = false;
    lane->horizon_ms = min(horizon_ms, lane->missed_ms);
    lane_check_low(self, lane);
}

void dispatcher_free(struct dispatcher *self)
{
    if (self == NULL) {
        return;
    }
    for (struct map_at at = { 0 }; map_next(&self->jobs, &at);) {
        job_free(at.value);
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
