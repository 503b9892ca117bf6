#include "cli/worker.h"

#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/base/text.h"
#include "libs/retry/backoff.h"
#include "libs/rpc/message.h"
#include "libs/rpc/pipe.h"

#include <stdatomic.h>
#include <string.h>
#include <time.h>

enum {
    BEAT_MS = 3000,    /* at least every 10 s is asked for */
    REPORT_MS = 200,   /* five times a second is a smooth bar */
    RESULT_MS = 10000, /* until a report is durable */
    POLL_MS = 500,     /* how soon stopping is seen */
};

struct worker {
    struct worker_options options;
    struct call *call;
    struct pipe *pipe;
    const Weft__Scheduler__V1__Assignment *job; /* the one at hand; NULL for none */
    struct arena *renewed;                      /* holds token, when it is not the job's first */
    const char *token;
    int64_t reported_us;
    int64_t sent_us; /* when something was last sent */
    bool reached;    /* the scheduler, by this stream: it answered, or it takes heartbeats */
    int64_t n_jobs;
    bool withdrawn;
    bool draining;
    status broken; /* of the stream, while a job runs */
};

/* ---- Sending ---- */

static status send(struct worker *self, Weft__Scheduler__V1__WorkRequest *request)
{
    struct arena *arena = arena_new();
    status s = pipe_send(self->pipe, arena, &request->base);

    if (!status_is_ok(s)) {
        s = status_error(self->call->arena, s.code, "%s", s.message);
    }
    arena_free(arena);
    self->sent_us = clock_monotonic_us(&system_clock);
    return s;
}

static status send_hello(struct worker *self)
{
    Weft__Scheduler__V1__WorkRequest request;
    Weft__Scheduler__V1__Hello hello;
    char *capability = message_text(self->options.capability);

    weft__scheduler__v1__work_request__init(&request);
    weft__scheduler__v1__hello__init(&hello);
    hello.worker_id = message_text(self->options.worker_id);
    hello.capabilities = &capability;
    hello.n_capabilities = 1;
    request.kind_case = WEFT__SCHEDULER__V1__WORK_REQUEST__KIND_HELLO;
    request.hello = &hello;
    return send(self, &request);
}

static status send_credit(struct worker *self)
{
    Weft__Scheduler__V1__WorkRequest request;

    weft__scheduler__v1__work_request__init(&request);
    request.kind_case = WEFT__SCHEDULER__V1__WORK_REQUEST__KIND_CREDIT;
    request.credit = 1;
    return send(self, &request);
}

static status send_heartbeat(struct worker *self)
{
    Weft__Scheduler__V1__WorkRequest request;
    Weft__Scheduler__V1__Heartbeat heartbeat;

    weft__scheduler__v1__work_request__init(&request);
    weft__scheduler__v1__heartbeat__init(&heartbeat);
    request.kind_case = WEFT__SCHEDULER__V1__WORK_REQUEST__KIND_HEARTBEAT;
    request.heartbeat = &heartbeat;
    TRY(send(self, &request));
    self->reached = true;
    return status_ok();
}

static status send_progress(struct worker *self, int64_t done, int64_t total, const char *message)
{
    Weft__Scheduler__V1__WorkRequest request;
    Weft__Scheduler__V1__ProgressReport report;
    Weft__Scheduler__V1__Progress progress;

    weft__scheduler__v1__work_request__init(&request);
    weft__scheduler__v1__progress_report__init(&report);
    weft__scheduler__v1__progress__init(&progress);
    progress.done = done;
    progress.total = total;
    progress.message = message_text(message);
    report.job_id = self->job->job_id;
    report.attempt = self->job->attempt;
    report.progress = &progress;
    request.kind_case = WEFT__SCHEDULER__V1__WORK_REQUEST__KIND_PROGRESS;
    request.progress = &report;
    return send(self, &request);
}

static status send_completion(struct worker *self, const char *result)
{
    Weft__Scheduler__V1__WorkRequest request;
    Weft__Scheduler__V1__Completion completion;

    weft__scheduler__v1__work_request__init(&request);
    weft__scheduler__v1__completion__init(&completion);
    completion.job_id = self->job->job_id;
    completion.attempt = self->job->attempt;
    completion.result = message_data(bytes_of(result));
    request.kind_case = WEFT__SCHEDULER__V1__WORK_REQUEST__KIND_COMPLETION;
    request.completion = &completion;
    return send(self, &request);
}

static status send_failure(struct worker *self, status why)
{
    Weft__Scheduler__V1__WorkRequest request;
    Weft__Scheduler__V1__Failure failure;

    weft__scheduler__v1__work_request__init(&request);
    weft__scheduler__v1__failure__init(&failure);
    failure.job_id = self->job->job_id;
    failure.attempt = self->job->attempt;
    failure.message = message_text(why.message);
    failure.permanent = why.code == STATUS_INVALID_ARGUMENT || why.code == STATUS_NOT_FOUND ||
                        why.code == STATUS_PERMISSION_DENIED;
    request.kind_case = WEFT__SCHEDULER__V1__WORK_REQUEST__KIND_FAILURE;
    request.failure = &failure;
    return send(self, &request);
}

/* ---- Receiving ---- */

static bool is_of_job(const struct worker *self, const char *job_id, int32_t attempt)
{
    return self->job != NULL && attempt == self->job->attempt &&
           strcmp(job_id, self->job->job_id) == 0;
}

/* One message, in arena.  DEADLINE_EXCEEDED: none came; UNAVAILABLE: the other side has ended. */
static status receive(struct worker *self, struct arena *arena, int64_t timeout_ms,
                      const Weft__Scheduler__V1__WorkResponse **ret_message)
{
    const ProtobufCMessage *message = NULL;

    TRY(pipe_receive(self->pipe, arena, timeout_ms, &message));
    if (message == NULL) {
        return status_error(arena, STATUS_UNAVAILABLE, "the scheduler ended the stream");
    }
    self->reached = true;
    *ret_message = (const Weft__Scheduler__V1__WorkResponse *)message;
    return status_ok();
}

/* What may come at any time. */
static void take_note(struct worker *self, const Weft__Scheduler__V1__WorkResponse *message)
{
    if (message->kind_case == WEFT__SCHEDULER__V1__WORK_RESPONSE__KIND_DRAIN) {
        self->draining = true;
    } else if (message->kind_case == WEFT__SCHEDULER__V1__WORK_RESPONSE__KIND_WITHDRAWAL &&
               is_of_job(self, message->withdrawal->job_id, message->withdrawal->attempt)) {
        self->withdrawn = true;
    } else if (message->kind_case == WEFT__SCHEDULER__V1__WORK_RESPONSE__KIND_RENEWAL &&
               is_of_job(self, message->renewal->job_id, message->renewal->attempt)) {
        arena_reset(self->renewed);
        self->token = arena_strdup(self->renewed, message->renewal->token);
    }
}

const char *worker_token(const struct worker *self)
{
    return self->token;
}

bool worker_progress(struct worker *self, int64_t done, int64_t total, const char *message)
{
    int64_t now_us = clock_monotonic_us(&system_clock);
    struct arena *arena = arena_new();
    const Weft__Scheduler__V1__WorkResponse *came = NULL;
    /* The last one is what the job shows for ever after. */
    bool is_due = now_us - self->reported_us >= REPORT_MS * INT64_C(1000) || done == total;

    if (is_due && status_is_ok(self->broken)) {
        self->reported_us = now_us;
        self->broken = send_progress(self, done, total, message);
        status s = status_is_ok(self->broken) ? receive(self, arena, 0, &came) : self->broken;
        if (status_is_ok(s)) {
            take_note(self, came);
        } else if (s.code != STATUS_DEADLINE_EXCEEDED) {
            self->broken = status_error(self->call->arena, s.code, "%s", s.message);
        }
    }
    arena_free(arena);
    return status_is_ok(self->broken) && !self->withdrawn;
}

static void tell(struct worker *self, const char *what)
{
    if (self->options.tell != NULL) {
        self->options.tell(self->options.data, what, self->job->job_id);
    }
}

/* Until the report is durable, or was refused because the attempt was over. */
static status wait_for_result(struct worker *self, struct arena *arena)
{
    for (;;) {
        const Weft__Scheduler__V1__WorkResponse *came = NULL;
        TRY(receive(self, arena, RESULT_MS, &came));
        take_note(self, came);
        if (came->kind_case == WEFT__SCHEDULER__V1__WORK_RESPONSE__KIND_REPORT_RESULT &&
            is_of_job(self, came->report_result->job_id, came->report_result->attempt)) {
            tell(self, came->report_result->code == 0 ? "reported" : came->report_result->message);
            return status_ok();
        }
    }
}

/* ---- A job ---- */

static status do_job(struct worker *self, const Weft__Scheduler__V1__Assignment *job)
{
    struct arena *arena = arena_new();
    const char *result = "";

    self->job = job;
    self->renewed = arena_new();
    self->token = job->token;
    self->withdrawn = false;
    self->reported_us = 0;
    self->broken = status_ok();
    tell(self, "taken");
    status s = self->options.run(self->options.data, self, arena, job, &result);
    status sent = self->broken;
    if (self->withdrawn) {
        tell(self, "withdrawn");
    } else if (status_is_ok(sent)) {
        tell(self, status_is_ok(s) ? "done" : s.message);
        sent = status_is_ok(s) ? send_completion(self, result) : send_failure(self, s);
        sent = status_is_ok(sent) ? wait_for_result(self, arena) : sent;
    }
    if (!status_is_ok(sent)) {
        sent = status_error(self->call->arena, sent.code, "%s", sent.message);
    }
    self->job = NULL;
    self->n_jobs++;
    arena_free(self->renewed);
    arena_free(arena);
    return sent;
}

static bool is_over(const struct worker *self)
{
    bool stopping = self->options.stopping != NULL && atomic_load(self->options.stopping);

    return stopping || self->draining ||
           (self->options.max_jobs > 0 && self->n_jobs >= self->options.max_jobs);
}

static status wait_for_job(struct worker *self)
{
    struct arena *arena = arena_new();
    const Weft__Scheduler__V1__WorkResponse *came = NULL;

    status s = receive(self, arena, POLL_MS, &came);
    if (status_is_ok(s)) {
        take_note(self, came);
        if (came->kind_case == WEFT__SCHEDULER__V1__WORK_RESPONSE__KIND_ASSIGNMENT) {
            s = do_job(self, came->assignment);
            s = status_is_ok(s) && !is_over(self) ? send_credit(self) : s;
        }
    } else if (s.code == STATUS_DEADLINE_EXCEEDED) {
        bool due = clock_monotonic_us(&system_clock) - self->sent_us >= BEAT_MS * INT64_C(1000);
        s = due ? send_heartbeat(self) : status_ok();
    } else {
        s = status_error(self->call->arena, s.code, "%s", s.message);
    }
    arena_free(arena);
    return s;
}

/* ---- The stream, again and again ---- */

static status run_stream(struct worker *self)
{
    TRY(pipe_open(self->options.scheduler, self->call,
                  &weft__scheduler__v1__scheduler_service__descriptor, "Work", &self->pipe));
    self->draining = false;
    status s = send_hello(self);
    s = status_is_ok(s) ? send_credit(self) : s;
    while (status_is_ok(s) && !is_over(self)) {
        s = wait_for_job(self);
    }
    if (status_is_ok(s)) {
        pipe_finish(self->pipe);
    }
    pipe_free(self->pipe);
    return s;
}

static bool is_for_good(status s)
{
    return s.code == STATUS_PERMISSION_DENIED || s.code == STATUS_INVALID_ARGUMENT ||
           s.code == STATUS_UNIMPLEMENTED || s.code == STATUS_UNAUTHENTICATED;
}

status worker_run(struct call *call, const struct worker_options *options)
{
    struct backoff backoff = { .random = &system_random, .min_ms = 50, .max_ms = 1000 };
    struct worker self = { .options = *options, .call = call, .broken = status_ok() };
    int64_t reached_us = clock_monotonic_us(&system_clock);

    for (;;) {
        self.reached = false;
        status s = run_stream(&self);
        bool finished = is_over(&self) && !self.draining;
        if (finished || is_for_good(s)) {
            return finished ? status_ok() : s;
        }
        int64_t now_us = clock_monotonic_us(&system_clock);
        reached_us = self.reached ? now_us : reached_us;
        int64_t away_ms = (now_us - reached_us) / 1000;
        if (options->patience_ms > 0 && away_ms > options->patience_ms) {
            return s;
        }
        int64_t wait_ms = backoff_next_ms(&backoff);
        const struct timespec pause = { .tv_sec = wait_ms / 1000,
                                        .tv_nsec = wait_ms % 1000 * 1000000 };
        (void)nanosleep(&pause, NULL);
    }
}
