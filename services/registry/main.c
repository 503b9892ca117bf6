/* The registry: the catalogue, xDS, the mesh's authority, and its policy. */

#include "envoy/service/discovery/v3/discovery_descriptors.h"
#include "libs/audit/outbox.h"
#include "libs/mesh/identity.h"
#include "libs/mesh/member.h"
#include "libs/mesh/mesh.h"
#include "libs/mesh/own_folder.h"
#include "services/registry/ca_service.h"
#include "services/registry/housekeeping.h"
#include "services/registry/registry_service.h"
#include "services/registry/registry_store.h"
#include "weft/registry/v1/ca_service_descriptors.h"
#include "weft/registry/v1/registry_service_descriptors.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

static void or_exit(status s)
{
    if (!status_is_ok(s)) {
        (void)fprintf(stderr, "registry: %s\n", s.message);
        exit(EX_UNAVAILABLE);
    }
}

static struct store *open_store_or_exit(struct arena *arena, const char *url)
{
    struct store *store;

    or_exit(store_open(arena, url, &store));
    or_exit(registry_store_migrate(store, arena));
    or_exit(outbox_migrate(store, arena));
    return store;
}

static void enforce(void *mesh, const Weft__Registry__V1__Policy *policy)
{
    mesh_set_policy(mesh, policy);
}

struct self {
    struct catalogue *catalogue;
    const struct mesh_options *options;
};

/* The registry is in its own catalogue, like everybody else. */
static void enter_ourselves(void *data, const char *address, const char *http)
{
    const struct self *self = data;
    struct arena *arena = arena_new();
    struct instance instance = {
        .service = "registry",
        .id = self->options->instance_id,
        .locality = { "", "" },
        .spiffe_id = arena_printf(arena, "spiffe://%s/registry", self->options->trust_domain),
        .version = WEFT_VERSION,
        .start_time_ms = clock_wall_ms(&system_clock),
        .http_address = http,
    };
    uint64_t token;

    or_exit(endpoint_parse(arena, "WEFT_LISTEN", address, &instance.endpoint));
    or_exit(catalogue_register(self->catalogue, arena, &instance, &token));
    arena_free(arena);
}

int main(void)
{
    struct arena *arena = arena_new();
    struct config *config = config_new(arena);
    struct mesh_options options = mesh_options_read(config, "registry");
    const char *database = config_text(config, "WEFT_DATABASE", "sqlite:registry.db");
    const char *bootstrap_listen = config_text(config, "WEFT_BOOTSTRAP_LISTEN", "127.0.0.1:0");
    const char *entries_file = config_text(config, "WEFT_ENTRIES", "entries.json");
    int64_t settle_ms = config_number(config, "WEFT_SETTLE_MS", 5000, 0, 60000);
    config_check_or_exit(config);
    options.own_identity = true;
    own_folder_or_exit();

    struct disk_files folder;
    struct disk_files svid_folder;
    or_exit(disk_files_init(&folder, arena, "."));
    or_exit(disk_files_init(&svid_folder, arena, "svid"));
    struct store *store = open_store_or_exit(arena, database);
    struct ca *ca;
    or_exit(ca_open(arena,
                    &(struct ca_options){ .files = &folder.files,
                                          .store = store,
                                          .clock = &system_clock,
                                          .random = &system_random,
                                          .trust_domain = options.trust_domain },
                    &ca));
    const struct founding founding = {
        .files = &folder.files,
        .svid_files = &svid_folder.files,
        .ca = ca,
        .store = store,
        .clock = &system_clock,
        .random = &system_random,
        .trust_domain = options.trust_domain,
    };
    or_exit(founding_issue_own_svid(&founding, arena));
    or_exit(founding_write_bundle(&founding, arena));
    or_exit(founding_write_join_token(&founding, arena));

    struct mesh *mesh = mesh_join_or_exit(arena, &options);
    member_watch_store(mesh, arena, store);
    struct auditor *auditor = member_auditor_or_exit(mesh, arena, store);
    struct entries *entries = entries_new(options.trust_domain);
    struct catalogue *catalogue =
        catalogue_new(&(struct catalogue_options){ .clock = &system_clock });
    struct xds_resources *resources = xds_resources_new(&(struct xds_resources_options){
        .catalogue = catalogue,
        .clock = &system_clock,
        .trust_domain = options.trust_domain,
        .settle_ms = settle_ms,
    });
    struct ads_service *ads = ads_service_new(&(struct ads_service_options){
        .catalogue = catalogue,
        .resources = resources,
        .trust_domain = options.trust_domain,
        .log = mesh_log(mesh),
    });
    struct policy_board *board = policy_board_new(&system_clock);
    struct leases *leases = leases_new(&(struct leases_options){
        .catalogue = catalogue,
        .ads = ads,
        .board = board,
        .clock = &system_clock,
        .trust_domain = options.trust_domain,
    });
    struct registry_service *registry = registry_service_new(&(struct registry_service_options){
        .catalogue = catalogue,
        .ads = ads,
        .leases = leases,
        .board = board,
        .store = store,
        .clock = &system_clock,
        .enforce = enforce,
        .enforce_object = mesh,
    });
    struct ca_service *authority = ca_service_new(&(struct ca_service_options){
        .ca = ca, .entries = entries, .store = store, .clock = &system_clock });
    const struct housekeeping_options chores = {
        .store = store,
        .catalogue = catalogue,
        .leases = leases,
        .ads = ads,
        .resources = resources,
        .ca = ca,
        .entries = entries,
        .entries_file = entries_file,
        .founding = &founding,
        .clock = &system_clock,
        .log = mesh_log(mesh),
    };
    or_exit(housekeeping_load_entries(&chores, arena));
    or_exit(housekeeping_expect_services(&chores, arena));
    or_exit(registry_service_load_policy(registry, arena));
    struct housekeeping *housekeeping = housekeeping_new(&chores);
    ads_service_on_progress(ads, leases_progress, leases);
    leases_on_lost(leases, housekeeping_nudge, housekeeping);
    housekeeping_start(housekeeping);

    struct server *bootstrap = server_new(&(struct server_options){
        .address = bootstrap_listen,
        .svid_file = "svid/" IDENTITY_SVID_FILE,
        .trust_file = "svid/" IDENTITY_BUNDLE_FILE,
        .ask_no_certificate = true,
        .guard = guard_authz_guard(mesh_guard(mesh)),
        .log = mesh_log(mesh),
        .tracer = mesh_tracer(mesh),
        .n_queues = 1,
        .n_workers = 2,
    });
    server_register(bootstrap, &ca_service_methods, authority, ca_service_descriptors);
    server_register(mesh_server(mesh), &ca_service_methods, authority, ca_service_descriptors);
    server_register(mesh_server(mesh), &registry_service_methods, registry,
                    registry_service_descriptors);
    server_register(mesh_server(mesh), &ads_service_methods, ads, discovery_descriptors);
    struct self self = { .catalogue = catalogue, .options = &options };
    mesh_on_listening(mesh, enter_ourselves, &self);
    or_exit(server_start(bootstrap, arena));
    int exit_code = mesh_run(mesh);

    server_stop(bootstrap, 1000);
    server_free(bootstrap);
    auditor_close(auditor);
    housekeeping_free(housekeeping);
    mesh_free(mesh);
    ca_service_free(authority);
    registry_service_free(registry);
    leases_free(leases);
    policy_board_free(board);
    ads_service_free(ads);
    xds_resources_free(resources);
    catalogue_free(catalogue);
    entries_free(entries);
    ca_close(ca);
    store_close(store);
    disk_files_reset(&svid_folder);
    disk_files_reset(&folder);
    arena_free(arena);
    return exit_code;
}
