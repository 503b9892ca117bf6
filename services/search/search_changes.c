#include "services/search/search_changes.h"

#include "libs/audit/outbox.h"
#include "services/search/pack.h"

enum { RECOVER_AT_ONCE = 100 };

/* Never change a row that has been released; add one. */
static const struct store_migration migrations[] = {
    {
        .up = "CREATE TABLE search_intent ("
              " tenant_id TEXT NOT NULL, intent_id TEXT NOT NULL, kind INTEGER NOT NULL,"
              " project_id TEXT NOT NULL, collection_id TEXT NOT NULL, payload BYTEA NOT NULL,"
              " PRIMARY KEY (tenant_id, intent_id))",
        .down = "DROP TABLE search_intent",
    },
};

status search_changes_migrate(struct store *store, struct arena *arena)
{
    return store_migrate(store, arena, "search_intent", migrations,
                         sizeof migrations / sizeof migrations[0]);
}

void search_changes_init(struct search_changes *self, struct search_engine *engine,
                         struct store *store, const struct clock *clock,
                         const struct random_source *random)
{
    *self = (struct search_changes){
        .engine = engine,
        .store = store,
        .clock = clock,
        .random = random,
    };
    pthread_mutex_init(&self->lock, NULL);
}

void search_changes_reset(struct search_changes *self)
{
    pthread_mutex_destroy(&self->lock);
}

/* ---- An intent's payload: the schema, or the ids ---- */

static bytes pack_change(struct arena *arena, const struct search_change *change)
{
    struct text out = text_new(arena);

    if (change->kind == CHANGE_CREATE) {
        search_schema_pack(&change->schema, &out);
    }
    for (size_t i = 0; i < change->n_ids; i++) {
        pack_string(&out, change->ids[i]);
    }
    return (bytes){ (const uint8_t *)text_string(&out), out.size };
}

static status unpack_change(struct arena *arena, bytes payload, struct search_change *change)
{
    struct unpack in = unpack_of(payload);
    bytes *ids = ARENA_NEW_ARRAY(arena, bytes, payload.size / 2 + 1); /* of a byte at least */

    if (change->kind == CHANGE_CREATE) {
        search_schema_unpack(&in, arena, &change->schema);
    }
    while (unpack_left(&in) > 0 && !in.failed) {
        ids[change->n_ids++] = unpack_string(&in);
    }
    change->ids = ids;
    return in.failed ? status_error(arena, STATUS_DATA_LOSS, "an intent in the store is broken")
                     : status_ok();
}

/* ---- Applying ---- */

static status delete_documents(struct search_changes *self, struct arena *arena,
                               const struct search_change *change)
{
    struct search_write *writes = ARENA_NEW_ARRAY(arena, struct search_write, change->n_ids);

    for (size_t i = 0; i < change->n_ids; i++) {
        writes[i].id = change->ids[i];
    }
    TRY(search_engine_write(self->engine, arena, &change->name, writes, change->n_ids));
    for (size_t i = 0; i < change->n_ids; i++) {
        TRY(writes[i].result);
    }
    return status_ok();
}

/* Once or twice: what is gone already is gone. */
static status apply(struct search_changes *self, struct arena *arena,
                    const struct search_change *change)
{
    status s;

    if (change->kind == CHANGE_CREATE) {
        return search_engine_create(self->engine, arena, &change->name, &change->schema);
    }
    s = change->kind == CHANGE_DROP ? search_engine_drop(self->engine, arena, &change->name)
                                    : delete_documents(self, arena, change);
    return s.code == STATUS_NOT_FOUND ? status_ok() : s;
}

static status forget(struct search_changes *self, struct arena *arena, const char *tenant,
                     const char *intent)
{
    struct store_write *write = store_write_new(arena);

    store_write_add(write, (struct store_statement){
                               .sql = "DELETE FROM search_intent"
                                      " WHERE tenant_id = $1 AND intent_id = $2",
                               .params = PARAMS(store_text(tenant), store_text(intent)),
                           });
    return store_commit(self->store, arena, write);
}

static status recover_row(struct search_changes *self, struct arena *arena,
                          const struct store_rows *rows, size_t row)
{
    struct search_change change = {
        .kind = (enum search_change_kind)store_int_at(rows, row, 2),
        .name = { store_text_at(rows, row, 0), store_text_at(rows, row, 3),
                  store_text_at(rows, row, 4) },
    };

    TRY(unpack_change(arena, store_blob_at(rows, row, 5), &change));
    TRY(apply(self, arena, &change));
    return forget(self, arena, change.name.tenant, store_text_at(rows, row, 1));
}

/* The lock is held, or nobody else is there yet. */
static status recover(struct search_changes *self, struct arena *arena)
{
    const struct store_statement query = {
        .sql = "SELECT tenant_id, intent_id, kind, project_id, collection_id, payload"
               " FROM search_intent ORDER BY intent_id LIMIT $1", /* ULIDs: oldest first */
        .params = PARAMS(store_int(RECOVER_AT_ONCE)),
    };
    struct store_rows rows;

    do {
        TRY(store_query(self->store, arena, &query, &rows));
        for (size_t i = 0; i < rows.n_rows; i++) {
            TRY(recover_row(self, arena, &rows, i));
        }
    } while (rows.n_rows == RECOVER_AT_ONCE);
    self->pending = false;
    return status_ok();
}

status search_changes_recover(struct search_changes *self, struct arena *arena)
{
    return recover(self, arena);
}

/* ---- Making ---- */

status search_changes_begin(struct search_changes *self, struct arena *arena)
{
    pthread_mutex_lock(&self->lock);
    status s = self->pending ? recover(self, arena) : status_ok();
    if (!status_is_ok(s)) {
        pthread_mutex_unlock(&self->lock);
    }
    return s;
}

void search_changes_end(struct search_changes *self)
{
    pthread_mutex_unlock(&self->lock);
}

static void write_intent(struct store_write *write, struct arena *arena,
                         const struct search_change *change, const char *intent)
{
    store_write_add(write,
                    (struct store_statement){
                        .sql = "INSERT INTO search_intent"
                               " (tenant_id, intent_id, kind, project_id, collection_id, payload)"
                               " VALUES ($1, $2, $3, $4, $5, $6)",
                        .params = PARAMS(store_text(change->name.tenant), store_text(intent),
                                         store_int(change->kind), store_text(change->name.project),
                                         store_text(change->name.collection),
                                         store_blob(pack_change(arena, change))),
                    });
}

status search_changes_make(struct search_changes *self, struct call *call,
                           const struct search_change *change, const char *action,
                           const char *target)
{
    struct store_write *write = store_write_new(call->arena);
    int64_t now_ms = clock_wall_ms(self->clock);
    const char *intent = random_ulid(self->random, call->arena, now_ms);

    write_intent(write, call->arena, change, intent);
    write_audit(write, call, action, target, now_ms);
    self->pending = true; /* also when it is not known whether it was committed */
    TRY(store_commit(self->store, call->arena, write));
    TRY(apply(self, call->arena, change));
    TRY(forget(self, call->arena, change->name.tenant, intent));
    self->pending = false;
    return status_ok();
}

status search_changes_tell(struct search_changes *self, struct call *call, const char *action,
                           const char *target)
{
    struct store_write *write = store_write_new(call->arena);

    write_audit(write, call, action, target, clock_wall_ms(self->clock));
    return store_commit(self->store, call->arena, write);
}
