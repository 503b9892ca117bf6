/* audit_record - that somebody did something, or was refused.
 *
 * As text an event is a JSON object, one line of it: what is sealed into the log, what `weft audit`
 * shows, and what whoever verifies a leaf off line reads.  A reader takes members that it does not
 * know for those of a later version.
 *
 *     {"event_id":"01hf...","time_ms":1700000000123,"tenant_id":"acme","actor":"sa:publisher",
 *      "action":"tenant.create","target":"tenant:acme","outcome":"done","trace_id":"","service":
 *      "tenant","data_subject":"sa:publisher","append_time_ms":1700000000125,"details":{"a":"b"}}
 *
 * Safe on any thread.
 */

#ifndef SERVICES_AUDIT_AUDIT_RECORD_H_
#define SERVICES_AUDIT_AUDIT_RECORD_H_

#include "libs/audit/event.h"
#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/bytes.h"
#include "libs/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As the .proto promises them (protos/weft/audit/v1).  Together, with every character escaped, they
 * stay below what one entry of the log can hold, 65,535 bytes. */
enum {
    RECORD_MAX_EVENT_ID_BYTES = 64,      /* a ULID has 26, a UUID 36 */
    RECORD_MAX_TENANT_BYTES = 64,        /* as tenant_id: 63 */
    RECORD_MAX_ACTOR_BYTES = 2048,       /* a SPIFFE ID: its specification's limit */
    RECORD_MAX_ACTION_BYTES = 128,       /* "service.verb": a name that programs compare */
    RECORD_MAX_TARGET_BYTES = 1024,      /* a path of resources */
    RECORD_MAX_SERVICE_BYTES = 128,      /* as an action */
    RECORD_MAX_DETAILS = 32,             /* pairs: more is a document, which belongs elsewhere */
    RECORD_MAX_DETAIL_KEY_BYTES = 128,   /* a name */
    RECORD_MAX_DETAILS_BYTES = 16 << 10, /* keys and values in all */
    RECORD_TRACE_ID_BYTES = 32,          /* W3C: hex digits */
};

struct audit_record {
    const char *event_id;
    int64_t time_ms; /* when it happened, where it happened */
    const char *tenant_id;
    const char *actor;
    const char *action;
    const char *target;
    enum audit_outcome outcome;
    const char *trace_id;
    const char *service;
    const char *data_subject; /* "" in what is given: the actor */
    const struct audit_detail *details;
    size_t n_details;
    int64_t append_time_ms; /* when it was taken into the log; set by the engine */
};

/* INVALID_ARGUMENT, with the field: it is not well formed or too long.  All text is UTF-8 without
 * control characters, but that details may have newlines and tabs. */
status audit_record_check(struct arena *arena, const struct audit_record *event) NONNULL;

/* Whether it can be the id of an event. */
bool audit_record_id_is_valid(const char *event_id) NONNULL;

/* Whose key seals it. */
const char *audit_record_subject(const struct audit_record *event) NONNULL RETURNS_NONNULL;

/* A copy in which control characters are question marks, since an event must not be lost for what
 * somebody put into a name, and which has no secrets: the value of a detail whose key sounds like
 * one ("password", "client_secret", "authorization"), or that looks like one (a bearer token, a
 * JWT, a private key), becomes "[redacted]".  Whoever makes events must not put secrets into them;
 * this is the net below. What got into the log could only be taken out of it with the key of its
 * whole subject. */
struct audit_record audit_record_clean(struct arena *arena, const struct audit_record *event)
    NONNULL;

bytes audit_record_encode(struct arena *arena, const struct audit_record *event) NONNULL;
/* DATA_LOSS: it is no event. */
status audit_record_decode(struct arena *arena, bytes text, struct audit_record *ret_event) NONNULL;

#endif
