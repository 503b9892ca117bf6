/* lifecycle - in which state a supervised program is, and what is due when.
 *
 *                 start          READY=1
 *      WAITING ----------> STARTING ------> READY
 *         ^                   |               |
 *         |  due              | exit          | exit
 *      BACKOFF <--------------+---------------+
 *
 *      from any of them: stop ---> STOPPING --- exit ---> STOPPED
 *
 * Only this: no process is started or ended here, so every path is tested with numbers for times.
 * Times are monotonic milliseconds.
 *
 * What dies is started again after 100 ms, then 200, 400 ... up to 30 s; a program that was ready
 * and lived for 30 s has shown that it can, and begins anew at 100 ms.  The first delay is short
 * because most deaths are single (a kill, a bug one request met); the last bounds what a program
 * that cannot start costs.
 */

#ifndef CLI_SUPERVISOR_LIFECYCLE_H_
#define CLI_SUPERVISOR_LIFECYCLE_H_

#include "libs/base/attributes.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    LIFECYCLE_FIRST_DELAY_MS = 100,
    LIFECYCLE_LAST_DELAY_MS = 30 * 1000,
    LIFECYCLE_PROVEN_MS = 30 * 1000,
    LIFECYCLE_KILL_AFTER_MS = 10 * 1000, /* from SIGTERM to SIGKILL */
};

/* X(name, as people read it) */
#define LIFECYCLE_STATES(X)  \
    X(WAITING, "waiting")    \
    X(STARTING, "starting")  \
    X(READY, "ready")        \
    X(BACKOFF, "restarting") \
    X(STOPPING, "stopping")  \
    X(STOPPED, "stopped")

enum lifecycle_state {
#define X(name, word) LIFECYCLE_##name,
    LIFECYCLE_STATES(X)
#undef X
};

struct lifecycle {
    enum lifecycle_state state;
    int64_t started_ms; /* the last start */
    int64_t ready_ms;   /* when it became ready after it; 0 when it has not */
    int64_t due_ms;     /* BACKOFF: the next start; STOPPING: the kill */
    int64_t delay_ms;   /* BACKOFF: how long it waits in all */
    int32_t n_failures; /* deaths in a row */
    int32_t n_restarts; /* starts but the first */
    bool was_ready;     /* ever */
    bool killed;        /* STOPPING, and SIGKILL has been sent */
    bool started;       /* ever */
    bool end_asked;     /* its end will be no failure */
};

const char *lifecycle_word(enum lifecycle_state state) RETURNS_NONNULL;

void lifecycle_start(struct lifecycle *self, int64_t now_ms) NONNULL;
/* It said READY=1; again, or when it is stopping, changes nothing. */
void lifecycle_ready(struct lifecycle *self, int64_t now_ms) NONNULL;
/* It is gone, or could not be started: BACKOFF, or STOPPED when that was asked for. */
void lifecycle_exit(struct lifecycle *self, int64_t now_ms) NONNULL;
/* A person wants it to begin anew: its end is no failure, and it is started again at once.  Returns
 * whether there is a process to send SIGTERM to. */
bool lifecycle_restart(struct lifecycle *self) NONNULL;
/* Returns whether there is a process to send SIGTERM to. */
bool lifecycle_stop(struct lifecycle *self, int64_t now_ms) NONNULL;
/* It got SIGTERM and ignored it for too long; the kill is sent once. */
bool lifecycle_should_kill(struct lifecycle *self, int64_t now_ms) NONNULL;

bool lifecycle_should_start(const struct lifecycle *self, int64_t now_ms) NONNULL;
bool lifecycle_has_process(const struct lifecycle *self) NONNULL;
/* When something is to be done next, or INT64_MAX. */
int64_t lifecycle_next_ms(const struct lifecycle *self) NONNULL;

#endif
