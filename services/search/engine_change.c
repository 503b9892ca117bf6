#include "services/search/engine_change.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

/* ---- Begin and end ---- */

status upkeep_begin(struct upkeep *self, struct search_engine *engine, struct arena *arena)
{
    size_t n = 0;
    struct collection **collections;

    *self = (struct upkeep){ .engine = engine, .arena = arena };
    pthread_mutex_lock(&engine->lock);
    self->segment = engine->next_segment++;
    pthread_mutex_unlock(&engine->lock);
    TRY(segment_writer_init(&self->writer, arena, engine->files,
                            segment_name(arena, self->segment)));
    collections = engine_collections(engine, arena, &n);
    self->changes = ARENA_NEW_ARRAY(arena, struct change, n);
    self->n_changes = n;
    for (size_t i = 0; i < n; i++) {
        self->changes[i].collection = collections[i];
    }
    return status_ok();
}

static void change_reset(struct change *change)
{
    for (size_t i = 0; i < change->n_inputs; i++) {
        bitmap_reset(&change->dead[i]);
    }
    for (size_t i = 0; i < change->n_made; i++) {
        source_free(change->made[i].source);
    }
    collection_unref(change->collection);
}

/* What was marked as written was not. */
static void undo_dead(struct change *change)
{
    struct collection *collection = change->collection;

    pthread_rwlock_wrlock(&collection->lock);
    for (size_t i = 0; change->new_dead != NULL && i < collection->n_parts; i++) {
        if (change->new_dead[i].segment != 0) {
            collection->parts[i].source->dead.changed = true;
        }
    }
    pthread_rwlock_unlock(&collection->lock);
}

/* Where that fails, the next start does it. */
static void remove_segment(struct upkeep *self)
{
    (void)files_remove(self->engine->files, self->arena, segment_name(self->arena, self->segment));
}

static void give_up(struct upkeep *self)
{
    for (size_t i = 0; i < self->n_changes; i++) {
        undo_dead(&self->changes[i]);
    }
    segments_close(&self->engine->segments, self->segment);
    if (self->in_doubt) { /* the manifest may be there all the same, and then it names this one */
        self->engine->sweep_wanted = true;
        return;
    }
    remove_segment(self);
}

void upkeep_end(struct upkeep *self)
{
    if (!self->committed) {
        give_up(self);
    } else if (self->writer.offset == 0) {
        remove_segment(self);
    }
    segment_writer_reset(&self->writer);
    for (size_t i = 0; i < self->n_changes; i++) {
        change_reset(&self->changes[i]);
    }
    (void)malloc_trim(0); /* memtables and tables are gone; so shall be their memory */
}

/* ---- What goes ---- */

static void reserve_inputs(struct upkeep *self, struct change *change, size_t n)
{
    change->dead = ARENA_NEW_ARRAY(self->arena, struct bitmap, n);
    change->inputs = ARENA_NEW_ARRAY(self->arena, struct build_input, n);
}

static void add_input(struct change *change, const struct source *source,
                      const struct memtable *memtable)
{
    size_t i = change->n_inputs++;

    change->dead[i] = bitmap_clone(&source->dead.docs);
    change->inputs[i] = (struct build_input){
        .source = source,
        .memtable = memtable,
        .dead = &change->dead[i],
    };
}

status change_replace_memtable(struct upkeep *self, struct change *change)
{
    struct collection *collection = change->collection;

    if (collection->frozen == NULL) {
        return status_ok();
    }
    TRY(collection_lock_shared(collection, self->arena));
    reserve_inputs(self, change, 1);
    add_input(change, memtable_source(collection->frozen), collection->frozen);
    change->takes_memtable = true;
    collection_unlock(collection);
    return status_ok();
}

status change_replace_parts(struct upkeep *self, struct change *change, const bool *which)
{
    struct collection *collection = change->collection;

    TRY(collection_lock_shared(collection, self->arena));
    reserve_inputs(self, change, collection->n_parts);
    change->replaced = ARENA_NEW_ARRAY(self->arena, bool, collection->n_parts);
    for (size_t i = 0; i < collection->n_parts; i++) {
        if (which[i]) {
            add_input(change, collection->parts[i].source, NULL);
            change->replaced[i] = true;
        }
    }
    collection_unlock(collection);
    return status_ok();
}

/* ---- What is made ---- */

status change_build(struct upkeep *self, struct change *change, const struct build_input *inputs,
                    size_t n_inputs)
{
    struct build_result result = { .n_docs = 0 };

    TRY(part_build(self->arena, &change->collection->schema, inputs, n_inputs, &self->writer,
                   &result));
    if (result.n_docs == 0) {
        return status_ok();
    }
    struct collection_part *made =
        ARENA_NEW_ARRAY(self->arena, struct collection_part, change->n_made + 1);
    if (change->n_made > 0) {
        memcpy(made, change->made, change->n_made * sizeof *made);
    }
    result.extent.segment = self->segment;
    made[change->n_made++] =
        (struct collection_part){ .part = result.extent, .n_docs = result.n_docs };
    change->made = made;
    return status_ok();
}

static void write_dead(struct upkeep *self, struct change *change, size_t i)
{
    struct collection_part *part = &change->collection->parts[i];

    if (change->new_dead == NULL) {
        size_t n = change->collection->n_parts;
        change->new_dead = ARENA_NEW_ARRAY(self->arena, struct extent, n);
        change->n_new_dead = ARENA_NEW_ARRAY(self->arena, uint32_t, n);
    }
    part_write_dead(part->source, &self->writer, &change->new_dead[i]);
    change->new_dead[i].segment = self->segment;
    change->n_new_dead[i] = part->source->dead.n_docs;
    part->source->dead.changed = false;
}

status change_write_dead(struct upkeep *self, struct change *change)
{
    struct collection *collection = change->collection;

    pthread_rwlock_wrlock(&collection->lock);
    for (size_t i = 0; collection->opened && i < collection->n_parts; i++) {
        if (collection->parts[i].source->dead.changed) {
            write_dead(self, change, i);
        }
    }
    pthread_rwlock_unlock(&collection->lock);
    return status_ok();
}

/* ---- The manifest ---- */

static bool goes(const struct change *change, size_t part)
{
    return change->replaced != NULL && change->replaced[part];
}

static bool has_new_dead(const struct change *change, size_t part)
{
    return change->new_dead != NULL && change->new_dead[part].segment != 0;
}

static struct manifest_part kept_part(const struct change *change, size_t i)
{
    const struct collection_part *part = &change->collection->parts[i];

    return (struct manifest_part){
        .part = part->part,
        .dead = has_new_dead(change, i) ? change->new_dead[i] : part->dead,
        .n_dead = has_new_dead(change, i) ? change->n_new_dead[i] : part->n_dead,
        .n_docs = part->n_docs,
    };
}

static struct manifest_collection saved_collection(struct arena *arena, const struct change *change)
{
    const struct collection *collection = change->collection;
    struct manifest_collection saved = {
        .key = collection->key,
        .schema = collection->schema,
        .create_time_ms = collection->create_time_ms,
        .revision = collection->revision,
        .parts = ARENA_NEW_ARRAY(arena, struct manifest_part, collection->n_parts + change->n_made),
    };

    for (size_t i = 0; i < collection->n_parts; i++) {
        if (!goes(change, i)) {
            saved.parts[saved.n_parts++] = kept_part(change, i);
        }
    }
    for (size_t i = 0; i < change->n_made; i++) {
        saved.parts[saved.n_parts++] = (struct manifest_part){
            .part = change->made[i].part,
            .n_docs = change->made[i].n_docs,
        };
    }
    return saved;
}

static status write_manifest(struct upkeep *self, uint64_t flushed)
{
    struct manifest manifest = {
        .flushed = flushed,
        .next_segment = self->segment + 1,
        .collections = ARENA_NEW_ARRAY(self->arena, struct manifest_collection, self->n_changes),
    };

    for (size_t i = 0; i < self->n_changes; i++) {
        struct collection *collection = self->changes[i].collection;
        pthread_rwlock_rdlock(&collection->lock);
        if (!collection->dropped) {
            manifest.collections[manifest.n_collections++] =
                saved_collection(self->arena, &self->changes[i]);
        }
        pthread_rwlock_unlock(&collection->lock);
    }
    return manifest_write(self->engine->files, self->arena, &manifest);
}

/* ---- In place of the old ---- */

static status open_made(struct upkeep *self, struct collection_part *made)
{
    TRY(segments_use(&self->engine->segments, self->arena, &made->part, &made->view));
    status s = part_open(self->arena, &made->view, &made->source);
    if (!status_is_ok(s)) {
        segments_release(&self->engine->segments, &made->part);
    }
    return s;
}

/* Opens all parts that were made, and uses what else was written. */
static status open_all(struct upkeep *self)
{
    struct extent_view view;

    for (size_t c = 0; c < self->n_changes; c++) {
        struct change *change = &self->changes[c];
        for (size_t i = 0; i < change->n_made; i++) {
            TRY(open_made(self, &change->made[i]));
        }
        for (size_t i = 0; change->new_dead != NULL && i < change->collection->n_parts; i++) {
            if (change->new_dead[i].segment != 0) {
                TRY(segments_use(&self->engine->segments, self->arena, &change->new_dead[i],
                                 &view));
            }
        }
    }
    return status_ok();
}

/* A document that died in a source that goes dies in the part that comes. */
static status bury(struct upkeep *self, struct change *change, struct analyzer *analyzer,
                   const struct source *source, uint32_t doc)
{
    struct indexed_document *document = ARENA_NEW(self->arena, struct indexed_document);
    bytes id;
    bytes stored;

    TRY(source_id(source, self->arena, doc, &id));
    for (size_t i = 0; i < change->n_made; i++) {
        struct source *made = change->made[i].source;
        uint32_t found = NO_DOC;
        TRY(source_find_id(made, self->arena, id, &found));
        if (found != NO_DOC) {
            TRY(source_stored(made, self->arena, found, &stored));
            if (!indexed_document_make(analyzer, self->arena, stored, document)) {
                return status_error(self->arena, STATUS_DATA_LOSS, "a stored document is broken");
            }
            return source_remove(made, self->arena, found, document);
        }
    }
    return status_ok();
}

static status bury_new_dead(struct upkeep *self, struct change *change, struct analyzer *analyzer)
{
    for (size_t i = 0; i < change->n_inputs; i++) {
        const struct source *source = change->inputs[i].source;
        if (source->dead.n_docs == bitmap_count(&change->dead[i])) {
            continue;
        }
        for (uint32_t doc = 0; doc < source->n_docs; doc++) {
            if (source_is_dead(source, doc) && !bitmap_has(&change->dead[i], doc)) {
                TRY(bury(self, change, analyzer, source, doc));
            }
        }
    }
    return status_ok();
}

static void release_dead(struct collection *collection, struct collection_part *part)
{
    if (part->dead.segment != 0) {
        segments_release(collection->segments, &part->dead);
    }
}

/* The parts that stay and those that were made; the others end. */
static void put_parts(struct change *change)
{
    struct collection *collection = change->collection;
    struct collection_part *parts = calloc(collection->n_parts + change->n_made + 1, sizeof *parts);
    size_t n = 0;

    if (parts == NULL) {
        abort();
    }
    for (size_t i = 0; i < collection->n_parts; i++) {
        struct collection_part *part = &collection->parts[i];
        if (goes(change, i)) {
            source_free(part->source);
            release_dead(collection, part);
            segments_release(collection->segments, &part->part);
            continue;
        }
        if (has_new_dead(change, i)) {
            release_dead(collection, part);
            part->dead = change->new_dead[i];
            part->n_dead = change->n_new_dead[i];
        }
        parts[n++] = *part;
    }
    for (size_t i = 0; i < change->n_made; i++) {
        parts[n++] = change->made[i];
    }
    free(collection->parts);
    collection->parts = parts;
    collection->n_parts = n;
    change->n_made = 0; /* they are the collection's */
}

static status put_in_place(struct upkeep *self, struct change *change, struct analyzer *analyzer)
{
    struct collection *collection = change->collection;

    if (change->n_inputs == 0 && change->new_dead == NULL) {
        return status_ok();
    }
    pthread_rwlock_wrlock(&collection->lock);
    status s = bury_new_dead(self, change, analyzer);
    put_parts(change);
    if (change->takes_memtable) {
        source_free(memtable_source(collection->frozen));
        collection->frozen = NULL;
    }
    pthread_rwlock_unlock(&collection->lock);
    return s;
}

static void sweep(struct search_engine *engine, struct arena *arena)
{
    if (engine->sweep_wanted && status_is_ok(segments_sweep(&engine->segments, arena))) {
        engine->sweep_wanted = false;
    }
}

status upkeep_commit(struct upkeep *self, uint64_t flushed)
{
    struct search_engine *engine = self->engine;
    status failure = status_ok();

    if (self->writer.offset > 0) {
        TRY(segment_writer_finish(&self->writer));
        TRY(files_sync_folder(engine->files, self->arena, SEGMENT_FOLDER));
        TRY(open_all(self));
    }
    self->in_doubt = true;
    TRY(write_manifest(self, flushed));
    self->committed = true;
    engine->flushed = flushed;
    struct analyzer *analyzer = engine_take_analyzer(engine);
    for (size_t i = 0; i < self->n_changes; i++) {
        status s = put_in_place(self, &self->changes[i], analyzer);
        failure = status_is_ok(failure) ? s : failure;
    }
    engine_give_analyzer(engine, analyzer);
    sweep(engine, self->arena);
    return failure;
}
