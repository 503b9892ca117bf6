#include "loadtests/audit_load.h"

#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/rpc/message.h"
#include "libs/rpc/pipe.h"
#include "loadtests/disk_limit.h"
#include "loadtests/report.h"
#include "weft/audit/v1/audit_service.pb-c.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

enum {
    STREAMS = 4,
    BATCH = 100,
    UNDER_WAY = 8, /* requests of a stream that are not answered yet */
    ROUND_MS = 6000,
    PAUSE_MS = 20,
    LIMIT_MS = 1500,
};

struct sender {
    const struct load *load;
    struct arena *arena; /* lives as long as the stream */
    struct arena *scratch;
    struct pipe *pipe;
    pthread_t thread;
    int64_t end_us;
    size_t n_sent; /* requests */
    size_t n_answered;
    status result;
};

/* ---- Events ---- */

static Weft__Audit__V1__Event *make_event(struct arena *arena)
{
    Weft__Audit__V1__Event *event = ARENA_NEW(arena, Weft__Audit__V1__Event);
    Google__Protobuf__Timestamp *time = ARENA_NEW(arena, Google__Protobuf__Timestamp);
    int64_t now_ms = clock_wall_ms(&system_clock);

    google__protobuf__timestamp__init(time);
    time->seconds = now_ms / 1000;
    time->nanos = (int32_t)(now_ms % 1000) * 1000000;
    weft__audit__v1__event__init(event);
    event->event_id = message_text(random_ulid(&system_random, arena, now_ms));
    event->time = time;
    event->tenant_id = message_text(LOAD_TENANT);
    event->actor = arena_printf(arena, "user:%d", (int)random_below(&system_random, 50));
    event->action = message_text("record.read");
    event->target = arena_printf(arena, "record:%d", (int)random_below(&system_random, 10000));
    event->outcome = WEFT__AUDIT__V1__OUTCOME__OUTCOME_DONE;
    event->trace_id = message_text("0123456789abcdef0123456789abcdef");
    event->service = message_text("search");
    return event;
}

static const Weft__Audit__V1__StreamEventsRequest *make_request(struct arena *arena)
{
    Weft__Audit__V1__StreamEventsRequest *request =
        ARENA_NEW(arena, Weft__Audit__V1__StreamEventsRequest);

    weft__audit__v1__stream_events_request__init(request);
    request->n_events = BATCH;
    request->events = ARENA_NEW_ARRAY(arena, Weft__Audit__V1__Event *, BATCH);
    for (size_t i = 0; i < BATCH; i++) {
        request->events[i] = make_event(arena);
    }
    return request;
}

/* ---- A stream ---- */

static status send_one(struct sender *self)
{
    TRY(pipe_send(self->pipe, self->scratch, &make_request(self->scratch)->base));
    self->n_sent++;
    return status_ok();
}

static status receive_one(struct sender *self)
{
    const ProtobufCMessage *message = NULL;

    TRY(pipe_receive(self->pipe, self->scratch, LOAD_TIMEOUT_MS, &message));
    const Weft__Audit__V1__StreamEventsResponse *response =
        (const Weft__Audit__V1__StreamEventsResponse *)message;
    if (response == NULL || response->n_indices != BATCH) {
        return status_error(self->scratch, STATUS_INTERNAL, "audit answered %zu events of %d",
                            response == NULL ? 0 : response->n_indices, BATCH);
    }
    self->n_answered++;
    return status_ok();
}

static bool is_over(const struct sender *self)
{
    return clock_monotonic_us(&system_clock) >= self->end_us;
}

/* Until the time is over, and then until all that was sent is answered. */
static status exchange(struct sender *self)
{
    struct call call = load_call(self->arena, "");

    self->n_sent = self->n_answered; /* what an earlier stream left unanswered is sent again */
    TRY(pipe_open(load_peer(self->load, "audit"), &call,
                  &weft__audit__v1__audit_service__descriptor, "StreamEvents", &self->pipe));
    for (;;) {
        bool may_send = !is_over(self);
        size_t under_way = self->n_sent - self->n_answered;
        if (!may_send && under_way == 0) {
            return status_ok();
        }
        arena_reset(self->scratch);
        TRY(may_send && under_way < UNDER_WAY ? send_one(self) : receive_one(self));
    }
}

static status stream(struct sender *self)
{
    status s = load_keep(self->arena, exchange(self));

    if (self->pipe != NULL) {
        pipe_finish(self->pipe);
        pipe_free(self->pipe);
        self->pipe = NULL;
    }
    return s;
}

/* RESOURCE_EXHAUSTED says that we were too fast: then what was not answered is sent again later, as
 * the relays of the mesh do.  Time that this takes counts. */
static void *run(void *data)
{
    const struct timespec pause = { .tv_nsec = PAUSE_MS * 1000000L };
    struct sender *self = data;

    self->result = stream(self);
    while (self->result.code == STATUS_RESOURCE_EXHAUSTED && !is_over(self)) {
        (void)nanosleep(&pause, NULL);
        self->result = stream(self);
    }
    if (self->result.code == STATUS_RESOURCE_EXHAUSTED) {
        self->result = status_ok(); /* at the end of the time: not answered, and not counted */
    }
    return NULL;
}

/* ---- Rounds ---- */

/* Events a second, over all streams. */
static status run_round(const struct load *load, double *ret_events_per_s)
{
    struct sender senders[STREAMS];
    int64_t start_us = clock_monotonic_us(&system_clock);
    size_t n_events = 0;
    status s = status_ok();

    for (size_t i = 0; i < STREAMS; i++) {
        senders[i] = (struct sender){ .load = load,
                                      .arena = arena_new(),
                                      .scratch = arena_new(),
                                      .end_us = start_us + (int64_t)ROUND_MS * 1000 };
        if (pthread_create(&senders[i].thread, NULL, run, &senders[i]) != 0) {
            abort();
        }
    }
    for (size_t i = 0; i < STREAMS; i++) {
        (void)pthread_join(senders[i].thread, NULL);
        n_events += senders[i].n_answered * BATCH;
        if (status_is_ok(s)) {
            s = load_keep(load->arena, senders[i].result);
        }
        arena_free(senders[i].scratch);
        arena_free(senders[i].arena);
    }
    *ret_events_per_s = (double)n_events / load_seconds_since(start_us);
    return s;
}

static status run_limit(const struct load *load, double *ret_events_per_s)
{
    struct arena *arena = arena_new();
    size_t size = message_pack(arena, &make_request(arena)->base).size;
    double writes = 0;

    status s = load_keep(load->arena, disk_limit_run(arena, load->folder, size, LIMIT_MS, &writes));
    arena_free(arena);
    *ret_events_per_s = writes * BATCH;
    return s;
}

status audit_load_run(const struct load *load)
{
    double events[LOAD_ROUNDS];
    double limits[LOAD_ROUNDS];

    for (size_t i = 0; i < LOAD_ROUNDS; i++) {
        TRY(run_limit(load, &limits[i]));
        TRY(run_round(load, &events[i]));
    }
    report(&(struct finding){
        .name = "audit.append",
        .value = median(events, LOAD_ROUNDS),
        .unit = "events/s",
        .reference = median(limits, LOAD_ROUNDS),
        .reference_name = "write and fdatasync of the same batches",
        .bar = BAR_LEAST,
        .bar_at = 10000,
        .command = "./weft bench audit",
    });
    return status_ok();
}
