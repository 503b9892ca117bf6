#include "services/search/engine_change.h"

#include "libs/obs/metrics.h"

#include <stdlib.h>

enum {
    /* So many parts of about one size become one: a document is written again once for each
     * such step, and a query asks some twenty parts at most. */
    MERGE_PARTS = 6,
    TIER_FACTOR = 4,                     /* parts of one tier differ by less than this */
    LEAST_TIER_BYTES = 64 * 1024,        /* all smaller ones are one tier */
    DEAD_PERCENT = 40,                   /* a part with more dead than this is made anew */
    MAX_MERGE_BYTES = 256 * 1024 * 1024, /* of what one step merges; it holds up a flush */
};

/* ---- Flush ---- */

/* Everything written so far goes into frozen memtables, and the log begins a file. */
static void freeze(struct search_engine *engine, struct arena *arena)
{
    size_t n = 0;

    if (engine->is_frozen) { /* the last flush failed */
        return;
    }
    engine_lead(engine);
    struct collection **collections = engine_collections(engine, arena, &n);
    for (size_t i = 0; i < n; i++) {
        pthread_rwlock_wrlock(&collections[i]->lock);
        collection_freeze(collections[i]);
        pthread_rwlock_unlock(&collections[i]->lock);
        collection_unref(collections[i]);
    }
    write_log_rotate(engine->log);
    engine->frozen_until = write_log_last(engine->log);
    engine->is_frozen = true;
    pthread_mutex_lock(&engine->lock);
    engine->memtable_bytes = 0;
    gauge_set(GAUGE_search_memtable_bytes, 0);
    pthread_mutex_unlock(&engine->lock);
    engine_follow(engine);
}

static status flush_changes(struct upkeep *upkeep, uint64_t until)
{
    for (size_t i = 0; i < upkeep->n_changes; i++) {
        struct change *change = &upkeep->changes[i];
        TRY(change_replace_memtable(upkeep, change));
        if (change->n_inputs > 0) {
            TRY(change_build(upkeep, change, change->inputs, change->n_inputs));
        }
        TRY(change_write_dead(upkeep, change));
    }
    return upkeep_commit(upkeep, until);
}

static status forget_log(struct search_engine *engine, struct arena *arena)
{
    engine_lead(engine);
    status s = write_log_forget(engine->log, arena, engine->flushed);
    uint64_t left = write_log_bytes(engine->log);
    pthread_mutex_lock(&engine->lock);
    engine->log_bytes = left;
    gauge_set(GAUGE_search_log_bytes, (int64_t)left);
    pthread_mutex_unlock(&engine->lock);
    engine_follow(engine);
    return s;
}

/* Under the upkeep lock. */
static status flush(struct search_engine *engine, struct arena *arena)
{
    struct upkeep upkeep;

    freeze(engine, arena);
    if (engine->frozen_until > engine->flushed) {
        TRY(upkeep_begin(&upkeep, engine, arena));
        status s = flush_changes(&upkeep, engine->frozen_until);
        upkeep_end(&upkeep);
        TRY(s);
    }
    engine->is_frozen = false;
    return forget_log(engine, arena);
}

static status flush_and_tell(struct search_engine *engine, struct arena *arena)
{
    status s = flush(engine, arena);

    pthread_mutex_lock(&engine->lock);
    engine->flush_code = s.code;
    engine->n_flushes++;
    pthread_cond_broadcast(&engine->upkeep_done);
    pthread_mutex_unlock(&engine->lock);
    return s;
}

status search_engine_flush(struct search_engine *engine, struct arena *arena)
{
    pthread_mutex_lock(&engine->upkeep);
    status s = flush_and_tell(engine, arena);
    pthread_mutex_unlock(&engine->upkeep);
    return s;
}

/* ---- Merge ---- */

static unsigned tier_of(uint64_t size)
{
    unsigned tier = 0;

    for (; size >= LEAST_TIER_BYTES; size /= TIER_FACTOR) {
        tier++;
    }
    return tier;
}

static bool has_many_dead(const struct collection_part *part)
{
    uint64_t n_dead = part->source != NULL ? part->source->dead.n_docs : part->n_dead;

    return n_dead * 100 > (uint64_t)part->n_docs * DEAD_PERCENT;
}

/* A scrub leaves alone what it need not touch: a part that cannot be merged does not hold it up. */
static bool is_to_scrub(struct search_engine *engine, const struct extent *extent)
{
    return extent->segment != 0 && extent->segment < engine->scrub_before &&
           !segments_is_whole(&engine->segments, extent);
}

static bool is_to_merge(struct search_engine *engine, const struct collection_part *part,
                        const size_t *tiers)
{
    if (engine->scrub_before != 0) {
        return is_to_scrub(engine, &part->part) || is_to_scrub(engine, &part->dead);
    }
    return has_many_dead(part) || tiers[tier_of(part->part.size)] >= MERGE_PARTS ||
           segments_is_wasteful(&engine->segments, &part->part);
}

/* Whether one more part keeps a step within its limit; a larger one is scrubbed alone. */
static bool has_room(const struct search_engine *engine, uint64_t size, uint64_t more)
{
    return size + more <= MAX_MERGE_BYTES || (engine->scrub_before != 0 && size == 0);
}

/* The parts that are to be merged, in arena; NULL: none. */
static const bool *pick_parts(struct search_engine *engine, struct arena *arena,
                              const struct collection *collection, uint64_t *ret_bytes)
{
    bool *picked = ARENA_NEW_ARRAY(arena, bool, collection->n_parts);
    size_t tiers[64] = { 0 };
    uint64_t size = 0;

    for (size_t i = 0; i < collection->n_parts; i++) {
        tiers[tier_of(collection->parts[i].part.size)]++;
    }
    for (size_t i = 0; i < collection->n_parts; i++) {
        const struct collection_part *part = &collection->parts[i];
        picked[i] = is_to_merge(engine, part, tiers) && has_room(engine, size, part->part.size);
        size += picked[i] ? part->part.size : 0;
    }
    *ret_bytes = size;
    return size > 0 ? picked : NULL;
}

/* Names what is to be merged, of as many collections as one segment should hold. */
static status plan_merge(struct upkeep *upkeep, bool *ret_any)
{
    uint64_t size = 0;

    *ret_any = false;
    for (size_t i = 0; i < upkeep->n_changes && size < MAX_MERGE_BYTES; i++) {
        struct change *change = &upkeep->changes[i];
        uint64_t picked_bytes = 0;
        pthread_rwlock_rdlock(&change->collection->lock);
        const bool *picked =
            pick_parts(upkeep->engine, upkeep->arena, change->collection, &picked_bytes);
        pthread_rwlock_unlock(&change->collection->lock);
        if (picked != NULL) {
            TRY(change_replace_parts(upkeep, change, picked));
            size += picked_bytes;
            *ret_any = true;
        }
    }
    return status_ok();
}

static status merge_changes(struct upkeep *upkeep, bool *ret_any)
{
    TRY(plan_merge(upkeep, ret_any));
    if (!*ret_any) {
        return status_ok();
    }
    for (size_t i = 0; i < upkeep->n_changes; i++) {
        struct change *change = &upkeep->changes[i];
        if (change->n_inputs > 0) {
            TRY(change_build(upkeep, change, change->inputs, change->n_inputs));
        }
    }
    return upkeep_commit(upkeep, upkeep->engine->flushed);
}

static bool wants_merge(struct search_engine *engine, struct arena *arena)
{
    size_t n = 0;
    struct collection **collections = engine_collections(engine, arena, &n);
    bool wanted = false;

    for (size_t i = 0; i < n; i++) {
        uint64_t size = 0;
        pthread_rwlock_rdlock(&collections[i]->lock);
        wanted = wanted || pick_parts(engine, arena, collections[i], &size) != NULL;
        pthread_rwlock_unlock(&collections[i]->lock);
        collection_unref(collections[i]);
    }
    return wanted;
}

/* Under the upkeep lock. */
static status merge(struct search_engine *engine, struct arena *arena, bool *ret_any)
{
    struct upkeep upkeep;

    if (!wants_merge(engine, arena)) {
        *ret_any = false;
        return status_ok();
    }
    TRY(upkeep_begin(&upkeep, engine, arena));
    status s = merge_changes(&upkeep, ret_any);
    upkeep_end(&upkeep);
    return s;
}

/* ---- Scrub ---- */

/* Whatever of a dropped collection was in memory is gone, the manifest does not name it, and its
 * log is gone.  A flush that had failed before goes first, and has not all of it. */
static status scrub_log(struct search_engine *engine, struct arena *arena)
{
    engine_lead(engine);
    uint64_t last = write_log_last(engine->log);
    engine_follow(engine);
    do {
        TRY(flush_and_tell(engine, arena));
    } while (engine->flushed < last);
    return files_sync_folder(engine->files, arena, LOG_FOLDER);
}

/* Under the upkeep lock, as the next two. */
static status scrub_begin(struct search_engine *engine, struct arena *arena, uint64_t *ret_scrub)
{
    /* Once nobody has it in hand, nobody adds to the log what is for it. */
    if (atomic_load(&engine->segments.n_dropped) > 0) {
        return status_error(arena, STATUS_UNAVAILABLE,
                            "a collection that was dropped is still in use");
    }
    TRY(scrub_log(engine, arena));
    pthread_mutex_lock(&engine->lock);
    *ret_scrub = engine->next_segment; /* what is written from now on has nothing of it */
    pthread_mutex_unlock(&engine->lock);
    return status_ok();
}

static status scrub_some(struct search_engine *engine, struct arena *arena, uint64_t scrub,
                         bool *ret_more)
{
    engine->scrub_before = scrub;
    status s = merge(engine, arena, ret_more);
    engine->scrub_before = 0;
    TRY(s);
    if (*ret_more) {
        return status_ok();
    }
    TRY(segments_sweep(&engine->segments, arena));
    return files_sync_folder(engine->files, arena, SEGMENT_FOLDER);
}

status search_engine_scrub(struct search_engine *engine, struct arena *arena, uint64_t *scrub,
                           bool *ret_more)
{
    *ret_more = true;
    pthread_mutex_lock(&engine->upkeep);
    status s = *scrub == 0 ? scrub_begin(engine, arena, scrub)
                           : scrub_some(engine, arena, *scrub, ret_more);
    pthread_mutex_unlock(&engine->upkeep);
    return s;
}

/* ---- Rebuild ---- */

struct rebuild {
    struct upkeep *upkeep;
    struct change *change;
    struct analyzer *analyzer;
    struct memtable *memtable;
    struct arena *scratch;
};

static status rebuild_spill(struct rebuild *rebuild)
{
    static const struct bitmap none = { .words = NULL };
    const struct build_input input = {
        .source = memtable_source(rebuild->memtable),
        .memtable = rebuild->memtable,
        .dead = &none,
    };

    return change_build(rebuild->upkeep, rebuild->change, &input, 1);
}

static status rebuild_document(struct rebuild *rebuild, const struct source *source, uint32_t doc)
{
    struct indexed_document *document = ARENA_NEW(rebuild->scratch, struct indexed_document);
    bytes stored;

    TRY(source_stored(source, rebuild->scratch, doc, &stored));
    if (!indexed_document_make(rebuild->analyzer, rebuild->scratch, stored, document)) {
        return status_error(rebuild->upkeep->arena, STATUS_DATA_LOSS,
                            "a stored document is broken");
    }
    memtable_add(rebuild->memtable, document);
    arena_reset(rebuild->scratch);
    if (memtable_bytes(rebuild->memtable) >= rebuild->upkeep->engine->memtable_limit) {
        TRY(rebuild_spill(rebuild));
        source_free(memtable_source(rebuild->memtable));
        rebuild->memtable = memtable_new();
    }
    return status_ok();
}

static status rebuild_inputs(struct rebuild *rebuild)
{
    const struct change *change = rebuild->change;

    for (size_t i = 0; i < change->n_inputs; i++) {
        const struct build_input *input = &change->inputs[i];
        for (uint32_t doc = 0; doc < input->source->n_docs; doc++) {
            if (!bitmap_has(input->dead, doc)) {
                TRY(rebuild_document(rebuild, input->source, doc));
            }
        }
    }
    return rebuild_spill(rebuild);
}

static status rebuild_change(struct upkeep *upkeep, struct change *change)
{
    bool *all = ARENA_NEW_ARRAY(upkeep->arena, bool, change->collection->n_parts);

    for (size_t i = 0; i < change->collection->n_parts; i++) {
        all[i] = true;
    }
    TRY(change_replace_parts(upkeep, change, all));
    struct rebuild rebuild = {
        .upkeep = upkeep,
        .change = change,
        .analyzer = engine_take_analyzer(upkeep->engine),
        .memtable = memtable_new(),
        .scratch = arena_new(),
    };
    status s = rebuild_inputs(&rebuild);
    engine_give_analyzer(upkeep->engine, rebuild.analyzer);
    source_free(memtable_source(rebuild.memtable));
    if (!status_is_ok(s)) {
        s = status_error(upkeep->arena, s.code, "%s", s.message);
    }
    arena_free(rebuild.scratch);
    TRY(s);
    return upkeep_commit(upkeep, upkeep->engine->flushed);
}

static status rebuild_collection(struct search_engine *engine, struct arena *arena,
                                 const struct collection *collection)
{
    struct upkeep upkeep;
    status s = status_ok();

    TRY(flush_and_tell(engine, arena));
    TRY(upkeep_begin(&upkeep, engine, arena));
    for (size_t i = 0; i < upkeep.n_changes; i++) {
        if (upkeep.changes[i].collection == collection) {
            s = rebuild_change(&upkeep, &upkeep.changes[i]);
        }
    }
    upkeep_end(&upkeep);
    return s;
}

status search_engine_rebuild(struct search_engine *engine, struct arena *arena,
                             const struct collection_name *name)
{
    struct collection *collection = NULL;

    TRY(engine_find(engine, arena, name, &collection));
    pthread_mutex_lock(&engine->upkeep);
    status s = rebuild_collection(engine, arena, collection);
    pthread_mutex_unlock(&engine->upkeep);
    collection_unref(collection);
    return s;
}

/* ---- Step by step, or by a thread ---- */

static bool wants_flush(struct search_engine *engine)
{
    pthread_mutex_lock(&engine->lock);
    bool wanted =
        engine->memtable_bytes >= engine->memtable_limit || engine->log_bytes >= engine->log_limit;
    pthread_mutex_unlock(&engine->lock);
    return wanted;
}

status search_engine_step(struct search_engine *engine, struct arena *arena, bool *ret_more)
{
    status s;

    *ret_more = false;
    pthread_mutex_lock(&engine->upkeep);
    if (wants_flush(engine)) {
        s = flush_and_tell(engine, arena);
        *ret_more = true;
    } else {
        s = merge(engine, arena, ret_more);
    }
    pthread_mutex_unlock(&engine->upkeep);
    return s;
}

/* Steps until there is nothing to do, or something fails: then the next write asks again. */
static void step_all(struct search_engine *engine)
{
    struct arena *arena = arena_new();
    bool more = true;

    while (more) {
        status s = search_engine_step(engine, arena, &more);
        if (!status_is_ok(s)) {
            LOG(engine->log_to, LEVEL_ERROR, NULL, "the index cannot be put in order",
                log_text("error", s.message));
            counter_add(COUNTER_search_upkeep_failures, 1);
            more = false;
        }
        arena_reset(arena);
    }
    arena_free(arena);
}

static void *upkeep_thread(void *data)
{
    struct search_engine *engine = data;

    pthread_mutex_lock(&engine->lock);
    while (!engine->stopping) {
        engine->upkeep_wanted = false;
        pthread_mutex_unlock(&engine->lock);
        step_all(engine);
        pthread_mutex_lock(&engine->lock);
        while (!engine->upkeep_wanted && !engine->stopping) {
            pthread_cond_wait(&engine->wanted, &engine->lock);
        }
    }
    pthread_mutex_unlock(&engine->lock);
    return NULL;
}

void engine_start_upkeep(struct search_engine *engine)
{
    if (pthread_create(&engine->thread, NULL, upkeep_thread, engine) != 0) {
        abort(); /* no memory for a thread, when the service starts */
    }
}

void engine_stop_upkeep(struct search_engine *engine)
{
    pthread_mutex_lock(&engine->lock);
    engine->stopping = true;
    pthread_cond_signal(&engine->wanted);
    pthread_mutex_unlock(&engine->lock);
    (void)pthread_join(engine->thread, NULL);
}
