/* WatchJob: a job as it is now, and after each change. */

#include "libs/base/status_details.h"
#include "libs/rpc/message.h"
#include "services/scheduler/job_message.h"
#include "services/scheduler/scheduler_service_internal.h"

#include <stdatomic.h>
#include <stdlib.h>

struct job_watch {
    const struct scheduler_service *service;
    struct stream *stream;
    struct engine_watch *watch; /* NULL before the first message */
    const char *project_id;     /* the call's arena */
    const char *job_id;
    _Atomic bool has_changed; /* since it was sent; wakes merge into one */
};

status watch_job_open(struct stream *stream, void *service, void **ret_state)
{
    struct job_watch *self = calloc(1, sizeof *self);

    if (self == NULL) {
        abort();
    }
    self->service = service;
    self->stream = stream;
    *ret_state = self;
    return status_ok();
}

/* Any thread, under the engine's lock. */
static void job_has_changed(void *data)
{
    struct job_watch *self = data;

    if (!atomic_exchange(&self->has_changed, true)) {
        stream_wake(self->stream);
    }
}

status watch_job_writable(struct stream *stream, void *state)
{
    struct job_watch *self = state;
    struct arena *arena = stream_event_arena(stream);
    Weft__Scheduler__V1__WatchJobResponse response;
    struct job_record job;

    if (!stream_has_room(stream) || !atomic_exchange(&self->has_changed, false)) {
        return status_ok();
    }
    TRY(find_job(self->service, arena, stream_call(stream), self->project_id, self->job_id, &job));
    weft__scheduler__v1__watch_job_response__init(&response);
    TRY(describe_job(self->service, arena, &job, &response.job));
    TRY(stream_send(stream, &response.base));
    if (job_has_ended(job.state)) {
        stream_end(stream);
    }
    return status_ok();
}

status watch_job_message(struct stream *stream, void *state,
                         const Weft__Scheduler__V1__WatchJobRequest *request)
{
    struct job_watch *self = state;
    const struct call *call = stream_call(stream);
    struct arena *arena = stream_event_arena(stream);

    if (request == NULL || self->watch != NULL) {
        return status_ok(); /* it has said all it has to; the answers go on */
    }
    TRY(check_job_name(arena, request->project_id, request->job_id));
    self->project_id = arena_strdup(call->arena, request->project_id);
    self->job_id = arena_strdup(call->arena, request->job_id);
    /* Watch first and look then, so that nothing happens in between. */
    TRY(engine_watch_open(self->service->options.engine, arena, call->principal->tenant_id,
                          self->job_id, job_has_changed, self, &self->watch));
    atomic_store(&self->has_changed, true);
    return watch_job_writable(stream, state);
}

void watch_job_closed(struct stream *stream, void *state, status why)
{
    struct job_watch *self = state;

    (void)stream;
    (void)why;
    if (self != NULL && self->watch != NULL) {
        engine_watch_close(self->watch); /* no wake comes after it */
    }
    free(self);
}
