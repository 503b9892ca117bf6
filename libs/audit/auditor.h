/* auditor - what a service needs so that its audit events arrive: the outbox' tables, the spool,
 * and the relay to the audit service (docs/AUDIT_DELIVERY.md).
 *
 * Services of the mesh get theirs from member_auditor_or_exit() (libs/mesh/member.h).  The audit
 * service may be away: events wait, and calls go on (spool.h says what happens when the spool is
 * full).
 */

#ifndef LIBS_AUDIT_AUDITOR_H_
#define LIBS_AUDIT_AUDITOR_H_

#include "libs/audit/relay.h"
#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/clock.h"
#include "libs/base/files.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/obs/log.h"
#include "libs/rpc/call.h"
#include "libs/rpc/peer.h"
#include "libs/store/store.h"

struct auditor;

/* All required but the store and the log; borrowed. */
struct auditor_options {
    struct peer *peer;   /* the audit service: xds:///audit */
    const char *service; /* whose events these are: "scheduler" */
    struct store *store; /* gets an outbox; NULL for a service that changes nothing */
    struct log *log;     /* NULL is silent */
    struct files *files; /* the spool's own folder */
    const struct clock *clock;
    const struct random_source *random;
};

/* Takes over what an earlier process left, and begins to send.  The caller owns the auditor. */
status auditor_open(struct arena *arena, const struct auditor_options *options,
                    struct auditor **ret_auditor) NONNULL;
/* Before what it borrows goes.  Ends after the batch under way: the rest is durable, and goes next
 * time.  NULL is allowed. */
void auditor_close(struct auditor *auditor);

/* For guard_authz_set_denied(), with an auditor: a refused call, written before its reply.
 * RESOURCE_EXHAUSTED: there is no room for it, and the call is answered with that. */
status auditor_denied(void *auditor, struct call *call, const struct rpc *rpc, status why)
    NONNULL_ARGS(1, 2, 3);

/* For readiness and people: what the relay says of itself. */
void auditor_read_report(struct auditor *auditor, struct relay_report *ret_report) NONNULL;

#endif
