/* notify - tells whoever started this process how it is: systemd's sd_notify protocol.
 *
 * A datagram of lines "NAME=value" to the Unix socket named by NOTIFY_SOCKET; a name that begins
 * with '@' is an abstract one.  Beside systemd's own names (READY=1, STOPPING=1, STATUS=text) ours
 * begin with X_WEFT_, as its manual asks.
 */

#ifndef LIBS_MESH_NOTIFY_H_
#define LIBS_MESH_NOTIFY_H_

#include "libs/base/attributes.h"

#include <stdbool.h>

/* Never blocks.  False: the socket is full (the kernel keeps 10 datagrams, and a host's programs
 * all speak when they start), so what must be heard is to be said again.  socket "" is true: nobody
 * asked; so is one where nobody listens. */
bool notify_send(const char *socket, const char *lines) NONNULL;

#endif
