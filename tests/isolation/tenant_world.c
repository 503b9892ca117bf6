#include "libs/audit/outbox.h"
#include "libs/rpc/message.h"
#include "libs/testing/assert_status.h"
#include "services/tenant/tenant_service.h"
#include "services/tenant/tenant_store.h"
#include "tests/isolation/world.h"
#include "weft/tenant/v1/tenant_service.pb-c.h"
#include "weft/tenant/v1/tenant_service_descriptors.h"

struct tenant_world {
    struct store *store;
    struct tenant_service *service;
};

static void reset(void *data)
{
    struct tenant_world *self = data;

    tenant_service_free(self->service);
    store_close(self->store);
}

static void create(struct world *world, const char *id, const char *name)
{
    Weft__Tenant__V1__CreateTenantRequest request;

    weft__tenant__v1__create_tenant_request__init(&request);
    request.tenant_id = message_text(id);
    request.display_name = message_text(name);
    (void)world_must(world, &world_platform, "weft.tenant.v1.TenantService", "CreateTenant",
                     &request.base);
}

void world_add_tenant(struct world *world)
{
    struct tenant_world *self = ARENA_NEW(world->arena, struct tenant_world);

    assert_status(store_open(world->arena, ":memory:", &self->store), STATUS_OK);
    assert_status(tenant_store_migrate(self->store, world->arena), STATUS_OK);
    assert_status(outbox_migrate(self->store, world->arena), STATUS_OK);
    self->service = tenant_service_new(&(struct tenant_service_options){
        .store = self->store, .clock = &world->clock.clock, .random = &world->random.source });
    arena_defer(world->arena, reset, self);
    world_add(world, &(struct world_service){ .service = &tenant_service_methods,
                                              .object = self->service,
                                              .descriptors = tenant_service_descriptors });
    create(world, "acme", WORLD_SECRET);
    create(world, "bravo", "");
    world_add_id(world, "tenant_id", "acme", "bravo");
}
