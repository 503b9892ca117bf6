#include "libs/audit/outbox.h"
#include "libs/base/text.h"
#include "libs/rpc/message.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/stepped_store.h"
#include "services/scheduler/job_store.h"
#include "services/scheduler/scheduler_service.h"
#include "tests/isolation/world.h"
#include "weft/scheduler/v1/scheduler_service.pb-c.h"
#include "weft/scheduler/v1/scheduler_service_descriptors.h"

struct scheduler_world {
    struct store *real;
    struct stepped_store store;
    struct engine *engine;
    struct scheduler_service *service;
};

static void reset(void *data)
{
    struct scheduler_world *self = data;

    scheduler_service_free(self->service);
    engine_free(self->engine);
    store_close(self->real);
}

static void settle(void *engine)
{
    engine_step(engine);
}

static const char *enqueue(struct world *world, const struct principal *owner, const char *project,
                           const char *payload)
{
    Weft__Scheduler__V1__EnqueueJobRequest request;

    weft__scheduler__v1__enqueue_job_request__init(&request);
    request.project_id = message_text(project);
    request.capability = message_text("isolation.work");
    request.payload = message_data(bytes_of(payload));
    const Weft__Scheduler__V1__EnqueueJobResponse *response =
        (const Weft__Scheduler__V1__EnqueueJobResponse *)world_must(
            world, owner, "weft.scheduler.v1.SchedulerService", "EnqueueJob", &request.base);
    return response->job->job_id;
}

void world_add_scheduler(struct world *world)
{
    struct scheduler_world *self = ARENA_NEW(world->arena, struct scheduler_world);

    assert_status(store_open(world->arena, ":memory:", &self->real), STATUS_OK);
    assert_status(job_store_migrate(self->real, world->arena), STATUS_OK);
    assert_status(outbox_migrate(self->real, world->arena), STATUS_OK);
    stepped_store_init(&self->store, self->real);
    self->engine = engine_new(&(struct engine_options){ .store = &self->store.store,
                                                        .clock = &world->clock.clock,
                                                        .random = &world->random.source });
    assert_status(engine_recover(self->engine, world->arena), STATUS_OK);
    self->service = scheduler_service_new(&(struct scheduler_service_options){
        .engine = self->engine,
        .store = &self->store.store,
        .clock = &world->clock.clock,
        .random = &world->random.source,
    });
    arena_defer(world->arena, reset, self);
    world_add(world, &(struct world_service){ .service = &scheduler_service_methods,
                                              .object = self->service,
                                              .descriptors = scheduler_service_descriptors,
                                              .settle = settle,
                                              .data = self->engine });
    world_add_id(world, "job_id", enqueue(world, &world_acme, "acme-project", WORLD_SECRET),
                 enqueue(world, &world_bravo, "bravo-project", "nothing"));
    (void)enqueue(world, &world_acme, "acme-project", WORLD_SECRET);
}
