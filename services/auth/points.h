/* points - the enforcement points, and which revision each obeys.
 *
 * A point is the process at the other end of one Subscribe stream.  What is revoked is in force
 * when every point has said so; who asks for that waits here and is given a receipt:
 *
 *     revoke --> feed --> every stream --> "I obey 43" --> points_obeyed() --+
 *        |                                                                   v
 *        +------------------------ points_await(43) <--- all of them, or the time is over
 *
 * Whoever does not obey in time is fenced: its stream is ended, so it hears no beat any more and
 * denies by itself once its lease is over.  Points that went away without a word are fenced
 * likewise for POINTS_LEASE_MS, unless one of the same name has come back and obeys; the last
 * POINTS_MAX of them.
 *
 * Safe on any threads; nothing blocks but points_await().
 */

#ifndef SERVICES_AUTH_POINTS_H_
#define SERVICES_AUTH_POINTS_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/clock.h"
#include "libs/base/status.h"
#include "libs/rpc/call.h"
#include "libs/rpc/stream.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    /* How long an enforcement point decides without a beat: SNAPSHOT_LEASE_MS of libs/authz. */
    POINTS_LEASE_MS = 60000,
    /* Streams at once: the processes of 150 hosts.  A receipt compares each with each: 10 ms. */
    POINTS_MAX = 1024,
};

struct points;

/* clock is borrowed.  The caller owns it: points_free(), when all have left. */
struct points *points_new(const struct clock *clock) NONNULL RETURNS_NONNULL;
/* NULL is allowed. */
void points_free(struct points *points);

/* One of them; its owner fills in the first two and leaves the rest alone. */
struct point {
    struct stream *stream; /* woken; borrowed until it leaves */
    const char *name;      /* for receipts: SPIFFE ID and instance; borrowed until it leaves */
    struct point *next, *previous;
    uint64_t serial;
    uint64_t obeyed; /* revision */
    bool is_fenced;
};

/* Borrows the point until points_leave(); after that its stream is not woken any more.
 * RESOURCE_EXHAUSTED: there are POINTS_MAX. */
status points_join(struct points *points, struct arena *arena, struct point *point) NONNULL;
/* with_a_word: the process has said that it ends, and decides nothing any more.  Returns whether
 * it was the last of its name. */
bool points_leave(struct points *points, struct point *point, bool with_a_word) NONNULL;
/* One of this name was there when another process was in our place: as if it had just left. */
void points_expect(struct points *points, const char *name) NONNULL;
void points_obeyed(struct points *points, struct point *point, uint64_t revision) NONNULL;
/* Whether its stream is to be ended. */
bool points_is_fenced(struct points *points, const struct point *point) NONNULL;

/* There is something to send. */
void points_wake(struct points *points) NONNULL;

struct points_receipt {
    uint64_t revision;
    size_t n_points; /* when it began */
    size_t n_obeyed;
    const char *const *fenced; /* arena */
    size_t n_fenced;
    int64_t elapsed_us; /* since_us to the last acknowledgement, or to the end of the wait */
};

struct points_wait {
    uint64_t revision;
    int64_t since_us;   /* monotonic, of the commit */
    int64_t timeout_ms; /* from now */
    bool do_not_fence;  /* who is late is named and not ended */
    /* The wait is over early when its caller is gone, and fences nobody; NULL: nobody can go. */
    const struct call *call;
};

/* Waits until every point that is there now obeys the revision, or the time is over; blocks. */
struct points_receipt points_await(struct points *points, struct arena *arena,
                                   const struct points_wait *wait) NONNULL;

#endif
