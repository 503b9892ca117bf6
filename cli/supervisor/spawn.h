/* spawn - starts a program as another user, with nothing that it was not given.
 *
 * The program is run from a descriptor that was opened before, with its folder as working folder,
 * taken while we still may go there: what lies above the folder and the program need not be
 * passable for the user it runs as.
 */

#ifndef CLI_SUPERVISOR_SPAWN_H_
#define CLI_SUPERVISOR_SPAWN_H_

#include "cli/supervisor/plan.h"
#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/status.h"

#include <sys/types.h>

/* Returns when the program runs, or could not be started: UNAVAILABLE, saying at which step.
 *
 * It gets its plan's environment and /dev/null as standard input; standard output and error go to
 * log.  No other descriptor, no signal mask and no ignored signal is inherited, its umask is 0077,
 * and it gets SIGTERM when we die, so that nothing is left that nobody watches. */
status spawn(struct arena *arena, const struct program *program, int executable, int log,
             pid_t *ret_pid) NONNULL;

#endif
