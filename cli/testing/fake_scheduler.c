#include "cli/testing/fake_scheduler.h"

#include "libs/base/text.h"
#include "libs/rpc/message.h"
#include "libs/rpc/service.h"
#include "weft/scheduler/v1/scheduler_service.pb-c.h"
#include "weft/scheduler/v1/scheduler_service_descriptors.h"

#include <stdio.h>
#include <stdlib.h>

typedef Weft__Scheduler__V1__WorkRequest work_request;
typedef Weft__Scheduler__V1__WorkResponse work_response;

/* ---- What nobody asks of it ---- */

#define NOT_HERE(rpc, handler)                                                                   \
    static status handler(struct call *call, const Weft__Scheduler__V1__##rpc##Request *request, \
                          Weft__Scheduler__V1__##rpc##Response *response)                        \
    {                                                                                            \
        (void)request;                                                                           \
        (void)response;                                                                          \
        return status_error(call->arena, STATUS_UNIMPLEMENTED, "not of this double");            \
    }

NOT_HERE(EnqueueJob, enqueue_job)
NOT_HERE(GetJob, get_job)
NOT_HERE(ListJobs, list_jobs)
NOT_HERE(CancelJob, cancel_job)
NOT_HERE(RedriveJob, redrive_job)

static status enqueue_jobs_open(struct stream *stream, void *service, void **ret_state)
{
    (void)service;
    (void)ret_state;
    return status_error(stream_event_arena(stream), STATUS_UNIMPLEMENTED, "not of this double");
}

static status enqueue_jobs_message(struct stream *stream, void *state,
                                   const Weft__Scheduler__V1__EnqueueJobsRequest *request)
{
    (void)stream;
    (void)state;
    (void)request;
    return status_ok();
}

static void stream_closed(struct stream *stream, void *state, status why)
{
    (void)stream;
    (void)state;
    (void)why;
}

#define enqueue_jobs_writable NULL
#define enqueue_jobs_closed   stream_closed

/* ---- Who watches a job; the state is the scheduler ---- */

static status watch_job_open(struct stream *stream, void *service, void **ret_state)
{
    struct fake_scheduler *self = service;

    (void)stream;
    atomic_fetch_add(&self->n_watches, 1);
    *ret_state = self;
    return status_ok();
}

/* One row, and then it is over. */
static status watch_job_message(struct stream *stream, void *state,
                                const Weft__Scheduler__V1__WatchJobRequest *request)
{
    struct fake_scheduler *self = state;
    Weft__Scheduler__V1__WatchJobResponse response;
    Weft__Scheduler__V1__Job job;

    if (request == NULL) {
        stream_end(stream);
        return status_ok();
    }
    if (atomic_load(&self->end_watches) > 0) {
        atomic_fetch_sub(&self->end_watches, 1);
        return status_error(stream_event_arena(stream), STATUS_UNAUTHENTICATED, "it has expired");
    }
    weft__scheduler__v1__watch_job_response__init(&response);
    weft__scheduler__v1__job__init(&job);
    job.job_id = request->job_id;
    response.job = &job;
    return stream_send(stream, &response.base);
}

#define watch_job_writable NULL
#define watch_job_closed   stream_closed

/* ---- A worker's stream; its state is the scheduler ---- */

static status work_open(struct stream *stream, void *service, void **ret_state)
{
    struct fake_scheduler *self = service;

    atomic_fetch_add(&self->n_streams, 1);
    if (atomic_load(&self->refuse)) {
        return status_error(stream_event_arena(stream), STATUS_PERMISSION_DENIED, "not you");
    }
    *ret_state = self;
    return status_ok();
}

static status assign(struct stream *stream, struct fake_scheduler *self)
{
    struct arena *arena = stream_event_arena(stream);
    Weft__Scheduler__V1__Assignment job;
    work_response response;

    weft__scheduler__v1__work_response__init(&response);
    weft__scheduler__v1__assignment__init(&job);
    job.job_id = arena_printf(arena, "job-%d", atomic_fetch_add(&self->n_assigned, 1) + 1);
    job.project_id = message_text("debian");
    job.attempt = 1;
    job.token = message_text("token");
    job.payload = message_data(bytes_of("payload"));
    response.kind_case = WEFT__SCHEDULER__V1__WORK_RESPONSE__KIND_ASSIGNMENT;
    response.assignment = &job;
    return stream_send(stream, &response.base);
}

static status withdraw(struct stream *stream, char *job_id, int32_t attempt)
{
    Weft__Scheduler__V1__Withdrawal withdrawal;
    work_response response;

    weft__scheduler__v1__work_response__init(&response);
    weft__scheduler__v1__withdrawal__init(&withdrawal);
    withdrawal.job_id = job_id;
    withdrawal.attempt = attempt;
    response.kind_case = WEFT__SCHEDULER__V1__WORK_RESPONSE__KIND_WITHDRAWAL;
    response.withdrawal = &withdrawal;
    return stream_send(stream, &response.base);
}

static status renew(struct stream *stream, char *job_id, int32_t attempt, const char *token)
{
    Weft__Scheduler__V1__Renewal renewal;
    work_response response;

    weft__scheduler__v1__work_response__init(&response);
    weft__scheduler__v1__renewal__init(&renewal);
    renewal.job_id = job_id;
    renewal.attempt = attempt;
    renewal.token = message_text(token);
    response.kind_case = WEFT__SCHEDULER__V1__WORK_RESPONSE__KIND_RENEWAL;
    response.renewal = &renewal;
    return stream_send(stream, &response.base);
}

static status take_progress(struct stream *stream, struct fake_scheduler *self,
                            const Weft__Scheduler__V1__ProgressReport *report)
{
    atomic_fetch_add(&self->n_progress, 1);
    if (atomic_load(&self->withdraw)) {
        return withdraw(stream, report->job_id, report->attempt);
    }
    if (atomic_load(&self->renew)) {
        TRY(renew(stream, report->job_id, report->attempt + 1, "another's"));
        return renew(stream, report->job_id, report->attempt, "newer");
    }
    return status_ok();
}

static status answer_report(struct stream *stream, char *job_id, int32_t attempt)
{
    Weft__Scheduler__V1__ReportResult result;
    work_response response;

    weft__scheduler__v1__work_response__init(&response);
    weft__scheduler__v1__report_result__init(&result);
    result.job_id = job_id;
    result.attempt = attempt;
    response.kind_case = WEFT__SCHEDULER__V1__WORK_RESPONSE__KIND_REPORT_RESULT;
    response.report_result = &result;
    return stream_send(stream, &response.base);
}

static status take_credit(struct stream *stream, struct fake_scheduler *self)
{
    if (atomic_load(&self->break_streams) > 0) {
        atomic_fetch_sub(&self->break_streams, 1);
        return status_error(stream_event_arena(stream), STATUS_UNAVAILABLE, "told to break");
    }
    return assign(stream, self);
}

static status work_message(struct stream *stream, void *state, const work_request *request)
{
    struct fake_scheduler *self = state;

    if (request == NULL) {
        stream_end(stream);
        return status_ok();
    }
    switch (request->kind_case) {
    case WEFT__SCHEDULER__V1__WORK_REQUEST__KIND_CREDIT:
        return take_credit(stream, self);
    case WEFT__SCHEDULER__V1__WORK_REQUEST__KIND_PROGRESS:
        return take_progress(stream, self, request->progress);
    case WEFT__SCHEDULER__V1__WORK_REQUEST__KIND_COMPLETION:
        atomic_fetch_add(&self->n_completed, 1);
        return answer_report(stream, request->completion->job_id, request->completion->attempt);
    case WEFT__SCHEDULER__V1__WORK_REQUEST__KIND_FAILURE:
        atomic_store(&self->last_was_permanent, request->failure->permanent);
        atomic_fetch_add(&self->n_failed, 1);
        return answer_report(stream, request->failure->job_id, request->failure->attempt);
    default:
        return status_ok();
    }
}

#define work_writable NULL
#define work_closed   stream_closed

#define METHODS(X)                                            \
    X(Weft__Scheduler__V1__, EnqueueJob, WORKER, enqueue_job) \
    X(Weft__Scheduler__V1__, GetJob, WORKER, get_job)         \
    X(Weft__Scheduler__V1__, ListJobs, WORKER, list_jobs)     \
    X(Weft__Scheduler__V1__, CancelJob, WORKER, cancel_job)   \
    X(Weft__Scheduler__V1__, RedriveJob, WORKER, redrive_job)
#define STREAMS(X)                                              \
    X(Weft__Scheduler__V1__, EnqueueJobs, WORKER, enqueue_jobs) \
    X(Weft__Scheduler__V1__, WatchJob, WORKER, watch_job)       \
    X(Weft__Scheduler__V1__, Work, WORKER, work)
SERVICE_DEFINE_STREAMS(fake_scheduler_methods, weft__scheduler__v1__scheduler_service__descriptor,
                       METHODS, STREAMS);

/* ---- Its life ---- */

void fake_scheduler_start(struct fake_scheduler *self, struct arena *arena, const char *folder)
{
    const char *address = arena_printf(arena, "unix:%s/scheduler.sock", folder);

    *self = (struct fake_scheduler){ .runtime = runtime_start(&(struct runtime_options){ 0 }) };
    self->server =
        server_new(&(struct server_options){ .address = address, .n_queues = 1, .n_workers = 2 });
    server_register(self->server, &fake_scheduler_methods, self, scheduler_service_descriptors);
    status s = server_start(self->server, arena);
    if (!status_is_ok(s)) {
        (void)fprintf(stderr, "fake_scheduler: %s\n", s.message);
        abort();
    }
    self->channel = channel_new(self->runtime, &(struct channel_options){ .target = address });
    self->peer = channel_peer(self->channel);
}

void fake_scheduler_stop(struct fake_scheduler *self)
{
    channel_free(self->channel);
    server_stop(self->server, 1000);
    server_free(self->server);
    runtime_stop(self->runtime);
}
