/* sent_events - the events that were sent and are not in the index yet.
 *
 * Each is known by its tenant and id, and belongs to the call that sent it first, until that says
 * what became of it; who sends the same meanwhile, or before the index has it, gets the same
 * answer.
 *
 *     claim --> found (the index has it)            --+
 *           --> failed                              --+--> result, for all that hold it
 *           --> appended, at an index of the log    --+
 *                   |
 *               take, in the log's order --> rows of the index --> indexed: forgotten
 *
 * Safe on any thread.
 */

#ifndef SERVICES_AUDIT_SENT_EVENTS_H_
#define SERVICES_AUDIT_SENT_EVENTS_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/status.h"
#include "services/audit/audit_store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sent_events;
struct sent;

/* The first entry without a row is number next; at most max events are held.  The caller owns it.
 */
struct sent_events *sent_events_new(uint64_t next, size_t max) RETURNS_NONNULL;
/* NULL is allowed. */
void sent_events_free(struct sent_events *self);

/* Holds each of n events; those that nobody has sent become the caller's (ret_mine), and must end
 * as found, failed or appended.  False, and nothing is held: there would be too many. */
bool sent_events_claim(struct sent_events *self, const struct audit_event_name *names, size_t n,
                       struct sent **ret_sent, bool *ret_mine) NONNULL;

/* The index of an event that was appended and is still held. */
bool sent_events_find(struct sent_events *self, const struct audit_event_name *name,
                      uint64_t *ret_index) NONNULL;

/* Of the caller's own. */
void sent_events_found(struct sent_events *self, struct sent *sent, uint64_t index) NONNULL;
void sent_events_failed(struct sent_events *self, struct sent *sent, status why) NONNULL;
/* Copies row, and its index is row's. */
void sent_events_appended(struct sent_events *self, struct sent *sent, const struct audit_row *row)
    NONNULL;

/* Whether the caller's own has ended. */
bool sent_events_ended(struct sent_events *self, struct sent *sent) NONNULL;

/* Waits for the end of the event and lets go of it. */
status sent_events_result(struct sent_events *self, struct arena *arena, struct sent *sent,
                          uint64_t *ret_index) NONNULL;

/* The first entry without a row. */
uint64_t sent_events_next(struct sent_events *self) NONNULL;

/* The next rows for the index, in order and at most max: good until they are indexed.  By one
 * thread at a time. */
size_t sent_events_take(struct sent_events *self, size_t max, struct audit_row *ret_rows) NONNULL;
/* The first n of them have their rows. */
void sent_events_indexed(struct sent_events *self, size_t n) NONNULL;

/* Waits until another event was appended, when the next one for the index is not there yet and its
 * number is below `end`.  Returns whether all below end are indexed. */
bool sent_events_wait(struct sent_events *self, uint64_t end) NONNULL;

#endif
