/* notify_socket - where supervised programs send their notifications.
 *
 * A datagram socket that every uid may write to.  Who wrote is the kernel's word (SCM_CREDENTIALS),
 * so a program speaks for itself alone.
 */

#ifndef CLI_SUPERVISOR_NOTIFY_SOCKET_H_
#define CLI_SUPERVISOR_NOTIFY_SOCKET_H_

#include "cli/supervisor/notification.h"
#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/status.h"

#include <stdbool.h>
#include <sys/types.h>

/* Binds path, in the place of what a dead supervisor left there.  *ret_fd is the caller's, and
 * does not block. */
status notify_socket_open(struct arena *arena, const char *path, int *ret_fd) NONNULL;

/* The next notification that is well formed; false when there is none now. */
bool notify_socket_receive(int fd, struct arena *arena, pid_t *ret_pid,
                           struct notification *ret_said) NONNULL;

#endif
