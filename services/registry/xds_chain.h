/* xds_chain - the three resources that lead a client from a name to its endpoints.
 *
 *     xds:///tenant --> Listener "tenant" --> RouteConfiguration "tenant" --> Cluster "tenant"
 *                         Router alone          every path                      mutual TLS, the
 *                                                                               server's SPIFFE ID
 *     --> ClusterLoadAssignment (xds_endpoints.h)
 *
 * They are of the one form that every gRPC client accepts; README.md says which clients refuse
 * what, and a refusal means that a client goes on with what it had and says nothing.  So:
 *
 *   - TLS by the certificate provider "default", which every bootstrap has to define, in the new
 *     form of the fields; and always the exact name of whom to expect, since without it a client
 *     takes anybody that our authority signed for;
 *   - round robin, as RING_HASH ends a C core of 1.51 with a signal;
 *   - no retry policy: on UNAVAILABLE a call may have been done, and a route cannot tell which
 *     rpc may be done twice.  libs/rpc/peer.h can, from the idempotent option, and retries those;
 *     what never reached a server gRPC retries by itself;
 *   - as many calls at once as anybody makes: gRPC's own limit of 1,024 for a client would be met
 *     without a word of it; servers have limits that say so (libs/rpc/server.h, max_calls);
 *   - no max_stream_duration: leases and watches live for days;
 *   - nothing for Envoy alone (secrets by SDS, http2 options): proxyless clients refuse the one
 *     without provider instances and do nothing with the other.
 *
 * Messages are in arena; names are borrowed.
 */

#ifndef SERVICES_REGISTRY_XDS_CHAIN_H_
#define SERVICES_REGISTRY_XDS_CHAIN_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/bytes.h"

/* What the service_name of an unknown service's Cluster begins with, so that the error at the
 * client says it: "EDS resource no-such-service:tenent contains no localities". */
#define XDS_NO_SUCH_SERVICE "no-such-service:"

enum { XDS_MAX_REQUESTS = 1000000 };

bytes xds_listener(struct arena *arena, const char *name) NONNULL;
bytes xds_route_configuration(struct arena *arena, const char *name) NONNULL;

/* spiffe_id is whom the client is to expect; service_name the ClusterLoadAssignment to ask for. */
bytes xds_cluster(struct arena *arena, const char *name, const char *spiffe_id,
                  const char *service_name) NONNULL;

#endif
