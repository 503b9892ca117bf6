#include "libs/rpc/grpc_stream.h"

#include "libs/base/status_details.h"
#include "libs/rpc/decode.h"
#include "libs/rpc/tag.h"
#include "libs/rpc/wire.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/* What has happened since the stream last ran. */
enum {
    PENDING_START = 1,
    PENDING_READ = 2,  /* in holds what came, or NULL: the other side's last */
    PENDING_WRITE = 4, /* out was taken */
    PENDING_WAKE = 8,
    PENDING_CLOSE = 16, /* server: RECV_CLOSE; client: the status */
};

struct queued {
    struct queued *next;
    grpc_byte_buffer *buffer;
    size_t size;
};

struct grpc_stream {
    struct stream stream;
    struct executor_task task;
    struct grpc_stream_options options;
    struct call call;
    struct arena *event_arena;
    atomic_int refs; /* outstanding batches, a run that is queued, holders, and the stream until it
                        is closed */

    pthread_mutex_t lock; /* over the next two */
    unsigned pending;
    bool running;

    /* Of whoever runs the stream. */
    void *state;
    bool opened, is_open_failed;
    bool reading, read_over, held;
    bool writing;
    bool ending;     /* no more will be sent: by stream_end() or by an error */
    bool ended;      /* the last batch of ours was started */
    bool close_seen; /* PENDING_CLOSE came */
    bool closed;
    status error; /* of an event; OK when none */
    struct queued *first, **end;
    size_t n_queued, queued_bytes;

    /* What batches fill in, one outstanding of each kind. */
    struct tag on_start, on_read, on_write, on_end, on_close;
    grpc_byte_buffer *in;
    grpc_byte_buffer *out;
    int cancelled;
    atomic_bool is_cancelled; /* the call's */
    grpc_metadata_array initial, trailing;
    grpc_status_code code;
    grpc_slice details;
    struct wire_status wire_status;
    bool has_wire_status;
};

static void run(struct grpc_stream *self);

static struct grpc_stream *self_of(struct stream *stream)
{
    return (struct grpc_stream *)stream;
}

/* ---- Life ---- */

static void drop_queue(struct grpc_stream *self)
{
    while (self->first != NULL) {
        struct queued *queued = self->first;
        self->first = queued->next;
        grpc_byte_buffer_destroy(queued->buffer);
        free(queued);
    }
    self->end = &self->first;
    self->n_queued = self->queued_bytes = 0;
}

static void destroy(struct grpc_stream *self)
{
    drop_queue(self);
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

static void unref(struct grpc_stream *self)
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
    unref(self);
}

/* Sets bits; where nobody runs the stream, somebody will: here, when here is a thread for it. */
static void post(struct grpc_stream *self, unsigned bits, bool may_run_here)
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

static void batch(struct grpc_stream *self, grpc_op op, struct tag *tag)
{
    ref(self);
    tag_start_batch(self->options.grpc_call, &op, 1, tag);
}

static void start_done(struct tag *tag, bool ok)
{
    struct grpc_stream *self = TAG_OWNER(tag, struct grpc_stream, on_start);

    (void)ok; /* when it failed the close says why */
    unref(self);
}

static void read_done(struct tag *tag, bool ok)
{
    struct grpc_stream *self = TAG_OWNER(tag, struct grpc_stream, on_read);

    (void)ok; /* then in is NULL, and the close says why */
    post(self, PENDING_READ, true);
    unref(self);
}

static void write_done(struct tag *tag, bool ok)
{
    struct grpc_stream *self = TAG_OWNER(tag, struct grpc_stream, on_write);

    (void)ok;
    post(self, PENDING_WRITE, true);
    unref(self);
}

static void end_done(struct tag *tag, bool ok)
{
    struct grpc_stream *self = TAG_OWNER(tag, struct grpc_stream, on_end);

    (void)ok;
    unref(self);
}

static void close_done(struct tag *tag, bool ok)
{
    struct grpc_stream *self = TAG_OWNER(tag, struct grpc_stream, on_close);

    (void)ok;
    if (self->cancelled != 0 || self->options.is_client) {
        atomic_store(&self->is_cancelled, true);
    }
    post(self, PENDING_CLOSE, true);
    unref(self);
}

/* ---- What a run does ---- */

/* An error ends the stream: what is queued is not sent any more. */
static void fail(struct grpc_stream *self, status why)
{
    if (status_is_ok(self->error)) {
        self->error = status_copy(self->call.arena, why); /* it outlives the event's arena */
        self->ending = true;
        drop_queue(self);
    }
}

static void check(struct grpc_stream *self, status result)
{
    if (!status_is_ok(result)) {
        fail(self, result);
    }
}

static status deliver(struct grpc_stream *self, const ProtobufCMessage *message)
{
    bool first = !self->opened;

    if (!self->options.is_client && message != NULL && self->options.admit != NULL) {
        TRY(self->options.admit(&self->call, self->options.data, message, first));
    }
    if (first) {
        self->opened = true;
        if (!self->options.is_client && message == NULL) {
            self->is_open_failed = true;
            return status_error(self->call.arena, STATUS_INVALID_ARGUMENT,
                                "the stream ended before its first message");
        }
        if (!self->options.is_client) {
            void *object = self->options.state;
            status s = self->options.events->open(&self->stream, object, &self->state);
            self->is_open_failed = !status_is_ok(s);
            TRY(s);
        }
    }
    return self->options.events->message(&self->stream, self->state, message);
}

static void take_message(struct grpc_stream *self)
{
    const ProtobufCMessage *message = NULL;
    grpc_byte_buffer *in = self->in;
    bytes data;

    self->in = NULL;
    self->reading = false;
    self->call.received_bytes += in == NULL ? 0 : grpc_byte_buffer_length(in);
    if (in == NULL) {
        self->read_over = true;
        /* A call that was cancelled or has failed ends by its close, not by a last message. */
        if (!self->ending && !atomic_load(&self->is_cancelled)) {
            check(self, deliver(self, NULL));
        }
    } else if (!self->ending || self->options.is_client) {
        status s = wire_read(self->event_arena, in, self->options.max_message, &data);
        if (status_is_ok(s)) {
            s = message_decode(self->event_arena, self->options.incoming, data, &message);
        }
        if (status_is_ok(s)) {
            s = deliver(self, message);
        }
        check(self, s);
    }
    if (in != NULL) {
        grpc_byte_buffer_destroy(in);
    }
    arena_reset(self->event_arena);
}

/* A client that has sent its last is still woken, to go on reading. */
static void ask_for_more(struct grpc_stream *self)
{
    bool is_over =
        self->options.is_client ? !status_is_ok(self->error) : self->ending || !self->opened;

    if (is_over || !stream_has_room(&self->stream) || self->options.events->writable == NULL) {
        return;
    }
    status s = self->options.is_client || self->options.admit == NULL
                   ? status_ok()
                   : self->options.admit(&self->call, self->options.data, NULL, false);
    if (status_is_ok(s)) {
        s = self->options.events->writable(&self->stream, self->state);
    }
    check(self, s);
    arena_reset(self->event_arena);
}

/* Starts what may be started: the next read, the next write, the end. */
static void pump(struct grpc_stream *self)
{
    /* After an error nothing more is wanted but, on a client, the end.  What came before a status
     * of OK is still read after it. */
    bool wants = self->options.is_client ? !self->close_seen || self->code == GRPC_STATUS_OK
                                         : !self->close_seen && status_is_ok(self->error);

    if (!self->reading && !self->read_over && !self->held && wants) {
        self->reading = true;
        batch(self,
              (grpc_op){ .op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &self->in },
              &self->on_read);
    }
    if (!self->writing && self->first != NULL && !self->close_seen) {
        struct queued *queued = self->first;
        self->first = queued->next;
        if (self->first == NULL) {
            self->end = &self->first;
        }
        self->n_queued--;
        self->queued_bytes -= queued->size;
        self->out = queued->buffer;
        free(queued);
        self->writing = true;
        batch(self,
              (grpc_op){ .op = GRPC_OP_SEND_MESSAGE,
                         .flags = self->first != NULL ? GRPC_WRITE_BUFFER_HINT : 0,
                         .data.send_message.send_message = self->out },
              &self->on_write);
    }
}

static void send_status(struct grpc_stream *self)
{
    wire_status_init(&self->wire_status, self->call.arena, self->error);
    self->has_wire_status = true;
    batch(self,
          (grpc_op){
              .op = GRPC_OP_SEND_STATUS_FROM_SERVER,
              .data.send_status_from_server = { .trailing_metadata_count =
                                                    self->wire_status.n_trailers,
                                                .trailing_metadata = self->wire_status.trailers,
                                                .status = self->wire_status.code,
                                                .status_details = &self->wire_status.message } },
          &self->on_end);
}

static void end_when_sent(struct grpc_stream *self)
{
    if (!self->ending || self->ended || self->close_seen || self->first != NULL) {
        return;
    }
    /* Nobody waits for a reader that is too slow: the write under way is given up.  After any other
     * error it ends first, so that the details of the status go along. */
    bool give_up = self->error.code == STATUS_RESOURCE_EXHAUSTED && self->writing;
    if (!status_is_ok(self->error) && (give_up || self->options.is_client)) {
        self->ended = true;
        (void)grpc_call_cancel_with_status(
            self->options.grpc_call, (grpc_status_code)self->error.code, self->error.message, NULL);
        return;
    }
    if (self->writing) {
        return;
    }
    self->ended = true;
    if (self->options.is_client) {
        batch(self, (grpc_op){ .op = GRPC_OP_SEND_CLOSE_FROM_CLIENT }, &self->on_end);
    } else {
        send_status(self);
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
    unref(self); /* the stream's own; whoever runs it holds another */
}

static void step(struct grpc_stream *self, unsigned pending)
{
    if (pending & PENDING_READ) {
        take_message(self);
    }
    if (pending & PENDING_WRITE) {
        if (self->out != NULL) {
            grpc_byte_buffer_destroy(self->out);
            self->out = NULL;
        }
        self->writing = false;
    }
    if (pending & PENDING_CLOSE) {
        self->close_seen = true;
        drop_queue(self);
    }
    if (self->closed) {
        return;
    }
    if (!self->close_seen && (pending & (PENDING_WRITE | PENDING_WAKE))) {
        ask_for_more(self);
    }
    pump(self);
    end_when_sent(self);
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
    unref(self);
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

static bool has_room(const struct stream *stream)
{
    const struct grpc_stream *self = (const struct grpc_stream *)stream;

    return self->n_queued < STREAM_ROOM_MESSAGES && self->queued_bytes < STREAM_ROOM_BYTES;
}

static status send_message(struct stream *stream, const ProtobufCMessage *message)
{
    struct grpc_stream *self = self_of(stream);

    if (self->ending || self->close_seen) {
        return status_error(self->event_arena, STATUS_CANCELLED, "the stream is over");
    }
    grpc_byte_buffer *buffer = wire_message(message);
    size_t size = grpc_byte_buffer_length(buffer);
    if (self->n_queued >= STREAM_MAX_QUEUED_MESSAGES ||
        self->queued_bytes + size > STREAM_MAX_QUEUED_BYTES) {
        grpc_byte_buffer_destroy(buffer);
        return status_error(self->call.arena, STATUS_RESOURCE_EXHAUSTED,
                            "the reader is %zu messages behind", self->n_queued);
    }
    struct queued *queued = malloc(sizeof *queued);
    if (queued == NULL) {
        abort();
    }
    *queued = (struct queued){ .buffer = buffer, .size = size };
    *self->end = queued;
    self->end = &queued->next;
    self->n_queued++;
    self->queued_bytes += size;
    self->call.sent_bytes += size;
    return status_ok();
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
    post(self_of(stream), PENDING_WAKE, false);
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
    unref(self_of(stream));
}

static const struct stream_ops grpc_stream_ops = {
    .call = stream_call_of,
    .event_arena = event_arena_of,
    .send = send_message,
    .has_room = has_room,
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
    batch(self,
          (grpc_op){ .op = GRPC_OP_RECV_STATUS_ON_CLIENT,
                     .data.recv_status_on_client = { .trailing_metadata = &self->trailing,
                                                     .status = &self->code,
                                                     .status_details = &self->details } },
          &self->on_close);
}

static void start_server(struct grpc_stream *self)
{
    batch(self, (grpc_op){ .op = GRPC_OP_SEND_INITIAL_METADATA }, &self->on_start);
    batch(self,
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
        .on_read = { read_done },
        .on_write = { write_done },
        .on_end = { end_done },
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
    post(self, PENDING_START, !options->is_client);
    return self; /* NOLINT(clang-analyzer-unix.Malloc): the caller's ref, which unref() counts */
}

struct stream *grpc_stream_stream(struct grpc_stream *self)
{
    return &self->stream;
}
