/* wire - gRPC C core's buffers, metadata and trailers, as bytes and statuses and back. */

#ifndef LIBS_RPC_WIRE_H_
#define LIBS_RPC_WIRE_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/bytes.h"
#include "libs/base/status.h"

#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>
#include <protobuf-c/protobuf-c.h>
#include <stdint.h>

/* The payload of a message, decompressed when it was compressed.  Where it lies in one piece it
 * is not copied: good as long as both the buffer and the arena.  NULL is an empty message.
 * INVALID_ARGUMENT: it does not decompress.  RESOURCE_EXHAUSTED: to more than limit bytes. */
status wire_read(struct arena *arena, grpc_byte_buffer *buffer, size_t limit, bytes *ret_data)
    NONNULL_ARGS(1, 4);

/* A buffer of its own, for one send: gRPC empties what it sends. */
grpc_byte_buffer *wire_buffer(bytes data) RETURNS_NONNULL;
/* The message encoded into one. */
grpc_byte_buffer *wire_message(const ProtobufCMessage *message) NONNULL RETURNS_NONNULL;

/* The first value of a header, as a string in arena; "" when there is none or it is no text. */
const char *wire_header(struct arena *arena, const grpc_metadata_array *metadata, const char *name)
    NONNULL RETURNS_NONNULL;

/* A status as a server sends it. */
struct wire_status {
    grpc_status_code code;
    grpc_slice message;        /* owned */
    grpc_metadata trailers[1]; /* grpc-status-details-bin; value owned */
    size_t n_trailers;
};

/* Of INTERNAL and UNAVAILABLE the code's name alone goes out. */
void wire_status_init(struct wire_status *self, struct arena *arena, status s) NONNULL;
void wire_status_reset(struct wire_status *self) NONNULL;

/* No peer, hostile or broken, keeps us from asking again for longer; ours ask for seconds. */
enum { WIRE_MAX_RETRY_AFTER_MS = 3600 * 1000 };

/* A status as a client receives it, details included: those that are ours and can be read. */
status wire_status_read(struct arena *arena, grpc_status_code code, grpc_slice message,
                        const grpc_metadata_array *trailers) NONNULL_ARGS(1, 4);

/* For gRPC: a monotonic time of the system's clock as ours has it. */
gpr_timespec wire_deadline(int64_t deadline_us);
/* And back; INT64_MAX for none. */
int64_t wire_deadline_us(gpr_timespec deadline);

#endif
