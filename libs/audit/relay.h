/* relay - brings audit events to the audit service, as often as it takes.
 *
 *     outbox: rows --------+                    +-- OK: deleted here
 *                          +--> sink (send) ----+-- refused for good: to audit_refused
 *     spool: records ------+                    +-- anything else: kept, and tried again later
 *
 * A batch is the oldest events of one source, at most 500.  It is sent whole and acknowledged
 * whole; when the answer is lost, or this process dies before it has deleted what was acknowledged,
 * the batch is sent again, and the receiver knows each event by its id.  So nothing is lost and
 * nothing counts twice.
 *
 * A batch that is refused as INVALID_ARGUMENT holds at least one event that can never be delivered.
 * It is halved until that one is alone, which then goes to the table audit_refused: it stays there
 * for a person, and the others go on.
 *
 * The relay has two threads, after relay_start().  One sends: it sleeps until something is
 * committed or spooled, waits 10 ms for more of it, and then sends until there is nothing left;
 * after a failure it waits with growing back-off, 100 ms to 10 s.  The other syncs the spool within
 * 100 ms of a write, also while the first waits for an answer.  Tests call relay_step() instead.
 */

#ifndef LIBS_AUDIT_RELAY_H_
#define LIBS_AUDIT_RELAY_H_

#include "libs/audit/event.h"
#include "libs/audit/spool.h"
#include "libs/base/attributes.h"
#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/obs/log.h"
#include "libs/store/store.h"

#include <stddef.h>
#include <stdint.h>

/* ---- Where events go ---- */

/* A sink is a struct that begins with this one.  Used by one thread at a time. */
struct audit_sink {
    const struct audit_sink_ops *ops;
};

struct audit_sink_ops {
    /* Blocks, but not for ever: a deadline of some seconds.  OK: all are durable there.
     * INVALID_ARGUMENT: one of them at least can never be taken, and none was.  Any other: it is
     * not known; the same are sent again.  What it needs comes from arena. */
    status (*send)(struct audit_sink *sink, struct arena *arena, const struct audit_event *events,
                   size_t n_events);
};

/* ---- The relay ---- */

struct relay;

struct relay_options {
    struct store *store;                /* with an outbox; NULL: none.  Borrowed */
    struct spool *spool;                /* NULL: none.  Borrowed */
    struct audit_sink *sink;            /* required; borrowed */
    const struct clock *clock;          /* required; borrowed */
    const struct random_source *random; /* required; borrowed: jitter */
    struct log *log;                    /* NULL is silent; borrowed */
};

enum {
    RELAY_MAX_BATCH = 500, /* of events at their longest 2.6 MiB: below a message's 4 */
    RELAY_LINGER_MS = 10,  /* what is committed meanwhile goes along */
};

/* The caller owns the relay: relay_free(), before the store and the spool are closed. */
struct relay *relay_new(const struct relay_options *options) NONNULL RETURNS_NONNULL;
/* Starts the threads. */
void relay_start(struct relay *relay) NONNULL;
/* Ends the threads, after the batch that is under way: what is left is durable, and goes when the
 * service is there again.  NULL is allowed. */
void relay_free(struct relay *relay);

enum { RELAY_UNTIL_WOKEN = -1 };

/* Sends one batch, if something waits and the time for it has come.  Returns after how many
 * milliseconds to call it again: 0 when there may be more, RELAY_UNTIL_WOKEN when there is nothing.
 * What it fails with was kept: log it. */
status relay_step(struct relay *relay, struct arena *arena, int64_t *ret_wait_ms) NONNULL;

/* Something was committed or spooled.  Any thread; never blocks. */
void relay_wake(struct relay *relay) NONNULL;

/* For readiness and metrics.  Any thread. */
struct relay_report {
    uint64_t n_sent;     /* acknowledged */
    uint64_t n_refused;  /* gone to audit_refused */
    uint64_t n_failures; /* of sends, in all */
    bool is_failing;     /* the last send has failed */
    char why[256];       /* with what; "" when not */
};

void relay_read_report(struct relay *relay, struct relay_report *ret_report) NONNULL;

#endif
