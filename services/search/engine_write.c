#include "libs/obs/metrics.h"
#include "services/search/engine.h"
#include "services/search/pack.h"

#include <stdlib.h>

enum {
    /* One frame takes the writes that wait, up to this; more would make the first wait. */
    MAX_GROUP_BYTES = 8 * 1024 * 1024,
    /* Documents that are put in place without letting readers in: some hundred microseconds. */
    LOCKED_DOCUMENTS = 32,
};

/* ---- In memory ---- */

static struct write_op read_op(struct unpack *in, status *result)
{
    uint64_t kind = unpack_varint(in);
    bytes data = unpack_string(in);

    in->failed |= kind < WRITE_UPSERT || kind > WRITE_DROP;
    return (struct write_op){
        .kind = in->failed ? WRITE_DELETE : (enum write_kind)kind,
        .data = data,
        .result = result,
    };
}

/* Two that were created at once: the first stays. */
static status apply_create(struct search_engine *engine, struct arena *arena, bytes key, bytes data)
{
    struct unpack in = unpack_of(data);
    int64_t create_time_ms = (int64_t)unpack_u64(&in);
    struct search_schema schema;
    status s = status_ok();

    search_schema_unpack(&in, arena, &schema);
    if (in.failed) {
        return status_error(arena, STATUS_DATA_LOSS, "the log holds a broken schema");
    }
    pthread_mutex_lock(&engine->lock);
    const struct collection *before = map_get_bytes(&engine->collections, key);
    if (before == NULL) {
        struct collection *collection =
            collection_new(&engine->segments, key, &schema, create_time_ms);
        (void)map_put_bytes(&engine->collections, collection->key, collection);
    } else if (!search_schema_equal(&before->schema, &schema)) {
        s = status_error(arena, STATUS_ALREADY_EXISTS,
                         "the project has such a collection with other fields");
    }
    pthread_mutex_unlock(&engine->lock);
    return s;
}

static void apply_drop(struct search_engine *engine, struct collection *collection)
{
    pthread_rwlock_wrlock(&collection->lock);
    bool first = collection_drop(collection);
    pthread_rwlock_unlock(&collection->lock);
    if (first) {
        pthread_mutex_lock(&engine->lock);
        collection_unref(map_remove_bytes(&engine->collections, collection->key));
        pthread_mutex_unlock(&engine->lock);
    }
}

static size_t active_bytes(const struct collection *collection)
{
    return collection->active == NULL ? 0 : memtable_bytes(collection->active);
}

/* Under the exclusive lock. */
static status apply_op(struct collection *collection, struct arena *arena,
                       struct analyzer *analyzer, const struct write_op *op)
{
    bool changed = false;

    if (collection->dropped) {
        return status_error(arena, STATUS_NOT_FOUND, "the collection was removed meanwhile");
    }
    return op->kind == WRITE_UPSERT
               ? collection_upsert(collection, arena, analyzer, op->document, &changed)
               : collection_delete(collection, arena, analyzer, op->data);
}

static void apply_some(struct search_engine *engine, struct collection *collection,
                       struct arena *arena, struct analyzer *analyzer, uint64_t sequence,
                       const struct write_op *ops, size_t n_ops)
{
    status s = collection_lock_exclusive(collection, arena);

    if (!status_is_ok(s)) {
        for (size_t i = 0; i < n_ops; i++) {
            *ops[i].result = s;
        }
        return;
    }
    size_t before = active_bytes(collection);
    for (size_t i = 0; i < n_ops; i++) {
        *ops[i].result = apply_op(collection, arena, analyzer, &ops[i]);
    }
    collection->revision = sequence;
    counter_add(COUNTER_search_documents, n_ops);
    size_t added = active_bytes(collection) - before;
    collection_unlock(collection);
    pthread_mutex_lock(&engine->lock);
    engine->memtable_bytes += added;
    gauge_set(GAUGE_search_memtable_bytes, (int64_t)engine->memtable_bytes);
    pthread_mutex_unlock(&engine->lock);
}

/* Puts what is durable where it is found. */
static void apply_unit(struct search_engine *engine, struct arena *arena, uint64_t sequence,
                       const struct write_unit *unit)
{
    struct analyzer *analyzer;

    if (unit->ops[0].kind == WRITE_CREATE) {
        *unit->ops[0].result = apply_create(engine, arena, unit->key, unit->ops[0].data);
        return;
    }
    if (unit->ops[0].kind == WRITE_DROP) {
        apply_drop(engine, unit->collection);
        return;
    }
    analyzer = engine_take_analyzer(engine);
    for (size_t i = 0; i < unit->n_ops; i += LOCKED_DOCUMENTS) {
        size_t left = unit->n_ops - i;
        apply_some(engine, unit->collection, arena, analyzer, sequence, &unit->ops[i],
                   left < LOCKED_DOCUMENTS ? left : LOCKED_DOCUMENTS);
    }
    engine_give_analyzer(engine, analyzer);
}

/* ---- Frames ---- */

static void pack_unit(struct text *out, const struct write_unit *unit)
{
    pack_string(out, unit->key);
    pack_varint(out, unit->n_ops);
    for (size_t i = 0; i < unit->n_ops; i++) {
        pack_varint(out, unit->ops[i].kind);
        pack_string(out, unit->ops[i].data);
    }
}

static bool read_ops(struct unpack *in, struct arena *arena, struct analyzer *analyzer,
                     struct write_unit *unit)
{
    uint64_t n = unpack_varint(in);

    in->failed |= n == 0 || n > unpack_left(in);
    n = in->failed ? 0 : n;
    struct write_op *ops = ARENA_NEW_ARRAY(arena, struct write_op, n);
    status *results = ARENA_NEW_ARRAY(arena, status, n);
    for (size_t i = 0; i < n && !in->failed; i++) {
        ops[i] = read_op(in, &results[i]);
        if (!in->failed && ops[i].kind == WRITE_UPSERT) {
            struct indexed_document *document = ARENA_NEW(arena, struct indexed_document);
            in->failed = !indexed_document_make(analyzer, arena, ops[i].data, document);
            ops[i].document = document;
        }
    }
    unit->ops = ops;
    unit->n_ops = (size_t)n;
    return !in->failed;
}

/* A write that is refused now was refused then, or belongs to a collection that went later.  But
 * one that meets a broken file was perhaps acknowledged, and may not get lost. */
static status replay_unit(struct search_engine *engine, struct arena *arena, uint64_t sequence,
                          struct write_unit *unit)
{
    unit->collection = map_get_bytes(&engine->collections, unit->key);
    if (unit->collection == NULL && unit->ops[0].kind != WRITE_CREATE) {
        return status_ok();
    }
    struct collection *held = unit->collection == NULL ? NULL : collection_ref(unit->collection);
    apply_unit(engine, arena, sequence, unit);
    collection_unref(held);
    for (size_t i = 0; i < unit->n_ops; i++) {
        if (unit->ops[i].result->code == STATUS_DATA_LOSS) {
            return *unit->ops[i].result;
        }
    }
    return status_ok();
}

static status replay_units(struct search_engine *engine, struct arena *arena,
                           struct analyzer *analyzer, struct log_frame frame)
{
    struct unpack in = unpack_of(frame.payload);

    while (unpack_left(&in) > 0) {
        struct write_unit unit = { .key = unpack_string(&in) };
        if (!read_ops(&in, arena, analyzer, &unit)) {
            return status_error(arena, STATUS_DATA_LOSS, "a frame of the log is not one of ours");
        }
        TRY(replay_unit(engine, arena, frame.sequence, &unit));
    }
    return status_ok();
}

status engine_replay(void *data, struct arena *arena, struct log_frame frame)
{
    struct search_engine *engine = data;
    struct arena *scratch = arena_new();
    struct analyzer *analyzer = engine_take_analyzer(engine);
    status s = replay_units(engine, scratch, analyzer, frame);

    if (!status_is_ok(s)) {
        s = status_error(arena, s.code, "%s", s.message);
    }
    engine_give_analyzer(engine, analyzer);
    arena_free(scratch);
    return s;
}

/* ---- Group commit ---- */

void engine_lead(struct search_engine *engine)
{
    pthread_mutex_lock(&engine->lock);
    while (engine->leading) {
        pthread_cond_wait(&engine->led, &engine->lock);
    }
    engine->leading = true;
    pthread_mutex_unlock(&engine->lock);
}

void engine_follow(struct search_engine *engine)
{
    pthread_mutex_lock(&engine->lock);
    engine->leading = false;
    pthread_cond_broadcast(&engine->led);
    pthread_mutex_unlock(&engine->lock);
}

/* The units of one frame, off the queue.  The lock is held. */
static struct write_unit *take_group(struct search_engine *engine)
{
    struct write_unit *first = engine->first_unit;
    struct write_unit **cut = &engine->first_unit;
    size_t size = 0;

    do {
        size += (*cut)->n_bytes;
        cut = &(*cut)->next;
    } while (*cut != NULL && size + (*cut)->n_bytes <= MAX_GROUP_BYTES);
    engine->first_unit = *cut;
    if (*cut == NULL) {
        engine->units_end = &engine->first_unit;
    }
    *cut = NULL;
    return first;
}

static status write_group(struct search_engine *engine, struct arena *arena,
                          const struct write_unit *units)
{
    struct text payload = text_new(arena);
    int64_t start_us = clock_monotonic_us(engine->clock);

    for (const struct write_unit *unit = units; unit != NULL; unit = unit->next) {
        pack_unit(&payload, unit);
    }
    TRY(write_log_append(engine->log, arena, text_bytes(&payload)));
    for (const struct write_unit *unit = units; unit != NULL; unit = unit->next) {
        apply_unit(engine, unit->arena, write_log_last(engine->log), unit);
    }
    histogram_record(HISTOGRAM_search_commit, clock_monotonic_us(engine->clock) - start_us);
    return status_ok();
}

/* Under the lock: once it is not, a unit that is done may be gone with its caller's stack. */
static void end_group(struct search_engine *engine, struct write_unit *units, status s)
{
    while (units != NULL) {
        struct write_unit *unit = units;
        units = unit->next;
        unit->result = status_is_ok(s) ? s : status_error(unit->arena, s.code, "%s", s.message);
        unit->is_done = true;
    }
    engine->log_bytes = write_log_bytes(engine->log);
    gauge_set(GAUGE_search_log_bytes, (int64_t)engine->log_bytes);
    engine->leading = false;
    pthread_cond_broadcast(&engine->led);
}

/* Writes the group at the head of the queue.  The lock is held before and after. */
static void lead_group(struct search_engine *engine)
{
    struct write_unit *units = take_group(engine);
    struct arena *arena = arena_new();

    engine->leading = true;
    pthread_mutex_unlock(&engine->lock);
    status s = write_group(engine, arena, units);
    pthread_mutex_lock(&engine->lock);
    end_group(engine, units, s);
    arena_free(arena);
}

/* ---- Room ---- */

static bool has_grown(const struct search_engine *engine, unsigned times)
{
    return engine->memtable_bytes >= times * engine->memtable_limit ||
           engine->log_bytes >= times * engine->log_limit;
}

/* Waits for one flush.  The lock is held before and after. */
static status await_flush(struct search_engine *engine, struct arena *arena)
{
    uint64_t n = engine->n_flushes;

    while (engine->n_flushes == n) {
        pthread_cond_wait(&engine->upkeep_done, &engine->lock);
    }
    return engine->flush_code == STATUS_OK
               ? status_ok()
               : status_error(arena, engine->flush_code, "what was written cannot be put in order");
}

/* Sees to it that memtables and log stay within their limits: asks for a flush at the limit, and
 * waits for it at twice that. */
static status make_room(struct search_engine *engine, struct arena *arena)
{
    status s = status_ok();

    pthread_mutex_lock(&engine->lock);
    bool grown = has_grown(engine, 1);
    if (grown && !engine->stepped) {
        engine->upkeep_wanted = true;
        pthread_cond_signal(&engine->wanted);
        s = has_grown(engine, 2) ? await_flush(engine, arena) : s;
    }
    pthread_mutex_unlock(&engine->lock);
    if (grown && engine->stepped) {
        s = search_engine_flush(engine, arena);
        s = has_grown(engine, 2) ? s : status_ok();
    }
    return s;
}

status engine_commit(struct search_engine *engine, struct arena *arena, struct write_unit *unit)
{
    unit->arena = arena;
    TRY(make_room(engine, arena));
    pthread_mutex_lock(&engine->lock);
    *engine->units_end = unit;
    engine->units_end = &unit->next;
    while (!unit->is_done) {
        if (engine->leading) {
            pthread_cond_wait(&engine->led, &engine->lock);
        } else {
            lead_group(engine);
        }
    }
    pthread_mutex_unlock(&engine->lock);
    return unit->result;
}
