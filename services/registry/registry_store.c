#include "services/registry/registry_store.h"

/* Never change a row that has been released; add one. */
static const struct store_migration migrations[] = {
    {
        /* One row, so that a change can be guarded by the revision it replaces. */
        .up = "CREATE TABLE mesh_policy ("
              " name TEXT PRIMARY KEY, revision BIGINT NOT NULL, packed BLOB NOT NULL)",
        .down = "DROP TABLE mesh_policy",
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
