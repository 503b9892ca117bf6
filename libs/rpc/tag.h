/* tag - what a completion queue gives back when a batch is done.
 *
 * A batch is started with the address of a tag in the object it belongs to; the queue's thread
 * runs the tag.  ThreadSanitizer does not see into Debian's libgrpc, so what was written before
 * the batch and read after it is told to it here.
 */

#ifndef LIBS_RPC_TAG_H_
#define LIBS_RPC_TAG_H_

#include "libs/base/attributes.h"

#include <grpc/grpc.h>
#include <stdbool.h>
#include <stddef.h>

struct tag {
    void (*run)(struct tag *tag, bool ok);
};

/* The object that a tag is a member of. */
#define TAG_OWNER(tag, type, member) ((type *)(void *)((char *)(tag)-offsetof(type, member)))

/* Tells ThreadSanitizer that what was done so far happens before the tag's run(). */
void tag_release(struct tag *tag) NONNULL;

/* Starts a batch; aborts when gRPC says that the batch itself is wrong. */
void tag_start_batch(grpc_call *call, const grpc_op *ops, size_t n_ops, struct tag *tag) NONNULL;

/* Waits for a queue's next tag and runs it; false when the queue is shut down and empty. */
bool tag_next(grpc_completion_queue *queue) NONNULL;
/* Runs them all until then. */
void tag_loop(grpc_completion_queue *queue) NONNULL;

#endif
