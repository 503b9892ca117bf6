/* start - begins and ends the supervisor of a home. */

#ifndef CLI_START_H_
#define CLI_START_H_

#include "cli/home.h"
#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/status.h"

#include <sys/types.h>

/* Starts the supervisor of a prepared home in a session of its own, and returns when its sockets
 * are open.  UNAVAILABLE: it could not begin, with what it said. */
status start_supervisor(struct arena *arena, const struct home *home, const char *programs) NONNULL;

/* Stops all, and returns when the supervisor has ended.  NOT_FOUND: none runs. */
status stop_supervisor(struct arena *arena, const struct home *home) NONNULL;

#endif
