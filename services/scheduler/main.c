/* The scheduler: jobs over a store, tokens from auth, events to audit. */

#include "libs/mesh/member.h"
#include "libs/mesh/mesh.h"
#include "services/scheduler/auth_token_issuer.h"
#include "services/scheduler/engine.h"
#include "services/scheduler/job_erasure.h"
#include "services/scheduler/job_store.h"
#include "services/scheduler/scheduler_service.h"
#include "weft/scheduler/v1/scheduler_service_descriptors.h"

static void drain(void *engine)
{
    engine_drain(engine);
}

int main(void)
{
    struct arena *arena = arena_new();
    struct config *config = config_new(arena);
    const struct mesh_options options = mesh_options_read(config, "scheduler");
    const char *database = config_text(config, "WEFT_DATABASE", "sqlite:scheduler.db");
    config_check_or_exit(config);

    struct mesh *mesh = mesh_join_or_exit(arena, &options);
    struct store *store = member_store_or_exit(mesh, arena, database, job_store_migrate);
    struct auditor *auditor = member_auditor_or_exit(mesh, arena, store);
    struct auth_token_issuer issuer;
    auth_token_issuer_init(&issuer, mesh_peer(mesh, "auth"), &system_clock);
    struct engine *engine = engine_new(&(struct engine_options){
        .store = store,
        .clock = &system_clock,
        .random = &system_random,
        .issuer = &issuer.issuer,
    });
    struct scheduler_service *service = scheduler_service_new(&(struct scheduler_service_options){
        .engine = engine,
        .store = store,
        .clock = &system_clock,
        .random = &system_random,
    });
    mesh_or_exit(mesh, engine_recover(engine, arena));
    engine_start(engine);
    server_register(mesh_server(mesh), &scheduler_service_methods, service,
                    scheduler_service_descriptors);
    mesh_on_draining(mesh, drain, engine);
    struct job_erasure erasure = {
        .engine = engine,
        .store = store,
        .clock = &system_clock,
        .random = &system_random,
        .spiffe_id = mesh_spiffe_id(mesh),
    };
    struct eraser *eraser = eraser_new(&(struct eraser_options){
        .ops = &job_erasure_ops,
        .data = &erasure,
        .snapshot = guard_authz_snapshot(mesh_guard(mesh)),
        .clock = &system_clock,
        .log = mesh_log(mesh),
    });
    eraser_start(eraser);
    int exit_code = mesh_run(mesh);

    eraser_free(eraser);
    engine_stop(engine);
    auditor_close(auditor);
    mesh_free(mesh);
    scheduler_service_free(service);
    engine_free(engine);
    store_close(store);
    arena_free(arena);
    return exit_code;
}
