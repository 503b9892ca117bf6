/* job_erasure - a deleted tenant's jobs go (libs/authz/eraser.h).
 *
 *     those that have not ended are cancelled     a worker that has one is told to stop
 *     all are deleted, a batch at a time          payloads, results, errors
 *     with the last batch, in one write           "tenant.erase" is told
 *
 * Each step may be done twice: as long as any job is there, there is something to do.
 */

#ifndef SERVICES_SCHEDULER_JOB_ERASURE_H_
#define SERVICES_SCHEDULER_JOB_ERASURE_H_

#include "libs/authz/eraser.h"
#include "libs/base/random.h"
#include "services/scheduler/engine.h"

struct job_erasure {
    struct engine *engine; /* borrowed, all of them */
    struct store *store;
    const struct clock *clock;
    const struct random_source *random;
    const char *spiffe_id; /* ours, for the event */
};

/* For an eraser, with a job_erasure as data. */
extern const struct eraser_ops job_erasure_ops;

#endif
