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

/* ---- Two names as one key ---- */

enum { MAX_PAIR_BYTES = 512 }; /* longer names are refused long before */

struct pair {
    char data[MAX_PAIR_BYTES];
};

/* first, NUL, second; lives in pair. */
bytes pair_of(struct pair *pair, const char *first, const char *second) NONNULL;

/* ---- Lanes ---- */

/* One job of each lane always has room: a full memory slows lanes down, and stops none. */
bool lane_has_room(const struct dispatcher *self, const struct lane *lane) NONNULL;

/* A ready job of this rank is in the store and not here. */
void lane_miss(struct dispatcher *self, struct lane *lane, int64_t rank_ms) NONNULL;

/* Finds or makes it. */
struct pool *dispatcher_pool(struct dispatcher *self, const char *capability)
    NONNULL RETURNS_NONNULL;

/* Into the list of those that want to be loaded, if so. */
void lane_check_low(struct dispatcher *self, struct lane *lane) NONNULL;

/* Keeps the first n waiting jobs in memory, and leaves the rest to the store. */
void lane_trim(struct dispatcher *self, struct lane *lane, size_t n) NONNULL;

/* ---- Jobs ---- */

void job_free(struct job *job) NONNULL;

/* A waiting job no longer waits. */
void job_leave_lane(struct dispatcher *self, struct job *job) NONNULL;

#endif
