/* job_store - jobs as rows, and the questions asked about them.
 *
 * Keys are (tenant_id, job_id); ids are ULIDs, so that a tenant's jobs are in order of enqueueing.
 * What changes jobs is in job_changes.h.  All functions block, and are safe on any thread.
 *
 *     job         one row each, with payload and result (at most 64 KiB each)
 *     job_error   one row for each attempt that failed
 *
 * Partial indexes hold the jobs of one state each, so that neither a million finished jobs nor a
 * million scheduled ones make finding the next ready one slower.
 */

#ifndef SERVICES_SCHEDULER_JOB_STORE_H_
#define SERVICES_SCHEDULER_JOB_STORE_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/status.h"
#include "libs/store/store.h"
#include "services/scheduler/job.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct job_list {
    const struct job_record *jobs;
    size_t n_jobs;
    bool more; /* there are others after the last of these */
};

struct job_error_list {
    const struct job_error *errors; /* oldest first */
    size_t n_errors;
};

/* Brings the tables up to date; when the service starts. */
status job_store_migrate(struct store *store, struct arena *arena) NONNULL;

/* ---- For callers ---- */

/* NOT_FOUND when there is none of that id. */
status job_store_get(struct store *store, struct arena *arena, const char *tenant_id,
                     const char *job_id, struct job_record *ret_job) NONNULL;

/* The job that was enqueued with this key; NOT_FOUND when none was, or history has forgotten it. */
status job_store_find(struct store *store, struct arena *arena, const char *tenant_id,
                      const char *idempotency_key, struct job_record *ret_job) NONNULL;

struct job_filter {
    const char *tenant_id;
    const char *project_id;
    enum job_state state; /* JOB_ANY_STATE: all */
    const char *before;   /* job_id of the page before's last; "" for the first page */
    size_t limit;
};

/* Newest first, without payloads and results. */
status job_store_list(struct store *store, struct arena *arena, const struct job_filter *filter,
                      struct job_list *ret_list) NONNULL;

/* Why the last JOB_SHOWN_ERRORS attempts failed. */
status job_store_errors(struct store *store, struct arena *arena, const char *tenant_id,
                        const char *job_id, struct job_error_list *ret_list) NONNULL;

/* ---- For the engine ---- */

/* The first ready jobs of a tenant that need a capability, by rank. */
status job_store_ready(struct store *store, struct arena *arena, const char *tenant_id,
                       const char *capability, size_t limit, struct job_list *ret_list) NONNULL;

/* Scheduled jobs whose time has come, the earliest first. */
status job_store_due(struct store *store, struct arena *arena, int64_t now_ms, size_t limit,
                     struct job_list *ret_list) NONNULL;

/* When the next scheduled job is due; INT64_MAX when there is none. */
status job_store_next_due(struct store *store, struct arena *arena, int64_t *ret_ms) NONNULL;

/* Jobs that wait, ready or scheduled, past their deadline. */
status job_store_overdue(struct store *store, struct arena *arena, int64_t now_ms, size_t limit,
                         struct job_list *ret_list) NONNULL;

/* Running jobs after the given key ("", "" is before all), for the start after a crash. */
status job_store_running(struct store *store, struct arena *arena, const char *after_tenant,
                         const char *after_job, size_t limit, struct job_list *ret_list) NONNULL;

/* The first tenant and capability after the given ones that has ready jobs; *ret_found is false
 * when there are no more.  One step in an index, however many jobs there are. */
status job_store_next_lane(struct store *store, struct arena *arena, const char *tenant_id,
                           const char *capability, struct job_record *ret_lane, bool *ret_found)
    NONNULL;

/* How many jobs of each tenant have not ended; when the service starts. */
struct job_count {
    const char *tenant_id;
    int64_t n_jobs;
};

struct job_count_list {
    const struct job_count *counts;
    size_t n_counts;
};

status job_store_count_open(struct store *store, struct arena *arena,
                            struct job_count_list *ret_list) NONNULL;

/* For what deleted tenants have left: who has jobs at all, in order; */
struct job_tenants {
    const char *const *ids; /* arena */
    size_t n_ids;
};

status job_store_tenants(struct store *store, struct arena *arena, struct job_tenants *ret_tenants)
    NONNULL;
/* a tenant's jobs that have not ended, after a job_id ("" is before all), by id; */
status job_store_open(struct store *store, struct arena *arena, const char *tenant_id,
                      const char *after, size_t limit, struct job_list *ret_list) NONNULL;
/* and whether it has more than n that have. */
status job_store_has_ended(struct store *store, struct arena *arena, const char *tenant_id,
                           size_t n, bool *ret_more) NONNULL;

/* When the job ended after which n others did; 0 when not so many have. */
status job_store_newest_end(struct store *store, struct arena *arena, int64_t n, int64_t *ret_ms)
    NONNULL;

/* What of the history is old, with the retention's three times as $1, $2 and $3. */
#define JOB_IS_OLD                                               \
    "state >= 4 AND end_ms < $1 AND (state <> 6 OR end_ms < $2)" \
    " AND (idempotency_key IS NULL OR end_ms < $3)"

/* Whether there is something to forget. */
status job_store_has_old(struct store *store, struct arena *arena,
                         const struct job_retention *retention, bool *ret_found) NONNULL;

#endif
