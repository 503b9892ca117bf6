#include "services/auth/auth_store.h"

#include "libs/base/text.h"

#include <string.h>

/* Never change a row that has been released; add one. */
static const struct store_migration migrations[] = {
    {
        .up = "CREATE TABLE service_account ("
              " tenant_id TEXT NOT NULL, account_id TEXT NOT NULL, uid TEXT NOT NULL,"
              " display_name TEXT NOT NULL, roles TEXT NOT NULL, permissions TEXT NOT NULL,"
              " create_time_ms BIGINT NOT NULL, PRIMARY KEY (tenant_id, account_id))",
        .down = "DROP TABLE service_account",
    },
    {
        .up = "CREATE TABLE api_key ("
              " tenant_id TEXT NOT NULL, key_id TEXT NOT NULL, account_id TEXT NOT NULL,"
              " account_uid TEXT NOT NULL, display_name TEXT NOT NULL, hash BYTEA NOT NULL,"
              " create_time_ms BIGINT NOT NULL, expire_time_ms BIGINT NOT NULL,"
              " revoke_time_ms BIGINT NOT NULL, PRIMARY KEY (tenant_id, key_id))",
        .down = "DROP TABLE api_key",
    },
    {
        .up = "CREATE INDEX api_key_of_account ON api_key (tenant_id, account_id)",
        .down = "DROP INDEX api_key_of_account",
    },
    {
        .up = "CREATE TABLE revocation ("
              " tenant_id TEXT NOT NULL, subject TEXT NOT NULL, epoch_ms BIGINT NOT NULL,"
              " forget_ms BIGINT NOT NULL, PRIMARY KEY (tenant_id, subject))",
        .down = "DROP TABLE revocation",
    },
    {
        .up = "CREATE INDEX revocation_by_age ON revocation (forget_ms)",
        .down = "DROP INDEX revocation_by_age",
    },
    {
        .up = "CREATE TABLE auth_number (name TEXT PRIMARY KEY, number BIGINT NOT NULL)",
        .down = "DROP TABLE auth_number",
    },
    {
        .up = "CREATE TABLE standing ("
              " tenant_id TEXT PRIMARY KEY, standing INTEGER NOT NULL,"
              " max_projects BIGINT NOT NULL, max_records BIGINT NOT NULL,"
              " requests_per_minute BIGINT NOT NULL)",
        .down = "DROP TABLE standing",
    },
    {
        .up = "CREATE TABLE point (name TEXT PRIMARY KEY, gone_ms BIGINT NOT NULL)",
        .down = "DROP TABLE point",
    },
};

status auth_store_migrate(struct store *store, struct arena *arena)
{
    return store_migrate(store, arena, "auth", migrations,
                         sizeof migrations / sizeof migrations[0]);
}

/* ---- Lists of texts: one a line, since none has a newline in it ---- */

static const char *join_lines(struct arena *arena, const struct text_list *list)
{
    struct text text = text_new(arena);

    for (size_t i = 0; i < list->n_texts; i++) {
        text_add(&text, i == 0 ? "%s" : "\n%s", list->texts[i]);
    }
    return text_string(&text);
}

static struct text_list split_lines(struct arena *arena, const char *lines)
{
    size_t n = lines[0] == '\0' ? 0 : 1;

    for (const char *at = lines; *at != '\0'; at++) {
        n += *at == '\n';
    }
    const char **texts = ARENA_NEW_ARRAY(arena, const char *, n);
    for (size_t i = 0; i < n; i++) {
        size_t length = strcspn(lines, "\n");
        texts[i] = arena_printf(arena, "%.*s", (int)length, lines);
        lines += length + (lines[length] == '\n');
    }
    return (struct text_list){ .texts = texts, .n_texts = n };
}

/* ---- Accounts ---- */

#define ACCOUNT_COLUMNS \
    "tenant_id, account_id, uid, display_name, roles, permissions, create_time_ms"

static struct account_record account_at(struct arena *arena, const struct store_rows *rows,
                                        size_t row)
{
    return (struct account_record){
        .tenant_id = store_text_at(rows, row, 0),
        .account_id = store_text_at(rows, row, 1),
        .uid = store_text_at(rows, row, 2),
        .display_name = store_text_at(rows, row, 3),
        .roles = split_lines(arena, store_text_at(rows, row, 4)),
        .permissions = split_lines(arena, store_text_at(rows, row, 5)),
        .create_time_ms = store_int_at(rows, row, 6),
    };
}

status auth_store_get_account(struct store *store, struct arena *arena, const char *tenant_id,
                              const char *account_id, struct account_record *ret_record)
{
    const struct store_statement query = {
        .sql = "SELECT " ACCOUNT_COLUMNS " FROM service_account"
               " WHERE tenant_id = $1 AND account_id = $2",
        .params = PARAMS(store_text(tenant_id), store_text(account_id)),
        .expect = EXPECT_ONE,
        .otherwise = status_error(arena, STATUS_NOT_FOUND,
                                  "tenant '%s' has no service account '%s'", tenant_id, account_id),
    };
    struct store_rows rows;

    TRY(store_query(store, arena, &query, &rows));
    *ret_record = account_at(arena, &rows, 0);
    return status_ok();
}

/* The query asks for one more than limit, to know whether there are more. */
static status read_accounts(struct store *store, struct arena *arena,
                            const struct store_statement *query, size_t limit,
                            struct account_page *ret_page)
{
    struct store_rows rows;

    TRY(store_query(store, arena, query, &rows));
    size_t n = rows.n_rows < limit ? rows.n_rows : limit;
    struct account_record *records = ARENA_NEW_ARRAY(arena, struct account_record, n);
    for (size_t i = 0; i < n; i++) {
        records[i] = account_at(arena, &rows, i);
    }
    *ret_page = (struct account_page){ records, n, rows.n_rows > n };
    return status_ok();
}

status auth_store_list_accounts(struct store *store, struct arena *arena, const char *tenant_id,
                                const char *after, size_t limit, struct account_page *ret_page)
{
    const struct store_statement query = {
        .sql = "SELECT " ACCOUNT_COLUMNS " FROM service_account"
               " WHERE tenant_id = $1 AND account_id > $2 ORDER BY account_id LIMIT $3",
        .params = PARAMS(store_text(tenant_id), store_text(after), store_int((int64_t)limit + 1)),
    };

    return read_accounts(store, arena, &query, limit, ret_page);
}

status auth_store_scan_accounts(struct store *store, struct arena *arena, const char *tenant_id,
                                const char *account_id, size_t limit, struct account_page *ret_page)
{
    const struct store_statement query = {
        .sql = "SELECT " ACCOUNT_COLUMNS " FROM service_account"
               " WHERE (tenant_id, account_id) > ($1, $2)"
               " ORDER BY tenant_id, account_id LIMIT $3",
        .params =
            PARAMS(store_text(tenant_id), store_text(account_id), store_int((int64_t)limit + 1)),
    };

    return read_accounts(store, arena, &query, limit, ret_page);
}

/* A write asks by what it changes: this changes nothing, and finds the account that was read or
 * made in the same write, $1 and $2, if what follows is so. */
#define ONLY_IF "UPDATE service_account SET uid = uid WHERE tenant_id = $1 AND account_id = $2 AND "

void auth_store_insert_account(struct store_write *write, const struct account_record *record,
                               size_t max_accounts)
{
    store_write_add(
        write, (struct store_statement){
                   .sql = "INSERT INTO service_account (" ACCOUNT_COLUMNS ")"
                          " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
                   .params = PARAMS(store_text(record->tenant_id), store_text(record->account_id),
                                    store_text(record->uid), store_text(record->display_name),
                                    store_text(join_lines(write->arena, &record->roles)),
                                    store_text(join_lines(write->arena, &record->permissions)),
                                    store_int(record->create_time_ms)),
                   .expect = EXPECT_ONE,
                   .otherwise = status_error(write->arena, STATUS_ALREADY_EXISTS,
                                             "tenant '%s' already has a service account '%s'",
                                             record->tenant_id, record->account_id),
               });
    store_write_add(
        write,
        (struct store_statement){
            .sql = ONLY_IF "(SELECT count(*) FROM service_account WHERE tenant_id = $1) <= $3",
            .params = PARAMS(store_text(record->tenant_id), store_text(record->account_id),
                             store_int((int64_t)max_accounts)),
            .expect = EXPECT_ONE,
            .otherwise =
                status_error(write->arena, STATUS_RESOURCE_EXHAUSTED,
                             "tenant '%s' has %zu service accounts, which is as many as it may",
                             record->tenant_id, max_accounts),
        });
}

void auth_store_delete_account(struct store_write *write, const struct account_record *record)
{
    store_write_add(write,
                    (struct store_statement){
                        .sql = "DELETE FROM service_account"
                               " WHERE tenant_id = $1 AND account_id = $2 AND uid = $3",
                        .params = PARAMS(store_text(record->tenant_id),
                                         store_text(record->account_id), store_text(record->uid)),
                        .expect = EXPECT_ONE,
                        .otherwise = status_error(write->arena, STATUS_NOT_FOUND,
                                                  "tenant '%s' has no service account '%s'",
                                                  record->tenant_id, record->account_id),
                    });
    store_write_add(
        write, (struct store_statement){
                   .sql = "DELETE FROM api_key WHERE tenant_id = $1 AND account_id = $2",
                   .params = PARAMS(store_text(record->tenant_id), store_text(record->account_id)),
               });
}

/* ---- All of a tenant's ---- */

status auth_store_list_tenants(struct store *store, struct arena *arena, struct text_list *ret_ids)
{
    /* One step in the primary key for each tenant. */
    static const struct store_statement query = {
        .sql = "WITH RECURSIVE tenant (id) AS (SELECT min(tenant_id) FROM service_account"
               " UNION ALL SELECT (SELECT min(tenant_id) FROM service_account"
               " WHERE tenant_id > tenant.id) FROM tenant WHERE tenant.id IS NOT NULL)"
               " SELECT id FROM tenant WHERE id IS NOT NULL",
    };
    struct store_rows rows;

    TRY(store_query(store, arena, &query, &rows));
    const char **ids = ARENA_NEW_ARRAY(arena, const char *, rows.n_rows);
    for (size_t i = 0; i < rows.n_rows; i++) {
        ids[i] = store_text_at(&rows, i, 0);
    }
    *ret_ids = (struct text_list){ .texts = ids, .n_texts = rows.n_rows };
    return status_ok();
}

void auth_store_delete_tenant(struct store_write *write, const char *tenant_id)
{
    store_write_add(write, (struct store_statement){
                               .sql = "DELETE FROM service_account WHERE tenant_id = $1",
                               .params = PARAMS(store_text(tenant_id)),
                           });
    store_write_add(write, (struct store_statement){
                               .sql = "DELETE FROM api_key WHERE tenant_id = $1",
                               .params = PARAMS(store_text(tenant_id)),
                           });
}

/* ---- Keys ---- */

#define KEY_COLUMNS                                                                   \
    "tenant_id, key_id, account_id, account_uid, display_name, hash, create_time_ms," \
    " expire_time_ms, revoke_time_ms"

static struct key_record key_at(const struct store_rows *rows, size_t row)
{
    bytes hash = store_blob_at(rows, row, 5);
    struct key_record record = {
        .tenant_id = store_text_at(rows, row, 0),
        .key_id = store_text_at(rows, row, 1),
        .account_id = store_text_at(rows, row, 2),
        .account_uid = store_text_at(rows, row, 3),
        .display_name = store_text_at(rows, row, 4),
        .create_time_ms = store_int_at(rows, row, 6),
        .expire_time_ms = store_int_at(rows, row, 7),
        .revoke_time_ms = store_int_at(rows, row, 8),
    };

    if (hash.size == SHA256_SIZE) { /* another is no hash of ours: nothing equals all zeros */
        memcpy(record.hash.data, hash.data, SHA256_SIZE);
    }
    return record;
}

status auth_store_get_key(struct store *store, struct arena *arena, const char *tenant_id,
                          const char *key_id, struct key_record *ret_record)
{
    const struct store_statement query = {
        .sql = "SELECT " KEY_COLUMNS " FROM api_key WHERE tenant_id = $1 AND key_id = $2",
        .params = PARAMS(store_text(tenant_id), store_text(key_id)),
        .expect = EXPECT_ONE,
        .otherwise =
            status_error(arena, STATUS_NOT_FOUND, "tenant '%s' has no key '%s'", tenant_id, key_id),
    };
    struct store_rows rows;

    TRY(store_query(store, arena, &query, &rows));
    *ret_record = key_at(&rows, 0);
    return status_ok();
}

static status read_keys(struct store *store, struct arena *arena,
                        const struct store_statement *query, size_t limit,
                        struct key_page *ret_page)
{
    struct store_rows rows;

    TRY(store_query(store, arena, query, &rows));
    size_t n = rows.n_rows < limit ? rows.n_rows : limit;
    struct key_record *records = ARENA_NEW_ARRAY(arena, struct key_record, n);
    for (size_t i = 0; i < n; i++) {
        records[i] = key_at(&rows, i);
    }
    *ret_page = (struct key_page){ records, n, rows.n_rows > n };
    return status_ok();
}

status auth_store_list_keys(struct store *store, struct arena *arena, const char *tenant_id,
                            const char *account_id, const char *after, size_t limit,
                            struct key_page *ret_page)
{
    const struct store_statement query = {
        .sql = "SELECT " KEY_COLUMNS " FROM api_key WHERE tenant_id = $1 AND key_id > $2"
               " AND ($3 = '' OR account_id = $3) ORDER BY key_id LIMIT $4",
        .params = PARAMS(store_text(tenant_id), store_text(after), store_text(account_id),
                         store_int((int64_t)limit + 1)),
    };

    return read_keys(store, arena, &query, limit, ret_page);
}

status auth_store_scan_keys(struct store *store, struct arena *arena, const char *tenant_id,
                            const char *key_id, size_t limit, struct key_page *ret_page)
{
    const struct store_statement query = {
        .sql = "SELECT " KEY_COLUMNS " FROM api_key"
               " WHERE (tenant_id, key_id) > ($1, $2) AND revoke_time_ms = 0"
               " ORDER BY tenant_id, key_id LIMIT $3",
        .params = PARAMS(store_text(tenant_id), store_text(key_id), store_int((int64_t)limit + 1)),
    };

    return read_keys(store, arena, &query, limit, ret_page);
}

void auth_store_insert_key(struct store_write *write, const struct key_record *record,
                           size_t max_keys)
{
    const struct store_params params = PARAMS(
        store_text(record->tenant_id), store_text(record->key_id), store_text(record->account_id),
        store_text(record->account_uid), store_text(record->display_name),
        store_blob(sha256_bytes(&record->hash)), store_int(record->create_time_ms),
        store_int(record->expire_time_ms), store_int(record->revoke_time_ms));

    store_write_add(write,
                    (struct store_statement){
                        .sql = "INSERT INTO api_key (" KEY_COLUMNS ")"
                               " SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9 FROM service_account"
                               " WHERE tenant_id = $1 AND account_id = $3 AND uid = $4",
                        .params = params,
                        .expect = EXPECT_ONE,
                        .otherwise = status_error(write->arena, STATUS_NOT_FOUND,
                                                  "tenant '%s' has no service account '%s'",
                                                  record->tenant_id, record->account_id),
                    });
    store_write_add(
        write,
        (struct store_statement){
            .sql = ONLY_IF "(SELECT count(*) FROM api_key WHERE tenant_id = $1"
                           " AND account_id = $2 AND revoke_time_ms = 0"
                           " AND (expire_time_ms = 0 OR expire_time_ms > $3)) <= $4",
            .params = PARAMS(store_text(record->tenant_id), store_text(record->account_id),
                             store_int(record->create_time_ms), store_int((int64_t)max_keys)),
            .expect = EXPECT_ONE,
            .otherwise =
                status_error(write->arena, STATUS_RESOURCE_EXHAUSTED,
                             "service account '%s' has %zu keys, which is as many as it may",
                             record->account_id, max_keys),
        });
}

void auth_store_forget_keys(struct store_write *write, const struct key_record *record,
                            size_t n_kept)
{
    store_write_add(
        write,
        (struct store_statement){
            .sql = "DELETE FROM api_key WHERE tenant_id = $1 AND account_id = $2"
                   " AND (revoke_time_ms > 0 OR (expire_time_ms > 0 AND expire_time_ms <= $3))"
                   " AND create_time_ms < (SELECT create_time_ms FROM api_key"
                   " WHERE tenant_id = $1 AND account_id = $2"
                   " ORDER BY create_time_ms DESC LIMIT 1 OFFSET $4)",
            .params = PARAMS(store_text(record->tenant_id), store_text(record->account_id),
                             store_int(record->create_time_ms), store_int((int64_t)n_kept)),
        });
}

void auth_store_revoke_key(struct store_write *write, const struct key_record *record)
{
    store_write_add(write,
                    (struct store_statement){
                        .sql = "UPDATE api_key SET revoke_time_ms = $3"
                               " WHERE tenant_id = $1 AND key_id = $2 AND revoke_time_ms = 0",
                        .params = PARAMS(store_text(record->tenant_id), store_text(record->key_id),
                                         store_int(record->revoke_time_ms)),
                        .expect = EXPECT_ONE,
                        .otherwise = status_error(write->arena, STATUS_ABORTED,
                                                  "key '%s' has changed meanwhile", record->key_id),
                    });
}

void auth_store_limit_revocations(struct store_write *write, const char *tenant_id,
                                  const char *account_id, int64_t now_ms, size_t max_revocations)
{
    store_write_add(
        write, (struct store_statement){
                   .sql = ONLY_IF "(SELECT count(*) FROM revocation"
                                  " WHERE tenant_id = $1 AND forget_ms > $3) < $4",
                   .params = PARAMS(store_text(tenant_id), store_text(account_id),
                                    store_int(now_ms), store_int((int64_t)max_revocations)),
                   .expect = EXPECT_ONE,
                   .otherwise =
                       status_error(write->arena, STATUS_RESOURCE_EXHAUSTED,
                                    "tenant '%s' has revoked %zu keys and accounts within the hour",
                                    tenant_id, max_revocations),
               });
}
