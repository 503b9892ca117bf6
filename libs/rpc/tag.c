#include "libs/rpc/tag.h"

#include "libs/base/tsan.h"

#include <stdlib.h>

void tag_release(struct tag *tag)
{
    tsan_release(tag);
}

void tag_start_batch(grpc_call *call, const grpc_op *ops, size_t n_ops, struct tag *tag)
{
    tag_release(tag);
    if (grpc_call_start_batch(call, ops, n_ops, tag, NULL) != GRPC_CALL_OK) {
        abort(); /* a bug of ours: gRPC takes every batch that is put together as it should be */
    }
}

bool tag_next(grpc_completion_queue *queue)
{
    grpc_event event = grpc_completion_queue_next(queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);

    if (event.type == GRPC_QUEUE_SHUTDOWN) {
        return false;
    }
    struct tag *tag = event.tag;
    tsan_acquire(tag);
    tag->run(tag, event.success != 0);
    return true;
}

void tag_loop(grpc_completion_queue *queue)
{
    while (tag_next(queue)) {
    }
}
