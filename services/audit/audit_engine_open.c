#include "services/audit/audit_engine_internal.h"
#include "services/audit/key_files.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

/* Whether there is a log already, that was signed with some key. */
static status log_exists(const struct audit_engine_options *options, struct arena *arena,
                         bool *ret_exists)
{
    bytes checkpoint;

    status s = files_read(options->log_files, arena, "checkpoint", NOTE_MAX_BYTES, &checkpoint);
    *ret_exists = s.code != STATUS_NOT_FOUND;
    return *ret_exists ? s : status_ok();
}

static status load_signer(struct audit_engine *engine)
{
    struct key_files files = { .files = engine->options.key_files,
                               .random = engine->options.random };
    bool exists;

    TRY(log_exists(&engine->options, engine->arena, &exists));
    files.make = !exists;
    TRY(key_files_signer(&files, engine->arena, engine->options.origin, &engine->signer));
    struct note_verifier verifier = note_signer_verifier(&engine->signer);
    engine->verifier_key = note_verifier_format(engine->arena, &verifier);
    return status_ok();
}

static status load_keys(struct audit_engine *engine, struct arena *arena, bool *ret_exist)
{
    struct key_files files = { .files = engine->options.key_files,
                               .random = engine->options.random };
    struct aead_key master;

    TRY(audit_keys_exist(engine->options.store, arena, ret_exist));
    files.make = !*ret_exist;
    TRY(key_files_master(&files, arena, &master));
    status s = audit_keys_new(
        &(struct audit_keys_options){
            .store = engine->options.store,
            .master = &master,
            .random = engine->options.random,
            .clock = engine->options.clock,
        },
        arena, &engine->keys);
    aead_wipe(&master);
    return s;
}

/* The log first, the index after it: what the index has not seen is replayed. */
static status catch_up(struct audit_engine *engine, struct arena *arena, bool keys_exist)
{
    struct audit_log_state state;
    uint64_t next = 0;

    audit_log_state(engine->log, arena, &state);
    if (state.durable > 0 && !keys_exist) {
        return status_error(arena, STATUS_DATA_LOSS,
                            "the log has %" PRIu64 " entries, and the database no key for them",
                            state.durable);
    }
    if (engine->options.rebuild) {
        TRY(audit_store_clear(engine->options.store, arena));
    }
    TRY(audit_store_next(engine->options.store, arena, &next));
    if (next > state.durable) {
        return status_error(arena, STATUS_DATA_LOSS,
                            "the log has %" PRIu64 " entries, and its index %" PRIu64,
                            state.durable, next);
    }
    TRY(audit_engine_replay(engine, arena, next, state.durable));
    engine->sent = sent_events_new(state.durable, AUDIT_ENGINE_MAX_UNINDEXED);
    return status_ok();
}

status audit_engine_migrate(struct store *store, struct arena *arena)
{
    TRY(audit_keys_migrate(store, arena));
    return audit_store_migrate(store, arena);
}

static status open_parts(struct audit_engine *engine, struct arena *arena)
{
    bool keys_exist;

    TRY(load_signer(engine));
    TRY(load_keys(engine, arena, &keys_exist));
    TRY(audit_log_open(
        &(struct audit_log_options){
            .files = engine->options.log_files,
            .signer = &engine->signer,
            .clock = engine->options.clock,
        },
        arena, &engine->log));
    return catch_up(engine, arena, keys_exist);
}

static struct audit_engine *audit_engine_new(const struct audit_engine_options *options)
{
    struct audit_engine *engine = calloc(1, sizeof *engine);

    if (engine == NULL) {
        abort();
    }
    *engine = (struct audit_engine){ .options = *options, .arena = arena_new() };
    engine->options.origin = arena_strdup(engine->arena, options->origin);
    pthread_mutex_init(&engine->indexing, NULL);
    pthread_mutex_init(&engine->lock, NULL);
    return engine;
}

status audit_engine_open(const struct audit_engine_options *options, struct arena *arena,
                         struct audit_engine **ret_engine)
{
    assert(options->log_files != NULL && options->key_files != NULL && options->store != NULL &&
           options->origin != NULL && options->clock != NULL && options->random != NULL);

    struct audit_engine *engine = audit_engine_new(options);
    status s = open_parts(engine, arena);
    if (!status_is_ok(s)) {
        s = status_error(arena, s.code, "%s", s.message); /* it may lie in the engine's arena */
        audit_engine_close(engine);
        return s;
    }
    audit_engine_start(engine);
    *ret_engine = engine;
    return status_ok();
}

void audit_engine_close(struct audit_engine *engine)
{
    if (engine == NULL) {
        return;
    }
    audit_engine_stop(engine);
    audit_log_close(engine->log);
    sent_events_free(engine->sent);
    audit_keys_free(engine->keys);
    note_signer_wipe(&engine->signer);
    pthread_mutex_destroy(&engine->lock);
    pthread_mutex_destroy(&engine->indexing);
    arena_free(engine->arena);
    free(engine);
}
