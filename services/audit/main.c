/* The audit service: a transparency log of what happened, its index and its keys. */

#include "libs/mesh/member.h"
#include "libs/mesh/mesh.h"
#include "services/audit/audit_service.h"
#include "weft/audit/v1/audit_service_descriptors.h"

/* It is tried again each second: whoever reads the log sees when the disk is full. */
static void log_failure(void *mesh, status s)
{
    LOG(mesh_log(mesh), LEVEL_ERROR, NULL, "the audit log could not be integrated or indexed",
        log_text("code", status_code_name(s.code)), log_text("why", s.message));
}

int main(void)
{
    struct arena *arena = arena_new();
    struct config *config = config_new(arena);
    const struct mesh_options options = mesh_options_read(config, "audit");
    const char *database = config_text(config, "WEFT_DATABASE", "sqlite:audit.db");
    const char *origin = config_text(config, "WEFT_AUDIT_ORIGIN",
                                     arena_printf(arena, "%s/audit", options.trust_domain));
    bool rebuild = config_number(config, "WEFT_AUDIT_REBUILD_INDEX", 0, 0, 1) == 1;
    config_check_or_exit(config);

    struct disk_files log_folder;
    struct disk_files key_folder;
    struct mesh *mesh = mesh_join_or_exit(arena, &options);
    mesh_or_exit(mesh, disk_files_init(&log_folder, arena, "log"));
    mesh_or_exit(mesh, disk_files_init(&key_folder, arena, "keys"));
    struct store *store = member_store_or_exit(mesh, arena, database, audit_engine_migrate);
    struct audit_engine *engine;
    mesh_or_exit(mesh, audit_engine_open(
                           &(struct audit_engine_options){
                               .log_files = &log_folder.files,
                               .key_files = &key_folder.files,
                               .store = store,
                               .origin = origin,
                               .clock = &system_clock,
                               .random = &system_random,
                               .rebuild = rebuild,
                               .threaded = true,
                               .failed = log_failure,
                               .failed_data = mesh,
                           },
                           arena, &engine));
    /* Denials go by the spool, as everybody's do: they may come when the log can take nothing. */
    struct auditor *auditor = member_auditor_or_exit(mesh, arena, NULL);
    struct audit_service *service = audit_service_new(&(struct audit_service_options){
        .engine = engine, .clock = &system_clock, .random = &system_random });
    server_register(mesh_server(mesh), &audit_service_methods, service, audit_service_descriptors);
    int exit_code = mesh_run(mesh);

    auditor_close(auditor);
    audit_service_free(service);
    audit_engine_close(engine);
    mesh_free(mesh);
    store_close(store);
    disk_files_reset(&key_folder);
    disk_files_reset(&log_folder);
    arena_free(arena);
    return exit_code;
}
