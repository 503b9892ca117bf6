/* point_memory - which enforcement points there were, over a restart of auth.
 *
 * An enforcement point decides on for up to a minute when auth dies.  The next auth must know of
 * it: a receipt that says "5 of 5" while a sixth stands still somewhere would be wrong.  So names
 * are kept in the store when a point first obeys and when it has gone; at the start those that were
 * there are expected back, and named in receipts as fenced until they are, or their lease is over.
 *
 * Notes are written behind (store_commit_async()): nobody waits for them, and one that is lost
 * with the process makes a receipt no worse than it was without.
 */

#ifndef SERVICES_AUTH_POINT_MEMORY_H_
#define SERVICES_AUTH_POINT_MEMORY_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/clock.h"
#include "libs/base/status.h"
#include "libs/store/store.h"
#include "services/auth/points.h"

#include <stdbool.h>

/* Both required and borrowed. */
struct point_memory {
    struct store *store;
    const struct clock *clock;
};

/* Any thread; neither blocks.  The name is copied. */
void point_memory_note_here(const struct point_memory *memory, const char *name) NONNULL;
/* with_a_word: it decides nothing any more, and need not be remembered. */
void point_memory_note_gone(const struct point_memory *memory, const char *name, bool with_a_word)
    NONNULL;

/* At the start: who was there is expected; who has been gone for a lease's time is forgotten. */
status point_memory_load(const struct point_memory *memory, struct arena *arena,
                         struct points *points) NONNULL;

#endif
