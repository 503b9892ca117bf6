#include "services/audit/audit_message.h"

#include "libs/base/status_details.h"
#include "libs/rpc/message.h"

status audit_time_of(struct arena *arena, const char *field,
                     const Google__Protobuf__Timestamp *timestamp, int64_t when_not_set,
                     int64_t *ret_ms)
{
    /* timestamp.proto: from year 1 to 9999, and nanoseconds that count forward. */
    enum { MAX_NANOS = 999999999 };
    static const int64_t max_seconds = 253402300799;

    if (timestamp == NULL) {
        *ret_ms = when_not_set;
        return status_ok();
    }
    if (timestamp->seconds < 0 || timestamp->seconds > max_seconds || timestamp->nanos < 0 ||
        timestamp->nanos > MAX_NANOS) {
        return status_bad_field(arena, field, "is not a time from 1970 to 9999");
    }
    *ret_ms = timestamp->seconds * 1000 + timestamp->nanos / 1000000;
    return status_ok();
}

static void read_details(struct arena *arena, const Weft__Audit__V1__Event *message,
                         struct audit_record *event)
{
    struct audit_detail *details = ARENA_NEW_ARRAY(arena, struct audit_detail, message->n_details);

    for (size_t i = 0; i < message->n_details; i++) {
        details[i] = (struct audit_detail){ message->details[i]->key, message->details[i]->value };
    }
    event->details = details;
    event->n_details = message->n_details;
}

status audit_event_of_message(struct arena *arena, const Weft__Audit__V1__Event *message,
                              int64_t now_ms, struct audit_record *ret_event)
{
    if (message == NULL) {
        return status_bad_field(arena, "event", "is missing");
    }
    *ret_event = (struct audit_record){
        .event_id = message->event_id,
        .tenant_id = message->tenant_id,
        .actor = message->actor,
        .action = message->action,
        .target = message->target,
        .outcome = (enum audit_outcome)message->outcome, /* the same numbers */
        .trace_id = message->trace_id,
        .service = message->service,
        .data_subject = message->data_subject,
    };
    read_details(arena, message, ret_event);
    return audit_time_of(arena, "time", message->time, now_ms, &ret_event->time_ms);
}

static Google__Protobuf__Timestamp *time_message(struct arena *arena, int64_t ms)
{
    Google__Protobuf__Timestamp *timestamp = ARENA_NEW(arena, Google__Protobuf__Timestamp);

    google__protobuf__timestamp__init(timestamp);
    timestamp->seconds = ms / 1000;
    timestamp->nanos = (int32_t)(ms % 1000) * 1000000;
    return timestamp;
}

static void add_details(struct arena *arena, const struct audit_record *event,
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

static Weft__Audit__V1__Event *event_message(struct arena *arena, const struct audit_record *event)
{
    Weft__Audit__V1__Event *message = ARENA_NEW(arena, Weft__Audit__V1__Event);

    weft__audit__v1__event__init(message);
    message->event_id = message_text(event->event_id);
    message->time = time_message(arena, event->time_ms);
    message->tenant_id = message_text(event->tenant_id);
    message->actor = message_text(event->actor);
    message->action = message_text(event->action);
    message->target = message_text(event->target);
    message->outcome = (Weft__Audit__V1__Outcome)event->outcome;
    message->trace_id = message_text(event->trace_id);
    message->service = message_text(event->service);
    message->data_subject = message_text(event->data_subject);
    add_details(arena, event, message);
    return message;
}

Weft__Audit__V1__Entry *audit_entry_message(struct arena *arena, const struct audit_entry *entry)
{
    Weft__Audit__V1__Entry *message = ARENA_NEW(arena, Weft__Audit__V1__Entry);

    weft__audit__v1__entry__init(message);
    message->index = (int64_t)entry->index;
    if (entry->event != NULL) {
        message->event = event_message(arena, entry->event);
        message->append_time = time_message(arena, entry->event->append_time_ms);
    }
    return message;
}
