/* The tenant service: who is a customer, in which state, and how much of everything they may have.
 */

#include "libs/mesh/member.h"
#include "libs/mesh/mesh.h"
#include "services/tenant/tenant_service.h"
#include "services/tenant/tenant_store.h"
#include "weft/tenant/v1/tenant_service_descriptors.h"

int main(void)
{
    struct arena *arena = arena_new();
    struct config *config = config_new(arena);
    const struct mesh_options options = mesh_options_read(config, "tenant");
    const char *database = config_text(config, "WEFT_DATABASE", "sqlite:tenant.db");
    config_check_or_exit(config);

    struct mesh *mesh = mesh_join_or_exit(arena, &options);
    struct store *store = member_store_or_exit(mesh, arena, database, tenant_store_migrate);
    struct auditor *auditor = member_auditor_or_exit(mesh, arena, store);
    struct tenant_service *service = tenant_service_new(&(struct tenant_service_options){
        .store = store,
        .clock = &system_clock,
        .random = &system_random,
    });
    server_register(mesh_server(mesh), &tenant_service_methods, service,
                    tenant_service_descriptors);
    int exit_code = mesh_run(mesh);

    auditor_close(auditor);
    tenant_service_free(service);
    mesh_free(mesh);
    store_close(store);
    arena_free(arena);
    return exit_code;
}
