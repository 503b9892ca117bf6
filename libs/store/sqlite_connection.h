/* sqlite_connection - one connection to a SQLite file, its compiled statements, and the way of
 * values in and out.
 *
 * Used by one thread at a time.
 */

#ifndef LIBS_STORE_SQLITE_CONNECTION_H_
#define LIBS_STORE_SQLITE_CONNECTION_H_

#include "libs/base/attributes.h"
#include "libs/store/store.h"

#include <sqlite3.h>
#include <stdbool.h>

/* What one service says again and again; each costs some 3 KiB. */
enum { CONNECTION_MAX_CACHED = 32 };

/* A statement that has been compiled, under its text. */
struct prepared {
    char *sql;
    sqlite3_stmt *statement;
};

struct connection {
    sqlite3 *db;
    struct prepared cache[CONNECTION_MAX_CACHED];
    size_t next_victim;
    struct connection *next; /* for whoever keeps several */
};

/* Opens path through vfs and executes pragmas.  The caller owns the connection:
 * connection_free(). */
status connection_new(struct arena *arena, const char *path, const char *vfs, const char *pragmas,
                      struct connection **ret_connection) NONNULL;
void connection_free(struct connection *connection) NONNULL;

/* Runs a statement that gives rows. */
status connection_query(struct connection *connection, struct arena *arena,
                        const struct store_statement *query, struct store_rows *ret_rows) NONNULL;

/* Runs one that changes something, and checks how many rows it changed. */
status connection_run(struct connection *connection, struct arena *arena,
                      const struct store_statement *change) NONNULL;

/* BEGIN, SAVEPOINT and the like, which have nothing to bind. */
status connection_control(struct connection *connection, struct arena *arena, const char *sql)
    NONNULL;

/* Whether no transaction is open: SQLite ends one by itself on some errors. */
bool connection_is_idle(const struct connection *connection) NONNULL;

#endif
