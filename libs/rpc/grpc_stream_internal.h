/* What the files of a stream share; nobody else includes this.
 *
 *     grpc_stream.c          its life: who runs it, in which order, from start to closed
 *     grpc_stream_receive.c  what comes in: reading, decoding, message events
 *     grpc_stream_send.c     what goes out: the queue, writing, writable events, the end
 */

#ifndef LIBS_RPC_GRPC_STREAM_INTERNAL_H_
#define LIBS_RPC_GRPC_STREAM_INTERNAL_H_

#include "libs/rpc/grpc_stream.h"
#include "libs/rpc/tag.h"
#include "libs/rpc/wire.h"

#include <pthread.h>
#include <stdatomic.h>

/* What has happened since the stream last ran. */
enum {
    PENDING_START = 1,
    PENDING_READ = 2,  /* in holds what came, or NULL */
    PENDING_WRITE = 4, /* out was taken */
    PENDING_WAKE = 8,
    PENDING_CHECK = 16,
    PENDING_CLOSE = 32, /* server: RECV_CLOSE; client: the status */
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
    bool is_half_closed; /* in is NULL because the other side has sent its last */
    grpc_byte_buffer *out;
    int cancelled;
    atomic_bool is_cancelled; /* the call's */
    grpc_metadata_array initial, trailing;
    grpc_status_code code;
    grpc_slice details;
    struct wire_status wire_status;
    bool has_wire_status;
};

/* ---- grpc_stream.c ---- */

/* Any thread: sets bits; where nobody runs the stream, somebody will: here, when here is a thread
 * for it. */
void grpc_stream_post(struct grpc_stream *self, unsigned bits, bool may_run_here) NONNULL;
/* Holds a ref for tag->run() to drop. */
void grpc_stream_batch(struct grpc_stream *self, grpc_op op, struct tag *tag) NONNULL;
void grpc_stream_unref(struct grpc_stream *self) NONNULL;
/* options.check; OK where there is none. */
status grpc_stream_still_holds(struct grpc_stream *self) NONNULL;
/* An error ends the stream: what is queued is not sent any more.  OK does nothing. */
void grpc_stream_note(struct grpc_stream *self, status result) NONNULL;

/* ---- grpc_stream_receive.c ---- */

void grpc_stream_read_done(struct tag *tag, bool ok) NONNULL;
/* Reads on, when more is wanted. */
void grpc_stream_read(struct grpc_stream *self) NONNULL;
/* What was read: open and message. */
void grpc_stream_take_message(struct grpc_stream *self) NONNULL;

/* ---- grpc_stream_send.c ---- */

void grpc_stream_write_done(struct tag *tag, bool ok) NONNULL;
void grpc_stream_end_done(struct tag *tag, bool ok) NONNULL;
/* As stream.h has them. */
status grpc_stream_send(struct stream *stream, const ProtobufCMessage *message) NONNULL;
bool grpc_stream_has_room(const struct stream *stream) NONNULL;

/* out was taken. */
void grpc_stream_written(struct grpc_stream *self) NONNULL;
/* writable, when there is room. */
void grpc_stream_ask_for_more(struct grpc_stream *self) NONNULL;
/* Sends the first of the queue, when nothing is under way. */
void grpc_stream_write(struct grpc_stream *self) NONNULL;
/* Our last: the status, the half-close, or a cancellation. */
void grpc_stream_end_when_sent(struct grpc_stream *self) NONNULL;
void grpc_stream_drop_queue(struct grpc_stream *self) NONNULL;

#endif
