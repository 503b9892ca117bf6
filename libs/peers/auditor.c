#include "libs/peers/auditor.h"

#include "libs/audit/outbox.h"
#include "libs/audit/spool.h"
#include "libs/peers/audit_peer.h"
#include "libs/rpc/message.h"

#include <stdlib.h>

/* Longer than a batch takes on a slow disk; shorter than a person waits for the audit's return. */
enum { SEND_TIMEOUT_MS = 5000 };

/* ---- The sink ---- */

static Google__Protobuf__Timestamp *time_message(struct arena *arena, int64_t ms)
{
    Google__Protobuf__Timestamp *time = ARENA_NEW(arena, Google__Protobuf__Timestamp);

    google__protobuf__timestamp__init(time);
    time->seconds = ms / 1000;
    time->nanos = (int32_t)(ms % 1000) * 1000000;
    return time;
}

static void add_details(struct arena *arena, const struct audit_event *event,
                        Weft__Audit__V1__Event *message)
{
    message->details = ARENA_NEW_ARRAY(arena, Weft__Audit__V1__Detail *, event->n_details);
    message->n_details = event->n_details;
    for (size_t i = 0; i < event->n_details; i++) {
        message->details[i] = ARENA_NEW(arena, Weft__Audit__V1__Detail);
        weft__audit__v1__detail__init(message->details[i]);
        message->details[i]->key = message_text(event->details[i].key);
        message->details[i]->value = message_text(event->details[i].value);
    }
}

static Weft__Audit__V1__Event *event_message(const struct audit_peer_sink *self,
                                             struct arena *arena, const struct audit_event *event)
{
    Weft__Audit__V1__Event *message = ARENA_NEW(arena, Weft__Audit__V1__Event);

    weft__audit__v1__event__init(message);
    message->event_id = message_text(event->event_id);
    message->time = time_message(arena, event->time_ms);
    message->tenant_id = message_text(event->tenant_id);
    message->actor = message_text(event->subject);
    message->action = message_text(event->action);
    message->target = message_text(event->target);
    message->outcome = (Weft__Audit__V1__Outcome)event->outcome;
    message->trace_id = message_text(event->trace_id);
    message->service = message_text(self->service);
    message->data_subject = message_text(event->data_subject);
    add_details(arena, event, message);
    return message;
}

static status send_events(struct audit_sink *sink, struct arena *arena,
                          const struct audit_event *events, size_t n_events)
{
    const struct audit_peer_sink *self = (const struct audit_peer_sink *)sink;
    struct call call = call_of_process(arena);
    Weft__Audit__V1__AppendEventsRequest request;
    const Weft__Audit__V1__AppendEventsResponse *response;

    call.deadline_us = clock_monotonic_us(self->clock) + SEND_TIMEOUT_MS * 1000;
    weft__audit__v1__append_events_request__init(&request);
    request.events = ARENA_NEW_ARRAY(arena, Weft__Audit__V1__Event *, n_events);
    request.n_events = n_events;
    for (size_t i = 0; i < n_events; i++) {
        request.events[i] = event_message(self, arena, &events[i]);
    }
    return audit_peer_append_events(self->peer, &call, &request, &response);
}

static const struct audit_sink_ops sink_ops = { .send = send_events };

void audit_peer_sink_init(struct audit_peer_sink *self, struct peer *peer, const char *service,
                          const struct clock *clock)
{
    *self = (struct audit_peer_sink){
        .sink = { .ops = &sink_ops }, .peer = peer, .service = service, .clock = clock
    };
}

/* ---- The auditor ---- */

struct auditor {
    struct auditor_options options;
    struct audit_peer_sink sink;
    struct spool *spool;
    struct relay *relay;
};

status auditor_open(struct arena *arena, const struct auditor_options *options,
                    struct auditor **ret_auditor)
{
    struct spool *spool;

    TRY(spool_open(arena,
                   &(struct spool_options){ .files = options->files,
                                            .random = options->random,
                                            .service = options->service },
                   &spool));
    struct auditor *self = calloc(1, sizeof *self);
    if (self == NULL) {
        abort();
    }
    self->options = *options;
    self->spool = spool;
    audit_peer_sink_init(&self->sink, options->peer, options->service, options->clock);
    self->relay = relay_new(&(struct relay_options){
        .store = options->store,
        .spool = spool,
        .sink = &self->sink.sink,
        .clock = options->clock,
        .random = options->random,
    });
    relay_start(self->relay);
    *ret_auditor = self;
    return status_ok();
}

void auditor_close(struct auditor *self)
{
    if (self == NULL) {
        return;
    }
    relay_free(self->relay);
    spool_close(self->spool);
    free(self);
}

status auditor_denied(void *auditor, struct call *call, const struct rpc *rpc, status why)
{
    struct auditor *self = auditor;
    const struct audit_detail details[] = {
        { "code", status_code_name(why.code) },
        { "reason", why.message },
    };
    struct audit_event event =
        audit_event_of(call, self->options.random, "rpc.denied",
                       arena_printf(call->arena, "rpc:%s/%s", rpc->service->name, rpc->method),
                       clock_wall_ms(self->options.clock));

    event.outcome = AUDIT_DENIED;
    event.details = details;
    event.n_details = sizeof details / sizeof details[0];
    return spool_append(self->spool, call->arena, SPOOL_DENIAL, &event);
}

void auditor_read_report(struct auditor *self, struct relay_report *ret_report)
{
    relay_read_report(self->relay, ret_report);
}
