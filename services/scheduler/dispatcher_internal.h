/* dispatcher_internal - what the two halves of the dispatcher share: jobs and lanes in
 * dispatcher.c, workers and matches in dispatcher_match.c. */

#ifndef SERVICES_SCHEDULER_DISPATCHER_INTERNAL_H_
#define SERVICES_SCHEDULER_DISPATCHER_INTERNAL_H_

#include "libs/base/attributes.h"
#include "libs/base/map.h"
#include "services/scheduler/dispatcher.h"

#include <stddef.h>

struct dispatcher {
    struct dispatcher_options limits;
    struct map pools; /* by capability */
    struct map lanes; /* by tenant_id, NUL, capability */
    struct map jobs;  /* by tenant_id, NUL, job_id */
    size_t n_waiting;
    size_t n_bytes;
    struct lane *first_low; /* oldest first */
    struct lane *last_low;
};

/* Finds or makes it. */
struct pool *dispatcher_pool(struct dispatcher *self, const char *capability)
    NONNULL RETURNS_NONNULL;

/* Into the list of those that want to be loaded, if so. */
void lane_check_low(struct dispatcher *self, struct lane *lane) NONNULL;

/* Keeps the first n waiting jobs in memory, and leaves the rest to the store. */
void lane_trim(struct dispatcher *self, struct lane *lane, size_t n) NONNULL;

/* A waiting job no longer waits. */
void job_leave_lane(struct dispatcher *self, struct job *job) NONNULL;

#endif
