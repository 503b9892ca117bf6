/* standings - how each tenant stands, as the tenant service says it.
 *
 * One stream, TenantService.WatchTenants: all tenants first, then each change; what comes goes into
 * the feed.  When all have come the feed opens.  The stream is opened again whenever it ends;
 * meanwhile everybody decides by what was known.
 *
 *     tenant --WatchTenants--> standings --feed_put_tenants--> feed --Subscribe--> every service
 *                                  \---> store, for the next start
 *
 * What came is kept in the store, too, so that auth opens at its start although the tenant service
 * is away: the platform goes on as it was.  It is a memory, not the truth, so a commit that fails
 * is logged and made good by the next start's stream.
 */

#ifndef SERVICES_AUTH_STANDINGS_H_
#define SERVICES_AUTH_STANDINGS_H_

#include "libs/base/attributes.h"
#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/mesh/keeper.h"
#include "libs/obs/log.h"
#include "libs/rpc/peer.h"
#include "services/auth/auth_store.h"
#include "services/auth/feed.h"
#include "weft/tenant/v1/tenant_service.pb-c.h"

struct standings;

struct standings_options {
    struct peer *tenants;               /* required; borrowed */
    struct feed *feed;                  /* required; borrowed */
    struct store *store;                /* required; borrowed */
    struct keeper *keeper;              /* required; borrowed */
    const struct clock *clock;          /* required; borrowed */
    const struct random_source *random; /* required; borrowed */
    struct log *log;                    /* borrowed; may be NULL */
};

/* Begins at the keeper's next tick.  The caller owns it: standings_stop(), before the peer goes,
 * and standings_free(), after the keeper. */
struct standings *standings_new(const struct standings_options *options) NONNULL RETURNS_NONNULL;
/* Ends the stream, for good. */
void standings_stop(struct standings *standings) NONNULL;
void standings_free(struct standings *standings);

/* What was kept, into the feed; and opens it, if all tenants were ever known.  At the start. */
status standings_load(struct feed *feed, struct store *store, struct arena *arena) NONNULL;

/* What has come, into the feed and the store; for the stream, and for tests. */
status standings_take(struct feed *feed, struct store *store, struct arena *arena,
                      const Weft__Tenant__V1__WatchTenantsResponse *response) NONNULL;

#endif
