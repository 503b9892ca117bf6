/* guard - the three locks on every call, for the server (libs/rpc/guard.h).
 *
 *     1  the certificate's SPIFFE ID may call this service       mesh policy, from the registry
 *     2  the token is good: signed, in time, not revoked         snapshot, from auth
 *     3  its holder may do this, to this                         patterns, in the holder's tenant
 *
 * All of it in process, from memory; nobody is asked over the network.
 *
 * Who is who: a token makes the principal; without one the certificate does, as the platform's own.
 * A certificate alone is enough for rpcs whose options name it among `peers`.
 *
 * Permissions and tenants: what begins with "platform:" is for principals of PLATFORM_TENANT alone;
 * "tenant:X:" for those of X and of PLATFORM_TENANT; everything else is about the principal's own
 * tenant, whatever its fields say.
 *
 * A stream is asked about again whenever something of this has changed: a revocation, a suspension
 * or a new policy ends it, and so does the end of its token (30 s late, as with every call, since
 * clocks differ).  Who is there by its certificate alone has no such end: it is renewed, and
 * streams outlive it.
 *
 * A suspended tenant reads and does not write: rpcs whose permission ends in "read" or "list" work.
 */

#ifndef LIBS_AUTHZ_GUARD_H_
#define LIBS_AUTHZ_GUARD_H_

#include "libs/authz/snapshot.h"
#include "libs/base/attributes.h"
#include "libs/base/clock.h"
#include "libs/rpc/guard.h"
#include "weft/registry/v1/registry_service.pb-c.h"

#include <stdbool.h>

/* What auth puts into tokens, and everybody expects. */
#define AUTHZ_ISSUER   "weft"
#define AUTHZ_AUDIENCE "weft"

struct guard_authz;

struct guard_authz_options {
    const char *service;       /* whose guard it is: "tenant"; borrowed */
    const char *trust_domain;  /* borrowed */
    const struct clock *clock; /* borrowed */
    bool stale_reads;          /* rpcs that read go on by token when auth is away too long */
};

struct guard_authz *guard_authz_new(const struct guard_authz_options *options)
    NONNULL RETURNS_NONNULL;
void guard_authz_free(struct guard_authz *guard);

/* What the server is given. */
struct guard *guard_authz_guard(struct guard_authz *guard) NONNULL RETURNS_NONNULL;
/* What the subscription feeds, and services ask for quotas. */
struct snapshot *guard_authz_snapshot(struct guard_authz *guard) NONNULL RETURNS_NONNULL;

/* The policy in force from now on.  Until there is one, every member may call every service. */
void guard_authz_set_policy(struct guard_authz *guard, const Weft__Registry__V1__Policy *policy)
    NONNULL;

/* Who is told of refusals, before the caller is: the audit's spool.  Must not block. */
void guard_authz_set_denied(struct guard_authz *guard,
                            status (*denied)(void *data, struct call *call, const struct rpc *rpc,
                                             status why),
                            void *data) NONNULL_ARGS(1, 2);

/* Whether the principal may do this, as the guard would decide: for handlers whose rpc allows more
 * to some.  PERMISSION_DENIED with the details. */
status authz_check(struct call *call, const char *permission) NONNULL;

#endif
