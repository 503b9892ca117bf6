/* worker - takes jobs of one capability from the scheduler, one at a time.
 *
 *     Hello, credit 1 ->            <- assignment
 *     progress, progress ... ->     <- renewal, each 20 s; withdrawal, perhaps
 *     completion or failure ->      <- result: durable, or refused
 *     credit 1 ->
 *
 * Between jobs it beats.  When the stream breaks it comes back after a while; a job under way then
 * goes to another attempt, perhaps again to us, and what it does must bear being done twice.
 *
 * One thread: what runs the job must call worker_progress() at least every 10 s, which is what the
 * scheduler's lease asks for.
 */

#ifndef CLI_WORKER_H_
#define CLI_WORKER_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/status.h"
#include "libs/rpc/call.h"
#include "libs/rpc/peer.h"
#include "weft/scheduler/v1/scheduler_service.pb-c.h"

#include <stdbool.h>
#include <stdint.h>

struct worker;

struct worker_options {
    struct peer *scheduler; /* required; borrowed */
    const char *worker_id;  /* required; borrowed, like the capability */
    const char *capability;
    /* Does the job; the result is in arena.  INVALID_ARGUMENT, PERMISSION_DENIED and NOT_FOUND fail
     * it for good, any other error gives it another attempt. */
    status (*run)(void *data, struct worker *worker, struct arena *arena,
                  const Weft__Scheduler__V1__Assignment *job, const char **ret_result);
    /* Told of what happens, for the log; may be NULL. */
    void (*tell)(void *data, const char *what, const char *job_id);
    void *data;                   /* of both */
    int64_t max_jobs;             /* 0: until stopped */
    const _Atomic bool *stopping; /* NULL: never */
    int64_t patience_ms;          /* the scheduler may be away so long; 0: for ever */
};

/* Until max_jobs have ended, stopping is set, or patience is over. */
status worker_run(struct call *call, const struct worker_options *options) NONNULL;

/* Called while a job runs: reports when the last report is 200 ms old or all is done, and returns
 * false when the job is not ours any more, so that it should be left. */
bool worker_progress(struct worker *self, int64_t done, int64_t total, const char *message) NONNULL;

/* The token for calls in the name of who enqueued the job at hand: the newest, since each ends with
 * the lease.  Borrowed until the next worker_progress(), so ask again after it. */
const char *worker_token(const struct worker *self) NONNULL RETURNS_NONNULL;

#endif
