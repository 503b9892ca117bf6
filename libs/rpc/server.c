#include "libs/rpc/server.h"

#include "google/rpc/error_details_descriptors.h"
#include "grpc/health/v1/health_descriptors.h"
#include "grpc/reflection/v1/reflection_v1_descriptors.h"
#include "grpc/reflection/v1alpha/reflection_v1alpha_descriptors.h"
#include "libs/rpc/credentials.h"
#include "libs/rpc/server_internal.h"
#include "libs/rpc/trace_service.h"
#include "weft/trace/v1/trace_service_descriptors.h"

#include <grpc/grpc_security.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    DEFAULT_MAX_QUEUES = 4,
    DEFAULT_WORKERS = 16,
    DEFAULT_MAX_WAITING = 1024,
    DEFAULT_MAX_CALLS = 10000,
    DEFAULT_MAX_MESSAGE = 4 * 1024 * 1024,
    UNKNOWN_US = 1000, /* of a method that was not called yet: some calls go to the pool first */
};

/* ---- What it is made of ---- */

static void set_defaults(struct server_options *options)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    if (options->n_queues == 0) {
        options->n_queues = cores < 1                    ? 1
                            : cores > DEFAULT_MAX_QUEUES ? DEFAULT_MAX_QUEUES
                                                         : (size_t)cores;
    }
    options->n_workers = options->n_workers != 0 ? options->n_workers : DEFAULT_WORKERS;
    options->max_waiting = options->max_waiting != 0 ? options->max_waiting : DEFAULT_MAX_WAITING;
    options->max_calls = options->max_calls != 0 ? options->max_calls : DEFAULT_MAX_CALLS;
    options->max_message = options->max_message != 0 ? options->max_message : DEFAULT_MAX_MESSAGE;
    options->clock = options->clock != NULL ? options->clock : &system_clock;
}

static grpc_arg int_arg(const char *key, int value)
{
    union {
        const char *in;
        char *out;
    } name = { .in = key };

    return (grpc_arg){ .type = GRPC_ARG_INTEGER, .key = name.out, .value.integer = value };
}

static grpc_server *grpc_server_of(const struct server_options *options)
{
    grpc_arg args[] = {
        /* Two processes would share a port unnoticed. */
        int_arg(GRPC_ARG_ALLOW_REUSEPORT, 0),
        int_arg(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, (int)options->max_message),
        int_arg(GRPC_ARG_MAX_METADATA_SIZE, 16 * 1024), /* a token is at most 8 KiB */
        int_arg(GRPC_ARG_MAX_CONCURRENT_STREAMS, 1000),
        /* A peer whose machine is gone is noticed, and with it its lease. */
        int_arg(GRPC_ARG_KEEPALIVE_TIME_MS, 10000),
        int_arg(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5000),
        int_arg(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1),
        /* Clients may ask as often; Envoy's and gRPC's own do so each 20 s to 5 min. */
        int_arg(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 5000),
        int_arg(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0),
    };
    const grpc_channel_args all = { .num_args = sizeof args / sizeof args[0], .args = args };

    return grpc_server_create(&all, NULL);
}

struct server *server_new(const struct server_options *options)
{
    struct server *self = calloc(1, sizeof *self);

    if (self == NULL) {
        abort();
    }
    self->options = *options;
    set_defaults(&self->options);
    self->arena = arena_new();
    pthread_mutex_init(&self->streams_lock, NULL);
    self->options.address = arena_strdup(self->arena, options->address);
    self->address = arena_strdup(self->arena, options->address);
    self->grpc = grpc_server_of(&self->options);
    self->n_queues = self->options.n_queues < MAX_QUEUES ? self->options.n_queues : MAX_QUEUES;
    for (size_t i = 0; i < self->n_queues; i++) {
        self->queues[i] = grpc_completion_queue_create_for_next(NULL);
        grpc_server_register_completion_queue(self->grpc, self->queues[i], NULL);
    }
    self->health = health_service_new(self->service_names, &self->n_services);
    self->reflection = reflection_new();
    return self;
}

/* ---- Registration ---- */

static _Noreturn void die(const char *service, const char *method, const char *why)
{
    (void)fprintf(stderr, "server: %s/%s %s\n", service, method, why);
    abort();
}

static void register_method(struct server *self, const struct registered *common,
                            const ProtobufCMethodDescriptor *types)
{
    struct registered *method = ARENA_NEW(self->arena, struct registered);
    const char *service = common->service->descriptor->name;

    *method = *common;
    method->types = types;
    method->row = service_method(common->service, types->name);
    method->full_name = arena_printf(self->arena, "/%s/%s", service, types->name);
    method->label = metric_label_of(method->full_name + 1);
    atomic_init(&method->typical_us, UNKNOWN_US);
    method->rpc = (struct rpc){
        .service = common->service->descriptor,
        .method = types->name,
        .options = &method->options,
    };
    bool is_stream = method->options.client_streaming || method->options.server_streaming;
    if (is_stream != (method->row->events != NULL)) {
        die(service, types->name, "is a stream on one side only");
    }
    method->handle = grpc_server_register_method(
        self->grpc, method->full_name, NULL,
        is_stream ? GRPC_SRM_PAYLOAD_NONE : GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER, 0);
    if (method->handle == NULL) {
        die(service, types->name, "is registered twice");
    }
    method->next = self->methods;
    self->methods = method;
}

/* Options of ours, or, for the standards' protos, those of everybody's own. */
static void read_options(struct server *self, const char *service, const char *method,
                         bytes descriptors, struct method_options *ret_options)
{
    status s = method_options_read(self->arena, descriptors, service, method, ret_options);

    if (!status_is_ok(s)) {
        die(service, method, s.message);
    }
    if (strncmp(service, "weft.", strlen("weft.")) == 0 && ret_options->permission[0] == '\0' &&
        ret_options->n_peers == 0 && !ret_options->open) {
        die(service, method, "says nothing of who may call it");
    }
}

void server_register(struct server *self, const struct service *service, void *object,
                     bytes descriptors)
{
    const char *name = service->descriptor->name;
    const char *unhandled = service_first_unhandled(service);

    if (unhandled != NULL) {
        die(name, unhandled, "has no row, or one of other types");
    }
    if (self->n_services == MAX_SERVICES) {
        die(name, "", "is one service too many");
    }
    for (unsigned i = 0; i < service->descriptor->n_methods; i++) {
        const ProtobufCMethodDescriptor *types = &service->descriptor->methods[i];
        struct registered common = { .server = self, .service = service, .object = object };
        read_options(self, name, types->name, descriptors, &common.options);
        register_method(self, &common, types);
    }
    self->service_names[self->n_services++] = name;
    reflection_add(self->reflection, name, descriptors);
}

/* ---- Start ---- */

static status listen_tls(struct server *self, struct arena *arena)
{
    const struct server_options *options = &self->options;
    grpc_server_credentials *credentials =
        options->svid_file == NULL ? grpc_insecure_server_credentials_create()
                                   : credentials_for_server(options->svid_file, options->trust_file,
                                                            options->ask_no_certificate);
    int port = grpc_server_add_http2_port(self->grpc, options->address, credentials);

    grpc_server_credentials_release(credentials);
    if (port <= 0) {
        return status_error(arena, STATUS_UNAVAILABLE,
                            "cannot listen at '%s': the address is taken or not ours",
                            options->address);
    }
    const char *colon = strrchr(options->address, ':');
    if (strncmp(options->address, "unix:", strlen("unix:")) != 0 && colon != NULL) {
        self->address = arena_printf(self->arena, "%.*s:%d", (int)(colon - options->address),
                                     options->address, port);
    }
    return status_ok();
}

static bool next_of(void *queue)
{
    return tag_next(queue);
}

static void post_requests(struct server *self)
{
    for (size_t i = 0; i < self->n_queues; i++) {
        for (struct registered *method = self->methods; method != NULL; method = method->next) {
            for (int n = 0; n < POSTED_REQUESTS; n++) {
                struct slot *slot = calloc(1, sizeof *slot);
                if (slot == NULL) {
                    abort();
                }
                slot->method = method;
                slot->queue = i;
                server_post(slot);
            }
        }
        server_post_unknown(self, self->queues[i]);
    }
}

static void register_standards(struct server *self)
{
    reflection_add_files(self->reflection, error_details_descriptors);
    server_register(self, &health_service_methods, self->health, health_descriptors);
    if (self->options.tracer != NULL) {
        server_register(self, &trace_service_methods, self->options.tracer,
                        trace_service_descriptors);
    }
    server_register(self, &reflection_v1_methods, self->reflection, reflection_v1_descriptors);
    server_register(self, &reflection_v1alpha_methods, self->reflection,
                    reflection_v1alpha_descriptors);
}

status server_start(struct server *self, struct arena *arena)
{
    const char *path = self->options.address + strlen("unix:");

    register_standards(self);
    if (self->options.attest) {
        TRY(accept_new(arena, path, self->grpc, &self->accept));
    } else {
        TRY(listen_tls(self, arena));
    }
    self->pool = executor_new(self->options.n_workers, self->options.max_waiting);
    self->stream_pool = executor_new(self->options.n_workers / 2 + 1, 0);
    self->waker = executor_new(1, 0);
    grpc_server_start(self->grpc);
    self->started = true;
    void *queues[MAX_QUEUES];
    for (size_t i = 0; i < self->n_queues; i++) {
        queues[i] = self->queues[i];
    }
    self->crew = crew_new(queues, self->n_queues, next_of);
    post_requests(self);
    if (self->accept != NULL) {
        accept_start(self->accept);
    }
    return status_ok();
}

const char *server_address(const struct server *self)
{
    return self->address;
}

void server_set_serving(struct server *self, bool serving)
{
    health_service_set(self->health, serving);
}

/* ---- Stop.  Other orders abort inside gRPC. ---- */

static void shut_down_calls(struct server *self, int64_t grace_ms)
{
    grpc_completion_queue *done = grpc_completion_queue_create_for_pluck(NULL);
    gpr_timespec grace =
        gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(grace_ms, GPR_TIMESPAN));

    grpc_server_shutdown_and_notify(self->grpc, done, done);
    if (grpc_completion_queue_pluck(done, done, grace, NULL).type == GRPC_QUEUE_TIMEOUT) {
        grpc_server_cancel_all_calls(self->grpc);
        (void)grpc_completion_queue_pluck(done, done, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
    }
    grpc_completion_queue_shutdown(done);
    grpc_completion_queue_destroy(done);
}

void server_stop(struct server *self, int64_t grace_ms)
{
    if (!self->started || self->stopped) {
        return;
    }
    self->stopped = true;
    server_set_serving(self, false);
    accept_stop(self->accept);
    shut_down_calls(self, grace_ms);
    /* To gRPC it is over when the callers are gone: not what its queues have still to tell, which
     * may begin calls of ours and goes to the executors. */
    while (atomic_load(&self->n_calls) > 0 || atomic_load(&self->n_pending) > 0) {
        (void)usleep(1000);
    }
    executor_free(self->pool);
    executor_free(self->stream_pool);
    executor_free(self->waker);
    grpc_server_destroy(self->grpc);
    for (size_t i = 0; i < self->n_queues; i++) {
        grpc_completion_queue_shutdown(self->queues[i]);
    }
    crew_free(self->crew);
    for (size_t i = 0; i < self->n_queues; i++) {
        grpc_completion_queue_destroy(self->queues[i]);
    }
    accept_free(self->accept); /* calls that came meanwhile asked it who called */
}

void server_free(struct server *self)
{
    if (self == NULL) {
        return;
    }
    if (!self->started) {
        grpc_completion_queue *done = grpc_completion_queue_create_for_pluck(NULL);
        grpc_server_shutdown_and_notify(self->grpc, done, NULL);
        (void)grpc_completion_queue_pluck(done, NULL, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
        grpc_server_destroy(self->grpc);
        grpc_completion_queue_shutdown(done);
        grpc_completion_queue_destroy(done);
        for (size_t i = 0; i < self->n_queues; i++) {
            grpc_completion_queue_shutdown(self->queues[i]);
            tag_loop(self->queues[i]);
            grpc_completion_queue_destroy(self->queues[i]);
        }
        executor_free(self->pool);
        executor_free(self->stream_pool);
        executor_free(self->waker);
    }
    reflection_free(self->reflection);
    health_service_free(self->health);
    pthread_mutex_destroy(&self->streams_lock);
    arena_free(self->arena);
    free(self);
}
