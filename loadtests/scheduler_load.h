/* scheduler_load - jobs through the API, beside what SQLite alone takes (sqlite_limit.h).
 *
 *     jobs      enqueued by the hundred over streams of EnqueueJobs, given to workers over theirs,
 *               reported as done, and the reports answered: a job counts when it is durably ended
 *     pickup    one EnqueueJob at a time on an idle scheduler, from the call until the worker has
 * it
 */

#ifndef LOADTESTS_SCHEDULER_LOAD_H_
#define LOADTESTS_SCHEDULER_LOAD_H_

#include "loadtests/load.h"

/* command is how to get the figures again. */
status scheduler_load_run(const struct load *load, const char *command) NONNULL;

#endif
