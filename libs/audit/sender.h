/* sender - the relay's way to the audit service: AppendEvents, through the mesh. */

#ifndef LIBS_AUDIT_SENDER_H_
#define LIBS_AUDIT_SENDER_H_

#include "libs/audit/relay.h"
#include "libs/base/attributes.h"
#include "libs/base/clock.h"
#include "libs/rpc/peer.h"

/* An answer takes milliseconds; who waits longer waits for a process that is gone. */
enum { SENDER_TIMEOUT_MS = 10000 };

struct audit_sender {
    struct audit_sink sink; /* what is passed in */
    struct peer *peer;
    const struct clock *clock;
    const char *service;
};

/* Borrows all: the peer is xds:///audit, service is what events say they happened in ("tenant"). */
void audit_sender_init(struct audit_sender *self, struct peer *peer, const struct clock *clock,
                       const char *service) NONNULL;

#endif
