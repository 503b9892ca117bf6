/* housekeeping - the thread that does what is due.
 *
 *     instances that are lost, names that are new         at once
 *     clients that wait for the start to settle           once
 *     leases that are silent, the entries' file           each second
 *     our own SVID, the authorities                       each hour, and the SVID each 8
 */

#ifndef SERVICES_REGISTRY_HOUSEKEEPING_H_
#define SERVICES_REGISTRY_HOUSEKEEPING_H_

#include "libs/base/attributes.h"
#include "libs/base/clock.h"
#include "libs/base/files.h"
#include "libs/obs/log.h"
#include "libs/store/store.h"
#include "services/registry/ads_service.h"
#include "services/registry/ca.h"
#include "services/registry/catalogue.h"
#include "services/registry/entries.h"
#include "services/registry/founding.h"
#include "services/registry/lease.h"
#include "services/registry/xds_resources.h"

struct housekeeping;

/* All required but log; borrowed, and must outlive it. */
struct housekeeping_options {
    struct store *store;
    struct catalogue *catalogue;
    struct leases *leases;
    struct ads_service *ads;
    struct xds_resources *resources;
    struct ca *ca;
    struct entries *entries;
    const char *entries_file; /* its name in founding->files */
    const struct founding *founding;
    const struct clock *clock;
    struct log *log;
};

/* Starts the thread.  The caller owns it: housekeeping_free(), before what it looks after. */
struct housekeeping *housekeeping_new(const struct housekeeping_options *options)
    NONNULL RETURNS_NONNULL;
/* NULL is allowed. */
void housekeeping_free(struct housekeeping *housekeeping);

/* Something may be due: an instance was lost.  Any thread. */
void housekeeping_nudge(void *housekeeping);

/* Tells the catalogue of the services that were there before. */
status housekeeping_expect_services(const struct housekeeping_options *options, struct arena *arena)
    NONNULL;

/* Reads the entries' file into entries. */
status housekeeping_load_entries(const struct housekeeping_options *options, struct arena *arena)
    NONNULL;

#endif
