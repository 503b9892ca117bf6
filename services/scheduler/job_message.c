#include "services/scheduler/job_message.h"

#include "libs/base/status_details.h"
#include "libs/base/text.h"
#include "libs/rpc/message.h"

#include <inttypes.h>
#include <string.h>

Google__Protobuf__Timestamp *time_message(struct arena *arena, int64_t ms)
{
    if (ms == 0) {
        return NULL;
    }
    Google__Protobuf__Timestamp *time = ARENA_NEW(arena, Google__Protobuf__Timestamp);
    google__protobuf__timestamp__init(time);
    time->seconds = ms / 1000;
    time->nanos = (int32_t)(ms % 1000) * 1000000;
    return time;
}

status time_of_message(struct arena *arena, const char *field,
                       const Google__Protobuf__Timestamp *time, int64_t *ret_ms)
{
    const int64_t end_of_9999 = INT64_C(253402300799); /* what timestamp.proto allows */

    *ret_ms = 0;
    if (time == NULL) {
        return status_ok();
    }
    if (time->seconds < 0 || time->seconds > end_of_9999) {
        return status_bad_field(arena, field, "%" PRId64 " s is not between 1970 and 9999",
                                time->seconds);
    }
    if (time->nanos < 0 || time->nanos > 999999999) {
        return status_bad_field(arena, field, "%" PRId32 " are not the nanoseconds of a second",
                                time->nanos);
    }
    *ret_ms = time->seconds * 1000 + time->nanos / 1000000;
    return status_ok();
}

static Weft__Scheduler__V1__Progress *progress_message(struct arena *arena,
                                                       const struct job_progress *progress)
{
    if (progress->done == 0 && progress->total == 0 && progress->message[0] == '\0') {
        return NULL;
    }
    Weft__Scheduler__V1__Progress *message = ARENA_NEW(arena, Weft__Scheduler__V1__Progress);
    weft__scheduler__v1__progress__init(message);
    message->done = progress->done;
    message->total = progress->total;
    message->message = message_text(progress->message);
    return message;
}

static void add_errors(struct arena *arena, const struct job_error_list *errors,
                       Weft__Scheduler__V1__Job *job)
{
    job->errors = ARENA_NEW_ARRAY(arena, Weft__Scheduler__V1__AttemptError *, errors->n_errors);
    job->n_errors = errors->n_errors;
    for (size_t i = 0; i < errors->n_errors; i++) {
        Weft__Scheduler__V1__AttemptError *error =
            ARENA_NEW(arena, Weft__Scheduler__V1__AttemptError);
        weft__scheduler__v1__attempt_error__init(error);
        error->attempt = (int32_t)errors->errors[i].attempt;
        error->time = time_message(arena, errors->errors[i].time_ms);
        error->message = message_text(errors->errors[i].message);
        job->errors[i] = error;
    }
}

/* A state may come again, in another attempt or at another time; all three together do not. */
static const char *etag(struct arena *arena, const struct job_record *record)
{
    return arena_printf(arena, "%" PRId64 ".%d.%" PRId64, record->attempt, (int)record->state,
                        record->run_at_ms);
}

/* The numbers are the same. */
_Static_assert((int)JOB_DEAD == (int)WEFT__SCHEDULER__V1__JOB_STATE__JOB_STATE_DEAD, "states");
_Static_assert((int)JOB_READY == (int)WEFT__SCHEDULER__V1__JOB_STATE__JOB_STATE_READY, "states");

Weft__Scheduler__V1__Job *job_message(struct arena *arena, const struct job_record *record,
                                      const struct job_error_list *errors)
{
    Weft__Scheduler__V1__Job *job = ARENA_NEW(arena, Weft__Scheduler__V1__Job);

    weft__scheduler__v1__job__init(job);
    job->job_id = message_text(record->job_id);
    job->project_id = message_text(record->project_id);
    job->capability = message_text(record->capability);
    job->payload = message_data(record->payload);
    job->state = (Weft__Scheduler__V1__JobState)record->state;
    job->attempt = (int32_t)record->attempt;
    job->max_attempts = (int32_t)record->max_attempts;
    job->priority = (int32_t)record->priority;
    job->subject = message_text(record->principal);
    job->create_time = time_message(arena, record->enqueue_ms);
    job->not_before = time_message(arena, record->run_at_ms);
    job->end_time = time_message(arena, record->end_ms);
    job->deadline = time_message(arena, record->deadline_ms);
    job->progress = progress_message(arena, &record->progress);
    job->result = message_data(record->result);
    job->etag = message_text(etag(arena, record));
    if (errors != NULL) {
        add_errors(arena, errors, job);
    }
    return job;
}

/* One a line, as the store has them. */
static status join_permissions(struct arena *arena,
                               const Weft__Scheduler__V1__EnqueueJobRequest *request,
                               const char **ret_permissions)
{
    struct text text = text_new(arena);

    if (request->n_permissions > JOB_MAX_PERMISSIONS) {
        return status_bad_field(arena, "permissions", "are %zu, %d are allowed",
                                request->n_permissions, JOB_MAX_PERMISSIONS);
    }
    for (size_t i = 0; i < request->n_permissions; i++) {
        text_add(&text, "%s%s", i > 0 ? "\n" : "", request->permissions[i]);
    }
    *ret_permissions = text_string(&text);
    return status_ok();
}

status job_of_request(struct arena *arena, const Weft__Scheduler__V1__EnqueueJobRequest *request,
                      struct job_record *ret_job)
{
    struct job_record job = {
        .project_id = request->project_id,
        .capability = request->capability,
        .idempotency_key = request->idempotency_key,
        .trace = "",
        .payload = { request->payload.data, request->payload.len },
        .priority = request->priority,
        .max_attempts = request->max_attempts,
    };

    TRY(join_permissions(arena, request, &job.permissions));
    TRY(time_of_message(arena, "not_before", request->not_before, &job.run_at_ms));
    TRY(time_of_message(arena, "deadline", request->deadline, &job.deadline_ms));
    *ret_job = job;
    return status_ok();
}
