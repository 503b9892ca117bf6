#include "services/audit/audit_engine.h"

#include "libs/audit/audit_leaf.h"
#include "libs/base/encoding.h"
#include "libs/base/status_details.h"
#include "services/audit/audit_engine_internal.h"

#include <string.h>

enum { RETRY_MS = 500 }; /* when too much waits: as long as a leaf waits for its tiles */

/* One call to audit_engine_append(). */
struct batch {
    const struct audit_record *events; /* cleaned */
    struct audit_event_name *names;
    struct sent **sent;
    bool *mine;
    size_t n;
};

/* ---- Before ---- */

static status check_number(struct arena *arena, size_t n)
{
    if (n == 0 || n > AUDIT_ENGINE_MAX_BATCH) {
        return status_bad_field(arena, "events", "has %zu events, not 1 to %d", n,
                                AUDIT_ENGINE_MAX_BATCH);
    }
    return status_ok();
}

static status check_events(struct arena *arena, const struct audit_record *events, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        status s = audit_record_check(arena, &events[i]);
        if (!status_is_ok(s)) {
            return status_bad_field(arena, arena_printf(arena, "events[%zu]", i), "%s", s.message);
        }
    }
    return status_ok();
}

static struct batch batch_of(struct audit_engine *engine, struct arena *arena,
                             const struct audit_record *events, size_t n)
{
    struct audit_record *copies = ARENA_NEW_ARRAY(arena, struct audit_record, n);
    struct batch batch = {
        .events = copies,
        .names = ARENA_NEW_ARRAY(arena, struct audit_event_name, n),
        .sent = ARENA_NEW_ARRAY(arena, struct sent *, n),
        .mine = ARENA_NEW_ARRAY(arena, bool, n),
        .n = n,
    };
    int64_t now_ms = clock_wall_ms(engine->options.clock);

    for (size_t i = 0; i < n; i++) {
        copies[i] = audit_record_clean(arena, &events[i]);
        copies[i].append_time_ms = now_ms;
        batch.names[i] = (struct audit_event_name){ copies[i].tenant_id, copies[i].event_id };
    }
    return batch;
}

/* ---- Appending what nobody else has sent ---- */

/* The caller's own that are new, by their numbers in the batch. */
static status find_new(struct audit_engine *engine, struct arena *arena, const struct batch *batch,
                       size_t *ret_new, size_t *ret_n_new)
{
    struct audit_event_name *names = ARENA_NEW_ARRAY(arena, struct audit_event_name, batch->n);
    int64_t *indices = ARENA_NEW_ARRAY(arena, int64_t, batch->n);
    size_t n_mine = 0;
    size_t n_new = 0;

    for (size_t i = 0; i < batch->n; i++) {
        if (batch->mine[i]) {
            names[n_mine] = batch->names[i];
            ret_new[n_mine++] = i;
        }
    }
    TRY(audit_store_find(engine->options.store, arena, names, n_mine, indices));
    for (size_t i = 0; i < n_mine; i++) {
        if (indices[i] >= 0) {
            sent_events_found(engine->sent, batch->sent[ret_new[i]], (uint64_t)indices[i]);
        } else {
            ret_new[n_new++] = ret_new[i];
        }
    }
    *ret_n_new = n_new;
    return status_ok();
}

static status seal_new(struct audit_engine *engine, struct arena *arena, const struct batch *batch,
                       const size_t *new_events, size_t n, const struct audit_data_key *keys,
                       bytes *ret_leaves)
{
    for (size_t i = 0; i < n; i++) {
        bytes text = audit_record_encode(arena, &batch->events[new_events[i]]);
        TRY(audit_leaf_seal(arena, &keys[i].id, &keys[i].key, engine->options.random, text,
                            &ret_leaves[i]));
    }
    return status_ok();
}

static status append_leaves(struct audit_engine *engine, struct arena *arena,
                            const struct batch *batch, const size_t *new_events, size_t n,
                            const struct audit_data_key *keys)
{
    bytes *leaves = ARENA_NEW_ARRAY(arena, bytes, n);
    uint64_t first;

    TRY(seal_new(engine, arena, batch, new_events, n, keys, leaves));
    TRY(audit_log_append(engine->log, arena, leaves, n, &first));
    for (size_t i = 0; i < n; i++) {
        const struct audit_row row =
            audit_engine_row(engine, arena, first + i, &batch->events[new_events[i]], &keys[i].id);
        sent_events_appended(engine->sent, batch->sent[new_events[i]], &row);
    }
    audit_engine_wake(engine);
    return status_ok();
}

static status append_mine(struct audit_engine *engine, struct arena *arena,
                          const struct batch *batch)
{
    size_t *new_events = ARENA_NEW_ARRAY(arena, size_t, batch->n);
    size_t n = 0;

    TRY(find_new(engine, arena, batch, new_events, &n));
    if (n == 0) {
        return status_ok();
    }
    struct audit_subject *subjects = ARENA_NEW_ARRAY(arena, struct audit_subject, n);
    struct audit_data_key *keys = ARENA_NEW_ARRAY(arena, struct audit_data_key, n);
    for (size_t i = 0; i < n; i++) {
        const struct audit_record *event = &batch->events[new_events[i]];
        subjects[i] = (struct audit_subject){ event->tenant_id, audit_record_subject(event) };
    }
    status s = audit_keys_of(engine->keys, arena, subjects, n, keys);
    if (status_is_ok(s)) {
        s = append_leaves(engine, arena, batch, new_events, n, keys);
    }
    for (size_t i = 0; i < n; i++) {
        aead_wipe(&keys[i].key);
    }
    return s;
}

status audit_engine_append(struct audit_engine *engine, struct arena *arena,
                           const struct audit_record *events, size_t n, uint64_t *ret_indices)
{
    TRY(check_number(arena, n));
    struct batch batch = batch_of(engine, arena, events, n);
    TRY(check_events(arena, batch.events, n));
    if (!sent_events_claim(engine->sent, batch.names, n, batch.sent, batch.mine)) {
        return status_retry_after(arena,
                                  status_error(arena, STATUS_RESOURCE_EXHAUSTED,
                                               "more than %d audit events wait to be indexed",
                                               AUDIT_ENGINE_MAX_UNINDEXED),
                                  RETRY_MS);
    }
    status s = append_mine(engine, arena, &batch);
    for (size_t i = 0; i < n; i++) {
        if (batch.mine[i] && !sent_events_ended(engine->sent, batch.sent[i])) {
            sent_events_failed(engine->sent, batch.sent[i], s);
        }
    }
    for (size_t i = 0; i < n; i++) {
        status result = sent_events_result(engine->sent, arena, batch.sent[i], &ret_indices[i]);
        s = status_is_ok(s) ? result : s;
    }
    return s;
}

/* ---- Forgetting ---- */

status audit_engine_erase(struct audit_engine *engine, struct arena *arena, const char *tenant_id,
                          const char *subject)
{
    const struct audit_subject name = { tenant_id, subject };
    struct store_write *write = store_write_new(arena);

    TRY(audit_engine_index(engine, arena)); /* so that every row there is loses its tags */
    audit_keys_erase(engine->keys, write, &name);
    audit_store_blank(write, tenant_id, audit_keys_tag(engine->keys, arena, "subject", &name));
    status s = store_commit(engine->options.store, arena, write);
    audit_keys_forget(engine->keys, &name); /* also when nobody knows whether it was committed */
    return s;
}

const char *audit_engine_subject_tag(struct audit_engine *engine, struct arena *arena,
                                     const char *tenant_id, const char *subject)
{
    const struct audit_subject name = { tenant_id, subject };

    return hex_encode(arena, audit_keys_tag(engine->keys, arena, "subject", &name));
}
