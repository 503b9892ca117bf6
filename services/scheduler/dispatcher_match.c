/* Workers and matches. */

#include "services/scheduler/dispatcher_internal.h"
#include "services/scheduler/line.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* A pass grows by this much a job, divided by the weight: exact for the weights people choose. */
static const int64_t stride = INT64_C(1000) * 1000;

static void *must(void *memory)
{
    if (memory == NULL) {
        abort();
    }
    return memory;
}

/* ---- Workers ---- */

/* Lanes whose jobs were left to the store, since nobody could do them. */
static void wake_lanes(struct dispatcher *self, const struct seat *seat)
{
    if (seat->lane != NULL) {
        lane_check_low(self, seat->lane);
        return;
    }
    for (struct lane *lane = seat->pool->lanes; lane != NULL; lane = lane->next_in_pool) {
        lane_check_low(self, lane);
    }
}

static void empty_lane(struct dispatcher *self, struct lane *lane)
{
    if (!lane_has_workers(lane)) {
        lane_trim(self, lane, 0);
    }
}

/* Lanes that nobody serves any more leave their jobs to the store. */
static void empty_lanes(struct dispatcher *self, const struct seat *seat)
{
    if (seat->lane != NULL) {
        empty_lane(self, seat->lane);
        return;
    }
    for (struct lane *lane = seat->pool->lanes; lane != NULL; lane = lane->next_in_pool) {
        empty_lane(self, lane);
    }
}

/* False when there is no room for its lane. */
static bool take_seat(struct dispatcher *self, struct seat *seat, struct worker *worker,
                      const char *capability)
{
    struct lane *lane = NULL;

    if (worker->tenant_id[0] != '\0') {
        lane = dispatcher_lane(self, worker->tenant_id, capability);
        if (lane == NULL) {
            return false;
        }
    }
    *seat = (struct seat){
        .worker = worker,
        .pool = lane != NULL ? lane->pool : dispatcher_pool(self, capability),
        .lane = lane,
    };
    seat_line(seat)->n_seats++;
    wake_lanes(self, seat);
    return true;
}

struct worker *dispatcher_worker_add(struct dispatcher *self, const struct worker_options *options)
{
    struct worker *worker = must(calloc(1, sizeof *worker));

    worker->worker_id = must(strdup(options->worker_id));
    worker->tenant_id = must(strdup(options->tenant_id));
    worker->seats = must(calloc(options->n_capabilities + 1, sizeof(struct seat)));
    worker->owner = options->owner;
    for (size_t i = 0; i < options->n_capabilities; i++) {
        if (!take_seat(self, &worker->seats[i], worker, options->capabilities[i])) {
            dispatcher_worker_remove(self, worker);
            return NULL;
        }
        worker->n_seats++;
    }
    return worker;
}

void dispatcher_worker_remove(struct dispatcher *self, struct worker *worker)
{
    assert(worker->jobs == NULL);
    for (size_t i = 0; i < worker->n_seats; i++) {
        seat_leave(&worker->seats[i]);
        seat_line(&worker->seats[i])->n_seats--;
        empty_lanes(self, &worker->seats[i]);
    }
    free(worker->seats);
    free(worker->worker_id);
    free(worker->tenant_id);
    free(worker);
}

void dispatcher_credit(struct worker *worker, int64_t n)
{
    bool had_credit = worker->credit > 0;

    worker->credit = n > 0 ? worker->credit + n : 0;
    for (size_t i = 0; i < worker->n_seats; i++) {
        if (worker->credit == 0) {
            seat_leave(&worker->seats[i]);
        } else if (!had_credit) {
            seat_join(&worker->seats[i]);
        }
    }
}

bool dispatcher_can_serve(const struct worker *worker, const struct lane *lane)
{
    for (size_t i = 0; i < worker->n_seats; i++) {
        const struct seat *seat = &worker->seats[i];
        if (seat->lane == lane || (seat->lane == NULL && seat->pool == lane->pool)) {
            return true;
        }
    }
    return false;
}

/* ---- Matches ---- */

/* The lane has had its turn. */
static void pass_turn(struct lane *lane)
{
    struct pool *pool = lane->pool;

    pool->pass = lane->pass > pool->pass ? lane->pass : pool->pass;
    lane->pass += stride / lane->weight;
    if (heap_has(&lane->turn)) {
        heap_put(&pool->turns, &lane->turn, lane->pass, lane);
    }
}

/* Who waits longest among many with credit is next, so that work spreads. */
static void spend_credit(struct worker *worker, struct seat *seat)
{
    seat_join(seat);
    if (--worker->credit == 0) {
        dispatcher_credit(worker, 0);
    }
}

static struct job *match(struct dispatcher *self, struct lane *lane, struct seat *seat)
{
    struct job *job = heap_first(&lane->jobs)->owner;

    job_leave_lane(self, job);
    pass_turn(lane);
    job->phase = PHASE_STARTING;
    dispatcher_hand_over(job, seat->worker);
    spend_credit(seat->worker, seat);
    return job;
}

struct job *dispatcher_match_lane(struct dispatcher *self, struct lane *lane)
{
    /* A worker of the tenant first: it can do nothing else. */
    struct seat *seat = lane->line.first != NULL ? lane->line.first : lane->pool->line.first;

    if (lane->jobs.n_nodes == 0 || seat == NULL) {
        return NULL;
    }
    return match(self, lane, seat);
}

struct job *dispatcher_match_new(struct dispatcher *self, struct lane *lane,
                                 const struct job_record *record)
{
    bool is_first = lane->jobs.n_nodes == 0 && lane->horizon_ms == LANE_IS_WHOLE;
    bool has_seat = lane->line.first != NULL || lane->pool->line.first != NULL;

    if (!is_first || !has_seat) {
        return NULL;
    }
    dispatcher_offer(self, lane, record);
    return dispatcher_match_lane(self, lane);
}

struct job *dispatcher_match_worker(struct dispatcher *self, struct worker *worker)
{
    for (size_t i = 0; worker->credit > 0 && i < worker->n_seats; i++) {
        struct seat *seat = &worker->seats[worker->next_seat++ % worker->n_seats];
        struct heap_node *turn = seat->lane == NULL ? heap_first(&seat->pool->turns) : NULL;
        struct lane *lane = turn != NULL ? turn->owner : seat->lane;
        if (lane != NULL && lane->jobs.n_nodes > 0) {
            return match(self, lane, seat);
        }
    }
    return NULL;
}
