/* stream - a streaming call, as four events with bounded buffers.
 *
 * Both ends of a stream look alike: a server's handler and a client's receiver are the same four
 * functions, made for a row of a table (service.h) or given to peer_open_stream() (peer.h).
 *
 *     open      server: the stream is there; makes the state.  Client: not called.
 *     message   the other side has sent one; NULL, on a server alone: the caller has sent its last
 *     writable  there is room in the queue, after a send was taken or a stream_wake()
 *     closed    last, and once: frees the state
 *
 * In: nothing more is read until message returns, so the sender meets flow control and not our
 * memory.  stream_hold() makes that longer, for a handler that answers later.
 *
 * Out: stream_send() encodes at once into a queue with a limit in messages and bytes; past it,
 * RESOURCE_EXHAUSTED, which TRY turns into the end of the stream.  A slow reader costs what fits
 * in its queue and nothing more.
 *
 * Between threads: nobody pushes.  Who changes something calls stream_wake() (any thread, never
 * blocks, many wakes are one event), and writable pulls what its reader has not seen.  The last
 * state is always sent; steps between may merge.
 *
 * Ending: an error from any event ends the stream with that status; stream_end() ends it with OK
 * once the queue is sent.  A client that ends closes its half, and closed comes with the server's
 * status.
 *
 * A good end and a bad one: a server's handler is given NULL, once, when the caller has closed its
 * half, by its own word and after all its messages.  A caller that died, cancelled or ran out of
 * time before it did so gives no NULL; then closed comes with CANCELLED, and is the first to tell.
 * So what a caller begins and ends may be committed at NULL.  After NULL the caller may die like
 * everybody else: closed says OK when the status was sent before that was known, not that it was
 * read.  A client is given no NULL: closed tells by the server's status how it ended.
 *
 * Threads: never two events at once for one stream.  The row says where they run: INLINE events
 * must not block; WORKER events run on the pool and may.
 */

#ifndef LIBS_RPC_STREAM_H_
#define LIBS_RPC_STREAM_H_

#include "libs/base/attributes.h"
#include "libs/base/status.h"
#include "libs/rpc/call.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

struct stream;

struct stream_events {
    status (*open)(struct stream *stream, void *service, void **ret_state);
    status (*message)(struct stream *stream, void *state, const ProtobufCMessage *message);
    status (*writable)(struct stream *stream, void *state); /* NULL when nothing is ever late */
    /* why is OK when both sides have said all they had to.  state is NULL when open failed. */
    void (*closed)(struct stream *stream, void *state, status why);
};

enum {
    /* What waits to be sent of one stream.  The bytes: two messages of gRPC's own limit of 4 MiB;
     * the messages: a burst of small answers to one large request. */
    STREAM_MAX_QUEUED_MESSAGES = 1024,
    STREAM_MAX_QUEUED_BYTES = 8 * 1024 * 1024,
    /* Room, as stream_has_room() and writable have it: so much is not queued yet.  Far below the
     * limit, so that a handler may answer one message with many. */
    STREAM_ROOM_MESSAGES = 64,
    STREAM_ROOM_BYTES = 1024 * 1024,
};

/* The call: who, how long, on whose trace.  Its arena lives as long as the stream; what one event
 * needs comes from stream_event_arena(), which is reset after it. */
struct call *stream_call(struct stream *stream) NONNULL RETURNS_NONNULL;
struct arena *stream_event_arena(struct stream *stream) NONNULL RETURNS_NONNULL;

/* In an event alone. RESOURCE_EXHAUSTED: the queue is full.  CANCELLED: the stream is over. */
status stream_send(struct stream *stream, const ProtobufCMessage *message) NONNULL;
bool stream_has_room(const struct stream *stream) NONNULL;
/* In an event alone: no more will be sent.  What is queued is sent first. */
void stream_end(struct stream *stream) NONNULL;
/* In an event alone: with true, no message event comes until it is called with false. */
void stream_hold(struct stream *stream, bool hold) NONNULL;

/* Any thread, also after the end as long as a ref is held: a writable event comes. */
void stream_wake(struct stream *stream) NONNULL;
/* Any thread: the stream ends with CANCELLED at both sides. */
void stream_cancel(struct stream *stream) NONNULL;

/* Keeps the stream's memory, not the stream: for a callback that wakes it later. */
void stream_ref(struct stream *stream) NONNULL;
void stream_unref(struct stream *stream) NONNULL;

/* ---- For those who carry streams: the server, the client, and the double of tests ---- */

/* A stream is a struct that begins with this one. */
struct stream {
    const struct stream_ops *ops;
};

struct stream_ops {
    struct call *(*call)(struct stream *stream);
    struct arena *(*event_arena)(struct stream *stream);
    status (*send)(struct stream *stream, const ProtobufCMessage *message);
    bool (*has_room)(const struct stream *stream);
    void (*end)(struct stream *stream);
    void (*hold)(struct stream *stream, bool hold);
    void (*wake)(struct stream *stream);
    void (*cancel)(struct stream *stream);
    void (*ref)(struct stream *stream);
    void (*unref)(struct stream *stream);
};

#endif
