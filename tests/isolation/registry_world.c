#include "libs/audit/outbox.h"
#include "libs/obs/trace.h"
#include "libs/rpc/trace_service.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/crash_files.h"
#include "services/registry/ca_service.h"
#include "services/registry/registry_service.h"
#include "services/registry/registry_store.h"
#include "services/registry/xds_resources.h"
#include "tests/isolation/world.h"
#include "weft/registry/v1/ca_service_descriptors.h"
#include "weft/registry/v1/registry_service_descriptors.h"
#include "weft/trace/v1/trace_service_descriptors.h"

/* They hold nothing of a tenant and are for the platform and its members alone. */
struct registry_world {
    struct crash_files files;
    struct store *store;
    struct catalogue *catalogue;
    struct xds_resources *resources;
    struct ads_service *ads;
    struct policy_board *board;
    struct leases *leases;
    struct registry_service *registry;
    struct ca *ca;
    struct entries *entries;
    struct ca_service *ca_service;
    struct tracer *tracer;
};

static void reset(void *data)
{
    struct registry_world *self = data;

    tracer_free(self->tracer);
    ca_service_free(self->ca_service);
    entries_free(self->entries);
    ca_close(self->ca);
    registry_service_free(self->registry);
    leases_free(self->leases);
    policy_board_free(self->board);
    ads_service_free(self->ads);
    xds_resources_free(self->resources);
    catalogue_free(self->catalogue);
    store_close(self->store);
    crash_files_reset(&self->files);
}

static void enforce(void *object, const Weft__Registry__V1__Policy *policy)
{
    (void)object;
    (void)policy;
}

static void make_catalogue(struct registry_world *self, const struct clock *clock)
{
    self->catalogue = catalogue_new(&(struct catalogue_options){ .clock = clock });
    self->resources = xds_resources_new(&(struct xds_resources_options){
        .catalogue = self->catalogue, .clock = clock, .trust_domain = "weft.local" });
    self->ads = ads_service_new(&(struct ads_service_options){
        .catalogue = self->catalogue, .resources = self->resources, .trust_domain = "weft.local" });
    self->board = policy_board_new(clock);
    self->leases = leases_new(&(struct leases_options){ .catalogue = self->catalogue,
                                                        .ads = self->ads,
                                                        .board = self->board,
                                                        .clock = clock,
                                                        .trust_domain = "weft.local" });
    ads_service_on_progress(self->ads, leases_progress, self->leases);
}

static void make_ca(struct registry_world *self, struct world *world)
{
    const struct ca_options options = { .files = &self->files.files,
                                        .store = self->store,
                                        .clock = &world->clock.clock,
                                        .random = &world->random.source,
                                        .trust_domain = "weft.local" };

    assert_status(ca_open(world->arena, &options, &self->ca), STATUS_OK);
    self->entries = entries_new("weft.local");
    self->ca_service = ca_service_new(&(struct ca_service_options){ .ca = self->ca,
                                                                    .entries = self->entries,
                                                                    .store = self->store,
                                                                    .clock = &world->clock.clock });
}

void world_add_registry(struct world *world)
{
    struct registry_world *self = ARENA_NEW(world->arena, struct registry_world);

    crash_files_init(&self->files);
    assert_status(store_open(world->arena, ":memory:", &self->store), STATUS_OK);
    assert_status(registry_store_migrate(self->store, world->arena), STATUS_OK);
    assert_status(outbox_migrate(self->store, world->arena), STATUS_OK);
    make_catalogue(self, &world->clock.clock);
    self->registry =
        registry_service_new(&(struct registry_service_options){ .catalogue = self->catalogue,
                                                                 .ads = self->ads,
                                                                 .leases = self->leases,
                                                                 .board = self->board,
                                                                 .store = self->store,
                                                                 .clock = &world->clock.clock,
                                                                 .enforce = enforce });
    assert_status(registry_service_load_policy(self->registry, world->arena), STATUS_OK);
    make_ca(self, world);
    self->tracer = tracer_new(&(struct tracer_options){
        .service = "all", .clock = &world->clock.clock, .random = &world->random.source });
    arena_defer(world->arena, reset, self);
    world_add(world, &(struct world_service){ .service = &registry_service_methods,
                                              .object = self->registry,
                                              .descriptors = registry_service_descriptors });
    world_add(world, &(struct world_service){ .service = &ca_service_methods,
                                              .object = self->ca_service,
                                              .descriptors = ca_service_descriptors });
    world_add(world, &(struct world_service){ .service = &trace_service_methods,
                                              .object = self->tracer,
                                              .descriptors = trace_service_descriptors });
}
