/* guard - who asks before a handler runs.
 *
 * The server knows calls and methods; who may do what is libs/authz' business, or the agent's.
 * They meet here.
 */

#ifndef LIBS_RPC_GUARD_H_
#define LIBS_RPC_GUARD_H_

#include "libs/base/attributes.h"
#include "libs/base/status.h"
#include "libs/rpc/call.h"
#include "libs/rpc/method_options.h"

#include <stdint.h>

/* A guard is a struct that begins with this one.  Safe on any thread, and must not block: it runs
 * on completion-queue threads. */
struct guard {
    const struct guard_ops *ops;
};

struct guard_ops {
    /* Sets call->principal from call->peer_id, call->token and call->peer_process.  Before
     * anything is decoded.  UNAUTHENTICATED: what was shown is not good. */
    status (*authenticate)(struct guard *guard, struct call *call);
    /* May the principal do this?  request is the decoded one (a stream's first).
     * PERMISSION_DENIED, with an ErrorInfo that names the permission; FAILED_PRECONDITION: the
     * tenant is suspended; RESOURCE_EXHAUSTED: over its rate. */
    status (*authorise)(struct guard *guard, struct call *call, const struct rpc *rpc,
                        const ProtobufCMessage *request);
    /* Streams outlive the moment in which they were let in.  epoch() is another number whenever a
     * decision may have become another, and costs next to nothing: it is asked before each event of
     * each stream.  When it has changed, and from principal->expire_ms on, still_authorised() says
     * whether what let the stream in holds: the certificate's policy, the token that has neither
     * ended nor been revoked, the tenant's state.  Both NULL: a stream that was let in goes on to
     * its end. */
    uint64_t (*epoch)(struct guard *guard);
    status (*still_authorised)(struct guard *guard, struct call *call, const struct rpc *rpc);
    /* The call was refused by one of them; for the audit.  May write(), not wait. An error
     * replaces the refusal's: what cannot be audited fails another way. NULL does nothing. */
    status (*refused)(struct guard *guard, struct call *call, const struct rpc *rpc, status why);
};

/* An authorise() for a guard that has decided all by whom it lets in. */
status guard_permit_all(struct guard *guard, struct call *call, const struct rpc *rpc,
                        const ProtobufCMessage *request) NONNULL_ARGS(1, 2, 3);

#endif
