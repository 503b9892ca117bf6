#include "libs/rpc/stream.h"

struct call *stream_call(struct stream *stream)
{
    return stream->ops->call(stream);
}

struct arena *stream_event_arena(struct stream *stream)
{
    return stream->ops->event_arena(stream);
}

status stream_send(struct stream *stream, const ProtobufCMessage *message)
{
    return stream->ops->send(stream, message);
}

bool stream_has_room(const struct stream *stream)
{
    return stream->ops->has_room(stream);
}

void stream_end(struct stream *stream)
{
    stream->ops->end(stream);
}

void stream_hold(struct stream *stream, bool hold)
{
    stream->ops->hold(stream, hold);
}

void stream_wake(struct stream *stream)
{
    stream->ops->wake(stream);
}

void stream_cancel(struct stream *stream)
{
    stream->ops->cancel(stream);
}

void stream_ref(struct stream *stream)
{
    stream->ops->ref(stream);
}

void stream_unref(struct stream *stream)
{
    stream->ops->unref(stream);
}
