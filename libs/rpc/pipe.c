#include "libs/rpc/pipe.h"

#include "libs/base/status_details.h"
#include "libs/base/wait.h"
#include "libs/rpc/decode.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A message that came and was not yet received: its bytes, decoded into the receiver's arena. */
struct received {
    struct received *next;
    size_t size;
    uint8_t data[];
};

struct pipe {
    struct stream *stream;
    const ProtobufCMessageDescriptor *incoming;
    struct arena *arena; /* of the end's status */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct received *first, **end;
    size_t n_received;
    bool held;     /* by the events' side: too much has come */
    bool finished; /* by us */
    bool closed;
    status why;
    const ProtobufCMessage *sending; /* what a sender waits to have taken */
    bool taken;
    status send_result;
};

/* ---- Events: on the pool ---- */

static void append(struct pipe *self, const ProtobufCMessage *message)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    struct received *received = malloc(sizeof *received + size);

    if (received == NULL) {
        abort();
    }
    received->next = NULL;
    received->size = size;
    (void)protobuf_c_message_pack(message, received->data);
    *self->end = received;
    self->end = &received->next;
    self->n_received++;
}

static status on_message(struct stream *stream, void *state, const ProtobufCMessage *message)
{
    struct pipe *self = state;

    pthread_mutex_lock(&self->lock);
    append(self, message);
    self->held = self->n_received >= PIPE_MAX_RECEIVED;
    stream_hold(stream, self->held);
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->lock);
    return status_ok();
}

static status on_writable(struct stream *stream, void *state)
{
    struct pipe *self = state;

    pthread_mutex_lock(&self->lock);
    if (self->sending != NULL && !self->taken) {
        status s = stream_send(stream, self->sending);
        self->send_result = status_copy(self->arena, s);
        self->taken = true;
        pthread_cond_broadcast(&self->changed);
    }
    if (self->finished) {
        stream_end(stream);
    }
    self->held = self->n_received >= PIPE_MAX_RECEIVED;
    stream_hold(stream, self->held);
    pthread_mutex_unlock(&self->lock);
    return status_ok();
}

static void on_closed(struct stream *stream, void *state, status why)
{
    struct pipe *self = state;

    (void)stream;
    pthread_mutex_lock(&self->lock);
    self->closed = true;
    self->why = status_copy(self->arena, why);
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->lock);
}

static const struct stream_events pipe_events = {
    .message = on_message,
    .writable = on_writable,
    .closed = on_closed,
};

/* ---- The caller's side ---- */

status pipe_open(struct peer *peer, struct call *call, const ProtobufCServiceDescriptor *service,
                 const char *method, struct pipe **ret_pipe)
{
    struct pipe *self = calloc(1, sizeof *self);
    const ProtobufCMethodDescriptor *types =
        protobuf_c_service_descriptor_get_method_by_name(service, method);

    if (self == NULL || types == NULL) {
        abort();
    }
    self->arena = arena_new();
    self->incoming = types->output;
    self->end = &self->first;
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->changed, NULL);
    status s = peer_open_stream(peer, call,
                                &(struct peer_stream_options){ .service = service,
                                                               .method = method,
                                                               .events = &pipe_events,
                                                               .state = self,
                                                               .thread = HANDLER_WORKER },
                                &self->stream);
    if (!status_is_ok(s)) {
        self->closed = true;
        pipe_free(self);
        return s;
    }
    *ret_pipe = self;
    return status_ok();
}

status pipe_send(struct pipe *self, struct arena *arena, const ProtobufCMessage *message)
{
    pthread_mutex_lock(&self->lock);
    self->sending = message;
    self->taken = false;
    stream_wake(self->stream);
    while (!self->taken && !self->closed) {
        pthread_cond_wait(&self->changed, &self->lock);
    }
    status s = status_copy(arena, self->taken ? self->send_result : self->why);
    if (!self->taken && status_is_ok(s)) {
        s = status_error(arena, STATUS_CANCELLED, "the stream is over");
    }
    self->sending = NULL;
    pthread_mutex_unlock(&self->lock);
    return s;
}

void pipe_finish(struct pipe *self)
{
    pthread_mutex_lock(&self->lock);
    self->finished = true;
    pthread_mutex_unlock(&self->lock);
    stream_wake(self->stream);
}

/* Waits until something came or it is over; false when the time is up first.  The lock is held. */
static bool wait_for_message(struct pipe *self, int64_t timeout_ms)
{
    const struct timespec end = wait_end(timeout_ms);

    while (self->first == NULL && !self->closed) {
        if (timeout_ms < 0) {
            pthread_cond_wait(&self->changed, &self->lock);
        } else if (!wait_until(&self->changed, &self->lock, &end)) {
            return self->first != NULL || self->closed;
        }
    }
    return true;
}

static struct received *take_first(struct pipe *self)
{
    struct received *received = self->first;

    if (received != NULL) {
        self->first = received->next;
        if (self->first == NULL) {
            self->end = &self->first;
        }
        self->n_received--;
    }
    return received;
}

status pipe_receive(struct pipe *self, struct arena *arena, int64_t timeout_ms,
                    const ProtobufCMessage **ret_message)
{
    pthread_mutex_lock(&self->lock);
    bool came = wait_for_message(self, timeout_ms);
    struct received *received = take_first(self);
    status why = self->closed ? self->why : status_ok();
    bool release = self->held && self->n_received < PIPE_MAX_RECEIVED / 2;
    pthread_mutex_unlock(&self->lock);
    if (release) {
        stream_wake(self->stream);
    }
    if (received != NULL) {
        status s = message_decode(arena, self->incoming, (bytes){ received->data, received->size },
                                  ret_message);
        free(received);
        return s;
    }
    if (!came) {
        return status_error(arena, STATUS_DEADLINE_EXCEEDED, "nothing came in time");
    }
    TRY(status_copy(arena, why));
    *ret_message = NULL;
    return status_ok();
}

void pipe_free(struct pipe *self)
{
    if (self == NULL) {
        return;
    }
    pthread_mutex_lock(&self->lock);
    if (!self->closed && self->stream != NULL) {
        stream_cancel(self->stream);
        while (!self->closed) {
            pthread_cond_wait(&self->changed, &self->lock);
        }
    }
    pthread_mutex_unlock(&self->lock);
    if (self->stream != NULL) {
        stream_unref(self->stream);
    }
    for (struct received *received = take_first(self); received != NULL;
         received = take_first(self)) {
        free(received);
    }
    pthread_cond_destroy(&self->changed);
    pthread_mutex_destroy(&self->lock);
    arena_free(self->arena);
    free(self);
}
