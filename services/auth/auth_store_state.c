/* The part of auth_store.h that is not about accounts and their keys. */

#include "services/auth/auth_store.h"

/* ---- Revocations ---- */

status auth_store_scan_revocations(struct store *store, struct arena *arena, int64_t now_ms,
                                   const char *tenant_id, const char *subject, size_t limit,
                                   struct revocation_page *ret_page)
{
    const struct store_statement query = {
        .sql = "SELECT tenant_id, subject, epoch_ms, forget_ms FROM revocation"
               " WHERE (tenant_id, subject) > ($1, $2) AND forget_ms > $3"
               " ORDER BY tenant_id, subject LIMIT $4",
        .params = PARAMS(store_text(tenant_id), store_text(subject), store_int(now_ms),
                         store_int((int64_t)limit + 1)),
    };
    struct store_rows rows;

    TRY(store_query(store, arena, &query, &rows));
    size_t n = rows.n_rows < limit ? rows.n_rows : limit;
    struct revocation_record *records = ARENA_NEW_ARRAY(arena, struct revocation_record, n);
    for (size_t i = 0; i < n; i++) {
        records[i] = (struct revocation_record){
            .tenant_id = store_text_at(&rows, i, 0),
            .subject = store_text_at(&rows, i, 1),
            .epoch_ms = store_int_at(&rows, i, 2),
            .forget_ms = store_int_at(&rows, i, 3),
        };
    }
    *ret_page = (struct revocation_page){ records, n, rows.n_rows > n };
    return status_ok();
}

void auth_store_put_revocation(struct store_write *write, const struct revocation_record *record)
{
    store_write_add(write,
                    (struct store_statement){
                        .sql = "INSERT INTO revocation (tenant_id, subject, epoch_ms, forget_ms)"
                               " VALUES ($1, $2, $3, $4) ON CONFLICT (tenant_id, subject)"
                               " DO UPDATE SET epoch_ms = $3, forget_ms = $4",
                        .params = PARAMS(store_text(record->tenant_id), store_text(record->subject),
                                         store_int(record->epoch_ms), store_int(record->forget_ms)),
                    });
    store_write_add(write, (struct store_statement){
                               .sql = "DELETE FROM revocation WHERE forget_ms < $1",
                               .params = PARAMS(store_int(record->epoch_ms)),
                           });
}

/* ---- Standings ---- */

#define STANDING_COLUMNS "tenant_id, standing, max_projects, max_records, requests_per_minute"

status auth_store_scan_standings(struct store *store, struct arena *arena, const char *tenant_id,
                                 size_t limit, struct standing_page *ret_page)
{
    const struct store_statement query = {
        .sql = "SELECT " STANDING_COLUMNS " FROM standing WHERE tenant_id > $1"
               " ORDER BY tenant_id LIMIT $2",
        .params = PARAMS(store_text(tenant_id), store_int((int64_t)limit + 1)),
    };
    struct store_rows rows;

    TRY(store_query(store, arena, &query, &rows));
    size_t n = rows.n_rows < limit ? rows.n_rows : limit;
    struct standing_record *records = ARENA_NEW_ARRAY(arena, struct standing_record, n);
    for (size_t i = 0; i < n; i++) {
        records[i] = (struct standing_record){
            .tenant_id = store_text_at(&rows, i, 0),
            .standing = store_int_at(&rows, i, 1),
            .max_projects = store_int_at(&rows, i, 2),
            .max_records = store_int_at(&rows, i, 3),
            .requests_per_minute = store_int_at(&rows, i, 4),
        };
    }
    *ret_page = (struct standing_page){ records, n, rows.n_rows > n };
    return status_ok();
}

void auth_store_put_standing(struct store_write *write, const struct standing_record *record)
{
    store_write_add(
        write, (struct store_statement){
                   .sql = "INSERT INTO standing (" STANDING_COLUMNS ") VALUES ($1, $2, $3, $4, $5)"
                          " ON CONFLICT (tenant_id) DO UPDATE SET standing = $2,"
                          " max_projects = $3, max_records = $4, requests_per_minute = $5",
                   .params = PARAMS(store_text(record->tenant_id), store_int(record->standing),
                                    store_int(record->max_projects), store_int(record->max_records),
                                    store_int(record->requests_per_minute)),
               });
}

/* ---- Enforcement points ---- */

status auth_store_list_points(struct store *store, struct arena *arena, size_t limit,
                              struct text_list *ret_names)
{
    const struct store_statement query = {
        .sql = "SELECT name FROM point ORDER BY gone_ms DESC LIMIT $1",
        .params = PARAMS(store_int((int64_t)limit)),
    };
    struct store_rows rows;

    TRY(store_query(store, arena, &query, &rows));
    const char **names = ARENA_NEW_ARRAY(arena, const char *, rows.n_rows);
    for (size_t i = 0; i < rows.n_rows; i++) {
        names[i] = store_text_at(&rows, i, 0);
    }
    *ret_names = (struct text_list){ .texts = names, .n_texts = rows.n_rows };
    return status_ok();
}

void auth_store_put_point(struct store_write *write, const char *name, int64_t gone_ms)
{
    store_write_add(write, (struct store_statement){
                               .sql = "INSERT INTO point (name, gone_ms) VALUES ($1, $2)"
                                      " ON CONFLICT (name) DO UPDATE SET gone_ms = $2",
                               .params = PARAMS(store_text(name), store_int(gone_ms)),
                           });
}

void auth_store_delete_point(struct store_write *write, const char *name)
{
    store_write_add(write, (struct store_statement){
                               .sql = "DELETE FROM point WHERE name = $1",
                               .params = PARAMS(store_text(name)),
                           });
}

void auth_store_lose_points(struct store_write *write, int64_t now_ms, int64_t forget_ms)
{
    store_write_add(write, (struct store_statement){
                               .sql = "UPDATE point SET gone_ms = $1 WHERE gone_ms = 0",
                               .params = PARAMS(store_int(now_ms)),
                           });
    store_write_add(write, (struct store_statement){
                               .sql = "DELETE FROM point WHERE gone_ms < $1",
                               .params = PARAMS(store_int(forget_ms)),
                           });
}

/* ---- Numbers ---- */

status auth_store_get_number(struct store *store, struct arena *arena, const char *name,
                             int64_t *ret_number)
{
    const struct store_statement query = {
        .sql = "SELECT number FROM auth_number WHERE name = $1",
        .params = PARAMS(store_text(name)),
    };
    struct store_rows rows;

    TRY(store_query(store, arena, &query, &rows));
    *ret_number = rows.n_rows == 0 ? 0 : store_int_at(&rows, 0, 0);
    return status_ok();
}

void auth_store_mark(struct store_write *write, const char *name)
{
    store_write_add(write, (struct store_statement){
                               .sql = "INSERT INTO auth_number (name, number) VALUES ($1, 1)"
                                      " ON CONFLICT DO NOTHING",
                               .params = PARAMS(store_text(name)),
                           });
}

void auth_store_set_number(struct store_write *write, const char *name, int64_t before,
                           int64_t number)
{
    store_write_add(write, (struct store_statement){
                               .sql = "INSERT INTO auth_number (name, number) VALUES ($1, 0)"
                                      " ON CONFLICT DO NOTHING",
                               .params = PARAMS(store_text(name)),
                           });
    store_write_add(
        write, (struct store_statement){
                   .sql = "UPDATE auth_number SET number = $3 WHERE name = $1 AND number = $2",
                   .params = PARAMS(store_text(name), store_int(before), store_int(number)),
                   .expect = EXPECT_ONE,
                   .otherwise = status_error(write->arena, STATUS_ABORTED,
                                             "another process has changed '%s' meanwhile", name),
               });
}
