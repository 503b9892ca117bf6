/* ads_service - the xDS streams of all clients: envoy.service.discovery.v3.
 *
 * One ads_stream (ads.h) for each, read and written by the server's threads, woken when the
 * catalogue changes.  Clients are agents, which speak for the workloads of their hosts, and members
 * of the mesh that come by themselves: whoever has a certificate of our trust domain may ask where
 * services are.
 *
 * Safe on any threads.
 */

#ifndef SERVICES_REGISTRY_ADS_SERVICE_H_
#define SERVICES_REGISTRY_ADS_SERVICE_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/obs/log.h"
#include "libs/rpc/service.h"
#include "services/registry/ads.h"
#include "services/registry/catalogue.h"
#include "services/registry/xds_resources.h"

#include <stddef.h>
#include <stdint.h>

struct ads_service;

struct ads_service_options {
    struct catalogue *catalogue;     /* required; borrowed, and must outlive the service */
    struct xds_resources *resources; /* required; borrowed, and must outlive the service */
    const char *trust_domain;        /* required; borrowed: "weft.local" */
    struct log *log;                 /* borrowed; NULL is silent */
};

/* The caller owns the service: ads_service_free(), after the server has stopped. */
struct ads_service *ads_service_new(const struct ads_service_options *options)
    NONNULL RETURNS_NONNULL;
/* NULL is allowed. */
void ads_service_free(struct ads_service *service);

/* Every stream looks again: for when the resources have settled. */
void ads_service_wake(struct ads_service *service) NONNULL;

/* One client, as it is listed. */
struct ads_listed {
    uint64_t serial;       /* grows with each stream; where the next page begins */
    const char *spiffe_id; /* its certificate's, or what an agent says of a client of its host */
    struct ads_client client;
};

/* At most limit clients with a serial above `after`, in order; copied into arena. */
size_t ads_service_list(struct ads_service *service, struct arena *arena, uint64_t after,
                        size_t limit, const struct ads_listed **ret_clients) NONNULL;

/* How many clients have not yet accepted this version of a resource, or a newer one. */
size_t ads_service_n_behind(struct ads_service *service, enum xds_type type, const char *name,
                            uint64_t version) NONNULL;

/* Calls progress(object) whenever that number may have become smaller: on a thread of the server,
 * under no lock; it must not block.  Set once, before the server starts. */
void ads_service_on_progress(struct ads_service *service, void (*progress)(void *object),
                             void *object) NONNULL_ARGS(1, 2);

/* For server_register(), with an ads_service as the object. */
extern const struct service ads_service_methods;

#endif
