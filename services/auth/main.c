/* The auth service: who may do what. */

#include "libs/mesh/member.h"
#include "libs/mesh/mesh.h"
#include "services/auth/auth_erasure.h"
#include "services/auth/auth_service.h"
#include "services/auth/founding.h"
#include "services/auth/point_memory.h"
#include "services/auth/prime.h"
#include "services/auth/standings.h"
#include "weft/auth/v1/auth_service_descriptors.h"

/* The feed tells the points, which wake their streams. */
static void feed_changed(void *points)
{
    points_wake(points);
}

struct beat {
    struct keeper_task task;
    struct auth_service *service;
    struct log *log;
};

static void tick(struct keeper_task *task)
{
    const struct beat *beat = (const struct beat *)task;
    struct arena *arena = arena_new();
    status s = auth_service_tick(beat->service, arena);

    if (!status_is_ok(s)) {
        LOG(beat->log, LEVEL_ERROR, NULL, "signing keys are not rotated",
            log_text("code", status_code_name(s.code)), log_text("error", s.message));
    }
    arena_free(arena);
}

int main(void)
{
    struct arena *arena = arena_new();
    struct config *config = config_new(arena);
    const struct mesh_options options = mesh_options_read(config, "auth");
    const char *database = config_text(config, "WEFT_DATABASE", "sqlite:auth.db");
    const char *credential_file =
        config_text(config, "WEFT_BOOTSTRAP_CREDENTIAL", "administrator.key");
    bool again = config_number(config, "WEFT_BOOTSTRAP_AGAIN", 0, 0, 1) != 0;
    config_check_or_exit(config);

    struct mesh *mesh = mesh_join_or_exit(arena, &options);
    struct disk_files folder;
    mesh_or_exit(mesh, disk_files_init(&folder, arena, "."));
    struct store *store = member_store_or_exit(mesh, arena, database, auth_store_migrate);
    struct auditor *auditor = member_auditor_or_exit(mesh, arena, store);

    const struct founding founding = {
        .files = &folder.files,
        .store = store,
        .clock = &system_clock,
        .random = &system_random,
    };
    struct disk_files credential_folder;
    const char *credential_name;
    struct api_key_pepper pepper;
    uint32_t epoch;
    mesh_or_exit(
        mesh, founding_open_folder(arena, credential_file, &credential_folder, &credential_name));
    mesh_or_exit(mesh, founding_next_epoch(&founding, arena, &epoch));
    mesh_or_exit(mesh, founding_read_pepper(&founding, arena, &pepper));
    mesh_or_exit(mesh, founding_make_administrator(&founding, arena,
                                                   &(struct founding_credential){
                                                       .files = &credential_folder.files,
                                                       .name = credential_name,
                                                       .pepper = &pepper,
                                                       .spiffe_id = mesh_spiffe_id(mesh),
                                                       .again = again,
                                                   }));
    struct signing_keys *keys;
    mesh_or_exit(mesh, signing_keys_open(arena,
                                         &(struct signing_keys_options){
                                             .files = &folder.files,
                                             .random = &system_random,
                                             .clock = &system_clock,
                                         },
                                         &keys));

    struct points *points = points_new(&system_clock);
    struct feed *feed = feed_new(&(struct feed_options){
        .clock = &system_clock, .epoch = epoch, .changed = feed_changed, .data = points });
    struct directory *directory = directory_new();
    (void)feed_set_keys(feed, signing_keys_jwks(keys, arena));
    mesh_or_exit(mesh, founding_load(&founding, arena, feed, directory));
    mesh_or_exit(mesh, standings_load(feed, store, arena));
    mesh_or_exit(mesh,
                 point_memory_load(&(struct point_memory){ store, &system_clock }, arena, points));
    struct arena *primed = arena_new();
    mesh_or_exit(mesh, prime_snapshot(feed, primed, guard_authz_snapshot(mesh_guard(mesh))));
    arena_free(primed);
    struct auth_service *service = auth_service_new(&(struct auth_service_options){
        .store = store,
        .clock = &system_clock,
        .random = &system_random,
        .directory = directory,
        .feed = feed,
        .points = points,
        .signing_keys = keys,
        .pepper = &pepper,
        .denied = auditor_denied,
        .denied_data = auditor,
    });
    struct standings *standings = standings_new(&(struct standings_options){
        .tenants = mesh_peer(mesh, "tenant"),
        .feed = feed,
        .store = store,
        .keeper = mesh_keeper(mesh),
        .clock = &system_clock,
        .random = &system_random,
        .log = mesh_log(mesh),
    });
    struct beat beat = { .task.tick = tick, .service = service, .log = mesh_log(mesh) };
    keeper_add(mesh_keeper(mesh), &beat.task);
    server_register(mesh_server(mesh), &auth_service_methods, service, auth_service_descriptors);
    mesh_on_draining(mesh, auth_service_drain, service);
    struct auth_erasure erasure = {
        .store = store,
        .directory = directory,
        .clock = &system_clock,
        .random = &system_random,
        .spiffe_id = mesh_spiffe_id(mesh),
    };
    struct eraser *eraser = eraser_new(&(struct eraser_options){
        .ops = &auth_erasure_ops,
        .data = &erasure,
        .snapshot = guard_authz_snapshot(mesh_guard(mesh)),
        .clock = &system_clock,
        .log = mesh_log(mesh),
    });
    eraser_start(eraser);
    int exit_code = mesh_run(mesh);

    eraser_free(eraser);
    standings_stop(standings);
    auditor_close(auditor);
    mesh_free(mesh);
    standings_free(standings);
    auth_service_free(service);
    directory_free(directory);
    feed_free(feed);
    points_free(points);
    signing_keys_free(keys);
    store_close(store);
    disk_files_reset(&credential_folder);
    disk_files_reset(&folder);
    arena_free(arena);
    return exit_code;
}
