#include "libs/audit/audit_leaf.h"
#include "services/audit/audit_engine_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* Rows of one commit: the more, the fewer times the same pages are written.  4,096 are 2 MiB.
     */
    INDEX_BATCH = 4096,
};

/* ---- Rows ---- */

struct audit_row audit_engine_row(struct audit_engine *engine, struct arena *arena, uint64_t index,
                                  const struct audit_record *event,
                                  const struct audit_key_id *key_id)
{
    const struct audit_subject actor = { event->tenant_id, event->actor };
    const struct audit_subject target = { event->tenant_id, event->target };

    return (struct audit_row){
        .index = (int64_t)index,
        .tenant_id = event->tenant_id,
        .event_id = event->event_id,
        .time_ms = event->time_ms,
        .actor_tag = audit_keys_tag(engine->keys, arena, "actor", &actor),
        .action = event->action,
        .target_tag = audit_keys_tag(engine->keys, arena, "target", &target),
        .key_id = { key_id->data, AUDIT_KEY_ID_SIZE },
    };
}

/* By target, of which there are the most; what was erased has none, and comes first. */
static int by_target(const void *a, const void *b)
{
    const struct audit_row *left = a;
    const struct audit_row *right = b;
    int tenants = strcmp(left->tenant_id, right->tenant_id);

    if (tenants != 0) {
        return tenants;
    }
    if (left->target_tag.size != right->target_tag.size) {
        return left->target_tag.size < right->target_tag.size ? -1 : 1;
    }
    return left->target_tag.size == 0
               ? 0
               : memcmp(left->target_tag.data, right->target_tag.data, left->target_tag.size);
}

/* Sorts the rows.  They are one commit, so their order is free, and the database's pages are not:
 * in the order of the log each row would go to another page of the index by target, one after the
 * other read, changed, put out of the small cache and read again. */
static status insert_rows(struct audit_engine *engine, struct arena *arena, struct audit_row *rows,
                          size_t n)
{
    struct store_write *write = store_write_new(arena);

    qsort(rows, n, sizeof *rows, by_target);
    for (size_t i = 0; i < n; i++) {
        audit_store_insert(write, &rows[i]);
    }
    return store_commit(engine->options.store, arena, write);
}

/* ---- Of what is appended ---- */

/* Indexing is held. */
static status index_some(struct audit_engine *engine, struct arena *arena, size_t *ret_n)
{
    struct arena *scratch = arena_new();
    struct audit_row *rows = ARENA_NEW_ARRAY(scratch, struct audit_row, INDEX_BATCH);

    *ret_n = sent_events_take(engine->sent, INDEX_BATCH, rows);
    status s = *ret_n > 0 ? insert_rows(engine, scratch, rows, *ret_n) : status_ok();
    if (status_is_ok(s)) {
        sent_events_indexed(engine->sent, *ret_n);
    } else {
        s = status_error(arena, s.code, "the index of the audit log: %s", s.message);
    }
    arena_free(scratch);
    return s;
}

/* The entries below end, as far as they are there; not those that come in meanwhile, for there
 * might be no end of them. */
static status index_up_to(struct audit_engine *engine, struct arena *arena, uint64_t end)
{
    size_t n = 1;
    status s = status_ok();

    pthread_mutex_lock(&engine->indexing);
    while (n > 0 && status_is_ok(s) && sent_events_next(engine->sent) < end) {
        s = index_some(engine, arena, &n);
    }
    pthread_mutex_unlock(&engine->indexing);
    return s;
}

status audit_engine_index(struct audit_engine *engine, struct arena *arena)
{
    struct audit_log_state state;

    audit_log_state(engine->log, arena, &state);
    while (!sent_events_wait(engine->sent, state.durable)) {
        TRY(index_up_to(engine, arena, state.durable));
    }
    return status_ok();
}

status audit_engine_index_step(struct audit_engine *engine, struct arena *arena,
                               int64_t *ret_wait_ms)
{
    struct audit_log_state state;

    *ret_wait_ms = -1;
    audit_log_state(engine->log, arena, &state);
    return index_up_to(engine, arena, state.durable);
}

/* ---- Of what the log has ---- */

status audit_engine_open_leaf(struct audit_engine *engine, struct arena *arena, bytes leaf,
                              const struct audit_record **ret_event, struct aead_key *ret_key)
{
    struct audit_record *event = ARENA_NEW(arena, struct audit_record);
    struct audit_key_id key_id;
    bytes text;

    *ret_event = NULL;
    *ret_key = (struct aead_key){ 0 };
    TRY(audit_leaf_key_id(arena, leaf, &key_id));
    status s = audit_keys_find(engine->keys, arena, &key_id, ret_key);
    if (s.code == STATUS_NOT_FOUND) {
        return status_ok();
    }
    TRY(s);
    s = audit_leaf_open(arena, ret_key, leaf, &text);
    if (status_is_ok(s)) {
        s = audit_record_decode(arena, text, event);
    }
    if (!status_is_ok(s)) {
        aead_wipe(ret_key);
        return s;
    }
    *ret_event = event;
    return status_ok();
}

/* An entry whose key was destroyed keeps its place, and its tenant. */
static status erased_row(struct audit_engine *engine, struct arena *arena, uint64_t index,
                         const struct audit_key_id *key_id, struct audit_row *ret_row)
{
    const char *tenant_id = "";

    status s = audit_keys_tenant(engine->keys, arena, key_id, &tenant_id);
    if (s.code != STATUS_NOT_FOUND) {
        TRY(s);
    }
    *ret_row = (struct audit_row){
        .index = (int64_t)index,
        .tenant_id = tenant_id,
        .event_id = arena_printf(arena, "erased-%" PRIu64, index),
        .action = "",
        .key_id = { key_id->data, AUDIT_KEY_ID_SIZE },
    };
    return status_ok();
}

static status row_of_leaf(struct audit_engine *engine, struct arena *arena, uint64_t index,
                          bytes leaf, struct audit_row *ret_row)
{
    struct audit_key_id *key_id = ARENA_NEW(arena, struct audit_key_id);
    const struct audit_record *event;
    struct aead_key key;

    TRY(audit_leaf_key_id(arena, leaf, key_id));
    TRY(audit_engine_open_leaf(engine, arena, leaf, &event, &key));
    aead_wipe(&key);
    if (event == NULL) {
        return erased_row(engine, arena, index, key_id, ret_row);
    }
    *ret_row = audit_engine_row(engine, arena, index, event, key_id);
    return status_ok();
}

/* From next on, up to INDEX_BATCH of them. */
static status replay_some(struct audit_engine *engine, struct arena *arena, uint64_t next,
                          uint64_t end)
{
    struct audit_log_reader *reader = audit_log_reader_new(engine->log, arena);
    struct audit_row *rows = ARENA_NEW_ARRAY(arena, struct audit_row, INDEX_BATCH);
    size_t n = 0;

    for (; n < INDEX_BATCH && next + n < end; n++) {
        bytes leaf;
        TRY(audit_log_reader_read(reader, next + n, &leaf));
        status s = row_of_leaf(engine, arena, next + n, leaf, &rows[n]);
        if (!status_is_ok(s)) {
            return status_annotate(arena, s, arena_printf(arena, "entry %" PRIu64, next + n));
        }
    }
    return insert_rows(engine, arena, rows, n);
}

status audit_engine_replay(struct audit_engine *engine, struct arena *arena, uint64_t next,
                           uint64_t end)
{
    for (; next < end; next += INDEX_BATCH) {
        struct arena *scratch = arena_new();
        status s = replay_some(engine, scratch, next, end);
        s = status_is_ok(s) ? s : status_error(arena, s.code, "%s", s.message);
        arena_free(scratch);
        TRY(s);
    }
    return status_ok();
}
