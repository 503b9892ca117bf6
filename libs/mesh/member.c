#include "libs/mesh/member.h"

#include "libs/authz/guard.h"
#include "libs/base/clock.h"
#include "libs/base/files.h"
#include "libs/base/random.h"
#include "libs/mesh/keeper.h"
#include "libs/obs/readiness.h"

/* ---- The store ---- */

struct store_check {
    struct keeper_task task;
    struct store *store;
    struct dependency *ready;
    int64_t due_ms; /* monotonic */
};

static void check_store(struct keeper_task *task)
{
    struct store_check *self = (struct store_check *)task;
    int64_t now_ms = clock_monotonic_ms(&system_clock);
    const struct store_statement query = { .sql = "SELECT 1" };
    struct store_rows rows;

    if (now_ms < self->due_ms) {
        return;
    }
    self->due_ms = now_ms + MEMBER_STORE_CHECK_MS;
    struct arena *arena = arena_new();
    status s = store_query(self->store, arena, &query, &rows);
    readiness_set(self->ready, status_is_ok(s), s.message);
    arena_free(arena);
}

void member_watch_store(struct mesh *mesh, struct arena *arena, struct store *store)
{
    struct store_check *check = ARENA_NEW(arena, struct store_check);

    *check = (struct store_check){
        .task.tick = check_store,
        .store = store,
        .ready = readiness_add(mesh_readiness(mesh), "store", "not asked yet"),
    };
    keeper_add(mesh_keeper(mesh), &check->task);
}

struct store *member_store_or_exit(struct mesh *mesh, struct arena *arena, const char *url,
                                   status (*migrate)(struct store *store, struct arena *arena))
{
    struct store *store;

    mesh_or_exit(mesh, store_open(arena, url, &store));
    mesh_or_exit(mesh, migrate(store, arena));
    member_watch_store(mesh, arena, store);
    return store;
}

/* ---- The audit ---- */

static void reset_folder(void *folder)
{
    disk_files_reset(folder);
}

struct auditor *member_auditor_or_exit(struct mesh *mesh, struct arena *arena, struct store *store)
{
    struct disk_files *spool = ARENA_NEW(arena, struct disk_files);
    struct auditor *auditor;

    mesh_or_exit(mesh, disk_files_init(spool, arena, "spool"));
    arena_defer(arena, reset_folder, spool);
    mesh_or_exit(mesh, auditor_open(arena,
                                    &(struct auditor_options){ .peer = mesh_peer(mesh, "audit"),
                                                               .service = mesh_service(mesh),
                                                               .store = store,
                                                               .log = mesh_log(mesh),
                                                               .files = &spool->files,
                                                               .clock = &system_clock,
                                                               .random = &system_random },
                                    &auditor));
    guard_authz_set_denied(mesh_guard(mesh), auditor_denied, auditor);
    return auditor;
}
