/* child - one supervised program: its process, its log, and what it has said of itself.
 *
 * Used by the supervisor's one thread.
 */

#ifndef CLI_SUPERVISOR_CHILD_H_
#define CLI_SUPERVISOR_CHILD_H_

#include "cli/supervisor/lifecycle.h"
#include "cli/supervisor/log_file.h"
#include "cli/supervisor/notification.h"
#include "cli/supervisor/plan.h"
#include "libs/base/attributes.h"
#include "libs/base/clock.h"
#include "libs/base/text.h"

#include <sys/types.h>

struct child {
    const struct program *program; /* borrowed */
    struct lifecycle life;
    struct log_file *log; /* owned */
    int executable;       /* opened once, so that a later build does not change what runs */
    int log_read;         /* what the program writes; the same pipe for all of its lives */
    int log_write;
    pid_t pid;               /* good while lifecycle_has_process() */
    int64_t started_wall_ms; /* of the last start */
    char *last_end;          /* "killed by signal 9 (Killed)"; NULL before the first end; owned */
#define X(field, name) char *field; /* what it said last; NULL when it did not; owned */
    NOTIFICATION_TEXTS(X)
#undef X
};

/* UNAVAILABLE: the program cannot be opened, or there are no descriptors left.  Either way
 * child_reset() frees it. */
status child_init(struct child *self, struct arena *arena, const struct program *program,
                  struct files *logs) NONNULL;
void child_reset(struct child *self) NONNULL;

/* An error has been taken note of as an end: the lifecycle is in BACKOFF. */
status child_start(struct child *self, struct arena *arena, const struct clock *clock) NONNULL;
/* What it said.  Returns whether it has become ready by this. */
bool child_said(struct child *self, const struct notification *said, int64_t now_ms) NONNULL;
/* wait_status is of waitpid(2). */
void child_ended(struct child *self, int wait_status, int64_t now_ms) NONNULL;
/* Moves what it has written into its log. */
void child_drain_log(struct child *self) NONNULL;
/* One JSON object on a line of its own. */
void child_describe(const struct child *self, int64_t now_ms, struct text *into) NONNULL;

#endif
