/* commit - a write, and what it means for what is in memory, in one order.
 *
 * The store commits many calls' writes together and tells of them one after the other, in the
 * order in which they have happened.  There, on its thread, memory follows: so two changes of one
 * account are applied in the order in which they are durable, with no lock around a commit.
 */

#ifndef SERVICES_AUTH_COMMIT_H_
#define SERVICES_AUTH_COMMIT_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/status.h"
#include "libs/store/store.h"

/* Blocks until write is durable and apply(data) was called, on the store's thread; apply may not
 * block.  When the write has not happened neither has apply. */
status commit_and_apply(struct store *store, const struct store_write *write,
                        void (*apply)(void *data), void *data) NONNULL_ARGS(1, 2, 3);

/* Blocks until apply() of every write that was durable before this was asked has been called. */
status commit_settle(struct store *store, struct arena *arena) NONNULL;

#endif
