/* job_message - jobs and their times, between rows and the API's messages. */

#ifndef SERVICES_SCHEDULER_JOB_MESSAGE_H_
#define SERVICES_SCHEDULER_JOB_MESSAGE_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/status.h"
#include "services/scheduler/job.h"
#include "services/scheduler/job_store.h"
#include "weft/scheduler/v1/scheduler_service.pb-c.h"

/* In arena; borrows the record's texts and blobs.  errors may be NULL. */
Weft__Scheduler__V1__Job *job_message(struct arena *arena, const struct job_record *record,
                                      const struct job_error_list *errors) NONNULL_ARGS(1, 2)
    RETURNS_NONNULL;

/* NULL for 0, which stands for no time. */
Google__Protobuf__Timestamp *time_message(struct arena *arena, int64_t ms) NONNULL;

/* 0 for NULL.  INVALID_ARGUMENT: before 1970, after 9999, or with nanoseconds that are none. */
status time_of_message(struct arena *arena, const char *field,
                       const Google__Protobuf__Timestamp *time, int64_t *ret_ms)
    NONNULL_ARGS(1, 2, 4);

/* What a request asks to be enqueued, for tenant and subject; borrows the request's texts.
 * INVALID_ARGUMENT: a field that job_check() would not see. */
status job_of_request(struct arena *arena, const Weft__Scheduler__V1__EnqueueJobRequest *request,
                      struct job_record *ret_job) NONNULL;

#endif
