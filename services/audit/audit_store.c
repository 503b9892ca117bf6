#include "services/audit/audit_store.h"

#include "libs/base/text.h"

#include <string.h>

/* Each list has an index that begins with what it filters by and ends in its order. */
#define ORDER "time_ms, entry_index"

/* Never change a row that has been released; add one. */
static const struct store_migration migrations[] = {
    {
        .up = "CREATE TABLE audit_entry ("
              " entry_index BIGINT PRIMARY KEY, tenant_id TEXT NOT NULL, event_id TEXT NOT NULL,"
              " time_ms BIGINT NOT NULL, actor_tag BYTEA, action TEXT NOT NULL, target_tag BYTEA,"
              " key_id BYTEA NOT NULL)",
        .down = "DROP TABLE audit_entry",
    },
    {
        .up = "CREATE UNIQUE INDEX audit_entry_by_event ON audit_entry (event_id, tenant_id)",
        .down = "DROP INDEX audit_entry_by_event",
    },
    {
        .up = "CREATE INDEX audit_entry_by_time ON audit_entry (" ORDER ")",
        .down = "DROP INDEX audit_entry_by_time",
    },
    {
        .up = "CREATE INDEX audit_entry_by_tenant ON audit_entry (tenant_id, " ORDER ")",
        .down = "DROP INDEX audit_entry_by_tenant",
    },
    {
        .up = "CREATE INDEX audit_entry_by_actor"
              " ON audit_entry (tenant_id, actor_tag, " ORDER ")",
        .down = "DROP INDEX audit_entry_by_actor",
    },
    {
        .up = "CREATE INDEX audit_entry_by_action ON audit_entry (tenant_id, action, " ORDER ")",
        .down = "DROP INDEX audit_entry_by_action",
    },
    {
        .up = "CREATE INDEX audit_entry_by_target"
              " ON audit_entry (tenant_id, target_tag, " ORDER ")",
        .down = "DROP INDEX audit_entry_by_target",
    },
    {
        .up = "CREATE INDEX audit_entry_by_key ON audit_entry (key_id)",
        .down = "DROP INDEX audit_entry_by_key",
    },
};

enum {
    /* Of one query: bound by name, each parameter is looked for among all before it. */
    MAX_FIND = 128,
};

status audit_store_migrate(struct store *store, struct arena *arena)
{
    return store_migrate(store, arena, "audit_entries", migrations,
                         sizeof migrations / sizeof migrations[0]);
}

status audit_store_clear(struct store *store, struct arena *arena)
{
    struct store_write *write = store_write_new(arena);

    store_write_add(write, (struct store_statement){ .sql = "DELETE FROM audit_entry" });
    return store_commit(store, arena, write);
}

status audit_store_next(struct store *store, struct arena *arena, uint64_t *ret_next)
{
    const struct store_statement query = {
        .sql = "SELECT coalesce(max(entry_index) + 1, 0) FROM audit_entry",
    };
    struct store_rows rows;

    TRY(store_query(store, arena, &query, &rows));
    *ret_next = (uint64_t)store_int_at(&rows, 0, 0);
    return status_ok();
}

static struct store_value tag_value(bytes tag)
{
    return tag.data != NULL ? store_blob(tag) : store_null();
}

void audit_store_insert(struct store_write *write, const struct audit_row *row)
{
    store_write_add(write,
                    (struct store_statement){
                        .sql = "INSERT INTO audit_entry (entry_index, tenant_id, event_id, time_ms,"
                               " actor_tag, action, target_tag, key_id)"
                               " VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
                        .params = PARAMS(store_int(row->index), store_text(row->tenant_id),
                                         store_text(row->event_id), store_int(row->time_ms),
                                         tag_value(row->actor_tag), store_text(row->action),
                                         tag_value(row->target_tag), store_blob(row->key_id)),
                    });
}

/* ---- Finding ---- */

/* "SELECT ... IN (($1, $2), ($3, $4))": with as many places as a power of two, so that there are
 * few different statements. */
static const char *find_sql(struct arena *arena, size_t n)
{
    struct text sql = text_new(arena);

    text_add(&sql, "SELECT e.entry_index, e.tenant_id, e.event_id FROM (VALUES ");
    for (size_t i = 0; i < n; i++) {
        text_add(&sql, "%s($%zu, $%zu)", i > 0 ? ", " : "", 2 * i + 1, 2 * i + 2);
    }
    text_add(&sql, ") AS wanted JOIN audit_entry AS e"
                   " ON e.event_id = wanted.column1 AND e.tenant_id = wanted.column2");
    return text_string(&sql);
}

static size_t power_of_two(size_t n)
{
    size_t power = 1;

    while (power < n) {
        power *= 2;
    }
    return power;
}

static bool is_name(const struct store_rows *rows, size_t row, const struct audit_event_name *name)
{
    return strcmp(store_text_at(rows, row, 2), name->event_id) == 0 &&
           strcmp(store_text_at(rows, row, 1), name->tenant_id) == 0;
}

/* At most MAX_FIND. */
static status find_some(struct store *store, struct arena *arena,
                        const struct audit_event_name *names, size_t n, int64_t *ret_indices)
{
    size_t places = power_of_two(n);
    struct store_value *values = ARENA_NEW_ARRAY(arena, struct store_value, 2 * places);
    struct store_rows rows;

    for (size_t i = 0; i < places; i++) { /* the last fills the places that are left */
        const struct audit_event_name *name = &names[i < n ? i : n - 1];
        values[2 * i] = store_text(name->event_id);
        values[2 * i + 1] = store_text(name->tenant_id);
    }
    const struct store_statement query = {
        .sql = find_sql(arena, places),
        .params = { .values = values, .n_values = 2 * places },
    };
    TRY(store_query(store, arena, &query, &rows));
    for (size_t i = 0; i < n; i++) {
        ret_indices[i] = -1;
        for (size_t row = 0; row < rows.n_rows; row++) {
            if (is_name(&rows, row, &names[i])) {
                ret_indices[i] = store_int_at(&rows, row, 0);
            }
        }
    }
    return status_ok();
}

status audit_store_find(struct store *store, struct arena *arena,
                        const struct audit_event_name *names, size_t n, int64_t *ret_indices)
{
    for (size_t i = 0; i < n; i += MAX_FIND) {
        size_t some = n - i < MAX_FIND ? n - i : MAX_FIND;
        TRY(find_some(store, arena, names + i, some, ret_indices + i));
    }
    return status_ok();
}

status audit_store_find_any(struct store *store, struct arena *arena, const char *event_id,
                            int64_t *ret_index)
{
    const struct store_statement query = {
        .sql = "SELECT entry_index FROM audit_entry WHERE event_id = $1"
               " ORDER BY tenant_id LIMIT 1",
        .params = PARAMS(store_text(event_id)),
        .expect = EXPECT_ONE,
        .otherwise =
            status_error(arena, STATUS_NOT_FOUND, "there is no audit event '%s'", event_id),
    };
    struct store_rows rows;

    TRY(store_query(store, arena, &query, &rows));
    *ret_index = store_int_at(&rows, 0, 0);
    return status_ok();
}

/* ---- Listing ---- */

/* A statement that grows by conditions. */
struct condition_list {
    struct text sql;
    struct store_value values[16];
    size_t n_values;
};

static void add_condition(struct condition_list *list, const char *column, const char *operator,
                          struct store_value value)
{
    list->values[list->n_values++] = value;
    text_add(&list->sql, " %s %s %s $%zu", list->n_values == 1 ? "WHERE" : "AND", column, operator,
             list->n_values);
}

static void add_conditions(struct condition_list *list, const struct audit_filter *filter,
                           struct audit_place after)
{
    if (filter->tenant_id != NULL) {
        add_condition(list, "tenant_id", "=", store_text(filter->tenant_id));
    }
    if (filter->actor_tag.data != NULL) {
        add_condition(list, "actor_tag", "=", store_blob(filter->actor_tag));
    }
    if (filter->action != NULL) {
        add_condition(list, "action", "=", store_text(filter->action));
    }
    if (filter->target_tag.data != NULL) {
        add_condition(list, "target_tag", "=", store_blob(filter->target_tag));
    }
    add_condition(list, "time_ms", ">=", store_int(filter->start_ms));
    add_condition(list, "time_ms", "<", store_int(filter->end_ms));
    list->values[list->n_values++] = store_int(after.time_ms);
    list->values[list->n_values++] = store_int(after.index);
    text_add(&list->sql, " AND (time_ms, entry_index) < ($%zu, $%zu)", list->n_values - 1,
             list->n_values);
}

status audit_store_list(struct store *store, struct arena *arena, const struct audit_filter *filter,
                        struct audit_place after, size_t limit, struct audit_page *ret_page)
{
    struct condition_list list = { .sql = text_new(arena) };
    struct store_rows rows;

    text_add(&list.sql, "SELECT time_ms, entry_index FROM audit_entry");
    add_conditions(&list, filter, after);
    list.values[list.n_values++] = store_int((int64_t)limit + 1); /* one more, for more */
    text_add(&list.sql, " ORDER BY time_ms DESC, entry_index DESC LIMIT $%zu", list.n_values);
    const struct store_statement query = {
        .sql = text_string(&list.sql),
        .params = { .values = list.values, .n_values = list.n_values },
    };
    TRY(store_query(store, arena, &query, &rows));
    size_t n = rows.n_rows < limit ? rows.n_rows : limit;
    struct audit_place *places = ARENA_NEW_ARRAY(arena, struct audit_place, n);
    for (size_t i = 0; i < n; i++) {
        places[i] = (struct audit_place){ store_int_at(&rows, i, 0), store_int_at(&rows, i, 1) };
    }
    *ret_page = (struct audit_page){ .places = places, .n_places = n, .more = rows.n_rows > n };
    return status_ok();
}

/* ---- Erasing ---- */

void audit_store_blank(struct store_write *write, const char *tenant_id, bytes subject_tag)
{
    store_write_add(write, (struct store_statement){
                               .sql = "UPDATE audit_entry SET actor_tag = NULL, target_tag = NULL"
                                      " WHERE key_id IN (SELECT key_id FROM audit_key"
                                      " WHERE tenant_id = $1 AND subject_tag = $2)",
                               .params = PARAMS(store_text(tenant_id), store_blob(subject_tag)),
                           });
}
