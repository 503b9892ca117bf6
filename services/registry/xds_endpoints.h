/* xds_endpoints - where a service's instances are, as one client should see them.
 *
 * gRPC goes to priority 0 as long as anything of it works, and only then to the next; within one
 * priority it shares calls out by the weights of the localities.  Which is near is for us to say:
 *
 *     tier 0   the client's own zone        (everything, when the client did not say where it is)
 *     tier 1   its region
 *     tier 2   the rest of the world
 *
 * Tiers with instances become priorities from 0 on, without a gap.  A locality's weight is the
 * number of its usable instances, so that each gets the same share.  And since gRPC would load
 * the last healthy instance of a zone with all its calls, the nearest tier is relieved before it
 * is gone: with a share h of it usable below 70 %, it keeps h / 0.7 of the calls, and the next
 * tier that has anything usable takes the rest, in the same priority.
 *
 * All instances are listed with their state: clients make no new calls to those that drain or are
 * unhealthy, and let old ones end.  A locality of which none is usable lists port 0 of 127.0.0.1
 * besides, where nobody can listen: clients do not bear to be left with nothing.  A service that
 * nobody ever had is empty indeed.
 */

#ifndef SERVICES_REGISTRY_XDS_ENDPOINTS_H_
#define SERVICES_REGISTRY_XDS_ENDPOINTS_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/bytes.h"
#include "services/registry/catalogue.h"
#include "services/registry/instance.h"

/* A packed ClusterLoadAssignment of that name, in arena. */
bytes xds_endpoints(struct arena *arena, const char *name, const struct catalogue_service *service,
                    const struct locality *client) NONNULL;

#endif
