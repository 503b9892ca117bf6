/* noop_worker - a worker that does nothing and reports at once, on a thread of its own. */

#ifndef LOADTESTS_NOOP_WORKER_H_
#define LOADTESTS_NOOP_WORKER_H_

#include "loadtests/load.h"

#include <semaphore.h>
#include <stdatomic.h>
#include <stdint.h>

#define NOOP_CAPABILITY "noop"

struct noop_worker;

/* Counted over all workers; what a load test reads. */
struct noop_tally {
    _Atomic int64_t n_done;       /* reports that were answered: durable */
    _Atomic int64_t picked_up_us; /* when the last job came, monotonic */
    sem_t picked_up;              /* posted for each */
};

void noop_tally_init(struct noop_tally *tally) NONNULL;

/* Takes credit jobs at once.  Both are borrowed. */
status noop_worker_start(const struct load *load, struct noop_tally *tally, int32_t credit,
                         struct noop_worker **ret) NONNULL;
/* How its stream ended before it was stopped: OK when it had not. */
status noop_worker_stop(struct noop_worker *self, struct arena *arena) NONNULL;

#endif
