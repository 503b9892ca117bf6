#include "services/registry/ca_store.h"

/* Never change a row that has been released; add one. */
static const struct store_migration migrations[] = {
    {
        .up = "CREATE TABLE certificate ("
              " serial TEXT PRIMARY KEY, spiffe_id TEXT NOT NULL,"
              " issue_time_ms BIGINT NOT NULL, expire_time_ms BIGINT NOT NULL)",
        .down = "DROP TABLE certificate",
    },
    {
        .up = "CREATE INDEX certificate_by_expire_time ON certificate (expire_time_ms)",
        .down = "DROP INDEX certificate_by_expire_time",
    },
    {
        .up = "CREATE TABLE join_token ("
              " token_id TEXT PRIMARY KEY, hash BLOB NOT NULL, host_id TEXT NOT NULL,"
              " expire_time_ms BIGINT NOT NULL, use_time_ms BIGINT NOT NULL,"
              " used_by TEXT NOT NULL)",
        .down = "DROP TABLE join_token",
    },
};

status ca_store_migrate(struct store *store, struct arena *arena)
{
    return store_migrate(store, arena, "ca", migrations, sizeof migrations / sizeof migrations[0]);
}

/* ---- Certificates ---- */

status ca_store_has_issued(struct store *store, struct arena *arena, bool *ret_has)
{
    const struct store_statement query = { .sql = "SELECT 1 FROM certificate LIMIT 1" };
    struct store_rows rows;

    TRY(store_query(store, arena, &query, &rows));
    *ret_has = rows.n_rows > 0;
    return status_ok();
}

status ca_store_get_certificate(struct store *store, struct arena *arena, const char *serial,
                                struct ca_certificate_record *ret_record)
{
    const struct store_statement query = {
        .sql = "SELECT serial, spiffe_id, issue_time_ms, expire_time_ms"
               " FROM certificate WHERE serial = $1",
        .params = PARAMS(store_text(serial)),
        .expect = EXPECT_ONE,
        .otherwise =
            status_error(arena, STATUS_NOT_FOUND, "certificate '%s' is not on record", serial),
    };
    struct store_rows rows;

    TRY(store_query(store, arena, &query, &rows));
    *ret_record = (struct ca_certificate_record){
        .serial = store_text_at(&rows, 0, 0),
        .spiffe_id = store_text_at(&rows, 0, 1),
        .issue_time_ms = store_int_at(&rows, 0, 2),
        .expire_time_ms = store_int_at(&rows, 0, 3),
    };
    return status_ok();
}

void ca_store_add_certificate(struct store_write *write, const struct ca_certificate_record *record)
{
    store_write_add(
        write,
        (struct store_statement){
            .sql = "INSERT INTO certificate (serial, spiffe_id, issue_time_ms,"
                   " expire_time_ms) VALUES ($1, $2, $3, $4)",
            .params = PARAMS(store_text(record->serial), store_text(record->spiffe_id),
                             store_int(record->issue_time_ms), store_int(record->expire_time_ms)),
        });
}

/* ---- Join tokens ---- */

status ca_store_get_join_token(struct store *store, struct arena *arena, const char *token_id,
                               struct ca_join_token_record *ret_record)
{
    const struct store_statement query = {
        .sql = "SELECT token_id, hash, host_id, expire_time_ms, use_time_ms, used_by"
               " FROM join_token WHERE token_id = $1",
        .params = PARAMS(store_text(token_id)),
        .expect = EXPECT_ONE,
        .otherwise =
            status_error(arena, STATUS_NOT_FOUND, "join token '%s' does not exist", token_id),
    };
    struct store_rows rows;

    TRY(store_query(store, arena, &query, &rows));
    *ret_record = (struct ca_join_token_record){
        .token_id = store_text_at(&rows, 0, 0),
        .hash = store_blob_at(&rows, 0, 1),
        .host_id = store_text_at(&rows, 0, 2),
        .expire_time_ms = store_int_at(&rows, 0, 3),
        .use_time_ms = store_int_at(&rows, 0, 4),
        .used_by = store_text_at(&rows, 0, 5),
    };
    return status_ok();
}

void ca_store_add_join_token(struct store_write *write, const struct ca_join_token_record *record)
{
    store_write_add(
        write, (struct store_statement){
                   .sql = "INSERT INTO join_token (token_id, hash, host_id, expire_time_ms,"
                          " use_time_ms, used_by) VALUES ($1, $2, $3, $4, 0, '')",
                   .params = PARAMS(store_text(record->token_id), store_blob(record->hash),
                                    store_text(record->host_id), store_int(record->expire_time_ms)),
               });
}

/* Guarded: of two hosts with one token, whose writes are in one batch, one joins. */
void ca_store_use_join_token(struct store_write *write, const struct ca_join_token_record *record,
                             status otherwise)
{
    store_write_add(
        write, (struct store_statement){
                   .sql = "UPDATE join_token SET use_time_ms = $2, used_by = $3"
                          " WHERE token_id = $1 AND use_time_ms = 0"
                          " AND expire_time_ms > $2",
                   .params = PARAMS(store_text(record->token_id), store_int(record->use_time_ms),
                                    store_text(record->used_by)),
                   .expect = EXPECT_ONE,
                   .otherwise = otherwise,
               });
}

void ca_store_forget(struct store_write *write, int64_t before_ms)
{
    store_write_add(write, (struct store_statement){
                               .sql = "DELETE FROM certificate WHERE expire_time_ms < $1",
                               .params = PARAMS(store_int(before_ms)),
                           });
    store_write_add(write, (struct store_statement){
                               .sql = "DELETE FROM join_token WHERE expire_time_ms < $1",
                               .params = PARAMS(store_int(before_ms)),
                           });
}
