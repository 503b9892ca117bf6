/* readiness - whether a service can do its work, and what it waits for when it cannot.
 *
 * Each thing that a service needs (its identity, its store, a snapshot, a peer) is a dependency
 * with a name.  It begins as not ready; whoever looks after it says when that changes, and why:
 *
 *     struct dependency *registry = readiness_add(readiness, "registry", "no lease yet");
 *     ...
 *     readiness_set(registry, true, "lease 7 held");
 *
 * The service is ready while all of them are.  /readyz and grpc.health.v1 show it, so the reason
 * is written for the person who looks there: a sentence without secrets.
 *
 * Any thread; a short lock.
 */

#ifndef LIBS_OBS_READINESS_H_
#define LIBS_OBS_READINESS_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/clock.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct readiness;
struct dependency; /* owned by its readiness */

struct readiness_options {
    const struct clock *clock; /* required; borrowed */
    /* May be NULL.  Called after whether the service is ready has changed, on the thread that
     * changed it, with no lock held: two changes may be told in any order, so ask
     * readiness_is_ready() what is true now. */
    void (*changed)(void *data);
    void *data; /* borrowed */
};

/* The caller owns the readiness: readiness_free(), when nobody sets a dependency any more. */
struct readiness *readiness_new(const struct readiness_options *options) NONNULL RETURNS_NONNULL;
/* NULL is allowed. */
void readiness_free(struct readiness *readiness);

/* Not ready at first.  name ("store") and reason are copied; a reason is cut at 200 bytes.  Also
 * the gauge weft_ready{dependency="store"}. */
struct dependency *readiness_add(struct readiness *readiness, const char *name, const char *reason)
    NONNULL RETURNS_NONNULL;
void readiness_set(struct dependency *dependency, bool ready, const char *reason) NONNULL;

/* Whether all are ready; who depends on nothing is. */
bool readiness_is_ready(struct readiness *readiness) NONNULL;

struct dependency_state {
    const char *name; /* this and reason: arena */
    const char *reason;
    bool ready;
    int64_t since_ms; /* the wall's time at which it became so */
};

struct readiness_state {
    bool ready;
    const struct dependency_state *dependencies; /* in the order in which they were added */
    size_t n_dependencies;
};

/* All at one moment. */
struct readiness_state readiness_state(struct readiness *readiness, struct arena *arena) NONNULL;

#endif
