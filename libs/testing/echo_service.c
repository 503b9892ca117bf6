#include "libs/testing/echo_service.h"

#include "libs/base/text.h"
#include "libs/rpc/message.h"
#include "weft/testing/v1/echo_service.pb-c.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

static status as_asked(struct arena *arena, int code, const char *name)
{
    return code == 0 ? status_ok()
                     : status_error(arena, (enum status_code)code, "as '%s' asked", name);
}

static status echo(struct call *call, const Weft__Testing__V1__EchoRequest *request,
                   Weft__Testing__V1__EchoResponse *response)
{
    const struct echo_service *self = call->service;

    TRY(as_asked(call->arena, request->code, request->name));
    response->payload = self->says != NULL ? message_data(bytes_of(self->says)) : request->payload;
    return status_ok();
}

/* False when its caller is gone before it has slept. */
static bool slept(struct echo_service *self, const struct call *call, int sleep_ms)
{
    bool is_cancelled = false;

    atomic_fetch_add(&self->asleep, 1);
    for (int ms = 0; ms < sleep_ms && !is_cancelled && !self->is_let_go; ms++) {
        is_cancelled = call_is_cancelled(call);
        (void)usleep(1000);
    }
    atomic_fetch_sub(&self->asleep, 1);
    return !is_cancelled;
}

static status echo_slowly(struct call *call, const Weft__Testing__V1__EchoSlowlyRequest *request,
                          Weft__Testing__V1__EchoSlowlyResponse *response)
{
    struct echo_service *self = call->service;

    if (request->sleep_ms > 0 && !slept(self, call, request->sleep_ms)) {
        atomic_fetch_add(&self->cancelled, 1);
        return status_error(call->arena, STATUS_CANCELLED, "the caller is gone");
    }
    response->payload = request->payload;
    return status_ok();
}

/* ---- EchoStream: answers are pulled as the reader has room ---- */

struct echoes {
    struct echo_service *service;
    ProtobufCBinaryData payload; /* owned */
    int left;
    bool is_last;
};

static status echoes_open(struct stream *stream, void *service, void **ret_state)
{
    struct echoes *self = calloc(1, sizeof *self);

    (void)stream;
    if (self == NULL) {
        abort();
    }
    self->service = service;
    *ret_state = self;
    return status_ok();
}

static status echoes_writable(struct stream *stream, void *state)
{
    struct echoes *self = state;
    Weft__Testing__V1__EchoStreamResponse response;

    weft__testing__v1__echo_stream_response__init(&response);
    response.payload = self->payload;
    for (; self->left > 0 && stream_has_room(stream); self->left--) {
        TRY(stream_send(stream, &response.base));
    }
    stream_hold(stream, self->left > 0);
    if (self->is_last && self->left == 0) {
        stream_end(stream);
    }
    return status_ok();
}

static status echoes_message(struct stream *stream, void *state,
                             const Weft__Testing__V1__EchoStreamRequest *request)
{
    struct echoes *self = state;

    if (request == NULL) {
        atomic_fetch_add(&self->service->half_closed, 1);
        self->is_last = true;
        return echoes_writable(stream, state);
    }
    TRY(as_asked(stream_event_arena(stream), request->code, request->name));
    free(self->payload.data);
    self->payload.data = malloc(request->payload.len + 1);
    if (self->payload.data == NULL) {
        abort();
    }
    for (size_t i = 0; i < request->payload.len; i++) {
        self->payload.data[i] = request->payload.data[i];
    }
    self->payload.len = request->payload.len;
    self->left += request->times == 0 ? 1 : request->times;
    return echoes_writable(stream, state);
}

static void echoes_closed(struct stream *stream, void *state, status why)
{
    struct echoes *self = state;

    (void)stream;
    (void)why;
    atomic_fetch_add(&self->service->closed, 1);
    free(self->payload.data);
    free(self);
}

#define METHODS(X)                             \
    X(Weft__Testing__V1__, Echo, INLINE, echo) \
    X(Weft__Testing__V1__, EchoSlowly, WORKER, echo_slowly)
#define STREAMS(X) X(Weft__Testing__V1__, EchoStream, INLINE, echoes)
SERVICE_DEFINE_STREAMS(echo_service_methods, weft__testing__v1__echo_service__descriptor, METHODS,
                       STREAMS);
