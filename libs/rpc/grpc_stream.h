/* grpc_stream - a stream (stream.h) over a gRPC call, for the server and for channels.
 *
 * One object does for both sides.  gRPC's completions, wakes and cancellations set bits; whoever
 * finds the stream idle runs it until no bit is left, so events never overlap and nothing waits
 * under a lock:
 *
 *     completion ---+
 *     stream_wake --+--> pending |= bit --> idle? run: read, message, writable, write, closed
 *     deadline -----+                       busy? whoever runs sees the bit
 *
 * INLINE streams run on the thread of the completion, and on the waker's for a wake; WORKER ones
 * on the pool.
 */

#ifndef LIBS_RPC_GRPC_STREAM_H_
#define LIBS_RPC_GRPC_STREAM_H_

#include "libs/base/attributes.h"
#include "libs/rpc/executor.h"
#include "libs/rpc/stream.h"

#include <grpc/grpc.h>

struct grpc_stream;

struct grpc_stream_options {
    bool is_client;
    grpc_call *grpc_call; /* owned from now on */
    const struct stream_events *events;
    const ProtobufCMessageDescriptor *incoming;
    enum handler_thread thread;
    struct executor *pool;  /* for WORKER events */
    struct executor *waker; /* for INLINE ones, when woken */
    size_t max_message;     /* bytes received in one message */
    void *state;            /* client: the events'; server: what open() is given */
    struct arena *arena;    /* the call's, owned from now on */
    struct call call;       /* copied; its arena must be the above */
    /* server: whether what let the stream in still holds.  Asked before each event, and after
     * grpc_stream_check(); an error ends the stream */
    status (*check)(struct call *call, void *data);
    /* server: asked with each message before the events see it; may end the stream */
    status (*admit)(struct call *call, void *data, const ProtobufCMessage *message, bool first);
    /* Once, after closed, with the final status: for the log, the metrics and the span. */
    void (*finished)(struct call *call, void *data, status why);
    void *data;              /* of the three */
    grpc_metadata *metadata; /* client: sent with the call; borrowed until the start has returned */
    size_t n_metadata;
};

/* Starts the call.  Frees itself when all is over and the last ref is gone; the result comes with
 * a ref for the caller. */
struct grpc_stream *grpc_stream_start(const struct grpc_stream_options *options)
    NONNULL RETURNS_NONNULL;

/* Any thread, as long as a ref is held; never blocks: options.check is asked soon, also when the
 * stream waits for nothing but its other side. */
void grpc_stream_check(struct grpc_stream *self) NONNULL;

/* The stream, as its handlers have it. */
struct stream *grpc_stream_stream(struct grpc_stream *self) NONNULL RETURNS_NONNULL;

#endif
