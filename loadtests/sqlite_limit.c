#include "loadtests/sqlite_limit.h"

#include "libs/base/clock.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <unistd.h>

static const char schema[] =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
    "CREATE TABLE job (job_id INTEGER PRIMARY KEY, tenant TEXT, capability TEXT, payload BLOB,"
    " state INTEGER, attempt INTEGER, end_ms INTEGER);"
    "CREATE INDEX job_state ON job (state, job_id)";

/* X(name, sql) */
#define STATEMENTS(X)                                                                        \
    X(begin, "BEGIN IMMEDIATE")                                                              \
    X(commit, "COMMIT")                                                                      \
    X(add, "INSERT INTO job VALUES (?1, 'bench', 'noop',"                                    \
           " x'00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff', 1, 0, 0)") \
    X(start, "UPDATE job SET state = 3, attempt = 1 WHERE job_id = ?1")                      \
    X(end, "UPDATE job SET state = 4, end_ms = 1 WHERE job_id = ?1 AND attempt = 1")

enum statement {
#define X(name, sql) STATEMENT_##name,
    STATEMENTS(X) N_STATEMENTS
#undef X
};

struct sqlite_limit {
    sqlite3 *db;
    sqlite3_stmt *statements[N_STATEMENTS];
    int64_t last_id;
    const char *path; /* arena */
};

static status failed(struct arena *arena, struct sqlite_limit *self)
{
    return status_error(arena, STATUS_UNAVAILABLE, "sqlite: %s", sqlite3_errmsg(self->db));
}

static status prepare(struct arena *arena, struct sqlite_limit *self)
{
    static const char *const sql[] = {
#define X(name, text) text,
        STATEMENTS(X) /* NOLINT(bugprone-suspicious-missing-comma): statements of several lines */
#undef X
    };

    if (sqlite3_open(self->path, &self->db) != SQLITE_OK ||
        sqlite3_exec(self->db, schema, NULL, NULL, NULL) != SQLITE_OK) {
        return failed(arena, self);
    }
    for (size_t i = 0; i < N_STATEMENTS; i++) {
        if (sqlite3_prepare_v2(self->db, sql[i], -1, &self->statements[i], NULL) != SQLITE_OK) {
            return failed(arena, self);
        }
    }
    return status_ok();
}

status sqlite_limit_new(struct arena *arena, const char *folder, struct sqlite_limit **ret)
{
    struct sqlite_limit *self = calloc(1, sizeof *self);

    if (self == NULL) {
        abort();
    }
    self->path = arena_printf(arena, "%s/sqlite_limit.db", folder);
    (void)unlink(self->path);
    status s = prepare(arena, self);
    if (!status_is_ok(s)) {
        sqlite_limit_free(self);
        return s;
    }
    *ret = self;
    return status_ok();
}

void sqlite_limit_free(struct sqlite_limit *self)
{
    if (self == NULL) {
        return;
    }
    for (size_t i = 0; i < N_STATEMENTS; i++) {
        (void)sqlite3_finalize(self->statements[i]);
    }
    (void)sqlite3_close(self->db); /* the last connection: the log goes with it */
    (void)unlink(self->path);
    free(self);
}

static bool step(struct sqlite_limit *self, enum statement statement, int64_t id)
{
    sqlite3_stmt *prepared = self->statements[statement];

    if (sqlite3_bind_parameter_count(prepared) > 0) {
        (void)sqlite3_bind_int64(prepared, 1, id);
    }
    bool ok = sqlite3_step(prepared) == SQLITE_DONE;
    (void)sqlite3_reset(prepared);
    return ok;
}

/* One statement for each job of a batch, and a commit. */
static status commit(struct sqlite_limit *self, struct arena *arena, enum statement statement,
                     size_t batch)
{
    bool ok = step(self, STATEMENT_begin, 0);

    for (size_t i = 1; ok && i <= batch; i++) {
        ok = step(self, statement, self->last_id + (int64_t)i);
    }
    ok = ok && step(self, STATEMENT_commit, 0);
    return ok ? status_ok() : failed(arena, self);
}

status sqlite_limit_jobs(struct sqlite_limit *self, struct arena *arena, size_t batch,
                         int64_t run_ms, double *ret_jobs_per_s)
{
    int64_t start_us = clock_monotonic_us(&system_clock);
    int64_t now_us = start_us;
    size_t n = 0;

    for (; now_us < start_us + run_ms * 1000; n += batch) {
        TRY(commit(self, arena, STATEMENT_add, batch));
        TRY(commit(self, arena, STATEMENT_start, batch));
        TRY(commit(self, arena, STATEMENT_end, batch));
        self->last_id += (int64_t)batch;
        now_us = clock_monotonic_us(&system_clock);
    }
    *ret_jobs_per_s = (double)n * 1e6 / (double)(now_us - start_us);
    return status_ok();
}

status sqlite_limit_add(struct sqlite_limit *self, struct arena *arena, size_t n, double *ret_ms)
{
    for (size_t i = 0; i < n; i++) {
        int64_t start_us = clock_monotonic_us(&system_clock);
        TRY(commit(self, arena, STATEMENT_add, 1));
        self->last_id++;
        ret_ms[i] = (double)(clock_monotonic_us(&system_clock) - start_us) / 1e3;
    }
    return status_ok();
}
