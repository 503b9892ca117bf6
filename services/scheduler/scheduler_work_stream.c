/* Work: a worker's end of the engine. */

#include "libs/base/status_details.h"
#include "libs/rpc/message.h"
#include "services/scheduler/job_message.h"
#include "services/scheduler/scheduler_service_internal.h"

#include <stdlib.h>
#include <string.h>

typedef Weft__Scheduler__V1__WorkRequest work_request;

struct work {
    struct engine *engine;
    struct stream *stream;
    struct engine_worker *worker; /* NULL before Hello */
};

status work_open(struct stream *stream, void *service, void **ret_state)
{
    const struct scheduler_service *scheduler = service;
    struct work *self = calloc(1, sizeof *self);

    if (self == NULL) {
        abort();
    }
    self->engine = scheduler->options.engine;
    self->stream = stream;
    *ret_state = self;
    return status_ok();
}

void work_closed(struct stream *stream, void *state, status why)
{
    struct work *self = state;

    (void)stream;
    (void)why;
    if (self != NULL && self->worker != NULL) {
        engine_worker_close(self->worker); /* no wake comes after it */
    }
    free(self);
}

/* ---- What the worker is told ---- */

/* Each fills in one kind of message. */

static void fill_assignment(struct arena *arena, const struct notice *notice,
                            Weft__Scheduler__V1__WorkResponse *response)
{
    Weft__Scheduler__V1__Assignment *assignment = ARENA_NEW(arena, Weft__Scheduler__V1__Assignment);

    weft__scheduler__v1__assignment__init(assignment);
    assignment->job_id = message_text(notice->job_id);
    assignment->tenant_id = message_text(notice->tenant_id);
    assignment->project_id = message_text(notice->job.project_id);
    assignment->capability = message_text(notice->job.capability);
    assignment->payload = message_data(notice->job.payload);
    assignment->attempt = (int32_t)notice->attempt;
    assignment->token = message_text(notice->text);
    assignment->lease_expire_time = time_message(arena, notice->lease_expire_ms);
    assignment->traceparent = message_text(notice->job.trace);
    response->kind_case = WEFT__SCHEDULER__V1__WORK_RESPONSE__KIND_ASSIGNMENT;
    response->assignment = assignment;
}

static void fill_renewal(struct arena *arena, const struct notice *notice,
                         Weft__Scheduler__V1__WorkResponse *response)
{
    Weft__Scheduler__V1__Renewal *renewal = ARENA_NEW(arena, Weft__Scheduler__V1__Renewal);

    weft__scheduler__v1__renewal__init(renewal);
    renewal->job_id = message_text(notice->job_id);
    renewal->attempt = (int32_t)notice->attempt;
    renewal->token = message_text(notice->text);
    renewal->lease_expire_time = time_message(arena, notice->lease_expire_ms);
    response->kind_case = WEFT__SCHEDULER__V1__WORK_RESPONSE__KIND_RENEWAL;
    response->renewal = renewal;
}

static void fill_withdrawal(struct arena *arena, const struct notice *notice,
                            Weft__Scheduler__V1__WorkResponse *response)
{
    Weft__Scheduler__V1__Withdrawal *withdrawal = ARENA_NEW(arena, Weft__Scheduler__V1__Withdrawal);

    weft__scheduler__v1__withdrawal__init(withdrawal);
    withdrawal->job_id = message_text(notice->job_id);
    withdrawal->attempt = (int32_t)notice->attempt;
    response->kind_case = WEFT__SCHEDULER__V1__WORK_RESPONSE__KIND_WITHDRAWAL;
    response->withdrawal = withdrawal;
}

static void fill_result(struct arena *arena, const struct notice *notice,
                        Weft__Scheduler__V1__WorkResponse *response)
{
    Weft__Scheduler__V1__ReportResult *result = ARENA_NEW(arena, Weft__Scheduler__V1__ReportResult);

    weft__scheduler__v1__report_result__init(result);
    result->job_id = message_text(notice->job_id);
    result->attempt = (int32_t)notice->attempt;
    result->code = (int32_t)notice->code;
    result->message = message_text(notice->text);
    response->kind_case = WEFT__SCHEDULER__V1__WORK_RESPONSE__KIND_REPORT_RESULT;
    response->report_result = result;
}

static void fill_drain(struct arena *arena, Weft__Scheduler__V1__WorkResponse *response)
{
    Weft__Scheduler__V1__Drain *drain = ARENA_NEW(arena, Weft__Scheduler__V1__Drain);

    weft__scheduler__v1__drain__init(drain);
    response->kind_case = WEFT__SCHEDULER__V1__WORK_RESPONSE__KIND_DRAIN;
    response->drain = drain;
}

static status send_notice(struct stream *stream, const struct notice *notice)
{
    struct arena *arena = stream_event_arena(stream);
    Weft__Scheduler__V1__WorkResponse response;

    weft__scheduler__v1__work_response__init(&response);
    switch (notice->type) {
    case NOTICE_JOB:
        fill_assignment(arena, notice, &response);
        break;
    case NOTICE_TOKEN:
        fill_renewal(arena, notice, &response);
        break;
    case NOTICE_WITHDRAW:
        fill_withdrawal(arena, notice, &response);
        break;
    case NOTICE_SETTLED:
        fill_result(arena, notice, &response);
        break;
    case NOTICE_DRAIN:
        fill_drain(arena, &response);
        break;
    }
    return stream_send(stream, &response.base);
}

status work_writable(struct stream *stream, void *state)
{
    struct work *self = state;
    bool found = self->worker != NULL;

    while (found && stream_has_room(stream)) {
        struct notice notice;
        TRY(engine_worker_next(self->worker, stream_event_arena(stream), &found, &notice));
        if (found) {
            TRY(send_notice(stream, &notice));
        }
    }
    return status_ok();
}

/* ---- What it says ---- */

/* Any thread, under the engine's lock. */
static void there_are_notices(void *data)
{
    struct work *self = data;

    stream_wake(self->stream);
}

/* By its token a worker is of a tenant; by its certificate alone of the platform. */
static const char *tenant_served(const struct principal *principal)
{
    return principal->credential == CREDENTIAL_TOKEN ? principal->tenant_id : "";
}

static status hello(struct work *self, const Weft__Scheduler__V1__Hello *hello)
{
    struct arena *arena = stream_event_arena(self->stream);
    const char **capabilities = ARENA_NEW_ARRAY(arena, const char *, hello->n_capabilities);
    struct attempt *held = ARENA_NEW_ARRAY(arena, struct attempt, hello->n_held);

    for (size_t i = 0; i < hello->n_capabilities; i++) {
        capabilities[i] = hello->capabilities[i];
    }
    for (size_t i = 0; i < hello->n_held; i++) {
        held[i] = (struct attempt){ hello->held[i]->job_id, hello->held[i]->attempt };
    }
    return engine_worker_open(self->engine, arena,
                              &(struct engine_worker_options){
                                  .worker_id = hello->worker_id,
                                  .tenant_id = tenant_served(stream_call(self->stream)->principal),
                                  .capabilities = capabilities,
                                  .n_capabilities = hello->n_capabilities,
                                  .held = held,
                                  .n_held = hello->n_held,
                                  .wake = there_are_notices,
                                  .data = self,
                              },
                              &self->worker);
}

static status credit(struct work *self, int32_t n)
{
    if (n < 1) {
        return status_bad_field(stream_event_arena(self->stream), "credit", "%d is not positive",
                                n);
    }
    engine_worker_credit(self->worker, n);
    return status_ok();
}

static status progress(struct work *self, const Weft__Scheduler__V1__ProgressReport *report)
{
    struct arena *arena = stream_event_arena(self->stream);
    const Weft__Scheduler__V1__Progress *sent = report->progress;

    if (sent == NULL) {
        return status_bad_field(arena, "progress", "is missing");
    }
    if (sent->done < 0 || sent->total < 0) {
        return status_bad_field(arena, "progress", "is negative");
    }
    if (strlen(sent->message) > JOB_MAX_PROGRESS_BYTES) {
        return status_bad_field(arena, "progress.message", "is longer than %d bytes",
                                JOB_MAX_PROGRESS_BYTES);
    }
    const struct job_progress progress = { sent->done, sent->total, sent->message };
    engine_worker_progress(self->worker, (struct attempt){ report->job_id, report->attempt },
                           &progress);
    return status_ok();
}

static status result(struct work *self, const Weft__Scheduler__V1__ResultChunk *chunk)
{
    engine_worker_result(self->worker, (struct attempt){ chunk->job_id, chunk->attempt },
                         (bytes){ chunk->data.data, chunk->data.len });
    return status_ok();
}

static status completion(struct work *self, const Weft__Scheduler__V1__Completion *report)
{
    engine_worker_succeed(self->worker, (struct attempt){ report->job_id, report->attempt },
                          (bytes){ report->result.data, report->result.len });
    return status_ok();
}

static status failure(struct work *self, const Weft__Scheduler__V1__Failure *report)
{
    if (strlen(report->message) > JOB_MAX_ERROR_BYTES) {
        return status_bad_field(stream_event_arena(self->stream), "failure.message",
                                "is longer than %d bytes", JOB_MAX_ERROR_BYTES);
    }
    engine_worker_fail(self->worker, (struct attempt){ report->job_id, report->attempt },
                       &(struct attempt_failure){ .code = STATUS_UNKNOWN,
                                                  .message = report->message,
                                                  .is_permanent = report->permanent });
    return status_ok();
}

static status first_message(struct work *self, const work_request *request)
{
    if (request->kind_case != WEFT__SCHEDULER__V1__WORK_REQUEST__KIND_HELLO) {
        return status_bad_field(stream_event_arena(self->stream), "hello",
                                "is not the first message");
    }
    return hello(self, request->hello);
}

static status later_message(struct work *self, const work_request *request)
{
    switch (request->kind_case) {
    case WEFT__SCHEDULER__V1__WORK_REQUEST__KIND_CREDIT:
        return credit(self, request->credit);
    case WEFT__SCHEDULER__V1__WORK_REQUEST__KIND_HEARTBEAT:
        engine_worker_beat(self->worker);
        return status_ok();
    case WEFT__SCHEDULER__V1__WORK_REQUEST__KIND_PROGRESS:
        return progress(self, request->progress);
    case WEFT__SCHEDULER__V1__WORK_REQUEST__KIND_RESULT:
        return result(self, request->result);
    case WEFT__SCHEDULER__V1__WORK_REQUEST__KIND_COMPLETION:
        return completion(self, request->completion);
    case WEFT__SCHEDULER__V1__WORK_REQUEST__KIND_FAILURE:
        return failure(self, request->failure);
    case WEFT__SCHEDULER__V1__WORK_REQUEST__KIND_HELLO:
        return status_bad_field(stream_event_arena(self->stream), "hello", "has come already");
    default:
        return status_bad_field(stream_event_arena(self->stream), "kind", "is missing");
    }
}

status work_message(struct stream *stream, void *state, const work_request *request)
{
    struct work *self = state;

    if (request == NULL) {
        stream_end(stream); /* a worker that has sent its last has gone */
        return status_ok();
    }
    TRY(self->worker == NULL ? first_message(self, request) : later_message(self, request));
    return work_writable(stream, state);
}
