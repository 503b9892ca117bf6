#include "libs/rpc/channel.h"

#include "libs/obs/metrics.h"
#include "libs/rpc/attempts.h"
#include "libs/rpc/credentials.h"
#include "libs/rpc/executor.h"
#include "libs/rpc/grpc_stream.h"
#include "libs/rpc/tag.h"
#include "libs/rpc/wire.h"

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    DEFAULT_WORKERS = 4,
    DEFAULT_KEEPALIVE_MS = 20000,
    MAX_MESSAGE = 4 * 1024 * 1024,
    /* How soon who waits to try again sees that nobody waits for it any more. */
    LOOK_MS = 20
};

struct runtime {
    const struct clock *clock;
    const struct random_source *random;
    struct tracer *tracer;
    grpc_completion_queue *queue;
    pthread_t thread;
    struct executor *pool;
    struct executor *waker;
    atomic_size_t n_streams; /* that are not closed yet */
};

struct channel {
    struct peer peer;
    struct runtime *runtime;
    grpc_channel *grpc;
    metric_label target;
    const char *header_name, *header_value;
    struct retry_budget budget;
};

/* ---- The runtime ---- */

static void *run_queue(void *data)
{
    tag_loop(data);
    return NULL;
}

struct runtime *runtime_start(const struct runtime_options *options)
{
    struct runtime *self = calloc(1, sizeof *self);

    if (self == NULL) {
        abort();
    }
    grpc_init();
    self->clock = options->clock != NULL ? options->clock : &system_clock;
    self->random = options->random != NULL ? options->random : &system_random;
    self->tracer = options->tracer;
    self->queue = grpc_completion_queue_create_for_next(NULL);
    self->pool = executor_new(options->n_workers != 0 ? options->n_workers : DEFAULT_WORKERS, 0);
    self->waker = executor_new(1, 0);
    if (pthread_create(&self->thread, NULL, run_queue, self->queue) != 0) {
        abort();
    }
    return self;
}

void runtime_stop(struct runtime *self)
{
    while (atomic_load(&self->n_streams) > 0) { /* their last events come by the executors */
        (void)usleep(1000);
    }
    executor_free(self->pool);
    executor_free(self->waker);
    grpc_completion_queue_shutdown(self->queue);
    pthread_join(self->thread, NULL);
    grpc_completion_queue_destroy(self->queue);
    grpc_shutdown_blocking();
    free(self);
}

/* ---- What goes along with a call ---- */

struct headers {
    grpc_metadata entries[3];
    size_t n;
};

static void add_header(struct headers *headers, const char *name, const char *value)
{
    headers->entries[headers->n++] = (grpc_metadata){
        .key = grpc_slice_from_static_string(name),
        .value = grpc_slice_from_copied_string(value),
    };
}

static void headers_init(struct headers *headers, const struct channel *channel, struct call *call,
                         const struct span *span)
{
    headers->n = 0;
    if (channel->header_name != NULL) {
        add_header(headers, channel->header_name, channel->header_value);
    }
    if (call->token != NULL && call->token[0] != '\0') {
        add_header(headers, "authorization", arena_printf(call->arena, "Bearer %s", call->token));
    }
    if (span != NULL) {
        struct trace_context here = span_context(span);
        char text[TRACEPARENT_TEXT];
        traceparent_format(&here, text);
        add_header(headers, "traceparent", text);
    }
}

static void headers_reset(struct headers *headers)
{
    for (size_t i = 0; i < headers->n; i++) {
        grpc_slice_unref(headers->entries[i].value);
    }
}

static const char *full_name(struct arena *arena, const struct rpc *rpc)
{
    return arena_printf(arena, "/%s/%s", rpc->service->name, rpc->method);
}

static int64_t deadline_of(const struct channel *self, const struct call *call)
{
    int64_t latest = clock_monotonic_us(self->runtime->clock) + (int64_t)PEER_TIMEOUT_MS * 1000;

    return call->deadline_us < latest ? call->deadline_us : latest;
}

/* parent is a server's call, for its cancellation, or NULL. */
static grpc_call *create_call(struct channel *self, grpc_call *parent, const char *method,
                              int64_t deadline_us)
{
    grpc_slice name = grpc_slice_from_copied_string(method);
    grpc_call *call = grpc_channel_create_call(self->grpc, parent, GRPC_PROPAGATE_CANCELLATION,
                                               self->runtime->queue, name, NULL,
                                               wire_deadline(deadline_us), NULL);

    grpc_slice_unref(name);
    return call;
}

/* ---- Unary: the caller sleeps until the queue's thread has the answer ---- */

struct exchange {
    struct tag done;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool is_done;
    grpc_metadata_array initial, trailing;
    grpc_byte_buffer *response;
    grpc_status_code code;
    grpc_slice details;
};

static void exchange_done(struct tag *tag, bool ok)
{
    struct exchange *self = TAG_OWNER(tag, struct exchange, done);

    (void)ok;
    pthread_mutex_lock(&self->lock);
    self->is_done = true;
    pthread_cond_signal(&self->wake);
    pthread_mutex_unlock(&self->lock);
}

static void exchange_wait(struct exchange *self)
{
    pthread_mutex_lock(&self->lock);
    while (!self->is_done) {
        pthread_cond_wait(&self->wake, &self->lock);
    }
    pthread_mutex_unlock(&self->lock);
}

static void run_exchange(struct exchange *self, grpc_call *call, struct headers *headers,
                         bytes request)
{
    grpc_byte_buffer *message = wire_buffer(request);
    const grpc_op ops[] = {
        { .op = GRPC_OP_SEND_INITIAL_METADATA,
          .data.send_initial_metadata = { .count = headers->n, .metadata = headers->entries } },
        { .op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = message },
        { .op = GRPC_OP_SEND_CLOSE_FROM_CLIENT },
        { .op = GRPC_OP_RECV_INITIAL_METADATA,
          .data.recv_initial_metadata.recv_initial_metadata = &self->initial },
        { .op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &self->response },
        { .op = GRPC_OP_RECV_STATUS_ON_CLIENT,
          .data.recv_status_on_client = { .trailing_metadata = &self->trailing,
                                          .status = &self->code,
                                          .status_details = &self->details } },
    };

    tag_start_batch(call, ops, 6, &self->done);
    exchange_wait(self);
    grpc_byte_buffer_destroy(message);
}

static void exchange_init(struct exchange *self)
{
    *self = (struct exchange){ .done = { exchange_done }, .details = grpc_empty_slice() };
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->wake, NULL);
    grpc_metadata_array_init(&self->initial);
    grpc_metadata_array_init(&self->trailing);
}

static void exchange_reset(struct exchange *self)
{
    if (self->response != NULL) {
        grpc_byte_buffer_destroy(self->response);
    }
    grpc_metadata_array_destroy(&self->initial);
    grpc_metadata_array_destroy(&self->trailing);
    grpc_slice_unref(self->details);
    pthread_cond_destroy(&self->wake);
    pthread_mutex_destroy(&self->lock);
}

/* The answer, in memory of its own: the buffer goes with the exchange. */
static status read_answer(struct exchange *self, struct arena *arena, bytes *ret_response)
{
    bytes data;

    TRY(wire_status_read(arena, self->code, self->details, &self->trailing));
    TRY(wire_read(arena, self->response, MAX_MESSAGE, &data));
    uint8_t *copy = arena_alloc(arena, data.size);
    if (data.size > 0) {
        memcpy(copy, data.data, data.size);
    }
    *ret_response = (bytes){ .data = copy, .size = data.size };
    return status_ok();
}

static struct span client_span(const struct channel *self, const struct call *call,
                               const char *name)
{
    struct trace_context here;

    if (call->span != NULL) {
        here = span_context(call->span);
    }
    return span_start(self->runtime->tracer, call->span != NULL ? &here : NULL, SPAN_CLIENT,
                      name + 1);
}

static void measure_call(const struct runtime *runtime, struct labels labels, int64_t start_us)
{
    histogram_record_of(HISTOGRAM_client_call_duration, labels,
                        clock_monotonic_us(runtime->clock) - start_us);
}

/* What gRPC retries by itself, which was never sent, is one attempt to us: the C core does not
 * tell. */
static void measure_attempt(const struct runtime *runtime, struct labels labels, int64_t start_us,
                            const struct call *traffic)
{
    histogram_record_of(HISTOGRAM_client_attempt_duration, labels,
                        clock_monotonic_us(runtime->clock) - start_us);
    histogram_record_of(HISTOGRAM_client_attempt_sent, labels, (int64_t)traffic->sent_bytes);
    histogram_record_of(HISTOGRAM_client_attempt_rcvd, labels, (int64_t)traffic->received_bytes);
}

static status attempt(struct channel *self, const struct attempts *attempts, const char *name,
                      bytes request, bytes *ret_response)
{
    struct call *call = attempts->call;
    bool traced = self->runtime->tracer != NULL;
    struct labels labels = { .method = metric_label_of(name + 1), .target = self->target };
    int64_t start_us = clock_monotonic_us(self->runtime->clock);
    struct headers headers;
    struct exchange exchange;
    struct span span;

    if (traced) {
        span = client_span(self, call, name);
    }
    counter_add_of(COUNTER_client_attempt_started, labels, 1);
    headers_init(&headers, self, call, traced ? &span : NULL);
    exchange_init(&exchange);
    grpc_call *grpc = create_call(self, call->parent, name, attempts->deadline_us);
    run_exchange(&exchange, grpc, &headers, request);
    status s = read_answer(&exchange, call->arena, ret_response);
    grpc_call_unref(grpc);
    exchange_reset(&exchange);
    headers_reset(&headers);
    labels.code = s.code;
    measure_attempt(self->runtime, labels, start_us,
                    &(struct call){
                        .sent_bytes = request.size,
                        .received_bytes = status_is_ok(s) ? ret_response->size : 0,
                    });
    if (traced) {
        span_end(&span, s.code);
    }
    return s;
}

/* Or until the call is cancelled. */
static void sleep_for(const struct call *call, int64_t ms)
{
    for (; ms > 0 && !call_is_cancelled(call); ms -= LOOK_MS) {
        (void)usleep((useconds_t)(ms < LOOK_MS ? ms : LOOK_MS) * 1000);
    }
}

static status channel_exchange(struct peer *peer, struct call *call, const struct rpc *rpc,
                               bytes request, bytes *ret_response)
{
    struct channel *self = (struct channel *)peer;
    const struct runtime *runtime = self->runtime;
    const char *name = full_name(call->arena, rpc);
    int64_t start_us = clock_monotonic_us(runtime->clock);
    struct attempts attempts = {
        .call = call,
        .rpc = rpc,
        .budget = &self->budget,
        .clock = runtime->clock,
        .deadline_us = deadline_of(self, call),
        .backoff = { .random = runtime->random,
                     .min_ms = PEER_MIN_BACKOFF_MS,
                     .max_ms = PEER_MAX_BACKOFF_MS },
    };
    int64_t wait_ms = 0;

    status s = attempt(self, &attempts, name, request, ret_response);
    while (attempts_go_on(&attempts, s, &wait_ms)) {
        sleep_for(call, wait_ms);
        s = attempt(self, &attempts, name, request, ret_response);
    }
    measure_call(runtime,
                 (struct labels){
                     .method = metric_label_of(name + 1), .target = self->target, .code = s.code },
                 start_us);
    return s;
}

/* ---- Streams ---- */

struct carried {
    struct runtime *runtime; /* the channel may be gone when the last event comes */
    struct labels labels;
    int64_t start_us;
    struct span span;
    bool traced;
};

static void stream_finished(struct call *call, void *data, status why)
{
    struct carried *self = data;
    struct runtime *runtime = self->runtime;

    self->labels.code = why.code;
    measure_call(runtime, self->labels, self->start_us);
    measure_attempt(runtime, self->labels, self->start_us, call);
    if (self->traced) {
        span_end(&self->span, why.code);
    }
    (void)atomic_fetch_sub(&runtime->n_streams, 1);
}

static status channel_open_stream(struct peer *peer, struct call *call,
                                  const struct peer_stream_options *options,
                                  struct stream **ret_stream)
{
    struct channel *self = (struct channel *)peer;
    const struct rpc rpc = { .service = options->service, .method = options->method };
    const ProtobufCMethodDescriptor *types =
        protobuf_c_service_descriptor_get_method_by_name(options->service, options->method);
    struct arena *arena = arena_new();
    const char *name = full_name(arena, &rpc);
    struct carried *carried = ARENA_NEW(arena, struct carried);
    struct headers headers;

    carried->runtime = self->runtime;
    carried->labels =
        (struct labels){ .method = metric_label_of(name + 1), .target = self->target };
    carried->start_us = clock_monotonic_us(self->runtime->clock);
    (void)atomic_fetch_add(&self->runtime->n_streams, 1);
    carried->traced = self->runtime->tracer != NULL;
    counter_add_of(COUNTER_client_attempt_started, carried->labels, 1);
    if (carried->traced) {
        carried->span = client_span(self, call, name);
    }
    headers_init(&headers, self, call, carried->traced ? &carried->span : NULL);
    struct grpc_stream *stream = grpc_stream_start(&(struct grpc_stream_options){
        .is_client = true,
        .grpc_call = create_call(self, NULL, name, call->deadline_us),
        .events = options->events,
        .incoming = types->output,
        .thread = options->thread,
        .pool = self->runtime->pool,
        .waker = self->runtime->waker,
        .max_message = MAX_MESSAGE,
        .state = options->state,
        .arena = arena,
        .call = { .arena = arena,
                  .principal = &principal_anonymous,
                  .peer_id = "",
                  .token = "",
                  .check = call_allow,
                  .deadline_us = call->deadline_us,
                  .span = carried->traced ? &carried->span : NULL },
        .finished = stream_finished,
        .data = carried,
        .metadata = headers.entries,
        .n_metadata = headers.n,
    });
    headers_reset(&headers);
    *ret_stream = grpc_stream_stream(stream);
    return status_ok();
}

static const struct peer_ops channel_ops = {
    .exchange = channel_exchange,
    .open_stream = channel_open_stream,
};

/* ---- A channel ---- */

static grpc_channel_credentials *credentials_of(const struct channel_options *options)
{
    bool is_xds = strncmp(options->target, "xds:", strlen("xds:")) == 0;

    if (options->trust_file == NULL) {
        return grpc_insecure_credentials_create();
    }
    grpc_channel_credentials *tls =
        credentials_for_channel(options->show_no_certificate ? NULL : options->svid_file,
                                options->trust_file, is_xds ? NULL : options->server_id);
    if (!is_xds) {
        return tls;
    }
    /* What the control plane says decides; where it says nothing it is TLS all the same. */
    grpc_channel_credentials *xds = grpc_xds_credentials_create(tls);
    grpc_channel_credentials_release(tls);
    return xds;
}

static grpc_arg int_arg(const char *key, int value)
{
    union {
        const char *in;
        char *out;
    } name = { .in = key };

    return (grpc_arg){ .type = GRPC_ARG_INTEGER, .key = name.out, .value.integer = value };
}

struct channel *channel_new(struct runtime *runtime, const struct channel_options *options)
{
    struct channel *self = calloc(1, sizeof *self);
    int64_t keepalive_ms =
        options->keepalive_ms != 0 ? options->keepalive_ms : DEFAULT_KEEPALIVE_MS;
    grpc_arg args[] = {
        int_arg(GRPC_ARG_KEEPALIVE_TIME_MS, (int)keepalive_ms),
        int_arg(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5000),
        int_arg(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1),
        int_arg(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0),
        /* A peer that was restarted is found again soon. */
        int_arg(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100),
        /* Not a wait, in spite of its name, but how long an attempt to connect may take: a TLS
         * handshake on a machine that is busy takes more than the 100 ms of a first back-off. */
        int_arg(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 5000),
        int_arg(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2000),
        int_arg(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, MAX_MESSAGE),
    };
    const grpc_channel_args all = { .num_args = sizeof args / sizeof args[0], .args = args };

    if (self == NULL) {
        abort();
    }
    self->peer.ops = &channel_ops;
    self->runtime = runtime;
    self->target = metric_label_of(options->target);
    self->header_name = options->header_name;
    self->header_value = options->header_value;
    retry_budget_init(&self->budget, &(struct retry_budget_options){ 0 });
    grpc_channel_credentials *credentials = credentials_of(options);
    self->grpc = grpc_channel_create(options->target, credentials, &all);
    grpc_channel_credentials_release(credentials);
    return self;
}

void channel_free(struct channel *self)
{
    if (self != NULL) {
        grpc_channel_destroy(self->grpc);
        free(self);
    }
}

struct peer *channel_peer(struct channel *self)
{
    return &self->peer;
}
