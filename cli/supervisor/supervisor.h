/* supervisor - keeps the programs of a plan running.
 *
 * One thread, one epoll: signals by signalfd, what programs say (notify_socket.h), what they log
 * (log_file.h), and what people ask (control.h).  Each stage of the plan is started when the one
 * before has been ready once; after that each program is on its own: what dies is started again
 * (lifecycle.h), and the log and the status say so.  On SIGTERM, SIGINT or {"do":"stop"} the stages
 * are stopped in the opposite order.
 *
 * In the plan's runtime folder: notify.sock, control.sock.  Beside the programs' logs:
 * supervisor.log, of JSON lines.
 */

#ifndef CLI_SUPERVISOR_SUPERVISOR_H_
#define CLI_SUPERVISOR_SUPERVISOR_H_

#include "cli/supervisor/plan.h"
#include "libs/base/attributes.h"
#include "libs/base/clock.h"
#include "libs/base/files.h"

struct supervisor;

struct supervisor_options {
    const struct plan *plan;   /* required; borrowed */
    struct files *logs;        /* required; borrowed: the folder of the logs */
    const struct clock *clock; /* required; borrowed */
};

/* Opens sockets and programs, and starts nothing yet.  The caller owns it: supervisor_free().
 * Blocks SIGCHLD, SIGTERM and SIGINT in this thread, which must be the only one. */
status supervisor_new(struct arena *arena, const struct supervisor_options *options,
                      struct supervisor **ret_supervisor) NONNULL;
/* After supervisor_run() no program runs any more. */
void supervisor_free(struct supervisor *self);

/* Until it is told to stop and all programs have ended. */
void supervisor_run(struct supervisor *self) NONNULL;

#endif
