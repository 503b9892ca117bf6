#include "services/registry/registry_store.h"

/* Never change a row that has been released; add one. */
static const struct store_migration migrations[] = {
    {
        /* One row, so that a change can be guarded by the revision it replaces. */
        .up = "CREATE TABLE mesh_policy ("
              " name TEXT PRIMARY KEY, revision BIGINT NOT NULL, packed BLOB NOT NULL)",
        .down = "DROP TABLE mesh_policy",
    },
    {
        .up = "CREATE TABLE known_service (name TEXT PRIMARY KEY)",
        .down = "DROP TABLE known_service",
    },
};

status registry_store_migrate(struct store *store, struct arena *arena)
{
    return store_migrate(store, arena, "registry", migrations,
                         sizeof migrations / sizeof migrations[0]);
}

status registry_store_get_policy(struct store *store, struct arena *arena, uint64_t *ret_revision,
                                 bytes *ret_packed)
{
    const struct store_statement query = {
        .sql = "SELECT revision, packed FROM mesh_policy WHERE name = 'mesh'",
    };
    struct store_rows rows;

    TRY(store_query(store, arena, &query, &rows));
    *ret_revision = 0;
    *ret_packed = (bytes){ .data = NULL };
    if (rows.n_rows > 0) {
        *ret_revision = (uint64_t)store_int_at(&rows, 0, 0);
        *ret_packed = store_blob_at(&rows, 0, 1);
    }
    return status_ok();
}

void registry_store_put_policy(struct store_write *write, struct arena *arena, uint64_t revision,
                               bytes packed)
{
    store_write_add(
        write, (struct store_statement){
                   .sql = "INSERT INTO mesh_policy (name, revision, packed)"
                          " VALUES ('mesh', $1, $2) ON CONFLICT (name) DO UPDATE"
                          " SET revision = excluded.revision, packed = excluded.packed"
                          " WHERE mesh_policy.revision = excluded.revision - 1",
                   .params = PARAMS(store_int((int64_t)revision), store_blob(packed)),
                   .expect = EXPECT_ONE,
                   .otherwise = status_error(arena, STATUS_ABORTED,
                                             "the policy has changed meanwhile; read it again"),
               });
}

status registry_store_list_services(struct store *store, struct arena *arena,
                                    const char *const **ret_names, size_t *ret_n)
{
    const struct store_statement query = {
        .sql = "SELECT name FROM known_service ORDER BY name LIMIT 10000",
    };
    struct store_rows rows;

    TRY(store_query(store, arena, &query, &rows));
    const char **names = ARENA_NEW_ARRAY(arena, const char *, rows.n_rows + 1);
    for (size_t i = 0; i < rows.n_rows; i++) {
        names[i] = store_text_at(&rows, i, 0);
    }
    *ret_names = names;
    *ret_n = rows.n_rows;
    return status_ok();
}

void registry_store_add_service(struct store_write *write, const char *name)
{
    store_write_add(write, (struct store_statement){
                               .sql = "INSERT INTO known_service (name) VALUES ($1)"
                                      " ON CONFLICT DO NOTHING",
                               .params = PARAMS(store_text(name)),
                           });
}
