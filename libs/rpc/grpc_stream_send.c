/* What goes out. */

#include "libs/rpc/grpc_stream_internal.h"

#include <stdlib.h>

/* ---- The queue ---- */

bool grpc_stream_has_room(const struct stream *stream)
{
    const struct grpc_stream *self = (const struct grpc_stream *)stream;

    return self->n_queued < STREAM_ROOM_MESSAGES && self->queued_bytes < STREAM_ROOM_BYTES;
}

static void append(struct grpc_stream *self, grpc_byte_buffer *buffer, size_t size)
{
    struct queued *queued = malloc(sizeof *queued);

    if (queued == NULL) {
        abort();
    }
    *queued = (struct queued){ .buffer = buffer, .size = size };
    *self->end = queued;
    self->end = &queued->next;
    self->n_queued++;
    self->queued_bytes += size;
}

static grpc_byte_buffer *take_first(struct grpc_stream *self)
{
    struct queued *queued = self->first;
    grpc_byte_buffer *buffer = queued->buffer;

    self->first = queued->next;
    if (self->first == NULL) {
        self->end = &self->first;
    }
    self->n_queued--;
    self->queued_bytes -= queued->size;
    free(queued);
    return buffer;
}

void grpc_stream_drop_queue(struct grpc_stream *self)
{
    while (self->first != NULL) {
        grpc_byte_buffer_destroy(take_first(self));
    }
}

status grpc_stream_send(struct stream *stream, const ProtobufCMessage *message)
{
    struct grpc_stream *self = (struct grpc_stream *)stream;

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
    append(self, buffer, size);
    self->call.sent_bytes += size;
    return status_ok();
}

/* ---- Writing: one at a time ---- */

void grpc_stream_write(struct grpc_stream *self)
{
    if (self->writing || self->first == NULL || self->close_seen) {
        return;
    }
    self->writing = true;
    self->out = take_first(self);
    grpc_stream_batch(self,
                      (grpc_op){ .op = GRPC_OP_SEND_MESSAGE,
                                 .flags = self->first != NULL ? GRPC_WRITE_BUFFER_HINT : 0,
                                 .data.send_message.send_message = self->out },
                      &self->on_write);
}

void grpc_stream_write_done(struct tag *tag, bool ok)
{
    struct grpc_stream *self = TAG_OWNER(tag, struct grpc_stream, on_write);

    (void)ok; /* when it failed the close says why */
    grpc_stream_post(self, PENDING_WRITE, true);
    grpc_stream_unref(self);
}

void grpc_stream_written(struct grpc_stream *self)
{
    grpc_byte_buffer_destroy(self->out);
    self->out = NULL;
    self->writing = false;
}

/* A client that has sent its last is still woken, to go on reading; and when the server's status is
 * there, to let go of what it holds. */
static bool may_be_asked(const struct grpc_stream *self)
{
    if (self->options.is_client) {
        return status_is_ok(self->error) && (!self->close_seen || self->held);
    }
    return self->opened && !self->ending && !self->close_seen;
}

void grpc_stream_ask_for_more(struct grpc_stream *self)
{
    if (!may_be_asked(self) || !stream_has_room(&self->stream) ||
        self->options.events->writable == NULL) {
        return;
    }
    status s = grpc_stream_still_holds(self);
    if (status_is_ok(s)) {
        s = self->options.events->writable(&self->stream, self->state);
    }
    if (!self->close_seen) { /* else how the stream ends is said already */
        grpc_stream_note(self, s);
    }
    arena_reset(self->event_arena);
}

/* ---- The end ---- */

void grpc_stream_end_done(struct tag *tag, bool ok)
{
    struct grpc_stream *self = TAG_OWNER(tag, struct grpc_stream, on_end);

    (void)ok;
    grpc_stream_unref(self);
}

static void send_status(struct grpc_stream *self)
{
    wire_status_init(&self->wire_status, self->call.arena, self->error);
    self->has_wire_status = true;
    grpc_stream_batch(
        self,
        (grpc_op){
            .op = GRPC_OP_SEND_STATUS_FROM_SERVER,
            .data.send_status_from_server = { .trailing_metadata_count =
                                                  self->wire_status.n_trailers,
                                              .trailing_metadata = self->wire_status.trailers,
                                              .status = self->wire_status.code,
                                              .status_details = &self->wire_status.message } },
        &self->on_end);
}

void grpc_stream_end_when_sent(struct grpc_stream *self)
{
    if (!self->ending || self->ended || self->close_seen || self->first != NULL) {
        return;
    }
    /* Nobody waits for a reader that is too slow, or that may not read any more: the write under
     * way is given up.  After any other error it ends first, so that the details of the status go
     * along. */
    bool give_up = self->writing && (self->error.code == STATUS_RESOURCE_EXHAUSTED ||
                                     self->error.code == STATUS_UNAUTHENTICATED);
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
        grpc_stream_batch(self, (grpc_op){ .op = GRPC_OP_SEND_CLOSE_FROM_CLIENT }, &self->on_end);
    } else {
        send_status(self);
    }
}
