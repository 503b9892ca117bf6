#include "libs/rpc/grpc_stream.h"

#include "libs/base/status_details.h"
#include "libs/rpc/grpc_stream_internal.h"

#include <stdlib.h>

static void run(struct grpc_stream *self);

static struct grpc_stream *self_of(struct stream *stream)
{
    return (struct grpc_stream *)stream;
}

/* ---- Life ---- */

static void destroy(struct grpc_stream *self)
{
    grpc_stream_drop_queue(self);
    if (self->in != NULL) {
        grpc_byte_buffer_destroy(self->in);
    }
    if (self->out != NULL) {
        grpc_byte_buffer_destroy(self->out);
    }
    if (self->has_wire_status) {
        wire_status_reset(&self->wire_status);
    }
    grpc_metadata_array_destroy(&self->initial);
    grpc_metadata_array_destroy(&self->trailing);
    grpc_slice_unref(self->details);
    grpc_call_unref(self->options.grpc_call);
    arena_free(self->event_arena);
    arena_free(self->options.arena);
    pthread_mutex_destroy(&self->lock);
    free(self);
}

static void ref(struct grpc_stream *self)
{
    (void)atomic_fetch_add(&self->refs, 1);
}

void grpc_stream_unref(struct grpc_stream *self)
{
    if (atomic_fetch_sub(&self->refs, 1) == 1) {
        destroy(self);
    }
}

/* ---- Who runs it ---- */

static void run_task(struct executor_task *task)
{
    struct grpc_stream *self = TAG_OWNER(task, struct grpc_stream, task);

    run(self);
    grpc_stream_unref(self);
}

void grpc_stream_post(struct grpc_stream *self, unsigned bits, bool may_run_here)
{
    pthread_mutex_lock(&self->lock);
    self->pending |= bits;
    bool start = !self->running;
    self->running = true;
    pthread_mutex_unlock(&self->lock);
    if (!start) {
        return;
    }
    if (self->options.thread == HANDLER_INLINE && may_run_here) {
        run(self);
        return;
    }
    ref(self);
    self->task.run = run_task;
    /* No limit there: a stream is queued once at most, and admission bounds their number. */
    (void)executor_submit(self->options.thread == HANDLER_INLINE ? self->options.waker
                                                                 : self->options.pool,
                          &self->task);
}

void grpc_stream_batch(struct grpc_stream *self, grpc_op op, struct tag *tag)
{
    ref(self);
    tag_start_batch(self->options.grpc_call, &op, 1, tag);
}

static void start_done(struct tag *tag, bool ok)
{
    struct grpc_stream *self = TAG_OWNER(tag, struct grpc_stream, on_start);

    (void)ok; /* when it failed the close says why */
    grpc_stream_unref(self);
}

static void close_done(struct tag *tag, bool ok)
{
    struct grpc_stream *self = TAG_OWNER(tag, struct grpc_stream, on_close);

    (void)ok;
    if (self->cancelled != 0 || self->options.is_client) {
        atomic_store(&self->is_cancelled, true);
    }
    grpc_stream_post(self, PENDING_CLOSE, true);
    grpc_stream_unref(self);
}

/* ---- What a run does ---- */

status grpc_stream_still_holds(struct grpc_stream *self)
{
    return self->options.check == NULL ? status_ok()
                                       : self->options.check(&self->call, self->options.data);
}

void grpc_stream_note(struct grpc_stream *self, status result)
{
    if (!status_is_ok(result) && status_is_ok(self->error)) {
        self->error = status_copy(self->call.arena, result); /* it outlives the event's arena */
        self->ending = true;
        grpc_stream_drop_queue(self);
    }
}

static status why_closed(struct grpc_stream *self)
{
    if (!status_is_ok(self->error)) {
        return self->error;
    }
    if (self->options.is_client) {
        return wire_status_read(self->call.arena, self->code, self->details, &self->trailing);
    }
    if (self->cancelled != 0) {
        return status_error(self->call.arena, STATUS_CANCELLED, "the caller is gone");
    }
    return status_ok();
}

/* closed is the last event: on a client after all that came before the status was read. */
static bool is_over(const struct grpc_stream *self)
{
    return self->close_seen && !self->reading && !self->writing &&
           (!self->options.is_client || self->read_over || self->code != GRPC_STATUS_OK ||
            !status_is_ok(self->error));
}

static void close_if_over(struct grpc_stream *self)
{
    if (self->closed || !is_over(self)) {
        return;
    }
    status why = why_closed(self);
    self->closed = true;
    if (self->options.is_client || (self->opened && !self->is_open_failed)) {
        self->options.events->closed(&self->stream, self->state, why);
    }
    if (self->options.finished != NULL) {
        self->options.finished(&self->call, self->options.data, why);
    }
    arena_reset(self->event_arena);
    grpc_stream_unref(self); /* the stream's own; whoever runs it holds another */
}

static void step(struct grpc_stream *self, unsigned pending)
{
    if ((pending & PENDING_CHECK) && !self->ended && !self->close_seen) {
        grpc_stream_note(self, grpc_stream_still_holds(self));
    }
    if (pending & PENDING_READ) {
        grpc_stream_take_message(self);
    }
    if (pending & PENDING_WRITE) {
        grpc_stream_written(self);
    }
    if (pending & PENDING_CLOSE) {
        self->close_seen = true;
        grpc_stream_drop_queue(self);
    }
    if (self->closed) {
        return;
    }
    if (pending & (PENDING_WRITE | PENDING_WAKE)) {
        grpc_stream_ask_for_more(self);
    }
    grpc_stream_read(self);
    grpc_stream_write(self);
    grpc_stream_end_when_sent(self);
    close_if_over(self);
}

static void run(struct grpc_stream *self)
{
    ref(self);
    for (;;) {
        pthread_mutex_lock(&self->lock);
        unsigned pending = self->pending;
        self->pending = 0;
        self->running = pending != 0;
        pthread_mutex_unlock(&self->lock);
        if (pending == 0) {
            break;
        }
        step(self, pending);
    }
    grpc_stream_unref(self);
}

/* ---- What handlers call ---- */

static struct call *stream_call_of(struct stream *stream)
{
    return &self_of(stream)->call;
}

static struct arena *event_arena_of(struct stream *stream)
{
    return self_of(stream)->event_arena;
}

static void end_stream(struct stream *stream)
{
    self_of(stream)->ending = true;
}

static void hold_stream(struct stream *stream, bool hold)
{
    self_of(stream)->held = hold;
}

static void wake_stream(struct stream *stream)
{
    grpc_stream_post(self_of(stream), PENDING_WAKE, false);
}

static void cancel_stream(struct stream *stream)
{
    struct grpc_stream *self = self_of(stream);

    atomic_store(&self->is_cancelled, true);
    (void)grpc_call_cancel(self->options.grpc_call, NULL);
}

static void ref_stream(struct stream *stream)
{
    ref(self_of(stream));
}

static void unref_stream(struct stream *stream)
{
    grpc_stream_unref(self_of(stream));
}

static const struct stream_ops grpc_stream_ops = {
    .call = stream_call_of,
    .event_arena = event_arena_of,
    .send = grpc_stream_send,
    .has_room = grpc_stream_has_room,
    .end = end_stream,
    .hold = hold_stream,
    .wake = wake_stream,
    .cancel = cancel_stream,
    .ref = ref_stream,
    .unref = unref_stream,
};

/* ---- The start ---- */

static void start_client(struct grpc_stream *self, grpc_metadata *metadata, size_t n)
{
    grpc_op ops[] = {
        { .op = GRPC_OP_SEND_INITIAL_METADATA,
          .data.send_initial_metadata = { .count = n, .metadata = metadata } },
        { .op = GRPC_OP_RECV_INITIAL_METADATA,
          .data.recv_initial_metadata.recv_initial_metadata = &self->initial },
    };

    ref(self);
    tag_start_batch(self->options.grpc_call, ops, 2, &self->on_start);
    grpc_stream_batch(
        self,
        (grpc_op){ .op = GRPC_OP_RECV_STATUS_ON_CLIENT,
                   .data.recv_status_on_client = { .trailing_metadata = &self->trailing,
                                                   .status = &self->code,
                                                   .status_details = &self->details } },
        &self->on_close);
}

static void start_server(struct grpc_stream *self)
{
    grpc_stream_batch(self, (grpc_op){ .op = GRPC_OP_SEND_INITIAL_METADATA }, &self->on_start);
    grpc_stream_batch(self,
                      (grpc_op){ .op = GRPC_OP_RECV_CLOSE_ON_SERVER,
                                 .data.recv_close_on_server.cancelled = &self->cancelled },
                      &self->on_close);
}

struct grpc_stream *grpc_stream_start(const struct grpc_stream_options *options)
{
    struct grpc_stream *self = calloc(1, sizeof *self);

    if (self == NULL) {
        abort();
    }
    *self = (struct grpc_stream){
        .stream = { .ops = &grpc_stream_ops },
        .options = *options,
        .call = options->call,
        .event_arena = arena_new(),
        .state = options->is_client ? options->state : NULL,
        .opened = options->is_client,
        .error = status_ok(),
        .end = NULL,
        .on_start = { start_done },
        .on_read = { grpc_stream_read_done },
        .on_write = { grpc_stream_write_done },
        .on_end = { grpc_stream_end_done },
        .on_close = { close_done },
        .details = grpc_empty_slice(),
    };
    self->end = &self->first;
    self->call.arena = options->arena;
    self->call.cancelled = &self->is_cancelled;
    self->call.thread = options->thread;
    atomic_init(&self->refs, 2); /* the stream's own, and the caller's */
    pthread_mutex_init(&self->lock, NULL);
    grpc_metadata_array_init(&self->initial);
    grpc_metadata_array_init(&self->trailing);
    if (options->is_client) {
        start_client(self, options->metadata, options->n_metadata);
    } else {
        start_server(self);
    }
    /* A client's caller may hold locks that events take. */
    grpc_stream_post(self, PENDING_START, !options->is_client);
    return self; /* NOLINT(clang-analyzer-unix.Malloc): the caller's ref, which unref() counts */
}

void grpc_stream_check(struct grpc_stream *self)
{
    grpc_stream_post(self, PENDING_CHECK, false);
}

struct stream *grpc_stream_stream(struct grpc_stream *self)
{
    return &self->stream;
}
