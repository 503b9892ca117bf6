/* notification - what a program tells its supervisor of itself.
 *
 * systemd's sd_notify(3) protocol: a datagram of lines "NAME=value".  Of systemd's names we know
 * READY, STATUS and STOPPING; ours begin with X_WEFT_, as systemd asks of names that are not its
 * own, so a service runs under either supervisor.  Unknown names are skipped, as there.
 */

#ifndef CLI_SUPERVISOR_NOTIFICATION_H_
#define CLI_SUPERVISOR_NOTIFICATION_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/bytes.h"

#include <stdbool.h>

enum {
    /* Five short values and a sentence; what is longer is cut by the kernel and then refused. */
    NOTIFICATION_MAX_BYTES = 4096,
    /* A SPIFFE ID may have 2,048 bytes; nothing else comes near. */
    NOTIFICATION_MAX_VALUE_BYTES = 2048,
};

/* X(field, name on the wire) */
#define NOTIFICATION_TEXTS(X)        \
    X(status, "STATUS")              \
    X(address, "X_WEFT_ADDRESS")     \
    X(http, "X_WEFT_HTTP")           \
    X(spiffe_id, "X_WEFT_SPIFFE_ID") \
    X(version, "X_WEFT_VERSION")

struct notification {
    bool ready;
    bool stopping;
#define X(field, name) const char *field; /* NULL when it is not said */
    NOTIFICATION_TEXTS(X)
#undef X
};

/* False when the datagram is too long, a value is, or it is not text; *ret is then untouched.
 * The texts are in arena. */
bool notification_parse(struct arena *arena, bytes datagram, struct notification *ret) NONNULL;

#endif
