#include "loadtests/scheduler_load.h"

#include "libs/base/clock.h"
#include "libs/peers/scheduler_peer.h"
#include "libs/rpc/message.h"
#include "libs/rpc/pipe.h"
#include "loadtests/noop_worker.h"
#include "loadtests/report.h"
#include "loadtests/sqlite_limit.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

enum {
    STREAMS = 4,
    BATCH = 100,
    UNDER_WAY = 2, /* requests of a stream that are not answered yet */
    WORKERS = 4,
    CREDIT = 256,
    JOBS = 20 * 1000, /* a round */
    LIMIT_MS = 1500,
    PICKUPS = 500,
    PATIENCE_S = 30, /* for all jobs of a round to end after the last was enqueued */
};

/* Of all rounds together. */
enum { ALL_PICKUPS = LOAD_ROUNDS * PICKUPS };

struct round {
    const struct load *load;
    struct noop_tally tally;
    _Atomic int64_t n_taken; /* jobs that a stream has taken upon itself to enqueue */
};

struct caller {
    struct round *round;
    struct arena *arena; /* lives as long as the stream */
    struct arena *scratch;
    struct pipe *pipe;
    pthread_t thread;
    size_t n_unanswered;
    status result;
};

static Weft__Scheduler__V1__EnqueueJobRequest noop_job(const char *project)
{
    static const uint8_t payload[40] = "0123456789012345678901234567890123456789";
    Weft__Scheduler__V1__EnqueueJobRequest request;

    weft__scheduler__v1__enqueue_job_request__init(&request);
    request.project_id = message_text(project);
    request.capability = message_text(NOOP_CAPABILITY);
    request.payload = message_data((bytes){ payload, sizeof payload });
    return request;
}

/* ---- Enqueueing ---- */

static status send_one(struct caller *self)
{
    Weft__Scheduler__V1__EnqueueJobRequest job = noop_job("");
    Weft__Scheduler__V1__EnqueueJobRequest *jobs[BATCH];
    Weft__Scheduler__V1__EnqueueJobsRequest request;

    for (size_t i = 0; i < BATCH; i++) {
        jobs[i] = &job;
    }
    weft__scheduler__v1__enqueue_jobs_request__init(&request);
    request.project_id = message_text(LOAD_PROJECT);
    request.jobs = jobs;
    request.n_jobs = BATCH;
    TRY(pipe_send(self->pipe, self->scratch, &request.base));
    self->n_unanswered++;
    return status_ok();
}

static status receive_one(struct caller *self)
{
    const ProtobufCMessage *message = NULL;

    TRY(pipe_receive(self->pipe, self->scratch, LOAD_TIMEOUT_MS, &message));
    if (message == NULL) {
        return status_error(self->scratch, STATUS_UNAVAILABLE, "the scheduler ended the stream");
    }
    self->n_unanswered--;
    return status_ok();
}

static status enqueue_all(struct caller *self)
{
    struct call call = load_call(self->arena, self->round->load->token);

    TRY(pipe_open(load_peer(self->round->load, "scheduler"), &call,
                  &weft__scheduler__v1__scheduler_service__descriptor, "EnqueueJobs", &self->pipe));
    while (atomic_fetch_add(&self->round->n_taken, BATCH) + BATCH <= JOBS) {
        arena_reset(self->scratch);
        TRY(send_one(self));
        while (self->n_unanswered >= UNDER_WAY) {
            TRY(receive_one(self));
        }
    }
    while (self->n_unanswered > 0) {
        TRY(receive_one(self));
    }
    return status_ok();
}

static void *run(void *data)
{
    struct caller *self = data;

    self->result = load_keep(self->arena, enqueue_all(self));
    if (self->pipe != NULL) {
        pipe_finish(self->pipe);
        pipe_free(self->pipe);
    }
    return NULL;
}

static status enqueue_from_all(struct round *round)
{
    struct caller callers[STREAMS];
    status s = status_ok();

    for (size_t i = 0; i < STREAMS; i++) {
        callers[i] =
            (struct caller){ .round = round, .arena = arena_new(), .scratch = arena_new() };
        if (pthread_create(&callers[i].thread, NULL, run, &callers[i]) != 0) {
            abort();
        }
    }
    for (size_t i = 0; i < STREAMS; i++) {
        (void)pthread_join(callers[i].thread, NULL);
        if (status_is_ok(s)) {
            s = load_keep(round->load->arena, callers[i].result);
        }
        arena_free(callers[i].scratch);
        arena_free(callers[i].arena);
    }
    return s;
}

/* ---- Jobs a second ---- */

static status wait_for_all(struct round *round)
{
    const struct timespec pause = { .tv_nsec = 500000 };
    int64_t start_us = clock_monotonic_us(&system_clock);

    while (round->tally.n_done < JOBS) {
        if (load_seconds_since(start_us) > PATIENCE_S) {
            return status_error(round->load->arena, STATUS_DEADLINE_EXCEEDED,
                                "%lld of %d jobs have ended after %d s",
                                (long long)round->tally.n_done, JOBS, PATIENCE_S);
        }
        (void)nanosleep(&pause, NULL);
    }
    return status_ok();
}

static status run_jobs(struct round *round, double *ret_jobs_per_s)
{
    int64_t start_us = clock_monotonic_us(&system_clock);

    TRY(enqueue_from_all(round));
    TRY(wait_for_all(round));
    *ret_jobs_per_s = JOBS / load_seconds_since(start_us);
    return status_ok();
}

static status run_round(const struct load *load, double *ret_jobs_per_s)
{
    struct round round = { .load = load };
    struct noop_worker *workers[WORKERS];
    size_t n_workers = 0;
    status s = status_ok();

    noop_tally_init(&round.tally);
    for (; n_workers < WORKERS && status_is_ok(s); n_workers += status_is_ok(s)) {
        s = noop_worker_start(load, &round.tally, CREDIT, &workers[n_workers]);
    }
    if (status_is_ok(s)) {
        s = run_jobs(&round, ret_jobs_per_s);
    }
    while (n_workers > 0) {
        /* What went wrong with a worker explains why jobs did not end. */
        status end = noop_worker_stop(workers[--n_workers], load->arena);
        s = status_is_ok(end) ? s : end;
    }
    return s;
}

/* ---- Pickup ---- */

static status wait_for_pickup(struct arena *arena, struct noop_tally *tally)
{
    struct timespec end;

    (void)clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += PATIENCE_S;
    while (sem_timedwait(&tally->picked_up, &end) != 0) {
        if (errno != EINTR) {
            return status_error(arena, STATUS_DEADLINE_EXCEEDED,
                                "a job was not given to the worker within %d s", PATIENCE_S);
        }
    }
    return status_ok();
}

static status pick_up_one(const struct load *load, struct arena *arena, struct noop_tally *tally,
                          double *ret_ms)
{
    const Weft__Scheduler__V1__EnqueueJobRequest request = noop_job(LOAD_PROJECT);
    const Weft__Scheduler__V1__EnqueueJobResponse *response;
    struct call call = load_call(arena, load->token);
    int64_t start_us = clock_monotonic_us(&system_clock);

    TRY(scheduler_peer_enqueue_job(load_peer(load, "scheduler"), &call, &request, &response));
    TRY(wait_for_pickup(arena, tally));
    *ret_ms = (double)(tally->picked_up_us - start_us) / 1e3;
    return status_ok();
}

static status pick_up(const struct load *load, double *ret_ms, size_t n)
{
    struct noop_tally tally;
    struct noop_worker *worker;
    status s = status_ok();

    noop_tally_init(&tally);
    TRY(noop_worker_start(load, &tally, CREDIT, &worker));
    for (size_t i = 0; i < n && status_is_ok(s); i++) {
        struct arena *arena = arena_new();
        s = load_keep(load->arena, pick_up_one(load, arena, &tally, &ret_ms[i]));
        arena_free(arena);
    }
    status end = noop_worker_stop(worker, load->arena);
    return status_is_ok(end) ? s : end;
}

/* ---- All of it ---- */

static status measure_jobs(const struct load *load, struct sqlite_limit *limit, const char *command)
{
    double jobs[LOAD_ROUNDS];
    double limits[LOAD_ROUNDS];

    for (size_t i = 0; i < LOAD_ROUNDS; i++) {
        TRY(sqlite_limit_jobs(limit, load->arena, BATCH, LIMIT_MS, &limits[i]));
        TRY(run_round(load, &jobs[i]));
    }
    report(&(struct finding){ .name = "scheduler.jobs",
                              .value = median(jobs, LOAD_ROUNDS),
                              .unit = "jobs/s",
                              .reference = median(limits, LOAD_ROUNDS),
                              .reference_name = "SQLite alone, 100 jobs a commit",
                              .bar = BAR_LEAST,
                              .bar_at = 8000,
                              .command = command });
    return status_ok();
}

static status measure_pickup(const struct load *load, struct sqlite_limit *limit,
                             const char *command)
{
    double ms[ALL_PICKUPS];
    double limits[ALL_PICKUPS];

    for (size_t i = 0; i < LOAD_ROUNDS; i++) {
        TRY(sqlite_limit_add(limit, load->arena, PICKUPS, &limits[i * PICKUPS]));
        TRY(pick_up(load, &ms[i * PICKUPS], PICKUPS));
    }
    sort_values(ms, ALL_PICKUPS);
    sort_values(limits, ALL_PICKUPS);
    report(&(struct finding){ .name = "scheduler.pickup_p50",
                              .value = quantile(ms, ALL_PICKUPS, 0.5),
                              .unit = "ms",
                              .reference = quantile(limits, ALL_PICKUPS, 0.5),
                              .reference_name = "one commit of SQLite",
                              .bar = BAR_MOST,
                              .bar_at = 2,
                              .command = command });
    report(&(struct finding){ .name = "scheduler.pickup_p99",
                              .value = quantile(ms, ALL_PICKUPS, 0.99),
                              .unit = "ms",
                              .reference = quantile(limits, ALL_PICKUPS, 0.99),
                              .reference_name = "one commit of SQLite",
                              .command = command });
    return status_ok();
}

status scheduler_load_run(const struct load *load, const char *command)
{
    struct sqlite_limit *limit;

    TRY(sqlite_limit_new(load->arena, load->folder, &limit));
    status s = measure_jobs(load, limit, command);
    if (status_is_ok(s)) {
        s = measure_pickup(load, limit, command);
    }
    sqlite_limit_free(limit);
    return s;
}
