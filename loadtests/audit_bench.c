/* audit_bench - audit events through the API: appended, answered when durable, and how long that
 * and the checkpoint take.
 *
 *     bazel run --config=release //loadtests:audit_bench -- /folder/on/the/disk/to/measure
 *
 * Server and clients are in one process, and meet over a Unix socket without TLS: what is measured
 * is the audit service, the runtime and the disk, not a handshake.  Each event is sealed, durable,
 * indexed and integrated as in the service; 20 tenants, 1,000 actors, 10,000 targets.
 *
 *     unary     CALLERS threads, each with one AppendEvent at a time
 *     streams   STREAMS of StreamEvents, BATCH events a request, one request at a time
 *     indexed   the streams' events again, until each can be listed: what goes on for ever
 */

#include "libs/base/text.h"
#include "libs/peers/audit_peer.h"
#include "libs/rpc/channel.h"
#include "libs/rpc/message.h"
#include "libs/rpc/pipe.h"
#include "libs/rpc/server.h"
#include "loadtests/report.h"
#include "services/audit/audit_service.h"
#include "weft/audit/v1/audit_service_descriptors.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    CALLERS = 64,
    STREAMS = 4,
    BATCH = 100,
    EVENTS_STREAMED = 60 * 1000,
    EVENTS_ALONE = 40 * 1000,
    MAX_REQUESTS = EVENTS_ALONE,
};

static const char command[] = "bazel run --config=release //loadtests:audit_bench -- FOLDER";

static void check(status s)
{
    if (!status_is_ok(s)) {
        (void)fprintf(stderr, "audit_bench: %s: %s\n", status_code_name(s.code), s.message);
        _Exit(EXIT_FAILURE); /* others still run */
    }
}

/* ---- Everybody is a member of the mesh ---- */

static status authenticate(struct guard *guard, struct call *call)
{
    static const struct principal bench = { .tenant_id = PLATFORM_TENANT,
                                            .subject = "spiffe://weft.local/bench",
                                            .credential = CREDENTIAL_SVID };

    (void)guard;
    call->principal = &bench;
    return status_ok();
}

static const struct guard_ops guard_ops = { .authenticate = authenticate,
                                            .authorise = guard_permit_all };

struct bench {
    struct runtime *runtime;
    struct audit_engine *engine;
    const char *address;
    int64_t n_events; /* to send in all */
    _Atomic int64_t n_begun;
    _Atomic int64_t n_requests;
    double ms[MAX_REQUESTS]; /* of each request */
};

/* ---- Events ---- */

static const char *some(struct arena *arena, const char *kind, uint64_t n)
{
    return arena_printf(arena, "%s-%u", kind, (unsigned)random_below(&system_random, n));
}

static Weft__Audit__V1__Event *event_new(struct arena *arena)
{
    Weft__Audit__V1__Event *event = ARENA_NEW(arena, Weft__Audit__V1__Event);

    weft__audit__v1__event__init(event);
    event->event_id =
        message_text(random_ulid(&system_random, arena, clock_wall_ms(&system_clock)));
    event->tenant_id = message_text(some(arena, "tenant", 20));
    event->actor = message_text(some(arena, "user", 50));
    event->action = message_text("record.read");
    event->target = message_text(some(arena, "record", 10000));
    event->outcome = WEFT__AUDIT__V1__OUTCOME__OUTCOME_DONE;
    event->trace_id = message_text("0123456789abcdef0123456789abcdef");
    return event;
}

static void note(struct bench *bench, int64_t start_us)
{
    bench->ms[bench->n_requests++] = (double)(clock_monotonic_us(&system_clock) - start_us) / 1e3;
}

/* ---- Callers ---- */

static void *call_unary(void *data)
{
    struct bench *bench = data;
    struct arena *arena = arena_new();
    struct channel *channel =
        channel_new(bench->runtime, &(struct channel_options){ .target = bench->address });

    while (++bench->n_begun <= bench->n_events) {
        struct call call = call_of_process(arena);
        Weft__Audit__V1__AppendEventRequest request;
        const Weft__Audit__V1__AppendEventResponse *response;
        weft__audit__v1__append_event_request__init(&request);
        request.event = event_new(arena);
        int64_t start_us = clock_monotonic_us(&system_clock);
        check(audit_peer_append_event(channel_peer(channel), &call, &request, &response));
        note(bench, start_us);
        arena_reset(arena);
    }
    channel_free(channel);
    arena_free(arena);
    return NULL;
}

static void send_batch(struct bench *bench, struct pipe *pipe, struct arena *arena)
{
    Weft__Audit__V1__Event *events[BATCH];
    Weft__Audit__V1__StreamEventsRequest request;
    const ProtobufCMessage *response;

    for (int i = 0; i < BATCH; i++) {
        events[i] = event_new(arena);
    }
    weft__audit__v1__stream_events_request__init(&request);
    request.events = events;
    request.n_events = BATCH;
    int64_t start_us = clock_monotonic_us(&system_clock);
    check(pipe_send(pipe, arena, &request.base));
    check(pipe_receive(pipe, arena, -1, &response));
    note(bench, start_us);
}

static void *call_stream(void *data)
{
    struct bench *bench = data;
    struct arena *arena = arena_new();
    struct arena *stream_arena = arena_new();
    struct call call = call_of_process(stream_arena);
    struct pipe *pipe;
    struct channel *channel =
        channel_new(bench->runtime, &(struct channel_options){ .target = bench->address });

    check(pipe_open(channel_peer(channel), &call, &weft__audit__v1__audit_service__descriptor,
                    "StreamEvents", &pipe));
    while (atomic_fetch_add(&bench->n_begun, BATCH) + BATCH <= bench->n_events) {
        send_batch(bench, pipe, arena);
        arena_reset(arena);
    }
    pipe_finish(pipe);
    pipe_free(pipe);
    channel_free(channel);
    arena_free(stream_arena);
    arena_free(arena);
    return NULL;
}

/* ---- Measurements ---- */

struct measurement {
    const char *rate_name, *ack_name;
    const char *indexed_name; /* NULL: not reported */
    void *(*caller)(void *data);
    int n_callers;
    int64_t n_events;
    double bar; /* events a second */
};

/* Until the index has everything, which a list waits for. */
static void wait_for_index(struct bench *bench)
{
    struct arena *arena = arena_new();
    const struct audit_query query = { .end_ms = INT64_MAX,
                                       .after = { INT64_MAX, INT64_MAX },
                                       .limit = 1 };
    struct audit_list list;

    check(audit_engine_list(bench->engine, arena, &query, &list));
    arena_free(arena);
}

static double seconds_since(int64_t start_us)
{
    return (double)(clock_monotonic_us(&system_clock) - start_us) / 1e6;
}

static void measure(struct bench *bench, const struct measurement *measurement)
{
    pthread_t callers[CALLERS];

    bench->n_events = measurement->n_events;
    bench->n_begun = 0;
    bench->n_requests = 0;
    int64_t start_us = clock_monotonic_us(&system_clock);
    for (int i = 0; i < measurement->n_callers; i++) {
        if (pthread_create(&callers[i], NULL, measurement->caller, bench) != 0) {
            abort();
        }
    }
    for (int i = 0; i < measurement->n_callers; i++) {
        (void)pthread_join(callers[i], NULL);
    }
    double seconds = seconds_since(start_us);
    wait_for_index(bench);
    double indexed_seconds = seconds_since(start_us);
    report(&(struct finding){ .name = measurement->rate_name,
                              .value = (double)measurement->n_events / seconds,
                              .unit = "events/s",
                              .bar = BAR_LEAST,
                              .bar_at = measurement->bar,
                              .command = command });
    sort_values(bench->ms, (size_t)bench->n_requests);
    report(&(struct finding){ .name = measurement->ack_name,
                              .value = quantile(bench->ms, (size_t)bench->n_requests, 0.99),
                              .unit = "ms",
                              .command = command });
    if (measurement->indexed_name != NULL) {
        report(&(struct finding){ .name = measurement->indexed_name,
                                  .value = (double)measurement->n_events / indexed_seconds,
                                  .unit = "events/s",
                                  .bar = BAR_LEAST,
                                  .bar_at = measurement->bar,
                                  .command = command });
    }
}

static void engine_failed(void *data, status s)
{
    (void)data;
    check(s);
}

int main(int argc, char **argv)
{
    static struct bench bench;
    struct arena *arena = arena_new();
    struct guard guard = { .ops = &guard_ops };
    struct disk_files log_files;
    struct disk_files key_files;
    struct audit_engine_options options = {
        .log_files = &log_files.files,
        .key_files = &key_files.files,
        .origin = "weft.local/audit_bench",
        .clock = &system_clock,
        .random = &system_random,
        .threaded = true,
        .failed = engine_failed,
    };
    struct audit_engine *engine;

    if (argc != 2) {
        (void)fprintf(stderr, "usage: audit_bench FOLDER\n");
        return EXIT_FAILURE;
    }
    check(disk_files_init(&log_files, arena, arena_printf(arena, "%s/log", argv[1])));
    check(disk_files_init(&key_files, arena, arena_printf(arena, "%s/keys", argv[1])));
    check(store_open(arena, arena_printf(arena, "sqlite:%s/audit_bench.db", argv[1]),
                     &options.store));
    check(audit_engine_migrate(options.store, arena));
    check(audit_engine_open(&options, arena, &engine));
    struct audit_service *service = audit_service_new(&(struct audit_service_options){
        .engine = engine, .clock = &system_clock, .random = &system_random });
    bench.engine = engine;
    bench.runtime = runtime_start(&(struct runtime_options){ 0 });
    bench.address = arena_printf(arena, "unix:%s/audit_bench.sock", argv[1]);
    struct server *server =
        server_new(&(struct server_options){ .address = bench.address, .guard = &guard });
    server_register(server, &audit_service_methods, service, audit_service_descriptors);
    check(server_start(server, arena));

    measure(&bench, &(struct measurement){ .rate_name = "audit.unary",
                                           .ack_name = "audit.unary_ack_p99",
                                           .caller = call_unary,
                                           .n_callers = CALLERS,
                                           .n_events = EVENTS_ALONE,
                                           .bar = 6000 });
    measure(&bench, &(struct measurement){ .rate_name = "audit.streams",
                                           .ack_name = "audit.streams_ack_p99",
                                           .indexed_name = "audit.streams_indexed",
                                           .caller = call_stream,
                                           .n_callers = STREAMS,
                                           .n_events = EVENTS_STREAMED,
                                           .bar = 10000 });

    server_stop(server, 1000);
    server_free(server);
    runtime_stop(bench.runtime);
    audit_service_free(service);
    audit_engine_close(engine);
    store_close(options.store);
    disk_files_reset(&log_files);
    disk_files_reset(&key_files);
    arena_free(arena);
    return EXIT_SUCCESS;
}
