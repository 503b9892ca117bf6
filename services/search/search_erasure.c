#include "services/search/search_erasure.h"

#include "libs/audit/outbox.h"
#include "libs/base/status_details.h"
#include "libs/base/text.h"

#include <stdatomic.h>
#include <string.h>

/* Never change a row that has been released; add one. */
static const struct store_migration migrations[] = {
    {
        .up = "CREATE TABLE search_erasure (tenant_id TEXT PRIMARY KEY)",
        .down = "DROP TABLE search_erasure",
    },
};

status search_erasure_migrate(struct store *store, struct arena *arena)
{
    return store_migrate(store, arena, "search_erasure", migrations,
                         sizeof migrations / sizeof migrations[0]);
}

/* ---- Who is here ---- */

static bool has(const struct engine_tenants *tenants, const char *id)
{
    for (size_t i = 0; i < tenants->n_ids; i++) {
        if (strcmp(tenants->ids[i], id) == 0) {
            return true;
        }
    }
    return false;
}

/* Those with collections, and those whose erasure has begun. */
static status tenants(void *data, struct arena *arena, struct eraser_tenants *ret_tenants)
{
    static const struct store_statement query = { .sql = "SELECT tenant_id FROM search_erasure" };
    const struct search_erasure *self = data;
    struct store_rows rows;

    TRY(store_query(self->store, arena, &query, &rows));
    const struct engine_tenants here = search_engine_tenants(self->engine, arena);
    const char **ids = ARENA_NEW_ARRAY(arena, const char *, here.n_ids + rows.n_rows);
    size_t n = 0;
    while (n < here.n_ids) {
        ids[n] = here.ids[n];
        n++;
    }
    for (size_t i = 0; i < rows.n_rows; i++) {
        if (!has(&here, store_text_at(&rows, i, 0))) {
            ids[n++] = store_text_at(&rows, i, 0);
        }
    }
    *ret_tenants = (struct eraser_tenants){ ids, n };
    return status_ok();
}

/* ---- An erasure ---- */

static status begin(const struct search_erasure *self, struct arena *arena, const char *tenant_id)
{
    struct store_write *write = store_write_new(arena);

    store_write_add(write, (struct store_statement){
                               .sql = "INSERT INTO search_erasure (tenant_id) VALUES ($1)"
                                      " ON CONFLICT DO NOTHING",
                               .params = PARAMS(store_text(tenant_id)),
                           });
    return store_commit(self->store, arena, write);
}

/* Between other changes, each of which applies first what one of the tenant's may have left. */
static status drop(const struct search_erasure *self, struct arena *arena,
                   const struct collection_name *name)
{
    TRY(search_changes_begin(self->changes, arena));
    status s = search_engine_drop(self->engine, arena, name);
    search_changes_end(self->changes);
    return s.code == STATUS_NOT_FOUND ? status_ok() : s; /* by its own owner, meanwhile */
}

static status drop_all(const struct search_erasure *self, struct arena *arena,
                       const char *tenant_id, const _Atomic bool *stopping)
{
    struct collection_info *infos = NULL;
    size_t n = 0;

    search_engine_list(self->engine, arena, tenant_id, NULL, &infos, &n);
    for (size_t i = 0; i < n && !atomic_load(stopping); i++) {
        TRY(drop(self, arena, &infos[i].name));
    }
    return status_ok();
}

static status scrub(const struct search_erasure *self, struct arena *arena,
                    const _Atomic bool *stopping)
{
    struct arena *scratch = arena_new();
    status s = status_ok();
    uint64_t at = 0;

    for (bool more = true; more && status_is_ok(s);) {
        arena_reset(scratch);
        s = atomic_load(stopping) ? status_error(scratch, STATUS_CANCELLED, "the process ends")
                                  : search_engine_scrub(self->engine, scratch, &at, &more);
    }
    s = status_copy(arena, s);
    arena_free(scratch);
    return s;
}

static status end(const struct search_erasure *self, struct arena *arena, const char *tenant_id)
{
    struct store_write *write = store_write_new(arena);

    store_write_add(write, (struct store_statement){
                               .sql = "DELETE FROM search_erasure WHERE tenant_id = $1",
                               .params = PARAMS(store_text(tenant_id)),
                           });
    write_audit_by_itself(write, self->random, self->spiffe_id, "tenant.erase",
                          arena_printf(arena, "tenant:%s", tenant_id), clock_wall_ms(self->clock));
    return store_commit(self->store, arena, write);
}

static status erase(void *data, struct arena *arena, const char *tenant_id,
                    const _Atomic bool *stopping)
{
    const struct search_erasure *self = data;

    TRY(begin(self, arena, tenant_id));
    TRY(drop_all(self, arena, tenant_id, stopping));
    TRY(scrub(self, arena, stopping));
    return end(self, arena, tenant_id);
}

const struct eraser_ops search_erasure_ops = { .tenants = tenants, .erase = erase };
