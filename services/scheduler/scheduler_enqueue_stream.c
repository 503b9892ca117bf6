/* EnqueueJobs: many jobs, a request's all in one write, answered in order. */

#include "libs/audit/outbox.h"
#include "libs/base/status_details.h"
#include "libs/rpc/message.h"
#include "services/scheduler/scheduler_service_internal.h"

#include <stdlib.h>

/* 64 MiB of the largest payloads; but a message has at most 4 MiB. */
enum { MAX_JOBS = 1000 };

status enqueue_jobs_open(struct stream *stream, void *service, void **ret_state)
{
    (void)stream;
    *ret_state = service; /* requests have nothing to do with each other */
    return status_ok();
}

/* Each is the caller's, and of the stream's project. */
static status read_jobs(struct stream *stream,
                        const Weft__Scheduler__V1__EnqueueJobsRequest *request,
                        struct job_record *jobs)
{
    const struct call *call = stream_call(stream);
    struct arena *arena = stream_event_arena(stream);

    for (size_t i = 0; i < request->n_jobs; i++) {
        if (request->jobs[i]->project_id[0] != '\0') {
            return status_bad_field(arena, "jobs.project_id", "is given for the stream");
        }
        TRY(job_of_caller(arena, call, request->jobs[i], &jobs[i]));
        jobs[i].project_id = request->project_id;
    }
    return status_ok();
}

/* One event for all: who enqueued how many, and the first and last of them. */
static void add_event(struct store_write *write, const struct scheduler_service *self,
                      const struct call *call, const struct job_record *jobs, size_t n_jobs)
{
    struct call telling = *call; /* what is made for it goes with this event, not with the stream */
    struct audit_detail *details = ARENA_NEW_ARRAY(write->arena, struct audit_detail, 3);

    details[0] = (struct audit_detail){ "n_jobs", arena_printf(write->arena, "%zu", n_jobs) };
    details[1] = (struct audit_detail){ "first_job", jobs[0].job_id };
    details[2] = (struct audit_detail){ "last_job", jobs[n_jobs - 1].job_id };
    telling.arena = write->arena;
    struct audit_event event =
        audit_event_of(&telling, self->options.random, "job.enqueue",
                       arena_printf(write->arena, "project:%s", jobs[0].project_id),
                       clock_wall_ms(self->options.clock));
    event.details = details;
    event.n_details = 3;
    outbox_write(write, &event);
}

status enqueue_jobs_message(struct stream *stream, void *state,
                            const Weft__Scheduler__V1__EnqueueJobsRequest *request)
{
    const struct scheduler_service *self = state;
    struct arena *arena = stream_event_arena(stream);
    Weft__Scheduler__V1__EnqueueJobsResponse response;

    if (request == NULL) {
        stream_end(stream);
        return status_ok();
    }
    if (request->n_jobs > MAX_JOBS) {
        return status_bad_field(arena, "jobs", "are %zu, %d are allowed", request->n_jobs,
                                MAX_JOBS);
    }
    struct job_record *jobs = ARENA_NEW_ARRAY(arena, struct job_record, request->n_jobs);
    struct store_write *with = store_write_new(arena);
    TRY(read_jobs(stream, request, jobs));
    weft__scheduler__v1__enqueue_jobs_response__init(&response);
    response.job_ids = ARENA_NEW_ARRAY(arena, char *, request->n_jobs);
    for (size_t i = 0; i < request->n_jobs; i++) {
        jobs[i].job_id =
            random_ulid(self->options.random, arena, clock_wall_ms(self->options.clock));
    }
    if (request->n_jobs > 0) {
        add_event(with, self, stream_call(stream), jobs, request->n_jobs);
    }
    TRY(engine_enqueue(self->options.engine, arena, jobs, request->n_jobs, with));
    for (size_t i = 0; i < request->n_jobs; i++) {
        response.job_ids[i] = message_text(jobs[i].job_id);
    }
    response.n_job_ids = request->n_jobs;
    return stream_send(stream, &response.base);
}

status enqueue_jobs_writable(struct stream *stream, void *state)
{
    (void)stream;
    (void)state; /* answers are sent when they are made, one for each request */
    return status_ok();
}

void enqueue_jobs_closed(struct stream *stream, void *state, status why)
{
    (void)stream;
    (void)state;
    (void)why;
}
