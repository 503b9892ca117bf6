/* audit_message - events and entries as the API has them (protos/weft/audit/v1). */

#ifndef SERVICES_AUDIT_AUDIT_MESSAGE_H_
#define SERVICES_AUDIT_AUDIT_MESSAGE_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/status.h"
#include "services/audit/audit_engine.h"
#include "weft/audit/v1/audit_service.pb-c.h"

#include <stdint.h>

/* Milliseconds since 1970; when it is not set.  INVALID_ARGUMENT, with the field: it is no time. */
status audit_time_of(struct arena *arena, const char *field,
                     const Google__Protobuf__Timestamp *timestamp, int64_t when_not_set,
                     int64_t *ret_ms) NONNULL_ARGS(1, 2, 5);

/* The event that a message tells of; texts are the message's.  now_ms is for one that does not say
 * when it happened.  INVALID_ARGUMENT: it is missing, or its time is none; the rest the engine
 * checks. */
status audit_event_of_message(struct arena *arena, const Weft__Audit__V1__Event *message,
                              int64_t now_ms, struct audit_record *ret_event) NONNULL_ARGS(1, 4);

Weft__Audit__V1__Entry *audit_entry_message(struct arena *arena, const struct audit_entry *entry)
    NONNULL RETURNS_NONNULL;

#endif
