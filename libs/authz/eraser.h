/* eraser - erases, in one service, what deleted tenants have left there.
 *
 *     the snapshot: acme is DELETED --+
 *                                     +--> erase(acme), again and again, until nothing is here
 *     the service:  acme is here    --+
 *
 * It looks at how things are, never at how they change.  So it is all the same to it whether a
 * tenant was deleted just now or while the service was down, whether a crash has cut its erasure
 * short, and whether a call that was under way has added something after it.
 *
 * What allows to destroy is the word itself: DELETED, a tenant's last state for ever, in the
 * snapshot.  A tenant that the snapshot does not know is left alone, for it may only not have come
 * yet; so is one in any other state.
 */

#ifndef LIBS_AUTHZ_ERASER_H_
#define LIBS_AUTHZ_ERASER_H_

#include "libs/authz/snapshot.h"
#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/clock.h"
#include "libs/base/status.h"
#include "libs/obs/log.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    ERASER_LOOK_MS = 1000,  /* so often it asks whether the snapshot is another */
    ERASER_AGAIN_MS = 5000, /* after an erasure that failed */
    /* And without any change: a call that was let in before the tenant was deleted ends by then. */
    ERASER_SWEEP_MS = 60000,
};

struct eraser_tenants {
    const char *const *ids;
    size_t n_ids;
};

/* What a service does for it; both block. */
struct eraser_ops {
    /* Those of whom anything is here, or was when a crash cut their erasure short; in arena. */
    status (*tenants)(void *data, struct arena *arena, struct eraser_tenants *ret_tenants);
    /* Everything of the tenant goes, durably on return, and is told to the audit service.  May be
     * called again after an error or a crash.  What takes long asks now and then whether *stopping,
     * and then leaves the rest to the next start: CANCELLED. */
    status (*erase)(void *data, struct arena *arena, const char *tenant_id,
                    const _Atomic bool *stopping);
};

struct eraser;

struct eraser_options {
    const struct eraser_ops *ops; /* required; borrowed, as all of them */
    void *data;                   /* for the ops */
    struct snapshot *snapshot;    /* required */
    const struct clock *clock;    /* required */
    struct log *log;              /* NULL is silent */
};

/* The caller owns it: eraser_free(). */
struct eraser *eraser_new(const struct eraser_options *options) NONNULL RETURNS_NONNULL;
/* Sweeps from now on, on a thread of its own. */
void eraser_start(struct eraser *eraser) NONNULL;
/* Ends the sweep under way, where its erase() asks.  Before what it borrows goes.  NULL is allowed.
 */
void eraser_free(struct eraser *eraser);

/* One sweep: what the thread does.  One tenant's failure holds up no other; the first is returned.
 */
status eraser_sweep(struct eraser *eraser, struct arena *arena) NONNULL;

#endif
