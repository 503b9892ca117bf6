#include "services/auth/subscribers.h"

#include "libs/base/status_details.h"
#include "libs/rpc/message.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

typedef Weft__Auth__V1__SubscribeRequest SubscribeRequest;
typedef Weft__Auth__V1__SubscribeResponse SubscribeResponse;

struct subscriber {
    struct subscribers *all;
    struct stream *stream;
    struct point point;
    bool has_joined;
    bool has_ended; /* by its own word: it decides nothing any more */
    struct feed_cursor cursor;
    int64_t sent_ms; /* monotonic, of the last message */
};

void subscribers_tick(struct subscribers *self)
{
    points_wake(self->points);
}

void subscribers_drain(struct subscribers *self)
{
    atomic_store(&self->is_draining, true);
    points_wake(self->points);
}

/* ---- Down ---- */

/* A message of the feed is field 1 of the response, encoded already: to protobuf-c it is a field
 * that it does not know, which it copies as it is. */
static status send_encoded(struct subscriber *self, bytes data)
{
    ProtobufCMessageUnknownField snapshot = {
        .tag = 1,
        .wire_type = PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED,
        .len = data.size,
        .data = message_data(data).data,
    };
    SubscribeResponse response;

    weft__auth__v1__subscribe_response__init(&response);
    response.base.n_unknown_fields = 1;
    response.base.unknown_fields = &snapshot;
    return stream_send(self->stream, &response.base);
}

static status send_changes(struct subscriber *self)
{
    struct feed_message *message;

    while (stream_has_room(self->stream) &&
           (message = feed_next(self->all->feed, &self->cursor)) != NULL) {
        status s = send_encoded(self, feed_message_data(message));
        feed_message_unref(message);
        TRY(s);
        self->sent_ms = clock_monotonic_ms(self->all->clock);
    }
    return status_ok();
}

static status send_beat(struct subscriber *self)
{
    int64_t now_ms = clock_monotonic_ms(self->all->clock);
    SubscribeResponse beat;

    if (self->cursor.revision == 0 || self->cursor.whole != NULL ||
        !stream_has_room(self->stream) || now_ms - self->sent_ms < SUBSCRIBERS_BEAT_MS) {
        return status_ok();
    }
    self->sent_ms = now_ms;
    weft__auth__v1__subscribe_response__init(&beat);
    return stream_send(self->stream, &beat.base);
}

status subscriber_writable(struct stream *stream, void *state)
{
    struct subscriber *self = state;

    if (!self->has_joined) {
        return status_ok();
    }
    if (points_is_fenced(self->all->points, &self->point)) {
        return status_error(stream_event_arena(stream), STATUS_DEADLINE_EXCEEDED,
                            "a revision was not acknowledged in time");
    }
    if (atomic_load(&self->all->is_draining)) {
        return status_error(stream_event_arena(stream), STATUS_UNAVAILABLE, "auth is ending");
    }
    TRY(send_changes(self));
    return send_beat(self);
}

/* ---- Up ---- */

static status join(struct subscriber *self, const SubscribeRequest *request)
{
    struct arena *arena = stream_event_arena(self->stream);
    struct call *call = stream_call(self->stream);
    size_t length = strlen(request->instance);

    if (request->acknowledged_revision != 0) {
        return status_bad_field(arena, "acknowledged_revision", "must be 0 at first");
    }
    if (length == 0 || length > SUBSCRIBERS_MAX_INSTANCE_BYTES) {
        return status_bad_field(arena, "instance", "must have 1 to %d bytes",
                                SUBSCRIBERS_MAX_INSTANCE_BYTES);
    }
    self->point = (struct point){
        .stream = self->stream,
        .name = arena_printf(call->arena, "%s %s", call->peer_id, request->instance),
    };
    TRY(points_join(self->all->points, arena, &self->point));
    self->has_joined = true;
    return status_ok();
}

static status obey(struct subscriber *self, uint64_t revision)
{
    if (revision > self->cursor.revision) {
        return status_bad_field(stream_event_arena(self->stream), "acknowledged_revision",
                                "%llu was never sent", (unsigned long long)revision);
    }
    bool is_first = self->point.obeyed == 0 && revision > 0;
    points_obeyed(self->all->points, &self->point, revision);
    if (is_first) {
        point_memory_note_here(&self->all->memory, self->point.name);
    }
    return status_ok();
}

status subscriber_message(struct stream *stream, void *state, const SubscribeRequest *request)
{
    struct subscriber *self = state;

    if (request == NULL) {
        self->has_ended = true;
        stream_end(stream);
        return status_ok();
    }
    if (self->has_joined) {
        return obey(self, request->acknowledged_revision);
    }
    TRY(join(self, request));
    return subscriber_writable(stream, self);
}

/* ---- Life ---- */

status subscriber_open(struct subscribers *subscribers, struct stream *stream, void **ret_state)
{
    struct subscriber *self = malloc(sizeof *self);

    if (self == NULL) {
        abort();
    }
    *self = (struct subscriber){ .all = subscribers, .stream = stream };
    *ret_state = self;
    return status_ok();
}

static void leave(struct subscriber *self)
{
    bool is_last = points_leave(self->all->points, &self->point, self->has_ended);

    if (is_last && self->point.obeyed > 0) {
        point_memory_note_gone(&self->all->memory, self->point.name, self->has_ended);
    }
}

void subscriber_closed(struct stream *stream, void *state, status why)
{
    struct subscriber *self = state;

    (void)stream;
    (void)why;
    if (self == NULL) {
        return;
    }
    if (self->has_joined) {
        leave(self);
    }
    feed_cursor_reset(&self->cursor);
    free(self);
}
