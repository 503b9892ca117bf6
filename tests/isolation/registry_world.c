#include "libs/rpc/trace_service.h"
#include "services/registry/ca_service.h"
#include "services/registry/registry_service.h"
#include "tests/isolation/world.h"
#include "weft/registry/v1/ca_service_descriptors.h"
#include "weft/registry/v1/registry_service_descriptors.h"
#include "weft/trace/v1/trace_service_descriptors.h"

/* They hold nothing of a tenant and are for the platform and its members alone, so no call comes as
 * far as the object: there is none. */
void world_add_registry(struct world *world)
{
    world_add(world, &(struct world_service){ .service = &registry_service_methods,
                                              .descriptors = registry_service_descriptors });
    world_add(world, &(struct world_service){ .service = &ca_service_methods,
                                              .descriptors = ca_service_descriptors });
    world_add(world, &(struct world_service){ .service = &trace_service_methods,
                                              .descriptors = trace_service_descriptors });
}
