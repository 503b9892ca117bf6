/* housekeeping - the thread that does what is due.
 *
 *     instances that are lost, names that are new         at once
 *     clients that wait for the start to settle           once
 *     leases that are silent, the entries' file           each second
 *     the authorities                                     each hour
 *     our own SVID                                        8 hours after it was issued, by the
 * wall's clock: what slept for a day needs a new one at once
 *
 * Tests call housekeeping_step() instead of starting the thread.
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

#include <stdint.h>

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

/* Our own SVID was issued just now.  The caller owns it: housekeeping_free(), before what it looks
 * after. */
struct housekeeping *housekeeping_new(const struct housekeeping_options *options)
    NONNULL RETURNS_NONNULL;
/* Starts the thread. */
void housekeeping_start(struct housekeeping *housekeeping) NONNULL;
/* Does what is due.  Returns in how many milliseconds to come again, if nobody nudges before. */
int64_t housekeeping_step(struct housekeeping *housekeeping) NONNULL;
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
