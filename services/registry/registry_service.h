/* registry_service - the handlers of weft.registry.v1.RegistryService. */

#ifndef SERVICES_REGISTRY_REGISTRY_SERVICE_H_
#define SERVICES_REGISTRY_REGISTRY_SERVICE_H_

#include "libs/base/attributes.h"
#include "libs/base/clock.h"
#include "libs/rpc/service.h"
#include "libs/store/store.h"
#include "services/registry/ads_service.h"
#include "services/registry/catalogue.h"
#include "services/registry/lease.h"
#include "services/registry/policy_board.h"

struct registry_service;

/* All required but the last two; borrowed, and must outlive the service. */
struct registry_service_options {
    struct catalogue *catalogue;
    struct ads_service *ads;
    struct leases *leases;
    struct policy_board *board;
    struct store *store;
    const struct clock *clock;
    /* Makes our own guard obey a policy, before the others are told; any thread. */
    void (*enforce)(void *object, const Weft__Registry__V1__Policy *policy);
    void *enforce_object;
};

/* The caller owns the service: registry_service_free(), after the server has stopped. */
struct registry_service *registry_service_new(const struct registry_service_options *options)
    NONNULL RETURNS_NONNULL;
/* NULL is allowed. */
void registry_service_free(struct registry_service *service);

/* Publishes the policy that the store has, before the server starts.  In a new mesh that is one
 * rule, by which every member may call every service: permissions still decide what it may do. */
status registry_service_load_policy(struct registry_service *service, struct arena *arena) NONNULL;

/* For server_register(), with a registry_service as the object. */
extern const struct service registry_service_methods;

#endif
