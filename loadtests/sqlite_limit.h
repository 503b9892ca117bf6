/* sqlite_limit - what SQLite itself takes of a queue, with nothing around it: one thread, prepared
 * statements, WAL, synchronous=FULL.
 *
 * A job is durable three times, as the scheduler's are: added, begun, ended.  Each of the three is
 * committed for a whole batch of jobs at once, which is what group commit comes to under load.
 */

#ifndef LOADTESTS_SQLITE_LIMIT_H_
#define LOADTESTS_SQLITE_LIMIT_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/status.h"

#include <stddef.h>
#include <stdint.h>

struct sqlite_limit;

/* A new file in folder, whose path is in arena.  The caller owns the limit: sqlite_limit_free(),
 * which removes the file. */
status sqlite_limit_new(struct arena *arena, const char *folder, struct sqlite_limit **ret) NONNULL;
void sqlite_limit_free(struct sqlite_limit *self);

/* Jobs a second over run_ms, batch of them at a time. */
status sqlite_limit_jobs(struct sqlite_limit *self, struct arena *arena, size_t batch,
                         int64_t run_ms, double *ret_jobs_per_s) NONNULL;

/* How long n jobs took to be durably added, one after the other, in milliseconds. */
status sqlite_limit_add(struct sqlite_limit *self, struct arena *arena, size_t n, double *ret_ms)
    NONNULL;

#endif
