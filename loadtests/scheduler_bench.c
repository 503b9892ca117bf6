/* scheduler_bench - jobs through the API: enqueued, given to workers over their streams, reported,
 * and answered.
 *
 *     bazel run -c opt //loadtests:scheduler_bench -- /folder/on/the/disk/to/measure
 *
 * Server and clients are in one process, and meet over a Unix socket without TLS: what is measured
 * is the scheduler, the runtime and the disk, not a handshake.  No token is asked for.  Each job is
 * durable three times: enqueued with its audit event, started, succeeded.
 *
 *     unary     CALLERS threads, each with one EnqueueJob at a time
 *     streams   STREAMS of EnqueueJobs, BATCH jobs a request, one request at a time
 *     pickup    one EnqueueJob at a time, until the worker has the assignment
 */

#include "libs/audit/outbox.h"
#include "libs/base/text.h"
#include "libs/peers/scheduler_peer.h"
#include "libs/rpc/channel.h"
#include "libs/rpc/message.h"
#include "libs/rpc/pipe.h"
#include "libs/rpc/server.h"
#include "loadtests/report.h"
#include "services/scheduler/engine.h"
#include "services/scheduler/job_store.h"
#include "services/scheduler/scheduler_service.h"
#include "weft/scheduler/v1/scheduler_service_descriptors.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    CALLERS = 32,
    CHANNELS = 4,
    STREAMS = 4,
    BATCH = 100,
    WORKERS = 4,
    CREDIT = 256,
    JOBS = 40 * 1000,
    PICKUPS = 2000,
};

static const char command[] = "bazel run -c opt //loadtests:scheduler_bench -- FOLDER";

typedef Weft__Scheduler__V1__WorkRequest work_request;
typedef Weft__Scheduler__V1__WorkResponse work_response;

static void check(status s)
{
    if (!status_is_ok(s)) {
        (void)fprintf(stderr, "scheduler_bench: %s: %s\n", status_code_name(s.code), s.message);
        exit(EXIT_FAILURE);
    }
}

/* ---- Everybody is one tenant's ---- */

static status authenticate(struct guard *guard, struct call *call)
{
    static const struct principal bench = { .tenant_id = "bench",
                                            .subject = "sa:bench",
                                            .credential = CREDENTIAL_TOKEN };

    (void)guard;
    call->principal = &bench;
    return status_ok();
}

static const struct guard_ops guard_ops = { .authenticate = authenticate,
                                            .authorise = guard_permit_all };

struct bench {
    struct runtime *runtime;
    const char *address;
    struct channel *channels[CHANNELS]; /* the callers' */
    _Atomic size_t next_channel;
    _Atomic int64_t n_enqueued;
    _Atomic int64_t n_done;
};

/* ---- A worker ---- */

struct bench_worker {
    struct bench *bench;
    struct channel *channel;
    struct pipe *pipe;
    pthread_t thread;
    _Atomic int64_t picked_up_us;
    sem_t picked_up;
};

static void say_credit(struct bench_worker *self, struct arena *arena, int32_t n)
{
    work_request request;

    weft__scheduler__v1__work_request__init(&request);
    request.kind_case = WEFT__SCHEDULER__V1__WORK_REQUEST__KIND_CREDIT;
    request.credit = n;
    check(pipe_send(self->pipe, arena, &request.base));
}

static void say_done(struct bench_worker *self, struct arena *arena,
                     const Weft__Scheduler__V1__Assignment *assignment)
{
    Weft__Scheduler__V1__Completion completion;
    work_request request;

    weft__scheduler__v1__completion__init(&completion);
    completion.job_id = assignment->job_id;
    completion.attempt = assignment->attempt;
    weft__scheduler__v1__work_request__init(&request);
    request.kind_case = WEFT__SCHEDULER__V1__WORK_REQUEST__KIND_COMPLETION;
    request.completion = &completion;
    check(pipe_send(self->pipe, arena, &request.base));
}

static void *work(void *data)
{
    struct bench_worker *self = data;
    struct arena *arena = arena_new();
    int32_t n_settled = 0;

    for (;;) {
        const ProtobufCMessage *message;
        status s = pipe_receive(self->pipe, arena, -1, &message);
        if (!status_is_ok(s) || message == NULL) {
            break; /* the end of the measurement */
        }
        const work_response *response = (const work_response *)message;
        if (response->kind_case == WEFT__SCHEDULER__V1__WORK_RESPONSE__KIND_ASSIGNMENT) {
            self->picked_up_us = clock_monotonic_us(&system_clock);
            (void)sem_post(&self->picked_up);
            say_done(self, arena, response->assignment);
        } else if (response->kind_case == WEFT__SCHEDULER__V1__WORK_RESPONSE__KIND_REPORT_RESULT) {
            check((status){ .code = (enum status_code)response->report_result->code,
                            .message = response->report_result->message });
            self->bench->n_done++;
            if (++n_settled == CREDIT / 4) {
                say_credit(self, arena, n_settled);
                n_settled = 0;
            }
        }
        arena_reset(arena);
    }
    arena_free(arena);
    return NULL;
}

static void start_worker(struct bench *bench, struct bench_worker *self, struct arena *arena)
{
    char *capabilities[] = { message_text("noop") };
    struct call call = call_of_process(arena);
    Weft__Scheduler__V1__Hello hello;
    work_request request;

    *self = (struct bench_worker){ .bench = bench };
    (void)sem_init(&self->picked_up, 0, 0);
    self->channel =
        channel_new(bench->runtime, &(struct channel_options){ .target = bench->address });
    check(pipe_open(channel_peer(self->channel), &call,
                    &weft__scheduler__v1__scheduler_service__descriptor, "Work", &self->pipe));
    weft__scheduler__v1__hello__init(&hello);
    hello.worker_id = message_text("w");
    hello.capabilities = capabilities;
    hello.n_capabilities = 1;
    weft__scheduler__v1__work_request__init(&request);
    request.kind_case = WEFT__SCHEDULER__V1__WORK_REQUEST__KIND_HELLO;
    request.hello = &hello;
    check(pipe_send(self->pipe, arena, &request.base));
    say_credit(self, arena, CREDIT);
    if (pthread_create(&self->thread, NULL, work, self) != 0) {
        abort();
    }
}

static void stop_worker(struct bench_worker *self)
{
    pipe_finish(self->pipe);
    (void)pthread_join(self->thread, NULL);
    pipe_free(self->pipe);
    channel_free(self->channel);
}

/* ---- Callers ---- */

static Weft__Scheduler__V1__EnqueueJobRequest noop(const char *project)
{
    Weft__Scheduler__V1__EnqueueJobRequest request;

    weft__scheduler__v1__enqueue_job_request__init(&request);
    request.project_id = message_text(project);
    request.capability = message_text("noop");
    request.payload = message_data(bytes_of("0123456789012345678901234567890123456789"));
    return request;
}

static void enqueue_one(struct peer *peer, struct arena *arena)
{
    struct call call = call_of_process(arena);
    const Weft__Scheduler__V1__EnqueueJobRequest request = noop("bench");
    const Weft__Scheduler__V1__EnqueueJobResponse *response;

    check(scheduler_peer_enqueue_job(peer, &call, &request, &response));
}

/* Callers share connections, as those of one process do. */
static struct peer *next_peer(struct bench *bench)
{
    return channel_peer(bench->channels[atomic_fetch_add(&bench->next_channel, 1) % CHANNELS]);
}

static void *call_unary(void *data)
{
    struct bench *bench = data;
    struct arena *arena = arena_new();
    struct peer *peer = next_peer(bench);

    while (atomic_fetch_add(&bench->n_enqueued, 1) < JOBS) {
        enqueue_one(peer, arena);
        arena_reset(arena);
    }
    arena_free(arena);
    return NULL;
}

static void send_batch(struct pipe *pipe, struct arena *arena)
{
    Weft__Scheduler__V1__EnqueueJobRequest job = noop("");
    Weft__Scheduler__V1__EnqueueJobRequest *jobs[BATCH];
    Weft__Scheduler__V1__EnqueueJobsRequest request;
    const ProtobufCMessage *response;

    for (int i = 0; i < BATCH; i++) {
        jobs[i] = &job;
    }
    weft__scheduler__v1__enqueue_jobs_request__init(&request);
    request.project_id = message_text("bench");
    request.jobs = jobs;
    request.n_jobs = BATCH;
    check(pipe_send(pipe, arena, &request.base));
    check(pipe_receive(pipe, arena, -1, &response));
}

static void *call_stream(void *data)
{
    struct bench *bench = data;
    struct arena *arena = arena_new();
    struct arena *stream_arena = arena_new();
    struct call call = call_of_process(stream_arena);
    struct pipe *pipe;

    check(pipe_open(next_peer(bench), &call, &weft__scheduler__v1__scheduler_service__descriptor,
                    "EnqueueJobs", &pipe));
    while (atomic_fetch_add(&bench->n_enqueued, BATCH) < JOBS) {
        send_batch(pipe, arena);
        arena_reset(arena);
    }
    pipe_finish(pipe);
    pipe_free(pipe);
    arena_free(stream_arena);
    arena_free(arena);
    return NULL;
}

/* ---- Measurements ---- */

static void measure_rate(struct bench *bench, struct arena *arena, const char *name,
                         void *(*caller)(void *data), int n_callers)
{
    struct bench_worker workers[WORKERS];
    pthread_t callers[CALLERS];

    bench->n_enqueued = 0;
    bench->n_done = 0;
    for (int i = 0; i < WORKERS; i++) {
        start_worker(bench, &workers[i], arena);
    }
    int64_t start_us = clock_monotonic_us(&system_clock);
    for (int i = 0; i < n_callers; i++) {
        if (pthread_create(&callers[i], NULL, caller, bench) != 0) {
            abort();
        }
    }
    for (int i = 0; i < n_callers; i++) {
        (void)pthread_join(callers[i], NULL);
    }
    while (bench->n_done < JOBS) {
        (void)usleep(500);
    }
    double seconds = (double)(clock_monotonic_us(&system_clock) - start_us) / 1e6;
    for (int i = 0; i < WORKERS; i++) {
        stop_worker(&workers[i]);
    }
    report(&(struct finding){ .name = name,
                              .value = JOBS / seconds,
                              .unit = "jobs/s",
                              .bar = BAR_LEAST,
                              .bar_at = 8000,
                              .command = command });
}

static void measure_pickup(struct bench *bench, struct arena *arena)
{
    static double ms[PICKUPS];
    struct bench_worker worker;
    struct peer *peer = next_peer(bench);
    struct arena *call_arena = arena_new();

    start_worker(bench, &worker, arena);
    for (int i = 0; i < PICKUPS; i++) {
        int64_t start_us = clock_monotonic_us(&system_clock);
        enqueue_one(peer, call_arena);
        (void)sem_wait(&worker.picked_up);
        ms[i] = (double)(worker.picked_up_us - start_us) / 1e3;
        arena_reset(call_arena);
    }
    stop_worker(&worker);
    arena_free(call_arena);
    sort_values(ms, PICKUPS);
    report(&(struct finding){ .name = "scheduler.pickup_p50",
                              .value = quantile(ms, PICKUPS, 0.5),
                              .unit = "ms",
                              .bar = BAR_MOST,
                              .bar_at = 2,
                              .command = command });
    report(&(struct finding){ .name = "scheduler.pickup_p99",
                              .value = quantile(ms, PICKUPS, 0.99),
                              .unit = "ms",
                              .command = command });
}

int main(int argc, char **argv)
{
    struct arena *arena = arena_new();
    struct guard guard = { .ops = &guard_ops };
    struct bench bench = { 0 };
    struct store *store;

    if (argc != 2) {
        (void)fprintf(stderr, "usage: scheduler_bench FOLDER\n");
        return EXIT_FAILURE;
    }
    check(store_open(arena, arena_printf(arena, "sqlite:%s/scheduler_bench.db", argv[1]), &store));
    check(job_store_migrate(store, arena));
    check(outbox_migrate(store, arena));
    struct engine *engine = engine_new(&(struct engine_options){
        .store = store, .clock = &system_clock, .random = &system_random });
    check(engine_recover(engine, arena));
    engine_start(engine);
    struct scheduler_service *service = scheduler_service_new(&(struct scheduler_service_options){
        .engine = engine, .store = store, .clock = &system_clock, .random = &system_random });
    bench.runtime = runtime_start(&(struct runtime_options){ 0 });
    bench.address = arena_printf(arena, "unix:%s/scheduler_bench.sock", argv[1]);
    struct server *server = server_new(&(struct server_options){
        .address = bench.address, .guard = &guard, .n_workers = CALLERS });
    server_register(server, &scheduler_service_methods, service, scheduler_service_descriptors);
    check(server_start(server, arena));
    for (int i = 0; i < CHANNELS; i++) {
        bench.channels[i] =
            channel_new(bench.runtime, &(struct channel_options){ .target = bench.address });
    }

    measure_rate(&bench, arena, "scheduler.unary", call_unary, CALLERS);
    measure_rate(&bench, arena, "scheduler.streams", call_stream, STREAMS);
    measure_pickup(&bench, arena);

    server_stop(server, 1000);
    for (int i = 0; i < CHANNELS; i++) {
        channel_free(bench.channels[i]);
    }
    server_free(server);
    runtime_stop(bench.runtime);
    engine_stop(engine);
    scheduler_service_free(service);
    engine_free(engine);
    store_close(store);
    arena_free(arena);
    return EXIT_SUCCESS;
}
