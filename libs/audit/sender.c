#include "libs/audit/sender.h"

#include "libs/peers/audit_peer.h"
#include "libs/rpc/message.h"

_Static_assert((int)AUDIT_DONE == (int)WEFT__AUDIT__V1__OUTCOME__OUTCOME_DONE, "the proto's");
_Static_assert((int)AUDIT_DENIED == (int)WEFT__AUDIT__V1__OUTCOME__OUTCOME_DENIED, "the proto's");
_Static_assert((int)AUDIT_FAILED == (int)WEFT__AUDIT__V1__OUTCOME__OUTCOME_FAILED, "the proto's");

static void fill_details(struct arena *arena, const struct audit_event *event,
                         Weft__Audit__V1__Event *message)
{
    size_t n = event->n_details;
    Weft__Audit__V1__Detail *details = ARENA_NEW_ARRAY(arena, Weft__Audit__V1__Detail, n);

    message->details = ARENA_NEW_ARRAY(arena, Weft__Audit__V1__Detail *, n);
    message->n_details = n;
    for (size_t i = 0; i < n; i++) {
        weft__audit__v1__detail__init(&details[i]);
        details[i].key = message_text(event->details[i].key);
        details[i].value = message_text(event->details[i].value);
        message->details[i] = &details[i];
    }
}

static Weft__Audit__V1__Event *event_message(const struct audit_sender *self, struct arena *arena,
                                             const struct audit_event *event)
{
    Weft__Audit__V1__Event *message = ARENA_NEW(arena, Weft__Audit__V1__Event);
    Google__Protobuf__Timestamp *time = ARENA_NEW(arena, Google__Protobuf__Timestamp);

    weft__audit__v1__event__init(message);
    google__protobuf__timestamp__init(time);
    time->seconds = event->time_ms / 1000;
    time->nanos = (int32_t)(event->time_ms % 1000) * 1000000;
    message->event_id = message_text(event->event_id);
    message->time = time;
    message->tenant_id = message_text(event->tenant_id);
    message->actor = message_text(event->subject);
    message->action = message_text(event->action);
    message->target = message_text(event->target);
    message->outcome = (Weft__Audit__V1__Outcome)event->outcome;
    message->trace_id = message_text(event->trace_id);
    message->service = message_text(self->service);
    message->data_subject = message_text(event->data_subject);
    fill_details(arena, event, message);
    return message;
}

static status send_events(struct audit_sink *sink, struct arena *arena,
                          const struct audit_event *events, size_t n_events)
{
    struct audit_sender *self = (struct audit_sender *)sink;
    struct call call = call_of_process(arena);
    Weft__Audit__V1__AppendEventsRequest request;
    const Weft__Audit__V1__AppendEventsResponse *response;

    call.deadline_us = clock_monotonic_us(self->clock) + SENDER_TIMEOUT_MS * INT64_C(1000);
    weft__audit__v1__append_events_request__init(&request);
    request.events = ARENA_NEW_ARRAY(arena, Weft__Audit__V1__Event *, n_events);
    request.n_events = n_events;
    for (size_t i = 0; i < n_events; i++) {
        request.events[i] = event_message(self, arena, &events[i]);
    }
    TRY(audit_peer_append_events(self->peer, &call, &request, &response));
    if (response->n_indices != n_events) {
        return status_error(arena, STATUS_UNAVAILABLE,
                            "the audit service has taken %zu of %zu events", response->n_indices,
                            n_events);
    }
    return status_ok();
}

static const struct audit_sink_ops sender_ops = { .send = send_events };

void audit_sender_init(struct audit_sender *self, struct peer *peer, const struct clock *clock,
                       const char *service)
{
    *self = (struct audit_sender){
        .sink = { .ops = &sender_ops },
        .peer = peer,
        .clock = clock,
        .service = service,
    };
}
