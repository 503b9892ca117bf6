/* A unary call's way through the server. */

#include "libs/base/text.h"
#include "libs/obs/metrics.h"
#include "libs/rpc/server_internal.h"
#include "libs/rpc/wire.h"

#include <grpc/grpc_security.h>
#include <grpc/support/alloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One unary call; its batches and its task each hold a ref. */
struct unary {
    struct tag replied, closed;
    struct executor_task task; /* by a worker, or */
    struct crew_task here;     /* on the queue's own thread */
    size_t queue;
    struct registered *method;
    grpc_call *grpc_call;
    grpc_byte_buffer *payload;
    struct arena *arena;
    struct call call;
    struct span span;
    int64_t started_us;
    bool is_watched; /* its close was asked for when it came */
    int was_cancelled;
    atomic_bool cancelled;
    atomic_int refs;
    struct wire_status wire_status;
};

/* ---- What every call begins with ---- */

static const char *peer_id(struct arena *arena, grpc_call *call)
{
    grpc_auth_context *context = grpc_call_auth_context(call);
    grpc_auth_property_iterator properties =
        grpc_auth_context_find_properties_by_name(context, GRPC_PEER_SPIFFE_ID_PROPERTY_NAME);
    const grpc_auth_property *property = grpc_auth_property_iterator_next(&properties);
    const char *id = property == NULL ? ""
                                      : arena_printf(arena, "%.*s", (int)property->value_length,
                                                     property->value);

    grpc_auth_context_release(context);
    return id;
}

static const struct peer_process *peer_process(const struct server *server, struct arena *arena,
                                               grpc_call *call)
{
    if (server->accept == NULL) {
        return NULL;
    }
    char *name = grpc_call_get_peer(call);
    const struct peer_process *process = accept_peer(server->accept, arena, name);
    gpr_free(name);
    return process;
}

/* RFC 6750: the scheme's case does not matter. */
static const char *bearer_token(struct arena *arena, const grpc_metadata_array *metadata)
{
    const char *value = wire_header(arena, metadata, "authorization");

    return strncasecmp(value, "bearer ", 7) == 0 ? value + 7 : "";
}

status server_admit(const struct registered *method, struct call *call, struct span *span,
                    const struct slot *slot)
{
    struct server *server = method->server;
    struct trace_context caller;

    call->service = method->object;
    call->options = &method->options;
    call->principal = &principal_anonymous;
    call->check = server_authorise;
    call->check_data = server;
    call->deadline_us = wire_deadline_us(slot->deadline);
    call->parent = slot->call;
    call->peer_id = "";
    call->token = "";
    if (server->options.tracer != NULL) {
        bool has = traceparent_parse(
            bytes_of(wire_header(call->arena, &slot->metadata, "traceparent")), &caller);
        *span = span_start(server->options.tracer, has ? &caller : NULL, SPAN_SERVER,
                           method->full_name + 1);
        call->span = span;
    }
    counter_add_of(COUNTER_server_call_started, (struct labels){ .method = method->label }, 1);
    gauge_add(GAUGE_calls_in_flight, 1);
    if (atomic_fetch_add(&server->n_calls, 1) >= server->options.max_calls) {
        return status_error(call->arena, STATUS_RESOURCE_EXHAUSTED, "the server is full");
    }
    call->peer_id = peer_id(call->arena, slot->call);
    call->token = bearer_token(call->arena, &slot->metadata);
    call->peer_process = peer_process(server, call->arena, slot->call);
    struct guard *guard = server->options.guard;
    if (guard == NULL) {
        return status_ok();
    }
    status s = guard->ops->authenticate(guard, call);
    if (!status_is_ok(s) && guard->ops->refused != NULL) {
        TRY(guard->ops->refused(guard, call, &method->rpc, s));
    }
    return s;
}

status server_authorise(struct call *call, const struct rpc *rpc, const ProtobufCMessage *request)
{
    struct server *server = call->check_data;
    struct guard *guard = server->options.guard;

    if (guard == NULL) {
        return status_ok();
    }
    status s = guard->ops->authorise(guard, call, rpc, request);
    if (!status_is_ok(s) && guard->ops->refused != NULL) {
        TRY(guard->ops->refused(guard, call, rpc, s));
    }
    return s;
}

static void measure(const struct registered *method, const struct call *call, enum status_code code,
                    int64_t took_us)
{
    struct labels labels = { .method = method->label, .code = code };

    gauge_add(GAUGE_calls_in_flight, -1);
    histogram_record_of(HISTOGRAM_server_call_duration, labels, took_us);
    histogram_record_of(HISTOGRAM_server_call_rcvd, labels, (int64_t)call->received_bytes);
    histogram_record_of(HISTOGRAM_server_call_sent, labels, (int64_t)call->sent_bytes);
}

void server_finished(const struct registered *method, struct call *call, status s,
                     int64_t started_us)
{
    struct server *server = method->server;
    int64_t took_us = clock_monotonic_us(server->options.clock) - started_us;
    bool ours = s.code == STATUS_INTERNAL || s.code == STATUS_UNKNOWN || s.code == STATUS_DATA_LOSS;
    struct trace_context here;

    atomic_fetch_sub(&server->n_calls, 1);
    measure(method, call, s.code, took_us);
    if (call->span != NULL) {
        here = span_context(call->span);
        span_end(call->span, s.code);
    }
    LOG(server->options.log,
        ours                                            ? LEVEL_ERROR
        : status_is_ok(s) || s.code == STATUS_CANCELLED ? LEVEL_DEBUG
                                                        : LEVEL_INFO,
        call->span != NULL ? &here : NULL, "call", log_text("method", method->full_name),
        log_text("code", status_code_name(s.code)), log_text("error", s.message),
        log_text("tenant", call->principal->tenant_id),
        log_text("subject", call->principal->subject), log_text("peer", call->peer_id),
        log_int("took_us", took_us));
}

/* ---- One unary call ---- */

static void unref(struct unary *self)
{
    struct server *server = self->method->server;

    if (atomic_fetch_sub(&self->refs, 1) > 1) {
        return;
    }
    if (self->payload != NULL) {
        grpc_byte_buffer_destroy(self->payload);
    }
    grpc_call_unref(self->grpc_call);
    arena_free(self->arena);
    free(self);
    (void)atomic_fetch_sub(&server->n_pending, 1);
}

static void on_replied(struct tag *tag, bool ok)
{
    struct unary *self = TAG_OWNER(tag, struct unary, replied);

    (void)ok;
    wire_status_reset(&self->wire_status);
    unref(self);
}

static void on_closed(struct tag *tag, bool ok)
{
    struct unary *self = TAG_OWNER(tag, struct unary, closed);

    (void)ok;
    if (self->was_cancelled != 0) {
        atomic_store(&self->cancelled, true);
    }
    unref(self);
}

/* So does a handler learn that the caller is gone. */
static void watch_close(struct unary *self)
{
    grpc_op op = { .op = GRPC_OP_RECV_CLOSE_ON_SERVER,
                   .data.recv_close_on_server.cancelled = &self->was_cancelled };

    self->is_watched = true;
    (void)atomic_fetch_add(&self->refs, 1);
    tag_start_batch(self->grpc_call, &op, 1, &self->closed);
}

/* One batch for all of a reply, with the close where nobody asked for it before. */
static void reply(struct unary *self, status s, bytes response)
{
    struct arena *arena = self->arena;
    grpc_op ops[4] = { { .op = GRPC_OP_SEND_INITIAL_METADATA } };
    grpc_byte_buffer *message = NULL;
    size_t n = 1;

    self->call.sent_bytes = response.size;
    server_finished(self->method, &self->call, s, self->started_us);
    wire_status_init(&self->wire_status, arena, s);
    if (status_is_ok(s)) {
        message = wire_buffer(response);
        ops[n++] =
            (grpc_op){ .op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = message };
    }
    ops[n++] = (grpc_op){ .op = GRPC_OP_SEND_STATUS_FROM_SERVER,
                          .data.send_status_from_server = {
                              .trailing_metadata_count = self->wire_status.n_trailers,
                              .trailing_metadata = self->wire_status.trailers,
                              .status = self->wire_status.code,
                              .status_details = &self->wire_status.message } };
    if (!self->is_watched) {
        ops[n++] = (grpc_op){ .op = GRPC_OP_RECV_CLOSE_ON_SERVER,
                              .data.recv_close_on_server.cancelled = &self->was_cancelled };
    }
    tag_start_batch(self->grpc_call, ops, n, &self->replied);
    if (message != NULL) {
        grpc_byte_buffer_destroy(message); /* emptied by the send */
    }
}

static status run_handler(struct unary *self, bytes *ret_response)
{
    bytes request;

    *ret_response = (bytes){ .data = NULL };
    TRY(wire_read(self->arena, self->payload, self->method->server->options.max_message, &request));
    return service_handle(self->method->service, &self->call, self->method->row->name, request,
                          ret_response);
}

static void handle(struct unary *self)
{
    bytes response;
    status s = run_handler(self, &response);

    reply(self, s, response);
}

/* ---- A WORKER's: here when it is mostly quick, else by the pool ---- */

/* A handler that takes less is quicker done than handed over, and holds up nobody for long. */
enum {
    QUICK_US = 100,
    SLOWEST_US = 10000, /* more does not tell more, and would be remembered for longer */
};

/* An exponential moving average: one slow call sends a method to the pool at once, twenty quick
 * ones bring it back.  Two threads at once may lose a measurement, which does no harm. */
static void learn(struct registered *method, int64_t took_us)
{
    int typical_us = atomic_load_explicit(&method->typical_us, memory_order_relaxed);
    int capped_us = took_us > SLOWEST_US ? SLOWEST_US : (int)took_us;

    typical_us += (capped_us - typical_us) / 8;
    atomic_store_explicit(&method->typical_us, typical_us, memory_order_relaxed);
}

static status run_measured(struct unary *self, bytes *ret_response)
{
    const struct clock *clock = self->method->server->options.clock;
    int64_t began_us = clock_monotonic_us(clock);
    status s = run_handler(self, ret_response);

    learn(self->method, clock_monotonic_us(clock) - began_us);
    return s;
}

/* The queue is another thread's now. */
static void overdue(struct crew_task *task)
{
    watch_close(TAG_OWNER(task, struct unary, here));
}

/* False when it is not for here: then nothing was done. */
static bool handle_here(struct unary *self)
{
    struct crew *crew = self->method->server->crew;
    bytes response;

    if (atomic_load_explicit(&self->method->typical_us, memory_order_relaxed) >= QUICK_US ||
        !crew_begin(crew, self->queue, &self->here)) {
        return false;
    }
    status s = run_measured(self, &response);
    crew_end(crew, self->queue, &self->here);
    reply(self, s, response);
    return true;
}

static void run_task(struct executor_task *task)
{
    struct unary *self = TAG_OWNER(task, struct unary, task);

    gauge_add(GAUGE_worker_queue, -1);
    if (call_is_cancelled(&self->call)) { /* while it waited: nobody would read the answer */
        reply(self, status_error(self->arena, STATUS_CANCELLED, "the caller is gone"),
              (bytes){ .data = NULL });
    } else {
        bytes response;
        status s = run_measured(self, &response);
        reply(self, s, response);
    }
}

/* False when too many wait already. */
static bool submit(struct unary *self)
{
    watch_close(self);
    gauge_add(GAUGE_worker_queue, 1); /* before it may run, so that it never shows less than 0 */
    bool is_taken = executor_submit(self->method->server->pool, &self->task);
    if (!is_taken) {
        gauge_add(GAUGE_worker_queue, -1);
    }
    return is_taken;
}

/* ---- One from its arrival ---- */

static struct unary *unary_new(const struct slot *slot)
{
    struct unary *self = calloc(1, sizeof *self);

    if (self == NULL) {
        abort();
    }
    self->replied.run = on_replied;
    self->closed.run = on_closed;
    self->task.run = run_task;
    self->here.overdue = overdue;
    self->queue = slot->queue;
    self->method = slot->method;
    self->grpc_call = slot->call;
    self->payload = slot->payload;
    self->arena = arena_new();
    self->call.arena = self->arena;
    self->call.cancelled = &self->cancelled;
    self->call.received_bytes = slot->payload == NULL ? 0 : grpc_byte_buffer_length(slot->payload);
    self->started_us = clock_monotonic_us(slot->method->server->options.clock);
    atomic_init(&self->refs, 1);
    (void)atomic_fetch_add(&self->method->server->n_pending, 1);
    return self;
}

static void unary_arrived(struct slot *slot)
{
    struct unary *self = unary_new(slot);
    status s = server_admit(self->method, &self->call, &self->span, slot);

    if (!status_is_ok(s)) {
        reply(self, s, (bytes){ .data = NULL });
    } else if (self->method->row->thread == HANDLER_INLINE) {
        handle(self);
    } else if (!handle_here(self) && !submit(self)) {
        reply(self,
              status_error(self->arena, STATUS_RESOURCE_EXHAUSTED, "too many calls wait already"),
              (bytes){ .data = NULL });
    }
}

/* ---- Arrivals ---- */

static void on_arrived(struct tag *tag, bool ok)
{
    struct slot *slot = TAG_OWNER(tag, struct slot, arrived);
    struct slot arrived = *slot;
    struct server *server = slot->method->server;

    if (!ok) { /* the server is shutting down */
        free(slot);
    } else {
        server_post(slot);
        if (arrived.method->row->events != NULL) {
            server_stream_arrived(&arrived);
        } else {
            unary_arrived(&arrived);
        }
    }
    grpc_metadata_array_destroy(&arrived.metadata);
    (void)atomic_fetch_sub(&server->n_pending, 1);
}

void server_post(struct slot *slot)
{
    struct server *server = slot->method->server;
    grpc_completion_queue *queue = server->queues[slot->queue];

    (void)atomic_fetch_add(&server->n_pending, 1);
    slot->arrived.run = on_arrived;
    slot->payload = NULL;
    grpc_metadata_array_init(&slot->metadata);
    tag_release(&slot->arrived);
    if (grpc_server_request_registered_call(
            server->grpc, slot->method->handle, &slot->call, &slot->deadline, &slot->metadata,
            slot->method->row->events == NULL ? &slot->payload : NULL, queue, queue,
            &slot->arrived) != GRPC_CALL_OK) {
        abort(); /* a bug of ours: gRPC takes every request that is put together as it should be */
    }
}

/* ---- Methods that nobody registered: without an answer they would hang to their deadline ---- */

struct unknown {
    struct tag arrived, replied;
    struct server *server;
    grpc_completion_queue *queue;
    grpc_call *call;
    grpc_call_details details;
    grpc_metadata_array metadata;
    grpc_slice message;
    int cancelled;
};

static void unknown_free(struct unknown *self)
{
    (void)atomic_fetch_sub(&self->server->n_pending, 1);
    grpc_metadata_array_destroy(&self->metadata);
    grpc_call_details_destroy(&self->details);
    free(self);
}

static void unknown_replied(struct tag *tag, bool ok)
{
    struct unknown *self = TAG_OWNER(tag, struct unknown, replied);

    (void)ok;
    grpc_slice_unref(self->message);
    grpc_call_unref(self->call);
    unknown_free(self);
}

static void unknown_arrived(struct tag *tag, bool ok)
{
    struct unknown *self = TAG_OWNER(tag, struct unknown, arrived);
    char text[256];

    if (!ok) {
        unknown_free(self);
        return;
    }
    /* gRFC A66: a stranger could send any name. */
    struct labels labels = { .method = metric_label_of("other"), .code = STATUS_UNIMPLEMENTED };
    counter_add_of(COUNTER_server_call_started, labels, 1);
    histogram_record_of(HISTOGRAM_server_call_duration, labels, 0);
    server_post_unknown(self->server, self->queue);
    (void)snprintf(text, sizeof text, "no method '%.*s'",
                   (int)GRPC_SLICE_LENGTH(self->details.method),
                   (const char *)GRPC_SLICE_START_PTR(self->details.method));
    self->message = grpc_slice_from_copied_string(text);
    self->replied.run = unknown_replied;
    const grpc_op ops[] = {
        { .op = GRPC_OP_SEND_INITIAL_METADATA },
        { .op = GRPC_OP_SEND_STATUS_FROM_SERVER,
          .data.send_status_from_server = { .status = GRPC_STATUS_UNIMPLEMENTED,
                                            .status_details = &self->message } },
        { .op = GRPC_OP_RECV_CLOSE_ON_SERVER,
          .data.recv_close_on_server.cancelled = &self->cancelled },
    };
    tag_start_batch(self->call, ops, 3, &self->replied);
}

void server_post_unknown(struct server *server, grpc_completion_queue *queue)
{
    struct unknown *self = calloc(1, sizeof *self);

    if (self == NULL) {
        abort();
    }
    (void)atomic_fetch_add(&server->n_pending, 1);
    self->server = server;
    self->queue = queue;
    self->arrived.run = unknown_arrived;
    grpc_metadata_array_init(&self->metadata);
    grpc_call_details_init(&self->details);
    tag_release(&self->arrived);
    if (grpc_server_request_call(server->grpc, &self->call, &self->details, &self->metadata, queue,
                                 queue, &self->arrived) != GRPC_CALL_OK) {
        abort();
    }
}
