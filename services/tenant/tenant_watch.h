/* tenant_watch - the stream WatchTenants: all tenants as they are, and then each change.
 *
 *     commit --store_watch--> tenant_watchers --stream_wake--> writable: rows after what was seen
 *
 * A reader's place is the revision of the last row it was sent (tenant_store.h), so the beginning
 * and the changes are one query, nothing can fall between the two, and a slow reader costs no
 * memory: of a tenant that has changed twice meanwhile it is sent the last state alone.
 */

#ifndef SERVICES_TENANT_TENANT_WATCH_H_
#define SERVICES_TENANT_TENANT_WATCH_H_

#include "libs/base/attributes.h"
#include "libs/rpc/stream.h"
#include "libs/store/store.h"
#include "weft/tenant/v1/tenant_service.pb-c.h"

struct tenant_watchers;

enum {
    TENANT_WATCH_BATCH = 500,       /* some 100 KiB: below a stream's room of 1 MiB */
    TENANT_WATCH_MAX_BEHIND = 1000, /* changes; past it a new beginning costs its reader less */
};

/* Everyone who watches store.  Borrows it; tenant_watchers_free(), when the streams are over. */
struct tenant_watchers *tenant_watchers_new(struct store *store) NONNULL RETURNS_NONNULL;
/* NULL is allowed. */
void tenant_watchers_free(struct tenant_watchers *watchers);

/* The stream's events, on a WORKER. */
status tenant_watch_begin(struct tenant_watchers *watchers, struct stream *stream, void **ret_state)
    NONNULL;
status tenant_watch_message(struct stream *stream, void *state,
                            const Weft__Tenant__V1__WatchTenantsRequest *request)
    NONNULL_ARGS(1, 2);
status tenant_watch_writable(struct stream *stream, void *state) NONNULL;
void tenant_watch_closed(struct stream *stream, void *state, status why) NONNULL_ARGS(1);

#endif
