/* executor - a few threads and a queue of what they are to do.
 *
 * A task is a struct that begins with an executor_task: queueing allocates nothing.  Tasks start in
 * the order in which they came.
 */

#ifndef LIBS_RPC_EXECUTOR_H_
#define LIBS_RPC_EXECUTOR_H_

#include "libs/base/attributes.h"

#include <stdbool.h>
#include <stddef.h>

struct executor;

struct executor_task {
    void (*run)(struct executor_task *task); /* may free the task */
    struct executor_task *next;
};

/* At most max_waiting tasks wait; 0 means no limit, for callers that bound their tasks otherwise.
 * The caller owns the executor: executor_free(). */
struct executor *executor_new(size_t n_threads, size_t max_waiting) RETURNS_NONNULL;
/* Runs what waits, then ends the threads.  NULL is allowed. */
void executor_free(struct executor *executor);

/* Any thread; false when the queue is full, and then nothing happens. */
bool executor_submit(struct executor *executor, struct executor_task *task) NONNULL;

/* How many wait now: for metrics and admission. */
size_t executor_waiting(struct executor *executor) NONNULL;

#endif
