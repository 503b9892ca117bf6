/* pipe - a stream to a peer, for code that may block.
 *
 *     TRY(pipe_open(peer, call, &weft__search__v1__search_service__descriptor, "UpsertDocuments",
 *                   &pipe));
 *     TRY(pipe_send(pipe, &request.base));                       waits for room
 *     TRY(pipe_receive(pipe, arena, 5000, &message));            waits for a message
 *     pipe_finish(pipe);  ... receive until NULL ...
 *     pipe_free(pipe);
 *
 * One thread may send while another receives.  What has come and was not yet received is bounded:
 * past PIPE_MAX_RECEIVED messages nothing more is read from the network.
 */

#ifndef LIBS_RPC_PIPE_H_
#define LIBS_RPC_PIPE_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/status.h"
#include "libs/rpc/peer.h"

#include <protobuf-c/protobuf-c.h>
#include <stdint.h>

enum { PIPE_MAX_RECEIVED = 64 };

struct pipe;

/* method is a constant.  The caller owns the pipe: pipe_free(). */
status pipe_open(struct peer *peer, struct call *call, const ProtobufCServiceDescriptor *service,
                 const char *method, struct pipe **ret_pipe) NONNULL;

/* The stream's own error when it is over, in arena; CANCELLED after pipe_finish(). */
status pipe_send(struct pipe *pipe, struct arena *arena, const ProtobufCMessage *message) NONNULL;

/* We have sent our last. */
void pipe_finish(struct pipe *pipe) NONNULL;

/* *ret_message is NULL when the other side has sent its last and all is well; else it lives in
 * arena.  DEADLINE_EXCEEDED: nothing came within timeout_ms (-1: no limit); the pipe goes on.  Any
 * other error is the stream's, and its end. */
status pipe_receive(struct pipe *pipe, struct arena *arena, int64_t timeout_ms,
                    const ProtobufCMessage **ret_message) NONNULL;

/* Cancels what still runs.  NULL is allowed. */
void pipe_free(struct pipe *pipe);

#endif
