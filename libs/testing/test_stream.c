#include "libs/testing/test_stream.h"

#include "libs/rpc/decode.h"
#include "libs/rpc/message.h"
#include "libs/testing/assert_status.h"

#include <stdatomic.h>

static struct test_stream *self_of(struct stream *stream)
{
    return (struct test_stream *)stream;
}

static struct call *call_of(struct stream *stream)
{
    return &self_of(stream)->call;
}

static struct arena *event_arena_of(struct stream *stream)
{
    return self_of(stream)->call.arena;
}

static status send_message(struct stream *stream, const ProtobufCMessage *message)
{
    struct test_stream *self = self_of(stream);

    if (self->ended) {
        return status_error(self->call.arena, STATUS_CANCELLED, "the stream is over");
    }
    if (self->n == TEST_STREAM_QUEUE) {
        return status_error(self->call.arena, STATUS_RESOURCE_EXHAUSTED, "the reader is behind");
    }
    status s = message_decode(self->call.arena, self->types->output,
                              message_pack(self->call.arena, message),
                              &self->queue[(self->first + self->n) % TEST_STREAM_QUEUE]);
    assert_status(s, STATUS_OK);
    self->n++;
    return status_ok();
}

static bool has_room(const struct stream *stream)
{
    return !((const struct test_stream *)stream)->is_full;
}

static void end_stream(struct stream *stream)
{
    self_of(stream)->ended = true;
}

static void hold_stream(struct stream *stream, bool hold)
{
    self_of(stream)->held = hold;
}

static void wake_stream(struct stream *stream)
{
    (void)atomic_fetch_add(&self_of(stream)->woken, 1);
}

static void cancel_stream(struct stream *stream)
{
    self_of(stream)->cancelled = true;
}

static void ref_stream(struct stream *stream)
{
    (void)atomic_fetch_add(&self_of(stream)->refs, 1);
}

static void unref_stream(struct stream *stream)
{
    (void)atomic_fetch_sub(&self_of(stream)->refs, 1);
}

static const struct stream_ops test_stream_ops = {
    .call = call_of,
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

void test_stream_init(struct test_stream *self, const struct service *service, const char *method,
                      void *object, const struct call *call)
{
    *self = (struct test_stream){
        .stream = { .ops = &test_stream_ops },
        .row = service_method(service, method),
        .types = protobuf_c_service_descriptor_get_method_by_name(service->descriptor, method),
        .call = *call,
        .object = object,
        .result = status_ok(),
    };
    assert_non_null(self->row);
    assert_non_null(self->types);
    assert_non_null(self->row->events);
    self->call.service = object;
    self->call.thread = self->row->thread;
}

static status note(struct test_stream *self, status s)
{
    if (!status_is_ok(s)) {
        self->ended = true;
        self->result = s;
    }
    return s;
}

static status deliver(struct test_stream *self, const ProtobufCMessage *message)
{
    const struct rpc rpc = { .options = self->call.options, .method = self->row->name };

    if (!self->opened) {
        TRY(self->call.check(&self->call, &rpc, message));
        TRY(self->row->events->open(&self->stream, self->object, &self->state));
        self->opened = true;
    }
    return self->row->events->message(&self->stream, self->state, message);
}

status test_stream_message(struct test_stream *self, const ProtobufCMessage *message)
{
    const ProtobufCMessage *decoded = NULL;

    assert_false(self->held); /* the server would not have read it */
    status s = message_decode(self->call.arena, self->types->input,
                              message_pack(self->call.arena, message), &decoded);
    assert_status(s, STATUS_OK);
    return note(self, deliver(self, decoded));
}

status test_stream_half_close(struct test_stream *self)
{
    return note(self, self->row->events->message(&self->stream, self->state, NULL));
}

status test_stream_writable(struct test_stream *self)
{
    if (self->row->events->writable == NULL || self->ended) {
        return status_ok();
    }
    return note(self, self->row->events->writable(&self->stream, self->state));
}

status test_stream_wake(struct test_stream *self)
{
    status s = status_ok();

    while (status_is_ok(s) && atomic_load(&self->woken) > 0) {
        atomic_store(&self->woken, 0);
        s = test_stream_writable(self);
    }
    return s;
}

const ProtobufCMessage *test_stream_take(struct test_stream *self)
{
    if (self->n == 0) {
        return NULL;
    }
    const ProtobufCMessage *message = self->queue[self->first];
    self->first = (self->first + 1) % TEST_STREAM_QUEUE;
    self->n--;
    return message;
}

void test_stream_close(struct test_stream *self)
{
    if (self->opened && !self->closed) {
        self->closed = true;
        self->row->events->closed(&self->stream, self->state, self->result);
    }
}
