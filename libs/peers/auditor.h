/* auditor - what a member of the mesh needs so that its audit events arrive: spool, relay, and the
 * audit service at the other end (docs/AUDIT_DELIVERY.md).
 *
 *     or_exit(outbox_migrate(store, arena));
 *     or_exit(auditor_open(arena, &(struct auditor_options){
 *         .peer = mesh_peer(mesh, "audit"), .service = "scheduler", .store = store,
 *         .files = &spool_folder.files, .clock = &system_clock, .random = &system_random },
 * &auditor)); guard_authz_set_denied(mesh_guard(mesh), auditor_denied, auditor); int code =
 * mesh_run(mesh); auditor_close(auditor);              before the mesh, the store and the folder go
 *
 * The audit service may be away: events wait, and calls go on (spool.h says what happens when the
 * spool is full).
 */

#ifndef LIBS_PEERS_AUDITOR_H_
#define LIBS_PEERS_AUDITOR_H_

#include "libs/audit/relay.h"
#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/clock.h"
#include "libs/base/files.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/rpc/call.h"
#include "libs/rpc/peer.h"
#include "libs/store/store.h"

struct auditor;

/* All required but the store; borrowed. */
struct auditor_options {
    struct peer *peer;   /* the audit service */
    const char *service; /* whose events these are: "scheduler" */
    struct store *store; /* with an outbox; NULL for a member that changes nothing */
    struct files *files; /* the spool's own folder */
    const struct clock *clock;
    const struct random_source *random;
};

/* Takes over what an earlier process left, and begins to send.  The caller owns the auditor. */
status auditor_open(struct arena *arena, const struct auditor_options *options,
                    struct auditor **ret_auditor) NONNULL;
/* Ends after the batch under way: the rest is durable, and goes next time.  NULL is allowed. */
void auditor_close(struct auditor *auditor);

/* For guard_authz_set_denied(), with an auditor: a refused call, written before its reply.
 * RESOURCE_EXHAUSTED: there is no room for it, and the call is answered with that. */
status auditor_denied(void *auditor, struct call *call, const struct rpc *rpc, status why)
    NONNULL_ARGS(1, 2, 3);

/* For readiness and people: what the relay says of itself. */
void auditor_read_report(struct auditor *auditor, struct relay_report *ret_report) NONNULL;

/* ---- For tests, which need no threads ---- */

/* A sink that sends to the peer; init in place, nothing to reset. */
struct audit_peer_sink {
    struct audit_sink sink; /* what is passed in */
    struct peer *peer;
    const char *service;
    const struct clock *clock;
};

void audit_peer_sink_init(struct audit_peer_sink *self, struct peer *peer, const char *service,
                          const struct clock *clock) NONNULL;

#endif
