/* event - what is told to the audit service: who did what to what, and how it ended.
 *
 * The fields are those of weft.audit.v1.Event.  An event is made where it happens, under an id of
 * its own, and goes by one of two ways (docs/AUDIT_DELIVERY.md):
 *
 *     a change                 outbox.h   a row that commits with the change
 *     a denial, a read         spool.h    a record in a file, written before the reply
 *
 * Both deliver at least once; the id lets the receiver keep it once.
 *
 * On disk an event is a version byte, a few numbers and texts with their lengths in front.  A later
 * program adds fields at the end, which this one skips; what it could not skip gets a new version.
 */

#ifndef LIBS_AUDIT_EVENT_H_
#define LIBS_AUDIT_EVENT_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/bytes.h"
#include "libs/base/status.h"

#include <stddef.h>
#include <stdint.h>

/* The numbers of weft.audit.v1.Outcome. */
enum audit_outcome { AUDIT_DONE = 1, AUDIT_DENIED = 2, AUDIT_FAILED = 3 };

struct audit_detail {
    const char *key;
    const char *value;
};

/* No text is NULL.  Whoever makes one says how long the texts live. */
struct audit_event {
    const char *event_id; /* a ULID: random_ulid() */
    int64_t time_ms;
    const char *tenant_id; /* of who did it, or of what it was done to */
    const char *subject;   /* who: "user:ada", "spiffe://weft/search"; "" for nobody known */
    const char *action;    /* "tenant.create" */
    const char *target;    /* "tenant:acme" */
    enum audit_outcome outcome;
    const char *trace_id;     /* 32 hex digits, or "" */
    const char *data_subject; /* whose personal data it holds; "": the subject's */
    const struct audit_detail *details;
    size_t n_details;
};

/* The audit service refuses what is longer; the details it would take 16 KiB of, but a batch of 500
 * events must stay below the 4 MiB of a message. */
enum {
    AUDIT_MAX_SUBJECT = 2048,
    AUDIT_MAX_ACTION = 128,
    AUDIT_MAX_TARGET = 1024,
    AUDIT_MAX_DETAILS = 8,
    AUDIT_MAX_DETAIL = 256, /* a key, or a value */
};

/* The same event with texts that are too long cut, at a character's end, and marked by an ellipsis;
 * and details that are too many left out.  An event is never refused for its length: it would be
 * lost, or the call with it.  Texts are borrowed from event, or arena's. */
struct audit_event audit_event_fit(struct arena *arena, const struct audit_event *event) NONNULL;

bytes audit_event_encode(struct arena *arena, const struct audit_event *event) NONNULL;
/* The event's texts are arena's.  DATA_LOSS: no event.  FAILED_PRECONDITION: of a version that this
 * program does not know. */
status audit_event_decode(struct arena *arena, bytes data, struct audit_event *ret_event) NONNULL;

#endif
