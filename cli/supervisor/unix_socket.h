/* unix_socket - binds and connects sockets that have a path. */

#ifndef CLI_SUPERVISOR_UNIX_SOCKET_H_
#define CLI_SUPERVISOR_UNIX_SOCKET_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/status.h"

#include <sys/types.h>

/* Takes the place of what is at path.  *ret_fd is the caller's; it does not block.
 *
 * INVALID_ARGUMENT: path has 108 bytes or more.  UNAVAILABLE: what the machine refuses. */
status unix_socket_bind(struct arena *arena, const char *path, int type, mode_t mode, int *ret_fd)
    NONNULL;

/* NOT_FOUND: nothing listens there.  The other codes as above; *ret_fd blocks. */
status unix_socket_connect(struct arena *arena, const char *path, int type, int *ret_fd) NONNULL;

#endif
