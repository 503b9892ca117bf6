/* job: what is to be done, and how far it is. */

#include "cli/api.h"
#include "cli/verbs.h"
#include "libs/base/text.h"
#include "libs/peers/scheduler_peer.h"
#include "libs/rpc/pipe.h"

#include <string.h>

static const char columns[] =
    "job_id state capability attempt progress.done progress.total create_time end_time";

static status enqueue(struct invocation *invocation)
{
    const Weft__Scheduler__V1__EnqueueJobResponse *response;
    Weft__Scheduler__V1__EnqueueJobRequest request;
    struct arguments *arguments = invocation->arguments;
    struct call call;

    weft__scheduler__v1__enqueue_job_request__init(&request);
    request.payload = message_data(bytes_of(arguments_text(arguments, "--payload", "")));
    request.idempotency_key = message_text(arguments_text(arguments, "--idempotency-key", ""));
    request.priority = (int32_t)arguments_number(arguments, "--priority", 0, 0, 9);
    request.max_attempts = (int32_t)arguments_number(arguments, "--max-attempts", 0, 0, 100);
    request.project_id = api_next(invocation, "PROJECT_ID");
    request.capability = api_next(invocation, "CAPABILITY");
    TRY(api_begin(invocation, &call));
    TRY(scheduler_peer_enqueue_job(api_peer(invocation, "scheduler"), &call, &request, &response));
    api_show(invocation, &response->job->base, columns);
    return status_ok();
}

static status get(struct invocation *invocation)
{
    const Weft__Scheduler__V1__GetJobResponse *response;
    Weft__Scheduler__V1__GetJobRequest request;
    struct call call;

    weft__scheduler__v1__get_job_request__init(&request);
    request.project_id = api_next(invocation, "PROJECT_ID");
    request.job_id = api_next(invocation, "JOB_ID");
    TRY(api_begin(invocation, &call));
    TRY(scheduler_peer_get_job(api_peer(invocation, "scheduler"), &call, &request, &response));
    api_show(invocation, &response->job->base, columns);
    output_end(invocation->output);
    for (size_t i = 0; i < response->job->n_errors && !output_is_json(invocation->output); i++) {
        api_show(invocation, &response->job->errors[i]->base, "attempt time message");
    }
    return status_ok();
}

/* The number of a state's name, as the table shows it; UNSPECIFIED is all. */
static status parse_state(struct invocation *invocation, const char *name,
                          Weft__Scheduler__V1__JobState *ret_state)
{
    static const char *const names[] = { "all",       "ready",     "scheduled", "running",
                                         "succeeded", "cancelled", "dead" };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) == 0) {
            *ret_state = (Weft__Scheduler__V1__JobState)i;
            return status_ok();
        }
    }
    return status_error(
        invocation->arena, STATUS_INVALID_ARGUMENT,
        "--state is '%s', not all, ready, scheduled, running, succeeded, cancelled or "
        "dead",
        name);
}

static status list(struct invocation *invocation)
{
    const Weft__Scheduler__V1__ListJobsResponse *page;
    Weft__Scheduler__V1__ListJobsRequest request;
    int64_t left = api_limit(invocation);
    struct call call;

    weft__scheduler__v1__list_jobs_request__init(&request);
    TRY(parse_state(invocation, arguments_text(invocation->arguments, "--state", "all"),
                    &request.state));
    request.project_id = api_next(invocation, "PROJECT_ID");
    TRY(api_begin(invocation, &call));
    do {
        request.page_size = api_page_size(left);
        TRY(scheduler_peer_list_jobs(api_peer(invocation, "scheduler"), &call, &request, &page));
        for (size_t i = 0; i < page->n_jobs; i++, left--) {
            api_show(invocation, &page->jobs[i]->base, columns);
        }
        request.page_token = page->next_page_token;
    } while (left > 0 && page->next_page_token[0] != '\0');
    api_end_list(invocation, page->next_page_token);
    return status_ok();
}

static status cancel(struct invocation *invocation)
{
    const Weft__Scheduler__V1__CancelJobResponse *response;
    Weft__Scheduler__V1__CancelJobRequest request;
    struct call call;

    weft__scheduler__v1__cancel_job_request__init(&request);
    request.project_id = api_next(invocation, "PROJECT_ID");
    request.job_id = api_next(invocation, "JOB_ID");
    TRY(api_begin(invocation, &call));
    TRY(scheduler_peer_cancel_job(api_peer(invocation, "scheduler"), &call, &request, &response));
    api_show(invocation, &response->job->base, columns);
    return status_ok();
}

static status redrive(struct invocation *invocation)
{
    const Weft__Scheduler__V1__RedriveJobResponse *response;
    Weft__Scheduler__V1__RedriveJobRequest request;
    struct call call;

    weft__scheduler__v1__redrive_job_request__init(&request);
    request.project_id = api_next(invocation, "PROJECT_ID");
    request.job_id = api_next(invocation, "JOB_ID");
    TRY(api_begin(invocation, &call));
    TRY(scheduler_peer_redrive_job(api_peer(invocation, "scheduler"), &call, &request, &response));
    api_show(invocation, &response->job->base, columns);
    return status_ok();
}

/* Until the job has ended, or the stream; *ret_seen is whether there was a row. */
static status watch_once(struct invocation *invocation,
                         const Weft__Scheduler__V1__WatchJobRequest *request, bool *ret_seen)
{
    struct call call = session_call(invocation->session, invocation->arena, API_TIMEOUT_MS);
    const ProtobufCMessage *message = NULL;
    struct pipe *pipe = NULL;

    *ret_seen = false;
    call.deadline_us = INT64_MAX;
    TRY(pipe_open(api_peer(invocation, "scheduler"), &call,
                  &weft__scheduler__v1__scheduler_service__descriptor, "WatchJob", &pipe));
    status s = pipe_send(pipe, invocation->arena, &request->base);
    pipe_finish(pipe);
    while (status_is_ok(s)) {
        s = pipe_receive(pipe, invocation->arena, -1, &message);
        if (!status_is_ok(s) || message == NULL) {
            break;
        }
        *ret_seen = true;
        api_show(invocation, &((const Weft__Scheduler__V1__WatchJobResponse *)message)->job->base,
                 columns);
        output_end(invocation->output);
    }
    pipe_free(pipe);
    return s;
}

/* A row each time it changes, until it has ended. */
static status watch(struct invocation *invocation)
{
    Weft__Scheduler__V1__WatchJobRequest request;
    struct call call;

    weft__scheduler__v1__watch_job_request__init(&request);
    request.project_id = api_next(invocation, "PROJECT_ID");
    request.job_id = api_next(invocation, "JOB_ID");
    TRY(api_begin(invocation, &call));
    bool seen = true;
    bool seen_before = true;
    status s = watch_once(invocation, &request, &seen);
    /* Jobs may last longer than tokens.  Of a key that was revoked there is no other; and it is not
     * the token's age when two in a row are good for nothing. */
    while (s.code == STATUS_UNAUTHENTICATED && (seen || seen_before)) {
        seen_before = seen;
        TRY(session_renew_token(invocation));
        s = watch_once(invocation, &request, &seen);
    }
    return s;
}

const struct verb job_verbs[] = {
    { "job", "enqueue",
      "PROJECT_ID CAPABILITY [--payload TEXT] [--idempotency-key KEY] [--priority 0-9] "
      "[--max-attempts N]",
      "add a job", enqueue },
    { "job", "get", "PROJECT_ID JOB_ID", "show one job, and what went wrong with it", get },
    { "job", "list", "PROJECT_ID [--state STATE] [--limit N]", "show a project's jobs", list },
    { "job", "watch", "PROJECT_ID JOB_ID", "show a job each time it changes, until it ends",
      watch },
    { "job", "cancel", "PROJECT_ID JOB_ID", "end a job", cancel },
    { "job", "redrive", "PROJECT_ID JOB_ID", "give a dead letter its attempts again", redrive },
    { 0 },
};
