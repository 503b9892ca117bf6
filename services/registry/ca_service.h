/* ca_service - the handlers of weft.registry.v1.CaService: identities for agents and, through them,
 * for workloads.
 *
 * What ca.h promises is kept here: an SVID is given away only after the write with its serial, and
 * with the join token it used up, was committed.
 */

#ifndef SERVICES_REGISTRY_CA_SERVICE_H_
#define SERVICES_REGISTRY_CA_SERVICE_H_

#include "libs/base/attributes.h"
#include "libs/base/clock.h"
#include "libs/rpc/service.h"
#include "libs/store/store.h"
#include "services/registry/ca.h"
#include "services/registry/entries.h"

struct ca_service;

/* All required; borrowed, and must outlive the service. */
struct ca_service_options {
    struct ca *ca;
    struct entries *entries;
    struct store *store;
    const struct clock *clock;
};

/* The caller owns the service: ca_service_free(), after the servers have stopped. */
struct ca_service *ca_service_new(const struct ca_service_options *options) NONNULL RETURNS_NONNULL;
/* NULL is allowed. */
void ca_service_free(struct ca_service *service);

/* For server_register(), with a ca_service as the object. */
extern const struct service ca_service_methods;

#endif
