/* The search service: an index in a folder, intents and events in a store. */

#include "libs/mesh/member.h"
#include "libs/mesh/mesh.h"
#include "services/search/search_erasure.h"
#include "services/search/search_service.h"
#include "weft/search/v1/search_service_descriptors.h"

#include <malloc.h>

/* Batches of some megabytes come and go on every worker.  By default malloc learns from them to
 * keep as much in each thread's heap; with the threshold fixed, such memory is the kernel's again
 * as soon as it is free. */
enum { LARGE_BYTES = 256 * 1024 };

static status migrate(struct store *store, struct arena *arena)
{
    TRY(search_changes_migrate(store, arena));
    return search_erasure_migrate(store, arena);
}

int main(void)
{
    struct arena *arena = arena_new();
    struct config *config = config_new(arena);
    const struct mesh_options options = mesh_options_read(config, "search");
    const char *database = config_text(config, "WEFT_DATABASE", "sqlite:search.db");
    const char *index = config_text(config, "WEFT_SEARCH_INDEX", "index");
    config_check_or_exit(config);
    (void)mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);

    struct mesh *mesh = mesh_join_or_exit(arena, &options);
    struct store *store = member_store_or_exit(mesh, arena, database, migrate);
    struct auditor *auditor = member_auditor_or_exit(mesh, arena, store);
    struct disk_files folder;
    struct search_engine *engine;
    struct search_changes changes;
    mesh_or_exit(mesh, disk_files_init(&folder, arena, index));
    mesh_or_exit(mesh, search_engine_open(&(struct search_engine_options){ .files = &folder.files,
                                                                           .clock = &system_clock,
                                                                           .log = mesh_log(mesh) },
                                          arena, &engine));
    search_changes_init(&changes, engine, store, &system_clock, &system_random);
    mesh_or_exit(mesh, search_changes_recover(&changes, arena));
    struct search_service *service = search_service_new(&(struct search_service_options){
        .engine = engine,
        .changes = &changes,
        .clock = &system_clock,
        .snapshot = guard_authz_snapshot(mesh_guard(mesh)),
    });
    server_register(mesh_server(mesh), &search_service_methods, service,
                    search_service_descriptors);
    struct search_erasure erasure = {
        .engine = engine,
        .changes = &changes,
        .store = store,
        .clock = &system_clock,
        .random = &system_random,
        .spiffe_id = mesh_spiffe_id(mesh),
    };
    struct eraser *eraser = eraser_new(&(struct eraser_options){
        .ops = &search_erasure_ops,
        .data = &erasure,
        .snapshot = guard_authz_snapshot(mesh_guard(mesh)),
        .clock = &system_clock,
        .log = mesh_log(mesh),
    });
    eraser_start(eraser);
    int exit_code = mesh_run(mesh);

    eraser_free(eraser);
    auditor_close(auditor);
    mesh_free(mesh);
    search_service_free(service);
    search_changes_reset(&changes);
    (void)search_engine_flush(engine, arena); /* where it fails, the next start reads the log */
    search_engine_close(engine);
    disk_files_reset(&folder);
    store_close(store);
    arena_free(arena);
    return exit_code;
}
