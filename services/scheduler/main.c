/* The scheduler: jobs over a store, tokens from auth, events to audit. */

#include "libs/audit/outbox.h"
#include "libs/mesh/mesh.h"
#include "libs/peers/auditor.h"
#include "services/scheduler/auth_token_issuer.h"
#include "services/scheduler/engine.h"
#include "services/scheduler/job_store.h"
#include "services/scheduler/scheduler_service.h"
#include "weft/scheduler/v1/scheduler_service_descriptors.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

static void or_exit(status s)
{
    if (!status_is_ok(s)) {
        (void)fprintf(stderr, "scheduler: %s\n", s.message);
        exit(EX_UNAVAILABLE);
    }
}

static struct store *open_store_or_exit(struct arena *arena, const char *url)
{
    struct store *store;

    or_exit(store_open(arena, url, &store));
    or_exit(job_store_migrate(store, arena));
    or_exit(outbox_migrate(store, arena));
    return store;
}

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

    struct disk_files spool_folder;
    or_exit(disk_files_init(&spool_folder, arena, "spool"));
    struct store *store = open_store_or_exit(arena, database);
    struct mesh *mesh = mesh_join_or_exit(arena, &options);
    struct auditor *auditor;
    or_exit(auditor_open(arena,
                         &(struct auditor_options){ .peer = mesh_peer(mesh, "audit"),
                                                    .service = options.service,
                                                    .store = store,
                                                    .files = &spool_folder.files,
                                                    .clock = &system_clock,
                                                    .random = &system_random },
                         &auditor));
    guard_authz_set_denied(mesh_guard(mesh), auditor_denied, auditor);
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
    or_exit(engine_recover(engine, arena));
    engine_start(engine);
    server_register(mesh_server(mesh), &scheduler_service_methods, service,
                    scheduler_service_descriptors);
    mesh_on_draining(mesh, drain, engine);
    int exit_code = mesh_run(mesh);

    engine_stop(engine);
    auditor_close(auditor);
    mesh_free(mesh);
    scheduler_service_free(service);
    engine_free(engine);
    store_close(store);
    disk_files_reset(&spool_folder);
    arena_free(arena);
    return exit_code;
}
