#include "libs/audit/audit_leaf.h"
#include "services/audit/audit_engine_internal.h"

#include <inttypes.h>
#include <string.h>

/* ---- One ---- */

static status no_event(struct arena *arena, const char *event_id)
{
    return status_error(arena, STATUS_NOT_FOUND, "there is no audit event '%s'", event_id);
}

/* What was just appended is found at once, however far the index lags. */
static status find_index(struct audit_engine *engine, struct arena *arena, const char *tenant_id,
                         const char *event_id, uint64_t *ret_index)
{
    const struct audit_event_name name = { tenant_id, event_id };
    int64_t index = -1;

    if (tenant_id != NULL && sent_events_find(engine->sent, &name, ret_index)) {
        return status_ok();
    }
    if (tenant_id == NULL) {
        TRY(audit_engine_index(engine, arena));
        TRY(audit_store_find_any(engine->options.store, arena, event_id, &index));
    } else {
        TRY(audit_store_find(engine->options.store, arena, &name, 1, &index));
    }
    if (index < 0) {
        return no_event(arena, event_id);
    }
    *ret_index = (uint64_t)index;
    return status_ok();
}

/* The index may be changed by whoever gets at the database; the log says whose the event is. */
static status check_tenant(struct arena *arena, const char *tenant_id, const char *event_id,
                           const struct audit_record *event)
{
    if (event != NULL && (strcmp(event->event_id, event_id) != 0 ||
                          (tenant_id != NULL && strcmp(event->tenant_id, tenant_id) != 0))) {
        return no_event(arena, event_id);
    }
    return status_ok();
}

static status open_entry(struct audit_engine *engine, struct arena *arena,
                         struct audit_proof *proof)
{
    struct aead_key key;

    TRY(audit_engine_open_leaf(engine, arena, proof->leaf, &proof->entry.event, &key));
    if (proof->entry.event == NULL) {
        return status_ok();
    }
    struct aead_key *leaf_key = ARENA_NEW(arena, struct aead_key);
    status s = audit_leaf_text_key(arena, &key, proof->leaf, leaf_key);
    aead_wipe(&key);
    proof->leaf_key = leaf_key;
    return s;
}

status audit_engine_get(struct audit_engine *engine, struct arena *arena, const char *tenant_id,
                        const char *event_id, struct audit_proof *ret_proof)
{
    struct audit_proof proof = { 0 };
    struct audit_log_state state;

    TRY(find_index(engine, arena, tenant_id, event_id, &proof.entry.index));
    TRY(audit_log_read(engine->log, arena, proof.entry.index, &proof.leaf));
    TRY(open_entry(engine, arena, &proof));
    TRY(check_tenant(arena, tenant_id, event_id, proof.entry.event));
    audit_log_state(engine->log, arena, &state);
    if (proof.entry.index >= state.integrated) {
        TRY(audit_log_integrate(engine->log, arena));
    }
    TRY(audit_log_prove(engine->log, arena, proof.entry.index, &proof.bundle));
    *ret_proof = proof;
    return status_ok();
}

/* ---- Many ---- */

static status read_entries(struct audit_engine *engine, struct arena *arena,
                           const struct audit_page *page, struct audit_entry *entries)
{
    struct audit_log_reader *reader = audit_log_reader_new(engine->log, arena);

    for (size_t i = 0; i < page->n_places; i++) {
        struct aead_key key;
        bytes leaf;
        entries[i].index = (uint64_t)page->places[i].index;
        TRY(audit_log_reader_read(reader, entries[i].index, &leaf));
        TRY(audit_engine_open_leaf(engine, arena, leaf, &entries[i].event, &key));
        aead_wipe(&key);
    }
    return status_ok();
}

status audit_engine_list(struct audit_engine *engine, struct arena *arena,
                         const struct audit_query *query, struct audit_list *ret_list)
{
    const struct audit_subject actor = { query->tenant_id, query->actor };
    const struct audit_subject target = { query->tenant_id, query->target };
    struct audit_filter filter = {
        .tenant_id = query->tenant_id,
        .action = query->action,
        .start_ms = query->start_ms,
        .end_ms = query->end_ms,
    };
    struct audit_page page;

    if (query->tenant_id == NULL && (query->actor != NULL || query->target != NULL)) {
        return status_error(arena, STATUS_INVALID_ARGUMENT,
                            "actor and target are looked for within one tenant_id");
    }
    if (query->actor != NULL) {
        filter.actor_tag = audit_keys_tag(engine->keys, arena, "actor", &actor);
    }
    if (query->target != NULL) {
        filter.target_tag = audit_keys_tag(engine->keys, arena, "target", &target);
    }
    TRY(audit_engine_index(engine, arena));
    TRY(audit_store_list(engine->options.store, arena, &filter, query->after, query->limit, &page));
    struct audit_entry *entries = ARENA_NEW_ARRAY(arena, struct audit_entry, page.n_places);
    TRY(read_entries(engine, arena, &page, entries));
    *ret_list = (struct audit_list){
        .entries = entries,
        .places = page.places,
        .n_entries = page.n_places,
        .more = page.more,
    };
    return status_ok();
}

/* ---- The log ---- */

status audit_engine_checkpoint(struct audit_engine *engine, struct arena *arena,
                               struct audit_log_state *ret_state)
{
    audit_log_state(engine->log, arena, ret_state);
    if (ret_state->integrated < ret_state->durable) {
        status s = audit_log_integrate(engine->log, arena);
        if (s.code != STATUS_RESOURCE_EXHAUSTED) { /* then the one of before is the newest */
            TRY(s);
        }
        audit_log_state(engine->log, arena, ret_state);
    }
    return status_ok();
}

status audit_engine_prove_consistency(struct audit_engine *engine, struct arena *arena,
                                      uint64_t old_size, uint64_t *new_size,
                                      struct merkle_path *ret_path)
{
    return audit_log_prove_consistency(engine->log, arena, old_size, new_size, ret_path);
}

const char *audit_engine_verifier_key(const struct audit_engine *engine)
{
    return engine->verifier_key;
}
