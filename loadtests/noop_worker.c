#include "loadtests/noop_worker.h"

#include "libs/base/clock.h"
#include "libs/rpc/message.h"
#include "libs/rpc/pipe.h"
#include "weft/scheduler/v1/scheduler_service.pb-c.h"

#include <pthread.h>
#include <stdlib.h>

typedef Weft__Scheduler__V1__WorkRequest work_request;
typedef Weft__Scheduler__V1__WorkResponse work_response;

enum {
    RECEIVE_MS = 200, /* then it looks whether it is to stop, */
    BEAT_EVERY = 15,  /* and says that it lives after so many: 3 s */
};

struct noop_worker {
    struct noop_tally *tally;
    struct arena *arena; /* lives as long as the stream */
    struct pipe *pipe;
    pthread_t thread;
    int32_t credit;
    int32_t n_settled; /* reports answered since credit was given last */
    _Atomic bool stopping;
    status result;
};

void noop_tally_init(struct noop_tally *tally)
{
    tally->n_done = 0;
    tally->picked_up_us = 0;
    (void)sem_init(&tally->picked_up, 0, 0);
}

/* ---- What it says ---- */

static status say_hello(struct noop_worker *self, struct arena *arena)
{
    char *capabilities[] = { message_text(NOOP_CAPABILITY) };
    Weft__Scheduler__V1__Hello hello;
    work_request request;

    weft__scheduler__v1__hello__init(&hello);
    hello.worker_id = message_text("noop");
    hello.capabilities = capabilities;
    hello.n_capabilities = 1;
    weft__scheduler__v1__work_request__init(&request);
    request.kind_case = WEFT__SCHEDULER__V1__WORK_REQUEST__KIND_HELLO;
    request.hello = &hello;
    return pipe_send(self->pipe, arena, &request.base);
}

static status say_credit(struct noop_worker *self, struct arena *arena, int32_t n)
{
    work_request request;

    weft__scheduler__v1__work_request__init(&request);
    request.kind_case = WEFT__SCHEDULER__V1__WORK_REQUEST__KIND_CREDIT;
    request.credit = n;
    return pipe_send(self->pipe, arena, &request.base);
}

static status say_alive(struct noop_worker *self, struct arena *arena)
{
    Weft__Scheduler__V1__Heartbeat beat;
    work_request request;

    weft__scheduler__v1__heartbeat__init(&beat);
    weft__scheduler__v1__work_request__init(&request);
    request.kind_case = WEFT__SCHEDULER__V1__WORK_REQUEST__KIND_HEARTBEAT;
    request.heartbeat = &beat;
    return pipe_send(self->pipe, arena, &request.base);
}

static status say_done(struct noop_worker *self, struct arena *arena,
                       const Weft__Scheduler__V1__Assignment *job)
{
    Weft__Scheduler__V1__Completion completion;
    work_request request;

    weft__scheduler__v1__completion__init(&completion);
    completion.job_id = job->job_id;
    completion.attempt = job->attempt;
    weft__scheduler__v1__work_request__init(&request);
    request.kind_case = WEFT__SCHEDULER__V1__WORK_REQUEST__KIND_COMPLETION;
    request.completion = &completion;
    return pipe_send(self->pipe, arena, &request.base);
}

/* ---- What it hears ---- */

static status settle(struct noop_worker *self, struct arena *arena,
                     const Weft__Scheduler__V1__ReportResult *result)
{
    if (result->code != STATUS_OK) {
        return status_error(arena, (enum status_code)result->code, "a report was refused: %s",
                            result->message);
    }
    self->tally->n_done++;
    if (++self->n_settled < (self->credit + 3) / 4) {
        return status_ok();
    }
    int32_t n = self->n_settled;
    self->n_settled = 0;
    return say_credit(self, arena, n);
}

static status hear(struct noop_worker *self, struct arena *arena, const work_response *response)
{
    switch (response->kind_case) {
    case WEFT__SCHEDULER__V1__WORK_RESPONSE__KIND_ASSIGNMENT:
        self->tally->picked_up_us = clock_monotonic_us(&system_clock);
        (void)sem_post(&self->tally->picked_up);
        return say_done(self, arena, response->assignment);
    case WEFT__SCHEDULER__V1__WORK_RESPONSE__KIND_REPORT_RESULT:
        return settle(self, arena, response->report_result);
    default:
        return status_ok(); /* a renewal: jobs here end before their lease does */
    }
}

static status work(struct noop_worker *self, struct arena *arena)
{
    int n_quiet = 0;

    while (!self->stopping) {
        const ProtobufCMessage *message = NULL;
        arena_reset(arena);
        status s = pipe_receive(self->pipe, arena, RECEIVE_MS, &message);
        if (s.code == STATUS_DEADLINE_EXCEEDED) {
            if (++n_quiet % BEAT_EVERY == 0) {
                TRY(say_alive(self, arena));
            }
            continue;
        }
        TRY(s);
        if (message == NULL) {
            return status_error(arena, STATUS_UNAVAILABLE, "the scheduler ended the stream");
        }
        TRY(hear(self, arena, (const work_response *)message));
    }
    return status_ok();
}

static void *run(void *data)
{
    struct noop_worker *self = data;
    struct arena *arena = arena_new();

    self->result = load_keep(self->arena, work(self, arena));
    arena_free(arena);
    return NULL;
}

/* ---- Its life ---- */

static status begin(struct noop_worker *self, const struct load *load)
{
    struct call call = load_call(self->arena, load->token);

    TRY(pipe_open(load_peer(load, "scheduler"), &call,
                  &weft__scheduler__v1__scheduler_service__descriptor, "Work", &self->pipe));
    TRY(say_hello(self, self->arena));
    return say_credit(self, self->arena, self->credit);
}

static void free_worker(struct noop_worker *self)
{
    pipe_free(self->pipe);
    arena_free(self->arena);
    free(self);
}

status noop_worker_start(const struct load *load, struct noop_tally *tally, int32_t credit,
                         struct noop_worker **ret)
{
    struct noop_worker *self = calloc(1, sizeof *self);

    if (self == NULL) {
        abort();
    }
    self->tally = tally;
    self->credit = credit;
    self->arena = arena_new();
    status s = begin(self, load);
    if (!status_is_ok(s)) {
        s = load_keep(load->arena, s);
        free_worker(self);
        return s;
    }
    if (pthread_create(&self->thread, NULL, run, self) != 0) {
        abort();
    }
    *ret = self;
    return status_ok();
}

status noop_worker_stop(struct noop_worker *self, struct arena *arena)
{
    self->stopping = true;
    (void)pthread_join(self->thread, NULL);
    pipe_finish(self->pipe);
    status s = load_keep(arena, self->result);
    free_worker(self);
    return s;
}
