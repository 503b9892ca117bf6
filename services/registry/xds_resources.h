/* xds_resources - every resource that an xDS client may ask for, by its name.
 *
 *     asked for                       answer
 *     Listener, routes, cluster X     the chain of xds_chain.h, for any X
 *     endpoints X                     the instances of X, as near or far as the client is
 *     endpoints no-such-service:X     none
 *
 * There is no name without an answer, since a client waits 15 s for what does not come, and some
 * for ever.  So a service that nobody knows has its whole chain under its real names; only its
 * Cluster leads to "no-such-service:X", which is empty: calls fail in some milliseconds, with the
 * name in the message, and those that wait for ready find the service when it comes.
 *
 * Right after the registry has started nobody is registered yet, and to say so would take their
 * endpoints from clients that work.  So during settle_ms the endpoints of a service that a registry
 * before this one knew have no answer (version 0) until one of them is back, and clients keep what
 * they have.
 *
 * A resource is encoded once for each of its versions (and, for endpoints, each locality of
 * clients) and shared by all streams.  Safe on any threads.
 */

#ifndef SERVICES_REGISTRY_XDS_RESOURCES_H_
#define SERVICES_REGISTRY_XDS_RESOURCES_H_

#include "libs/base/attributes.h"
#include "libs/base/bytes.h"
#include "libs/base/clock.h"
#include "services/registry/catalogue.h"
#include "services/registry/instance.h"

#include <stdbool.h>
#include <stdint.h>

/* X(name, type), in the order in which changes go to a client: what is pointed to comes before
 * what points there. */
#define XDS_TYPES(X)                                               \
    X(CLUSTER, "envoy.config.cluster.v3.Cluster")                  \
    X(ENDPOINTS, "envoy.config.endpoint.v3.ClusterLoadAssignment") \
    X(LISTENER, "envoy.config.listener.v3.Listener")               \
    X(ROUTES, "envoy.config.route.v3.RouteConfiguration")

enum xds_type {
#define X(name, type) XDS_##name,
    XDS_TYPES(X)
#undef X
        XDS_N_TYPES
};

/* "type.googleapis.com/envoy.config.cluster.v3.Cluster". */
const char *xds_type_url(enum xds_type type) RETURNS_NONNULL;
/* False when we serve no such type. */
bool xds_type_of_url(const char *url, enum xds_type *ret_type) NONNULL;

/* One version of one resource.  Shared: xds_resource_unref(). */
struct xds_resource {
    _Atomic uint32_t n_refs;
    uint64_t version;
    bytes encoded;
};

void xds_resource_unref(struct xds_resource *resource) NONNULL;

struct xds_resources;

struct xds_resources_options {
    struct catalogue *catalogue; /* required; borrowed, and must outlive the resources */
    const struct clock *clock;   /* required; borrowed, and must outlive the resources */
    const char *trust_domain;    /* required; copied: "weft" */
    int64_t settle_ms;           /* 0 for none */
};

/* The caller owns the resources: xds_resources_free(), when all streams have ended. */
struct xds_resources *xds_resources_new(const struct xds_resources_options *options)
    NONNULL RETURNS_NONNULL;
/* NULL is allowed. */
void xds_resources_free(struct xds_resources *resources);

/* Which version of a resource there is now: it grows with each change of it.  0 when there is no
 * answer yet. */
uint64_t xds_resources_version(struct xds_resources *resources, enum xds_type type,
                               const char *name) NONNULL;

/* Of the last change of anything: what a response calls its version. */
uint64_t xds_resources_revision(struct xds_resources *resources) NONNULL;

/* The resource as it is now, for a client in that locality; NULL where the version is 0. */
struct xds_resource *xds_resources_get(struct xds_resources *resources, enum xds_type type,
                                       const char *name, const struct locality *client) NONNULL;

/* In how many milliseconds everything will have an answer; 0 when it has. */
int64_t xds_resources_settled_in_ms(struct xds_resources *resources) NONNULL;

#endif
