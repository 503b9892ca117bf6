/* The search service: an index in a folder, intents and events in a store. */

#include "libs/audit/outbox.h"
#include "libs/mesh/mesh.h"
#include "libs/peers/auditor.h"
#include "services/search/search_service.h"
#include "weft/search/v1/search_service_descriptors.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

static void or_exit(status s)
{
    if (!status_is_ok(s)) {
        (void)fprintf(stderr, "search: %s\n", s.message);
        exit(EX_UNAVAILABLE);
    }
}

static struct store *open_store_or_exit(struct arena *arena, const char *url)
{
    struct store *store;

    or_exit(store_open(arena, url, &store));
    or_exit(search_changes_migrate(store, arena));
    or_exit(outbox_migrate(store, arena));
    return store;
}

int main(void)
{
    struct arena *arena = arena_new();
    struct config *config = config_new(arena);
    const struct mesh_options options = mesh_options_read(config, "search");
    const char *database = config_text(config, "WEFT_DATABASE", "sqlite:search.db");
    const char *index = config_text(config, "WEFT_SEARCH_INDEX", "index");
    config_check_or_exit(config);

    struct disk_files index_folder;
    struct disk_files spool_folder;
    or_exit(disk_files_init(&index_folder, arena, index));
    or_exit(disk_files_init(&spool_folder, arena, "spool"));
    struct store *store = open_store_or_exit(arena, database);
    struct search_engine *engine;
    or_exit(search_engine_open(
        &(struct search_engine_options){ .files = &index_folder.files, .clock = &system_clock },
        arena, &engine));
    struct search_changes changes;
    search_changes_init(&changes, engine, store, &system_clock, &system_random);
    or_exit(search_changes_recover(&changes, arena));

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
    struct search_service *service = search_service_new(&(struct search_service_options){
        .engine = engine,
        .changes = &changes,
        .clock = &system_clock,
        .snapshot = guard_authz_snapshot(mesh_guard(mesh)),
    });
    server_register(mesh_server(mesh), &search_service_methods, service,
                    search_service_descriptors);
    int exit_code = mesh_run(mesh);

    auditor_close(auditor);
    mesh_free(mesh);
    search_service_free(service);
    search_changes_reset(&changes);
    search_engine_close(engine);
    store_close(store);
    disk_files_reset(&spool_folder);
    disk_files_reset(&index_folder);
    arena_free(arena);
    return exit_code;
}
