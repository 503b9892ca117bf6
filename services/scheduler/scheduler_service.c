#include "services/scheduler/scheduler_service.h"

#include "libs/audit/outbox.h"
#include "libs/authz/pattern.h"
#include "libs/base/status_details.h"
#include "libs/obs/traceparent.h"
#include "libs/rpc/message.h"
#include "services/scheduler/job_message.h"
#include "services/scheduler/job_store.h"
#include "services/scheduler/scheduler_service_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_PAGE_SIZE = 50, MAX_PAGE_SIZE = 1000 };

struct scheduler_service *scheduler_service_new(const struct scheduler_service_options *options)
{
    struct scheduler_service *self = malloc(sizeof *self);

    assert(options->engine != NULL && options->store != NULL && options->clock != NULL &&
           options->random != NULL);
    if (self == NULL) {
        abort();
    }
    self->options = *options;
    return self;
}

void scheduler_service_free(struct scheduler_service *service)
{
    free(service);
}

/* The store blocks, so only a WORKER comes by it. */
static const struct scheduler_service *self_of(const struct call *call)
{
    assert(call->thread == HANDLER_WORKER);
    return call->service;
}

/* ---- What the streams use too ---- */

/* Nobody gives away what he has not. */
static status check_permission(struct arena *arena, const struct principal *principal,
                               const char *permission)
{
    if (!pattern_is_valid(permission)) {
        return status_bad_field(arena, "permissions", "'%.256s' is not well formed", permission);
    }
    for (size_t i = 0; i < principal->n_permissions; i++) {
        if (pattern_covers(principal->permissions[i], permission)) {
            return status_ok();
        }
    }
    return status_error_info(
        arena,
        status_error(arena, STATUS_PERMISSION_DENIED, "'%s' has no '%s' to give",
                     principal->subject, permission),
        (struct error_info){ .reason = "PERMISSION_NOT_HELD", .domain = "scheduler.weft" });
}

static const char *trace_of(struct arena *arena, const struct call *call)
{
    char *text = arena_alloc(arena, TRACEPARENT_TEXT);

    if (call->span == NULL) {
        return "";
    }
    const struct trace_context context = span_context(call->span);
    traceparent_format(&context, text);
    return text;
}

status job_of_caller(struct arena *arena, const struct call *call,
                     const Weft__Scheduler__V1__EnqueueJobRequest *request,
                     struct job_record *ret_job)
{
    for (size_t i = 0; i < request->n_permissions; i++) {
        TRY(check_permission(arena, call->principal, request->permissions[i]));
    }
    TRY(job_of_request(arena, request, ret_job));
    ret_job->tenant_id = call->principal->tenant_id;
    ret_job->principal = call->principal->subject;
    ret_job->trace = trace_of(arena, call);
    return status_ok();
}

status check_job_name(struct arena *arena, const char *project_id, const char *job_id)
{
    if (!job_project_is_valid(project_id)) {
        return status_bad_field(arena, "project_id",
                                "'%.63s' is not 1 to 63 of a-z, 0-9 and '-', the first a letter",
                                project_id);
    }
    if (!job_id_is_valid(job_id)) {
        return status_bad_field(arena, "job_id",
                                "'%.63s' is not 26 of 0-9 and a-z, as EnqueueJob gives", job_id);
    }
    return status_ok();
}

status find_job(const struct scheduler_service *self, struct arena *arena, const struct call *call,
                const char *project_id, const char *job_id, struct job_record *ret_job)
{
    struct job_record job;

    TRY(check_job_name(arena, project_id, job_id));
    TRY(engine_get(self->options.engine, arena, call->principal->tenant_id, job_id, &job));
    if (strcmp(job.project_id, project_id) != 0) {
        return status_error(arena, STATUS_NOT_FOUND, "job '%s' does not exist", job_id);
    }
    *ret_job = job;
    return status_ok();
}

status describe_job(const struct scheduler_service *self, struct arena *arena,
                    const struct job_record *record, Weft__Scheduler__V1__Job **ret_job)
{
    struct job_error_list errors = { .n_errors = 0 };

    if (record->attempt > 0) { /* else there can be none */
        TRY(job_store_errors(self->options.store, arena, record->tenant_id, record->job_id,
                             &errors));
    }
    *ret_job = job_message(arena, record, &errors);
    return status_ok();
}

/* ---- Unary ---- */

/* The event that tells of it, for the engine to commit along. */
static struct store_write *audit(const struct call *call, const char *action, const char *job_id)
{
    const struct scheduler_service *self = self_of(call);
    struct store_write *write = store_write_new(call->arena);

    write_audit(write, call, action, arena_printf(call->arena, "job:%s", job_id),
                clock_wall_ms(self->options.clock));
    return write;
}

static status enqueue_job(struct call *call, const Weft__Scheduler__V1__EnqueueJobRequest *request,
                          Weft__Scheduler__V1__EnqueueJobResponse *response)
{
    const struct scheduler_service *self = self_of(call);
    struct job_record job;

    TRY(job_of_caller(call->arena, call, request, &job));
    job.job_id = random_ulid(self->options.random, call->arena, clock_wall_ms(self->options.clock));
    TRY(engine_enqueue(self->options.engine, call->arena, &job, 1,
                       audit(call, "job.enqueue", job.job_id)));
    return describe_job(self, call->arena, &job, &response->job);
}

static status get_job(struct call *call, const Weft__Scheduler__V1__GetJobRequest *request,
                      Weft__Scheduler__V1__GetJobResponse *response)
{
    const struct scheduler_service *self = self_of(call);
    struct job_record job;

    TRY(find_job(self, call->arena, call, request->project_id, request->job_id, &job));
    return describe_job(self, call->arena, &job, &response->job);
}

static status check_list(const struct call *call,
                         const Weft__Scheduler__V1__ListJobsRequest *request)
{
    if (!job_project_is_valid(request->project_id)) {
        return status_bad_field(call->arena, "project_id",
                                "'%.63s' is not 1 to 63 of a-z, 0-9 and '-', the first a letter",
                                request->project_id);
    }
    if (request->page_size < 0) {
        return status_bad_field(call->arena, "page_size", "%d is negative", request->page_size);
    }
    if ((int)request->state < 0 || (int)request->state > (int)JOB_DEAD) {
        return status_bad_field(call->arena, "state", "%d is none", (int)request->state);
    }
    if (request->page_token[0] != '\0' && !job_id_is_valid(request->page_token)) {
        return status_bad_field(call->arena, "page_token", "'%.63s' did not come from ListJobs",
                                request->page_token);
    }
    return status_ok();
}

static status list_jobs(struct call *call, const Weft__Scheduler__V1__ListJobsRequest *request,
                        Weft__Scheduler__V1__ListJobsResponse *response)
{
    const struct scheduler_service *self = self_of(call);
    int32_t wanted = request->page_size != 0 ? request->page_size : DEFAULT_PAGE_SIZE;
    const struct job_filter filter = {
        .tenant_id = call->principal->tenant_id,
        .project_id = request->project_id,
        .state = (enum job_state)request->state,
        .before = request->page_token,
        /* AIP-158: too large a page is cut, not refused. */
        .limit = (size_t)(wanted < MAX_PAGE_SIZE ? wanted : MAX_PAGE_SIZE),
    };
    struct job_list list;

    TRY(check_list(call, request));
    TRY(job_store_list(self->options.store, call->arena, &filter, &list));
    response->jobs = ARENA_NEW_ARRAY(call->arena, Weft__Scheduler__V1__Job *, list.n_jobs);
    response->n_jobs = list.n_jobs;
    for (size_t i = 0; i < list.n_jobs; i++) {
        response->jobs[i] = job_message(call->arena, &list.jobs[i], NULL);
    }
    if (list.more) {
        response->next_page_token = response->jobs[list.n_jobs - 1]->job_id;
    }
    return status_ok();
}

static status cancel_job(struct call *call, const Weft__Scheduler__V1__CancelJobRequest *request,
                         Weft__Scheduler__V1__CancelJobResponse *response)
{
    const struct scheduler_service *self = self_of(call);
    struct job_record job;

    TRY(find_job(self, call->arena, call, request->project_id, request->job_id, &job));
    TRY(engine_cancel(self->options.engine, call->arena, job.tenant_id, job.job_id,
                      audit(call, "job.cancel", job.job_id), &job));
    return describe_job(self, call->arena, &job, &response->job);
}

static status redrive_job(struct call *call, const Weft__Scheduler__V1__RedriveJobRequest *request,
                          Weft__Scheduler__V1__RedriveJobResponse *response)
{
    const struct scheduler_service *self = self_of(call);
    struct job_record job;

    TRY(find_job(self, call->arena, call, request->project_id, request->job_id, &job));
    TRY(engine_redrive(self->options.engine, call->arena, job.tenant_id, job.job_id,
                       audit(call, "job.redrive", job.job_id), &job));
    return describe_job(self, call->arena, &job, &response->job);
}

#define METHODS(X)                                            \
    X(Weft__Scheduler__V1__, EnqueueJob, WORKER, enqueue_job) \
    X(Weft__Scheduler__V1__, GetJob, WORKER, get_job)         \
    X(Weft__Scheduler__V1__, ListJobs, WORKER, list_jobs)     \
    X(Weft__Scheduler__V1__, CancelJob, WORKER, cancel_job)   \
    X(Weft__Scheduler__V1__, RedriveJob, WORKER, redrive_job)
#define STREAMS(X)                                              \
    X(Weft__Scheduler__V1__, EnqueueJobs, WORKER, enqueue_jobs) \
    X(Weft__Scheduler__V1__, WatchJob, WORKER, watch_job)       \
    X(Weft__Scheduler__V1__, Work, INLINE, work)
SERVICE_DEFINE_STREAMS(scheduler_service_methods,
                       weft__scheduler__v1__scheduler_service__descriptor, METHODS, STREAMS);
