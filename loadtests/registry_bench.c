/* registry_bench - how long it takes until everybody knows.
 *
 *     bazel run -c opt //loadtests:registry_bench -- /a/folder
 *
 * A registry and its clients are in one process, and meet over a Unix socket without TLS: what is
 * measured is the registry and the runtime, not handshakes.
 *
 *     xds       CLIENTS xDS streams that each subscribe to the endpoints of SERVICES services; one
 *               of these changes, and the last client has it
 *     memory    what the process grew by for one such stream, both ends of it
 *     policy    LEASES leases; UpdatePolicy is answered when all have acknowledged
 */

#include "envoy/service/discovery/v3/ads.pb-c.h"
#include "envoy/service/discovery/v3/discovery_descriptors.h"
#include "libs/audit/outbox.h"
#include "libs/peers/registry_peer.h"
#include "libs/rpc/channel.h"
#include "libs/rpc/message.h"
#include "libs/rpc/server.h"
#include "loadtests/report.h"
#include "services/registry/registry_service.h"
#include "services/registry/registry_store.h"
#include "weft/registry/v1/registry_service_descriptors.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CLIENTS = 1000, CHANNELS = 20, SERVICES = 8, CHANGES = 300, LEASES = 100, POLICIES = 200 };

static const char command[] = "bazel run -c opt //loadtests:registry_bench -- FOLDER";

typedef Envoy__Service__Discovery__V3__DiscoveryRequest DiscoveryRequest;
typedef Envoy__Service__Discovery__V3__DiscoveryResponse DiscoveryResponse;

struct bench {
    const char *address;
    struct runtime *runtime;
    struct catalogue *catalogue;
    pthread_mutex_t lock;
    pthread_cond_t moved;
    size_t n_arrived; /* of those waited for */
    size_t n_open;
    uint64_t port;
};

static void check(status s)
{
    if (!status_is_ok(s)) {
        (void)fprintf(stderr, "registry_bench: %s: %s\n", status_code_name(s.code), s.message);
        exit(EXIT_FAILURE);
    }
}

/* ---- Everybody is who the path of the rpc needs ---- */

static status authenticate(struct guard *guard, struct call *call)
{
    (void)guard;
    call->peer_id = "spiffe://weft/worker";
    return status_ok();
}

static const struct guard_ops guard_ops = { .authenticate = authenticate,
                                            .authorise = guard_permit_all };

/* ---- Counting ---- */

static void arrive(struct bench *bench)
{
    (void)pthread_mutex_lock(&bench->lock);
    bench->n_arrived++;
    (void)pthread_cond_signal(&bench->moved);
    (void)pthread_mutex_unlock(&bench->lock);
}

static void wait_for(struct bench *bench, size_t n)
{
    (void)pthread_mutex_lock(&bench->lock);
    while (bench->n_arrived < n) {
        (void)pthread_cond_wait(&bench->moved, &bench->lock);
    }
    bench->n_arrived = 0;
    (void)pthread_mutex_unlock(&bench->lock);
}

static void opened(struct bench *bench)
{
    (void)pthread_mutex_lock(&bench->lock);
    bench->n_open++;
    (void)pthread_mutex_unlock(&bench->lock);
}

static void closed(struct stream *stream, void *state, status why)
{
    struct bench *bench = *(struct bench **)state;

    (void)stream;
    (void)why;
    (void)pthread_mutex_lock(&bench->lock);
    bench->n_open--;
    (void)pthread_cond_signal(&bench->moved);
    (void)pthread_mutex_unlock(&bench->lock);
}

static void wait_until_closed(struct bench *bench)
{
    (void)pthread_mutex_lock(&bench->lock);
    while (bench->n_open > 0) {
        (void)pthread_cond_wait(&bench->moved, &bench->lock);
    }
    (void)pthread_mutex_unlock(&bench->lock);
}

/* ---- xDS clients ---- */

struct client {
    struct bench *bench;
    struct stream *stream;
    bool has_asked;
};

static status subscribe(struct stream *stream, const char *version, const char *nonce)
{
    struct arena *arena = stream_event_arena(stream);
    char *names[SERVICES];
    DiscoveryRequest request;

    envoy__service__discovery__v3__discovery_request__init(&request);
    request.type_url = message_text(xds_type_url(XDS_ENDPOINTS));
    for (unsigned i = 0; i < SERVICES; i++) {
        names[i] = message_text(arena_printf(arena, "service-%u", i));
    }
    request.resource_names = names;
    request.n_resource_names = SERVICES;
    request.version_info = message_text(version);
    request.response_nonce = message_text(nonce);
    return stream_send(stream, &request.base);
}

static status client_writable(struct stream *stream, void *state)
{
    struct client *self = state;

    if (self->has_asked) {
        return status_ok();
    }
    self->has_asked = true;
    return subscribe(stream, "", "");
}

static status client_message(struct stream *stream, void *state, const ProtobufCMessage *message)
{
    struct client *self = state;
    const DiscoveryResponse *response = (const DiscoveryResponse *)message;

    if (response == NULL) {
        return status_ok();
    }
    arrive(self->bench);
    return subscribe(stream, response->version_info, response->nonce);
}

static const struct stream_events client_events = {
    .message = client_message,
    .writable = client_writable,
    .closed = closed,
};

static void open_stream(struct bench *bench, struct arena *arena, struct channel *channel,
                        const struct peer_stream_options *options, struct stream **ret_stream)
{
    struct call call = call_of_process(arena);

    opened(bench);
    check(peer_open_stream(channel_peer(channel), &call, options, ret_stream));
    stream_wake(*ret_stream);
}

static int64_t resident_bytes(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    if (file == NULL || fscanf(file, "%*s %ld", &pages) != 1) {
        exit(EXIT_FAILURE);
    }
    (void)fclose(file);
    return (int64_t)pages * sysconf(_SC_PAGESIZE);
}

static void change(struct bench *bench, struct arena *arena, unsigned service)
{
    const struct instance instance = {
        .service = arena_printf(arena, "service-%u", service),
        .id = "i",
        .endpoint = { "127.0.0.1", (uint16_t)(1 + bench->port++ % 60000) },
        .locality = { "", "" },
        .spiffe_id = "",
        .version = "",
        .http_address = "",
    };
    uint64_t token;

    check(catalogue_register(bench->catalogue, arena, &instance, &token));
}

static void measure_changes(struct bench *bench, struct arena *arena)
{
    double ms[CHANGES];

    for (unsigned i = 0; i < CHANGES; i++) {
        int64_t start_us = clock_monotonic_us(&system_clock);
        change(bench, arena, i % SERVICES);
        wait_for(bench, CLIENTS);
        ms[i] = (double)(clock_monotonic_us(&system_clock) - start_us) / 1e3;
        (void)usleep(5000); /* the acknowledgements */
    }
    sort_values(ms, CHANGES);
    report(&(struct finding){ .name = "registry.xds_1000_clients_p50",
                              .value = quantile(ms, CHANGES, 0.5),
                              .unit = "ms",
                              .command = command });
    report(&(struct finding){ .name = "registry.xds_1000_clients_p99",
                              .value = quantile(ms, CHANGES, 0.99),
                              .unit = "ms",
                              .bar = BAR_MOST,
                              .bar_at = 100,
                              .command = command });
}

static void measure_xds(struct bench *bench, struct arena *arena)
{
    struct client *clients = calloc(CLIENTS, sizeof *clients);
    struct channel *channels[CHANNELS];

    for (unsigned i = 0; i < SERVICES; i++) {
        change(bench, arena, i);
    }
    for (unsigned i = 0; i < CHANNELS; i++) {
        channels[i] =
            channel_new(bench->runtime, &(struct channel_options){ .target = bench->address });
    }
    int64_t before = resident_bytes();
    for (unsigned i = 0; i < CLIENTS; i++) {
        clients[i].bench = bench;
        open_stream(
            bench, arena, channels[i % CHANNELS],
            &(struct peer_stream_options){
                .service = &envoy__service__discovery__v3__aggregated_discovery_service__descriptor,
                .method = "StreamAggregatedResources",
                .events = &client_events,
                .state = &clients[i],
                .thread = HANDLER_INLINE,
            },
            &clients[i].stream);
    }
    wait_for(bench, CLIENTS);
    report(&(struct finding){ .name = "registry.memory_per_xds_stream",
                              .value = (double)(resident_bytes() - before) / CLIENTS / 1024,
                              .unit = "KiB",
                              .command = command });
    measure_changes(bench, arena);
    for (unsigned i = 0; i < CLIENTS; i++) {
        stream_cancel(clients[i].stream);
        stream_unref(clients[i].stream);
    }
    wait_until_closed(bench);
    for (unsigned i = 0; i < CHANNELS; i++) {
        channel_free(channels[i]);
    }
    free(clients);
}

/* ---- Leases ---- */

struct holder {
    struct bench *bench;
    struct stream *stream;
    unsigned number;
    bool has_registered;
};

static status holder_writable(struct stream *stream, void *state)
{
    struct holder *self = state;
    struct arena *arena = stream_event_arena(stream);
    Weft__Registry__V1__LeaseRequest request;
    Weft__Registry__V1__Instance instance;

    if (self->has_registered) {
        return status_ok();
    }
    self->has_registered = true;
    weft__registry__v1__instance__init(&instance);
    instance.service = message_text("worker");
    instance.instance_id = message_text(arena_printf(arena, "w%u", self->number));
    instance.address = message_text(arena_printf(arena, "127.0.0.1:%u", 1000 + self->number));
    instance.state = WEFT__REGISTRY__V1__INSTANCE_STATE__INSTANCE_STATE_HEALTHY;
    weft__registry__v1__lease_request__init(&request);
    request.kind_case = WEFT__REGISTRY__V1__LEASE_REQUEST__KIND_REGISTER_INSTANCE;
    request.register_instance = &instance;
    return stream_send(stream, &request.base);
}

static status holder_message(struct stream *stream, void *state, const ProtobufCMessage *message)
{
    struct holder *self = state;
    const Weft__Registry__V1__LeaseResponse *response =
        (const Weft__Registry__V1__LeaseResponse *)message;
    Weft__Registry__V1__LeaseRequest request;

    if (response == NULL ||
        response->kind_case != WEFT__REGISTRY__V1__LEASE_RESPONSE__KIND_POLICY) {
        return status_ok();
    }
    if (response->policy->revision == 1) {
        arrive(self->bench);
    }
    weft__registry__v1__lease_request__init(&request);
    request.kind_case = WEFT__REGISTRY__V1__LEASE_REQUEST__KIND_POLICY_REVISION;
    request.policy_revision = response->policy->revision;
    return stream_send(stream, &request.base);
}

static const struct stream_events holder_events = {
    .message = holder_message,
    .writable = holder_writable,
    .closed = closed,
};

static void measure_receipts(struct channel *channel)
{
    double ms[POLICIES];

    for (unsigned i = 0; i < POLICIES; i++) {
        struct arena *arena = arena_new();
        struct call call = call_of_process(arena);
        const Weft__Registry__V1__UpdatePolicyResponse *response;
        Weft__Registry__V1__UpdatePolicyRequest request;
        Weft__Registry__V1__Policy policy;
        weft__registry__v1__policy__init(&policy);
        weft__registry__v1__update_policy_request__init(&request);
        request.policy = &policy;
        int64_t start_us = clock_monotonic_us(&system_clock);
        check(registry_peer_update_policy(channel_peer(channel), &call, &request, &response));
        ms[i] = (double)(clock_monotonic_us(&system_clock) - start_us) / 1e3;
        if (response->receipt->acknowledged != LEASES) {
            (void)fprintf(stderr, "registry_bench: %d of %d acknowledged\n",
                          response->receipt->acknowledged, LEASES);
            exit(EXIT_FAILURE);
        }
        arena_free(arena);
    }
    sort_values(ms, POLICIES);
    report(&(struct finding){ .name = "registry.policy_100_leases_p50",
                              .value = quantile(ms, POLICIES, 0.5),
                              .unit = "ms",
                              .command = command });
    report(&(struct finding){ .name = "registry.policy_100_leases_p99",
                              .value = quantile(ms, POLICIES, 0.99),
                              .unit = "ms",
                              .bar = BAR_MOST,
                              .bar_at = 100,
                              .command = command });
}

static void measure_policy(struct bench *bench, struct arena *arena)
{
    struct holder holders[LEASES] = { 0 };
    struct channel *channel =
        channel_new(bench->runtime, &(struct channel_options){ .target = bench->address });

    for (unsigned i = 0; i < LEASES; i++) {
        holders[i] = (struct holder){ .bench = bench, .number = i };
        open_stream(bench, arena, channel,
                    &(struct peer_stream_options){
                        .service = &weft__registry__v1__registry_service__descriptor,
                        .method = "Lease",
                        .events = &holder_events,
                        .state = &holders[i],
                        .thread = HANDLER_INLINE,
                    },
                    &holders[i].stream);
    }
    wait_for(bench, LEASES);
    measure_receipts(channel);
    for (unsigned i = 0; i < LEASES; i++) {
        stream_cancel(holders[i].stream);
        stream_unref(holders[i].stream);
    }
    wait_until_closed(bench);
    channel_free(channel);
}

/* ---- The registry ---- */

int main(int argc, char **argv)
{
    struct arena *arena = arena_new();
    struct guard guard = { .ops = &guard_ops };
    struct bench bench = { .lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER };
    struct store *store;

    if (argc != 2) {
        (void)fprintf(stderr, "usage: registry_bench FOLDER\n");
        return EXIT_FAILURE;
    }
    bench.address = arena_printf(arena, "unix:%s/registry_bench.sock", argv[1]);
    check(store_open(arena, ":memory:", &store));
    check(registry_store_migrate(store, arena));
    check(outbox_migrate(store, arena));
    bench.catalogue = catalogue_new(&(struct catalogue_options){ .clock = &system_clock });
    struct xds_resources *resources = xds_resources_new(&(struct xds_resources_options){
        .catalogue = bench.catalogue, .clock = &system_clock, .trust_domain = "weft" });
    struct ads_service *ads = ads_service_new(&(struct ads_service_options){
        .catalogue = bench.catalogue, .resources = resources, .trust_domain = "weft" });
    struct policy_board *board = policy_board_new(&system_clock);
    struct leases *leases = leases_new(&(struct leases_options){ .catalogue = bench.catalogue,
                                                                 .ads = ads,
                                                                 .board = board,
                                                                 .clock = &system_clock,
                                                                 .trust_domain = "weft" });
    struct registry_service *registry = registry_service_new(&(struct registry_service_options){
        .catalogue = bench.catalogue,
        .ads = ads,
        .leases = leases,
        .board = board,
        .store = store,
        .clock = &system_clock,
    });
    check(registry_service_load_policy(registry, arena));
    ads_service_on_progress(ads, leases_progress, leases);
    bench.runtime = runtime_start(&(struct runtime_options){ 0 });
    struct server *server =
        server_new(&(struct server_options){ .address = bench.address, .guard = &guard });
    server_register(server, &ads_service_methods, ads, discovery_descriptors);
    server_register(server, &registry_service_methods, registry, registry_service_descriptors);
    check(server_start(server, arena));

    measure_xds(&bench, arena);
    measure_policy(&bench, arena);

    server_stop(server, 1000);
    server_free(server);
    runtime_stop(bench.runtime);
    registry_service_free(registry);
    leases_free(leases);
    policy_board_free(board);
    ads_service_free(ads);
    xds_resources_free(resources);
    catalogue_free(bench.catalogue);
    store_close(store);
    arena_free(arena);
    return EXIT_SUCCESS;
}
