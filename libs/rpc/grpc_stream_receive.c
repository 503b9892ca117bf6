/* What comes in. */

#include "libs/rpc/decode.h"
#include "libs/rpc/grpc_stream_internal.h"

/* A read ends without a message when the other side has sent its last, and when it died, cancelled
 * or ran out of time; then the close, which says so, comes only after it.  gRPC knows which. */
void grpc_stream_read_done(struct tag *tag, bool ok)
{
    struct grpc_stream *self = TAG_OWNER(tag, struct grpc_stream, on_read);

    self->is_half_closed = ok && self->in == NULL &&
                           grpc_call_failed_before_recv_message(self->options.grpc_call) == 0;
    grpc_stream_post(self, PENDING_READ, true);
    grpc_stream_unref(self);
}

void grpc_stream_read(struct grpc_stream *self)
{
    /* After an error nothing more is wanted but, on a client, the end.  What came before a status
     * of OK is still read after it. */
    bool wants = self->options.is_client ? !self->close_seen || self->code == GRPC_STATUS_OK
                                         : !self->close_seen && status_is_ok(self->error);

    if (!self->reading && !self->read_over && !self->held && wants) {
        self->reading = true;
        grpc_stream_batch(
            self,
            (grpc_op){ .op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &self->in },
            &self->on_read);
    }
}

static status open_stream(struct grpc_stream *self)
{
    status s = self->options.events->open(&self->stream, self->options.state, &self->state);

    self->is_open_failed = !status_is_ok(s);
    return s;
}

static status deliver(struct grpc_stream *self, const ProtobufCMessage *message)
{
    bool first = !self->opened;

    TRY(grpc_stream_still_holds(self));
    if (self->options.admit != NULL) {
        TRY(self->options.admit(&self->call, self->options.data, message, first));
    }
    if (first) {
        self->opened = true;
        TRY(open_stream(self));
    }
    return self->options.events->message(&self->stream, self->state, message);
}

static status deliver_half_close(struct grpc_stream *self)
{
    TRY(grpc_stream_still_holds(self)); /* the handler may commit */
    if (!self->opened) {
        return status_error(self->call.arena, STATUS_INVALID_ARGUMENT,
                            "the stream ended before its first message");
    }
    return self->options.events->message(&self->stream, self->state, NULL);
}

static status decode_and_deliver(struct grpc_stream *self, grpc_byte_buffer *in)
{
    const ProtobufCMessage *message = NULL;
    bytes data;

    TRY(wire_read(self->event_arena, in, self->options.max_message, &data));
    TRY(message_decode(self->event_arena, self->options.incoming, data, &message));
    return deliver(self, message);
}

/* A client learns from the status how the server ended, and needs no word before it. */
static bool tells_of_half_close(const struct grpc_stream *self)
{
    return !self->options.is_client && self->is_half_closed && !self->ending &&
           !atomic_load(&self->is_cancelled);
}

void grpc_stream_take_message(struct grpc_stream *self)
{
    grpc_byte_buffer *in = self->in;

    self->in = NULL;
    self->reading = false;
    if (in == NULL) {
        self->read_over = true;
        if (tells_of_half_close(self)) {
            grpc_stream_note(self, deliver_half_close(self));
        }
    } else {
        self->call.received_bytes += grpc_byte_buffer_length(in);
        if (!self->ending || self->options.is_client) {
            grpc_stream_note(self, decode_and_deliver(self, in));
        }
        grpc_byte_buffer_destroy(in);
    }
    arena_reset(self->event_arena);
}
