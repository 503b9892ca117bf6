#include "libs/rpc/message.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/crash_files.h"
#include "services/audit/audit_service.h"
#include "tests/isolation/world.h"
#include "weft/audit/v1/audit_service.pb-c.h"
#include "weft/audit/v1/audit_service_descriptors.h"

struct audit_world {
    struct crash_files log_files;
    struct crash_files key_files;
    struct store *store;
    struct audit_engine *engine;
    struct audit_service *service;
};

static void reset(void *data)
{
    struct audit_world *self = data;

    audit_service_free(self->service);
    audit_engine_close(self->engine);
    store_close(self->store);
    crash_files_reset(&self->log_files);
    crash_files_reset(&self->key_files);
}

/* About the subject, what only its tenant may know. */
static void append(struct world *world, const struct principal *owner, const char *id,
                   const char *subject, const char *target)
{
    Weft__Audit__V1__AppendEventRequest request;
    Weft__Audit__V1__Event event;

    weft__audit__v1__event__init(&event);
    event.event_id = message_text(id);
    event.tenant_id = message_text(owner->tenant_id);
    event.actor = message_text(subject);
    event.action = message_text("isolation.test");
    event.target = message_text(target);
    event.data_subject = message_text(subject);
    event.outcome = WEFT__AUDIT__V1__OUTCOME__OUTCOME_DONE;
    weft__audit__v1__append_event_request__init(&request);
    request.event = &event;
    (void)world_must(world, owner, "weft.audit.v1.AuditService", "AppendEvent", &request.base);
}

/* Which takes it into a checkpoint. */
static void get(struct world *world, const struct principal *owner, const char *id)
{
    Weft__Audit__V1__GetEventRequest request;

    weft__audit__v1__get_event_request__init(&request);
    request.event_id = message_text(id);
    (void)world_must(world, owner, "weft.audit.v1.AuditService", "GetEvent", &request.base);
}

void world_add_audit(struct world *world)
{
    struct audit_world *self = ARENA_NEW(world->arena, struct audit_world);
    const char *acme_event = random_ulid(&world->random.source, world->arena, 1700000000000);
    const char *bravo_event = random_ulid(&world->random.source, world->arena, 1700000000000);

    crash_files_init(&self->log_files);
    crash_files_init(&self->key_files);
    assert_status(store_open(world->arena, ":memory:", &self->store), STATUS_OK);
    assert_status(audit_engine_migrate(self->store, world->arena), STATUS_OK);
    assert_status(
        audit_engine_open(&(struct audit_engine_options){ .log_files = &self->log_files.files,
                                                          .key_files = &self->key_files.files,
                                                          .store = self->store,
                                                          .origin = "audit.example/isolation",
                                                          .clock = &world->clock.clock,
                                                          .random = &world->random.source },
                          world->arena, &self->engine),
        STATUS_OK);
    self->service = audit_service_new(&(struct audit_service_options){
        .engine = self->engine, .clock = &world->clock.clock, .random = &world->random.source });
    arena_defer(world->arena, reset, self);
    world_add(world, &(struct world_service){ .service = &audit_service_methods,
                                              .object = self->service,
                                              .descriptors = audit_service_descriptors });
    append(world, &world_acme, acme_event, "user:of-acme", "target:" WORLD_SECRET);
    append(world, &world_acme, random_ulid(&world->random.source, world->arena, 1700000000001),
           "user:of-acme", "target:" WORLD_SECRET);
    append(world, &world_bravo, bravo_event, "user:of-bravo", "target:nothing");
    get(world, &world_acme, acme_event);
    world_add_id(world, "event_id", acme_event, bravo_event);
    world_add_id(world, "actor", "user:of-acme", "user:of-bravo");
    world_add_id(world, "target", "target:" WORLD_SECRET, "target:nothing");
    world_add_id(world, "data_subject", "user:of-acme", "user:of-bravo");
}
