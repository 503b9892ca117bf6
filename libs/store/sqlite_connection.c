#include "libs/store/sqlite_connection.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Somebody else has the file: another process, for the writers of one process take turns.  So long
 * may a backup hold it. */
enum { BUSY_TIMEOUT_MS = 5000 };

static char *duplicate(const char *text)
{
    char *copy = strdup(text);

    if (copy == NULL) {
        abort();
    }
    return copy;
}

/* INTERNAL for what is wrong with the SQL, RESOURCE_EXHAUSTED for a full disk, DATA_LOSS for a file
 * that is damaged or no database, UNAVAILABLE for the rest: disk, lock, file. */
static enum status_code code_of(sqlite3 *db)
{
    switch (sqlite3_errcode(db)) {
    case SQLITE_ERROR:
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_RANGE:
    case SQLITE_MISUSE:
    case SQLITE_READONLY:
        return STATUS_INTERNAL;
    case SQLITE_FULL:
        return STATUS_RESOURCE_EXHAUSTED;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return STATUS_DATA_LOSS;
    case SQLITE_CANTOPEN:
    case SQLITE_IOERR:
        return sqlite3_system_errno(db) == ENOSPC ? STATUS_RESOURCE_EXHAUSTED : STATUS_UNAVAILABLE;
    default:
        return STATUS_UNAVAILABLE;
    }
}

static status sqlite_status(struct arena *arena, sqlite3 *db, const char *doing)
{
    enum status_code code = code_of(db);

    return code == STATUS_RESOURCE_EXHAUSTED
               ? status_error(arena, code, "the disk is full; nothing was written")
               : status_error(arena, code, "%s: %s", doing, sqlite3_errmsg(db));
}

/* ---- Connections ---- */

void connection_free(struct connection *connection)
{
    for (size_t i = 0; i < CONNECTION_MAX_CACHED; i++) {
        (void)sqlite3_finalize(connection->cache[i].statement);
        free(connection->cache[i].sql);
    }
    (void)sqlite3_close(connection->db);
    free(connection);
}

/* "unable to open database file" alone helps nobody. */
static const char *opening(struct arena *arena, sqlite3 *db, const char *path)
{
    int error = sqlite3_system_errno(db);

    return error == 0 ? arena_printf(arena, "open '%s'", path)
                      : arena_printf(arena, "open '%s' (%s)", path, strerror(error));
}

status connection_new(struct arena *arena, const char *path, const char *vfs, const char *pragmas,
                      struct connection **ret_connection)
{
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL) {
        abort();
    }
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(path, &connection->db, flags, vfs) != SQLITE_OK ||
        sqlite3_busy_timeout(connection->db, BUSY_TIMEOUT_MS) != SQLITE_OK ||
        sqlite3_exec(connection->db, pragmas, NULL, NULL, NULL) != SQLITE_OK) {
        status s = sqlite_status(arena, connection->db, opening(arena, connection->db, path));
        connection_free(connection);
        return s;
    }
    *ret_connection = connection;
    return status_ok();
}

bool connection_is_idle(const struct connection *connection)
{
    return sqlite3_get_autocommit(connection->db) != 0;
}

/* ---- One statement ---- */

static status prepare(struct connection *connection, struct arena *arena, const char *sql,
                      sqlite3_stmt **ret_statement)
{
    for (size_t i = 0; i < CONNECTION_MAX_CACHED; i++) {
        if (connection->cache[i].sql != NULL && strcmp(connection->cache[i].sql, sql) == 0) {
            *ret_statement = connection->cache[i].statement;
            return status_ok();
        }
    }
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(connection->db, sql, -1, &statement, NULL) != SQLITE_OK) {
        return sqlite_status(arena, connection->db, sql);
    }
    struct prepared *victim = &connection->cache[connection->next_victim++ % CONNECTION_MAX_CACHED];
    (void)sqlite3_finalize(victim->statement);
    free(victim->sql);
    *victim = (struct prepared){ .sql = duplicate(sql), .statement = statement };
    *ret_statement = statement;
    return status_ok();
}

static int bind_value(sqlite3_stmt *statement, int i, const struct store_value *value)
{
    switch (value->type) {
    case STORE_INT:
        return sqlite3_bind_int64(statement, i, value->number);
    case STORE_TEXT:
        return sqlite3_bind_text(statement, i, value->text, -1, SQLITE_STATIC);
    case STORE_BLOB:
        return sqlite3_bind_blob64(statement, i, value->blob.data, value->blob.size, SQLITE_STATIC);
    case STORE_NULL:
        break;
    }
    return sqlite3_bind_null(statement, i);
}

/* To SQLite $1 is not the first parameter but one named "$1". */
static status bind_params(struct connection *connection, struct arena *arena,
                          sqlite3_stmt *statement, const struct store_params *params)
{
    for (size_t i = 0; i < params->n_values; i++) {
        char name[24];
        (void)snprintf(name, sizeof name, "$%zu", i + 1);
        int index = sqlite3_bind_parameter_index(statement, name);
        if (index == 0) {
            return status_error(arena, STATUS_INTERNAL, "no %s in: %s", name,
                                sqlite3_sql(statement));
        }
        if (bind_value(statement, index, &params->values[i]) != SQLITE_OK) {
            return sqlite_status(arena, connection->db, sqlite3_sql(statement));
        }
    }
    return status_ok();
}

/* Lets go of what the parameters point to, and of the read lock. */
static void clear_statement(sqlite3_stmt **statement)
{
    if (*statement != NULL) {
        (void)sqlite3_reset(*statement);
        (void)sqlite3_clear_bindings(*statement);
    }
}

/* ---- Queries ---- */

static struct store_value column_value(struct arena *arena, sqlite3_stmt *statement, int column)
{
    switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER:
        return store_int(sqlite3_column_int64(statement, column));
    case SQLITE_NULL:
        return (struct store_value){ .type = STORE_NULL };
    default:
        break;
    }
    bool is_blob = sqlite3_column_type(statement, column) == SQLITE_BLOB;
    const void *data = is_blob ? sqlite3_column_blob(statement, column)
                               : (const void *)sqlite3_column_text(statement, column);
    size_t size = (size_t)sqlite3_column_bytes(statement, column);
    char *copy = arena_alloc(arena, size + 1);
    if (size > 0) {
        memcpy(copy, data, size);
    }
    return is_blob ? store_blob((bytes){ (const uint8_t *)copy, size }) : store_text(copy);
}

/* Rows that double their room as they come. */
struct collector {
    struct arena *arena;
    struct store_value *values;
    size_t n_values;
    size_t capacity;
};

static void collect(struct collector *self, struct store_value value)
{
    if (self->n_values == self->capacity) {
        size_t capacity = self->capacity * 2 + 16;
        struct store_value *values = ARENA_NEW_ARRAY(self->arena, struct store_value, capacity);
        if (self->n_values > 0) {
            memcpy(values, self->values, self->n_values * sizeof *values);
        }
        self->values = values;
        self->capacity = capacity;
    }
    self->values[self->n_values++] = value;
}

status connection_query(struct connection *connection, struct arena *arena,
                        const struct store_statement *query, struct store_rows *ret_rows)
{
    CLEANUP(clear_statement) sqlite3_stmt *statement = NULL;
    struct collector collector = { .arena = arena };
    size_t n_rows = 0;
    int code;

    TRY(prepare(connection, arena, query->sql, &statement));
    TRY(bind_params(connection, arena, statement, &query->params));
    int n_columns = sqlite3_column_count(statement);
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        if (++n_rows > STORE_MAX_ROWS) {
            return status_error(arena, STATUS_RESOURCE_EXHAUSTED, "more than %d rows: %s",
                                STORE_MAX_ROWS, query->sql);
        }
        for (int i = 0; i < n_columns; i++) {
            collect(&collector, column_value(arena, statement, i));
        }
    }
    if (code != SQLITE_DONE) {
        return sqlite_status(arena, connection->db, query->sql);
    }
    *ret_rows = (struct store_rows){
        .values = collector.values,
        .n_rows = n_rows,
        .n_columns = (size_t)n_columns,
    };
    return status_ok();
}

/* ---- Changes ---- */

status connection_run(struct connection *connection, struct arena *arena,
                      const struct store_statement *change)
{
    CLEANUP(clear_statement) sqlite3_stmt *statement = NULL;
    int code;

    TRY(prepare(connection, arena, change->sql, &statement));
    TRY(bind_params(connection, arena, statement, &change->params));
    int before = sqlite3_total_changes(connection->db);
    do {
        code = sqlite3_step(statement); /* RETURNING gives rows, which a write does not read */
    } while (code == SQLITE_ROW);
    if (code != SQLITE_DONE) {
        return sqlite_status(arena, connection->db, change->sql);
    }
    /* Only the total tells a statement that changed nothing from one that cannot; only the
     * other leaves out what triggers and foreign keys did. */
    bool changed = sqlite3_total_changes(connection->db) != before;
    return store_check_expected(change, changed ? (size_t)sqlite3_changes(connection->db) : 0);
}

/* BEGIN, SAVEPOINT and the like, which have nothing to bind. */
status connection_control(struct connection *connection, struct arena *arena, const char *sql)
{
    const struct store_statement statement = { .sql = sql };

    return connection_run(connection, arena, &statement);
}
