/* scheduler_service_internal - what the unary handlers and the streams share. */

#ifndef SERVICES_SCHEDULER_SCHEDULER_SERVICE_INTERNAL_H_
#define SERVICES_SCHEDULER_SCHEDULER_SERVICE_INTERNAL_H_

#include "libs/base/attributes.h"
#include "libs/rpc/call.h"
#include "libs/rpc/stream.h"
#include "services/scheduler/job.h"
#include "services/scheduler/scheduler_service.h"
#include "weft/scheduler/v1/scheduler_service.pb-c.h"

struct scheduler_service {
    struct scheduler_service_options options;
};

/* The job that the caller asks to be enqueued, in its own name.  PERMISSION_DENIED: it asks for a
 * permission that it has not. */
status job_of_caller(struct arena *arena, const struct call *call,
                     const Weft__Scheduler__V1__EnqueueJobRequest *request,
                     struct job_record *ret_job) NONNULL;

/* INVALID_ARGUMENT unless both are well formed. */
status check_job_name(struct arena *arena, const char *project_id, const char *job_id) NONNULL;

/* The job, when it is of the caller's tenant and of the project.  NOT_FOUND else. */
status find_job(const struct scheduler_service *self, struct arena *arena, const struct call *call,
                const char *project_id, const char *job_id, struct job_record *ret_job) NONNULL;

/* Its message, with its errors. */
status describe_job(const struct scheduler_service *self, struct arena *arena,
                    const struct job_record *record, Weft__Scheduler__V1__Job **ret_job) NONNULL;

/* ---- scheduler_enqueue_stream.c, scheduler_watch_stream.c, scheduler_work_stream.c ---- */

#define STREAM_DECLARE(name, type)                                                  \
    status name##_open(struct stream *stream, void *service, void **ret_state);     \
    status name##_message(struct stream *stream, void *state, const type *message); \
    status name##_writable(struct stream *stream, void *state);                     \
    void name##_closed(struct stream *stream, void *state, status why)

STREAM_DECLARE(enqueue_jobs, Weft__Scheduler__V1__EnqueueJobsRequest);
STREAM_DECLARE(watch_job, Weft__Scheduler__V1__WatchJobRequest);
STREAM_DECLARE(work, Weft__Scheduler__V1__WorkRequest);

#undef STREAM_DECLARE

#endif
