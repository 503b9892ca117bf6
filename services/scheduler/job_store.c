#include "services/scheduler/job_store.h"

/* Never change a row that has been released; add one. */
static const struct store_migration migrations[] = {
    {
        .up = "CREATE TABLE job ("
              " tenant_id TEXT NOT NULL, job_id TEXT NOT NULL, state INTEGER NOT NULL,"
              " attempt BIGINT NOT NULL, rank_ms BIGINT NOT NULL, run_at_ms BIGINT NOT NULL,"
              " project_id TEXT NOT NULL, capability TEXT NOT NULL, principal TEXT NOT NULL, "
              "permissions TEXT NOT NULL,"
              " idempotency_key TEXT, trace TEXT NOT NULL, priority INTEGER NOT NULL,"
              " failures BIGINT NOT NULL, max_attempts BIGINT NOT NULL,"
              " enqueue_ms BIGINT NOT NULL, deadline_ms BIGINT NOT NULL, start_ms BIGINT NOT NULL,"
              " end_ms BIGINT NOT NULL, worker_id TEXT NOT NULL, code INTEGER NOT NULL,"
              " error TEXT NOT NULL, progress_done BIGINT NOT NULL,"
              " progress_total BIGINT NOT NULL, progress_message TEXT NOT NULL,"
              " result BLOB, payload BLOB, PRIMARY KEY (tenant_id, job_id))",
        .down = "DROP TABLE job",
    },
    {
        .up = "CREATE UNIQUE INDEX job_idempotency_key ON job (tenant_id, idempotency_key)"
              " WHERE idempotency_key IS NOT NULL",
        .down = "DROP INDEX job_idempotency_key",
    },
    {
        .up = "CREATE INDEX job_ready ON job (tenant_id, capability, rank_ms, job_id)"
              " WHERE state = 1",
        .down = "DROP INDEX job_ready",
    },
    {
        .up = "CREATE INDEX job_scheduled ON job (run_at_ms, tenant_id) WHERE state = 2",
        .down = "DROP INDEX job_scheduled",
    },
    {
        .up = "CREATE INDEX job_running ON job (tenant_id, job_id) WHERE state = 3",
        .down = "DROP INDEX job_running",
    },
    {
        .up = "CREATE INDEX job_project ON job (tenant_id, project_id, job_id)",
        .down = "DROP INDEX job_project",
    },
    {
        .up = "CREATE INDEX job_dead ON job (tenant_id, project_id, job_id) WHERE state = 6",
        .down = "DROP INDEX job_dead",
    },
    {
        .up = "CREATE INDEX job_ended ON job (end_ms) WHERE state >= 4",
        .down = "DROP INDEX job_ended",
    },
    {
        .up = "CREATE INDEX job_deadline ON job (deadline_ms) WHERE deadline_ms > 0 AND state <= 2",
        .down = "DROP INDEX job_deadline",
    },
    {
        .up = "CREATE TABLE job_error ("
              " tenant_id TEXT NOT NULL, job_id TEXT NOT NULL, attempt BIGINT NOT NULL,"
              " time_ms BIGINT NOT NULL, worker_id TEXT NOT NULL, code INTEGER NOT NULL,"
              " message TEXT NOT NULL, PRIMARY KEY (tenant_id, job_id, attempt))",
        .down = "DROP TABLE job_error",
    },
};

/* All but the two that are large. */
#define SMALL_COLUMNS                                                                     \
    "tenant_id, job_id, state, attempt, run_at_ms, project_id, capability, principal,"    \
    " permissions, idempotency_key, trace, priority, failures, max_attempts, enqueue_ms," \
    " deadline_ms, start_ms, end_ms, worker_id, code, error, progress_done,"              \
    " progress_total, progress_message"
#define COLUMNS SMALL_COLUMNS ", payload, result"

enum { N_SMALL_COLUMNS = 24 };

static struct job_record record_at(const struct store_rows *rows, size_t row)
{
    struct job_record job = {
        .tenant_id = store_text_at(rows, row, 0),
        .job_id = store_text_at(rows, row, 1),
        .state = (enum job_state)store_int_at(rows, row, 2),
        .attempt = store_int_at(rows, row, 3),
        .run_at_ms = store_int_at(rows, row, 4),
        .project_id = store_text_at(rows, row, 5),
        .capability = store_text_at(rows, row, 6),
        .principal = store_text_at(rows, row, 7),
        .permissions = store_text_at(rows, row, 8),
        .idempotency_key = store_text_at(rows, row, 9),
        .trace = store_text_at(rows, row, 10),
        .priority = store_int_at(rows, row, 11),
        .failures = store_int_at(rows, row, 12),
        .max_attempts = store_int_at(rows, row, 13),
        .enqueue_ms = store_int_at(rows, row, 14),
        .deadline_ms = store_int_at(rows, row, 15),
        .start_ms = store_int_at(rows, row, 16),
        .end_ms = store_int_at(rows, row, 17),
        .worker_id = store_text_at(rows, row, 18),
        .code = store_int_at(rows, row, 19),
        .error = store_text_at(rows, row, 20),
        .progress = { store_int_at(rows, row, 21), store_int_at(rows, row, 22),
                      store_text_at(rows, row, 23) },
    };

    if (rows->n_columns > N_SMALL_COLUMNS) {
        job.payload = store_blob_at(rows, row, N_SMALL_COLUMNS);
        job.result = store_blob_at(rows, row, N_SMALL_COLUMNS + 1);
    }
    return job;
}

status job_store_migrate(struct store *store, struct arena *arena)
{
    return store_migrate(store, arena, "scheduler", migrations,
                         sizeof migrations / sizeof migrations[0]);
}

/* What the query finds, at most limit of it; the query may find one more, to tell that. */
static status query_jobs(struct store *store, struct arena *arena,
                         const struct store_statement *query, size_t limit,
                         struct job_list *ret_list)
{
    struct store_rows rows;

    TRY(store_query(store, arena, query, &rows));
    size_t n = rows.n_rows < limit ? rows.n_rows : limit;
    struct job_record *jobs = ARENA_NEW_ARRAY(arena, struct job_record, n);
    for (size_t i = 0; i < n; i++) {
        jobs[i] = record_at(&rows, i);
    }
    *ret_list = (struct job_list){ .jobs = jobs, .n_jobs = n, .more = rows.n_rows > n };
    return status_ok();
}

static status query_job(struct store *store, struct arena *arena,
                        const struct store_statement *query, struct job_record *ret_job)
{
    struct store_rows rows;

    TRY(store_query(store, arena, query, &rows));
    *ret_job = record_at(&rows, 0);
    return status_ok();
}

/* ---- For callers ---- */

status job_store_get(struct store *store, struct arena *arena, const char *tenant_id,
                     const char *job_id, struct job_record *ret_job)
{
    const struct store_statement query = {
        .sql = "SELECT " COLUMNS " FROM job WHERE tenant_id = $1 AND job_id = $2",
        .params = PARAMS(store_text(tenant_id), store_text(job_id)),
        .expect = EXPECT_ONE,
        .otherwise = status_error(arena, STATUS_NOT_FOUND, "job '%s' does not exist", job_id),
    };

    return query_job(store, arena, &query, ret_job);
}

status job_store_find(struct store *store, struct arena *arena, const char *tenant_id,
                      const char *idempotency_key, struct job_record *ret_job)
{
    const struct store_statement query = {
        .sql = "SELECT " COLUMNS " FROM job WHERE tenant_id = $1 AND idempotency_key = $2",
        .params = PARAMS(store_text(tenant_id), store_text(idempotency_key)),
        .expect = EXPECT_ONE,
        .otherwise = status_error(arena, STATUS_NOT_FOUND, "no job was enqueued with key '%s'",
                                  idempotency_key),
    };

    return query_job(store, arena, &query, ret_job);
}

status job_store_list(struct store *store, struct arena *arena, const struct job_filter *filter,
                      struct job_list *ret_list)
{
    /* Dead letters have an index of their own, which SQLite takes only by the same words. */
#define LIST_JOBS(states)                                                        \
    "SELECT " SMALL_COLUMNS " FROM job WHERE tenant_id = $1 AND project_id = $2" \
    " AND ($3 = '' OR job_id < $3) AND " states " ORDER BY job_id DESC LIMIT $5"
    static const char all[] = LIST_JOBS("($4 = 0 OR state = $4)");
    static const char dead[] = LIST_JOBS("state = 6 AND $4 = 6");
#undef LIST_JOBS
    const struct store_statement query = {
        .sql = filter->state == JOB_DEAD ? dead : all,
        .params = PARAMS(store_text(filter->tenant_id), store_text(filter->project_id),
                         store_text(filter->before), store_int(filter->state),
                         store_int((int64_t)filter->limit + 1)),
    };

    return query_jobs(store, arena, &query, filter->limit, ret_list);
}

status job_store_errors(struct store *store, struct arena *arena, const char *tenant_id,
                        const char *job_id, struct job_error_list *ret_list)
{
    const struct store_statement query = {
        .sql = "SELECT attempt, time_ms, worker_id, code, message FROM job_error"
               " WHERE tenant_id = $1 AND job_id = $2 ORDER BY attempt DESC LIMIT $3",
        .params = PARAMS(store_text(tenant_id), store_text(job_id), store_int(JOB_SHOWN_ERRORS)),
    };
    struct store_rows rows;

    TRY(store_query(store, arena, &query, &rows));
    struct job_error *errors = ARENA_NEW_ARRAY(arena, struct job_error, rows.n_rows);
    for (size_t i = 0; i < rows.n_rows; i++) {
        errors[rows.n_rows - 1 - i] = (struct job_error){
            .attempt = store_int_at(&rows, i, 0),
            .time_ms = store_int_at(&rows, i, 1),
            .worker_id = store_text_at(&rows, i, 2),
            .code = store_int_at(&rows, i, 3),
            .message = store_text_at(&rows, i, 4),
        };
    }
    *ret_list = (struct job_error_list){ .errors = errors, .n_errors = rows.n_rows };
    return status_ok();
}

/* ---- For the engine ---- */

status job_store_ready(struct store *store, struct arena *arena, const char *tenant_id,
                       const char *capability, size_t limit, struct job_list *ret_list)
{
    const struct store_statement query = {
        .sql = "SELECT " COLUMNS " FROM job WHERE state = 1 AND tenant_id = $1"
               " AND capability = $2 ORDER BY rank_ms, job_id LIMIT $3",
        .params =
            PARAMS(store_text(tenant_id), store_text(capability), store_int((int64_t)limit + 1)),
    };

    return query_jobs(store, arena, &query, limit, ret_list);
}

status job_store_due(struct store *store, struct arena *arena, int64_t now_ms, size_t limit,
                     struct job_list *ret_list)
{
    const struct store_statement query = {
        .sql = "SELECT " COLUMNS " FROM job WHERE state = 2 AND run_at_ms <= $1"
               " ORDER BY run_at_ms LIMIT $2",
        .params = PARAMS(store_int(now_ms), store_int((int64_t)limit + 1)),
    };

    return query_jobs(store, arena, &query, limit, ret_list);
}

status job_store_next_due(struct store *store, struct arena *arena, int64_t *ret_ms)
{
    static const struct store_statement query = {
        .sql = "SELECT run_at_ms FROM job WHERE state = 2 ORDER BY run_at_ms LIMIT 1",
    };
    struct store_rows rows;

    TRY(store_query(store, arena, &query, &rows));
    *ret_ms = rows.n_rows == 0 ? INT64_MAX : store_int_at(&rows, 0, 0);
    return status_ok();
}

status job_store_overdue(struct store *store, struct arena *arena, int64_t now_ms, size_t limit,
                         struct job_list *ret_list)
{
    const struct store_statement query = {
        .sql = "SELECT " SMALL_COLUMNS " FROM job WHERE deadline_ms > 0 AND state <= 2"
               " AND deadline_ms <= $1 ORDER BY deadline_ms LIMIT $2",
        .params = PARAMS(store_int(now_ms), store_int((int64_t)limit + 1)),
    };

    return query_jobs(store, arena, &query, limit, ret_list);
}

status job_store_running(struct store *store, struct arena *arena, const char *after_tenant,
                         const char *after_job, size_t limit, struct job_list *ret_list)
{
    const struct store_statement query = {
        .sql = "SELECT " COLUMNS " FROM job WHERE state = 3 AND (tenant_id, job_id) > ($1, $2)"
               " ORDER BY tenant_id, job_id LIMIT $3",
        .params =
            PARAMS(store_text(after_tenant), store_text(after_job), store_int((int64_t)limit + 1)),
    };

    return query_jobs(store, arena, &query, limit, ret_list);
}

status job_store_next_lane(struct store *store, struct arena *arena, const char *tenant_id,
                           const char *capability, struct job_record *ret_lane, bool *ret_found)
{
    const struct store_statement query = {
        .sql = "SELECT tenant_id, capability FROM job WHERE state = 1"
               " AND (tenant_id, capability) > ($1, $2)"
               " ORDER BY tenant_id, capability LIMIT 1",
        .params = PARAMS(store_text(tenant_id), store_text(capability)),
    };
    struct store_rows rows;

    TRY(store_query(store, arena, &query, &rows));
    *ret_found = rows.n_rows > 0;
    if (*ret_found) {
        *ret_lane = (struct job_record){
            .tenant_id = store_text_at(&rows, 0, 0),
            .capability = store_text_at(&rows, 0, 1),
        };
    }
    return status_ok();
}

status job_store_count_open(struct store *store, struct arena *arena,
                            struct job_count_list *ret_list)
{
    /* Each part is answered by an index alone. */
    static const struct store_statement query = {
        .sql = "SELECT tenant_id, sum(n) FROM ("
               "SELECT tenant_id, count(*) AS n FROM job WHERE state = 1 GROUP BY tenant_id"
               " UNION ALL"
               " SELECT tenant_id, count(*) FROM job WHERE state = 2 GROUP BY tenant_id"
               " UNION ALL"
               " SELECT tenant_id, count(*) FROM job WHERE state = 3 GROUP BY tenant_id"
               ") AS open GROUP BY tenant_id",
    };
    struct store_rows rows;

    TRY(store_query(store, arena, &query, &rows));
    struct job_count *counts = ARENA_NEW_ARRAY(arena, struct job_count, rows.n_rows);
    for (size_t i = 0; i < rows.n_rows; i++) {
        counts[i] = (struct job_count){ store_text_at(&rows, i, 0), store_int_at(&rows, i, 1) };
    }
    *ret_list = (struct job_count_list){ .counts = counts, .n_counts = rows.n_rows };
    return status_ok();
}

status job_store_tenants(struct store *store, struct arena *arena, struct job_tenants *ret_tenants)
{
    /* One step in the primary key for each tenant, however many jobs it has. */
    static const struct store_statement query = {
        .sql = "WITH RECURSIVE tenant (id) AS (SELECT min(tenant_id) FROM job UNION ALL"
               " SELECT (SELECT min(tenant_id) FROM job WHERE tenant_id > tenant.id)"
               " FROM tenant WHERE tenant.id IS NOT NULL)"
               " SELECT id FROM tenant WHERE id IS NOT NULL",
    };
    struct store_rows rows;

    TRY(store_query(store, arena, &query, &rows));
    const char **ids = ARENA_NEW_ARRAY(arena, const char *, rows.n_rows);
    for (size_t i = 0; i < rows.n_rows; i++) {
        ids[i] = store_text_at(&rows, i, 0);
    }
    *ret_tenants = (struct job_tenants){ .ids = ids, .n_ids = rows.n_rows };
    return status_ok();
}

status job_store_open(struct store *store, struct arena *arena, const char *tenant_id,
                      const char *after, size_t limit, struct job_list *ret_list)
{
    const struct store_statement query = {
        .sql = "SELECT " SMALL_COLUMNS " FROM job WHERE tenant_id = $1 AND job_id > $2"
               " AND state <= 3 ORDER BY job_id LIMIT $3",
        .params = PARAMS(store_text(tenant_id), store_text(after), store_int((int64_t)limit + 1)),
    };

    return query_jobs(store, arena, &query, limit, ret_list);
}

status job_store_has_ended(struct store *store, struct arena *arena, const char *tenant_id,
                           size_t n, bool *ret_more)
{
    const struct store_statement query = {
        .sql = "SELECT job_id FROM job WHERE tenant_id = $1 AND state >= 4 LIMIT 1 OFFSET $2",
        .params = PARAMS(store_text(tenant_id), store_int((int64_t)n)),
    };
    struct store_rows rows;

    TRY(store_query(store, arena, &query, &rows));
    *ret_more = rows.n_rows > 0;
    return status_ok();
}

status job_store_newest_end(struct store *store, struct arena *arena, int64_t n, int64_t *ret_ms)
{
    const struct store_statement query = {
        .sql = "SELECT end_ms FROM job WHERE state >= 4 ORDER BY end_ms DESC LIMIT 1 OFFSET $1",
        .params = PARAMS(store_int(n)),
    };
    struct store_rows rows;

    TRY(store_query(store, arena, &query, &rows));
    *ret_ms = rows.n_rows == 0 ? 0 : store_int_at(&rows, 0, 0);
    return status_ok();
}

status job_store_has_old(struct store *store, struct arena *arena,
                         const struct job_retention *retention, bool *ret_found)
{
    const struct store_statement query = {
        .sql = "SELECT 1 FROM job WHERE " JOB_IS_OLD " LIMIT 1",
        .params = PARAMS(store_int(retention->before_ms), store_int(retention->dead_before_ms),
                         store_int(retention->keyed_before_ms)),
    };
    struct store_rows rows;

    TRY(store_query(store, arena, &query, &rows));
    *ret_found = rows.n_rows > 0;
    return status_ok();
}
