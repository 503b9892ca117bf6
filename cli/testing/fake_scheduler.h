/* fake_scheduler - hands out jobs as a test tells it to, and writes down what its worker says.
 *
 * A real server on a Unix socket: what is tested is how a worker bears streams that break.
 */

#ifndef CLI_TESTING_FAKE_SCHEDULER_H_
#define CLI_TESTING_FAKE_SCHEDULER_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/rpc/channel.h"
#include "libs/rpc/server.h"

#include <stdatomic.h>
#include <stdbool.h>

struct fake_scheduler {
    struct runtime *runtime;
    struct server *server;
    struct channel *channel;
    struct peer *peer; /* what the code under test is given */
    /* Tests set these: */
    _Atomic int break_streams; /* so many streams end with UNAVAILABLE at the first credit */
    _Atomic bool refuse;       /* PERMISSION_DENIED for every stream */
    _Atomic bool withdraw;     /* a job is withdrawn as soon as it reports progress */
    _Atomic bool renew; /* then it gets "newer", after a token for an attempt that is not its own */
    _Atomic int end_watches; /* so many watches end with UNAUTHENTICATED, without a row */
    /* And read these: */
    _Atomic int n_streams;
    _Atomic int n_assigned;
    _Atomic int n_progress;
    _Atomic int n_completed;
    _Atomic int n_failed;
    _Atomic bool last_was_permanent;
    _Atomic int n_watches;
};

/* Listens in folder, a temp_folder(). */
void fake_scheduler_start(struct fake_scheduler *self, struct arena *arena, const char *folder)
    NONNULL;
void fake_scheduler_stop(struct fake_scheduler *self) NONNULL;

#endif
