/* keeper - one thread that keeps long-lived streams open and beats on time.
 *
 * Whatever must be looked after (an identity, a lease, a subscription) is a keeper_task with a tick
 * that never blocks for long: it opens a stream that is down and due, or wakes one whose beat is
 * due. Every task is ticked each KEEPER_TICK_MS, and at once after keeper_poke().  In tests the
 * ticks are called by hand.
 */

#ifndef LIBS_MESH_KEEPER_H_
#define LIBS_MESH_KEEPER_H_

#include "libs/base/attributes.h"

enum { KEEPER_TICK_MS = 200 };

struct keeper;

struct keeper_task {
    void (*tick)(struct keeper_task *task);
    struct keeper_task *next;
};

struct keeper *keeper_new(void) RETURNS_NONNULL;
/* After this no tick runs.  NULL is allowed. */
void keeper_free(struct keeper *keeper);

/* Borrows the task until keeper_free(). */
void keeper_add(struct keeper *keeper, struct keeper_task *task) NONNULL;
/* Any thread. */
void keeper_poke(struct keeper *keeper) NONNULL;

#endif
