#include "services/search/collection.h"

#include "services/search/pack.h"

#include <stdlib.h>
#include <string.h>

/* A copy in one piece: unlike an arena, not larger than it must be. */
static struct search_schema own_schema(const struct search_schema *schema)
{
    size_t size = schema->n_fields * sizeof *schema->fields;

    for (size_t i = 0; i < schema->n_fields; i++) {
        size += strlen(schema->fields[i].name) + 1;
    }
    struct schema_field *fields = malloc(size + 1);
    if (fields == NULL) {
        abort();
    }
    char *names = (char *)(fields + schema->n_fields);
    for (size_t i = 0; i < schema->n_fields; i++) {
        size_t length = strlen(schema->fields[i].name) + 1;
        fields[i] = schema->fields[i];
        fields[i].name = memcpy(names, schema->fields[i].name, length);
        names += length;
    }
    return (struct search_schema){ .fields = fields, .n_fields = schema->n_fields };
}

/* With a NUL behind it. */
static bytes own_key(bytes key)
{
    uint8_t *copy = calloc(1, key.size + 1);

    if (copy == NULL) {
        abort();
    }
    memcpy(copy, key.data, key.size);
    return (bytes){ .data = copy, .size = key.size };
}

static void free_const(const void *owned)
{
    free((void *)(uintptr_t)owned);
}

struct collection *collection_new(struct segments *segments, bytes key,
                                  const struct search_schema *schema, int64_t create_time_ms)
{
    struct collection *collection = calloc(1, sizeof *collection);
    pthread_rwlockattr_t attributes;

    if (collection == NULL) {
        abort();
    }
    collection->schema = own_schema(schema);
    collection->key = own_key(key);
    collection->segments = segments;
    collection->create_time_ms = create_time_ms;
    atomic_init(&collection->refs, 1);
    /* Otherwise a stream of readers would keep writers out for ever. */
    pthread_rwlockattr_init(&attributes);
    pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&collection->lock, &attributes);
    pthread_rwlockattr_destroy(&attributes);
    return collection;
}

struct collection *collection_ref(struct collection *collection)
{
    atomic_fetch_add(&collection->refs, 1);
    return collection;
}

static void release_extents(struct collection *collection)
{
    for (size_t i = 0; i < collection->n_parts; i++) {
        const struct collection_part *part = &collection->parts[i];
        segments_release(collection->segments, &part->part);
        if (part->dead.segment != 0) {
            segments_release(collection->segments, &part->dead);
        }
    }
}

void collection_unref(struct collection *collection)
{
    if (collection == NULL || atomic_fetch_sub(&collection->refs, 1) > 1) {
        return;
    }
    for (size_t i = 0; i < collection->n_parts; i++) {
        source_free(collection->parts[i].source);
    }
    if (collection->dropped) {
        release_extents(collection);
        atomic_fetch_sub(&collection->segments->n_dropped, 1);
    }
    if (collection->active != NULL) {
        source_free(memtable_source(collection->active));
    }
    if (collection->frozen != NULL) {
        source_free(memtable_source(collection->frozen));
    }
    free(collection->parts);
    pthread_rwlock_destroy(&collection->lock);
    free_const(collection->schema.fields);
    free_const(collection->key.data);
    free(collection);
}

/* ---- From the manifest ---- */

static status load_part(struct segments *segments, struct arena *arena,
                        const struct manifest_part *saved, struct collection_part *ret_part)
{
    struct extent_view dead;

    *ret_part = (struct collection_part){
        .part = saved->part,
        .dead = saved->dead,
        .n_docs = saved->n_docs,
        .n_dead = saved->n_dead,
    };
    if (saved->dead.segment != 0) {
        TRY(segments_use(segments, arena, &saved->dead, &dead));
    }
    return segments_use(segments, arena, &saved->part, &ret_part->view);
}

status collection_load(struct segments *segments, struct arena *arena,
                       const struct manifest_collection *saved, struct collection **ret_collection)
{
    struct collection *collection =
        collection_new(segments, saved->key, &saved->schema, saved->create_time_ms);

    collection->revision = saved->revision;
    collection->parts = calloc(saved->n_parts + 1, sizeof *collection->parts);
    if (collection->parts == NULL) {
        abort();
    }
    for (size_t i = 0; i < saved->n_parts; i++) {
        status s = load_part(segments, arena, &saved->parts[i], &collection->parts[i]);
        if (!status_is_ok(s)) {
            collection_unref(collection);
            return s;
        }
        collection->n_parts++;
        collection->n_documents += saved->parts[i].n_docs - saved->parts[i].n_dead;
    }
    *ret_collection = collection;
    return status_ok();
}

/* Reads which of a part's documents are dead. */
static status read_dead(struct collection *collection, struct arena *arena,
                        const struct collection_part *part, struct source *source)
{
    struct extent_view dead;

    if (part->dead.segment == 0) {
        return status_ok();
    }
    TRY(segments_use(collection->segments, arena, &part->dead, &dead));
    status s = part_read_dead(source, arena, &dead);
    segments_release(collection->segments, &part->dead);
    return s;
}

static status open_part(struct collection *collection, struct arena *arena,
                        struct collection_part *part)
{
    struct source *source = NULL;

    if (part->source != NULL) {
        return status_ok();
    }
    TRY(part_open(arena, &part->view, &source));
    assert(source != NULL);
    status s = read_dead(collection, arena, part, source);
    if (!status_is_ok(s)) {
        source_free(source);
        return s;
    }
    part->source = source;
    return status_ok();
}

static status open_parts(struct collection *collection, struct arena *arena)
{
    for (size_t i = 0; i < collection->n_parts; i++) {
        TRY(open_part(collection, arena, &collection->parts[i]));
    }
    collection->opened = true;
    return status_ok();
}

/* ---- The lock ---- */

status collection_lock_exclusive(struct collection *collection, struct arena *arena)
{
    pthread_rwlock_wrlock(&collection->lock);
    status s = collection->opened ? status_ok() : open_parts(collection, arena);
    if (!status_is_ok(s)) {
        pthread_rwlock_unlock(&collection->lock);
    }
    return s;
}

status collection_lock_shared(struct collection *collection, struct arena *arena)
{
    pthread_rwlock_rdlock(&collection->lock);
    while (!collection->opened) {
        pthread_rwlock_unlock(&collection->lock);
        TRY(collection_lock_exclusive(collection, arena));
        pthread_rwlock_unlock(&collection->lock);
        pthread_rwlock_rdlock(&collection->lock);
    }
    return status_ok();
}

void collection_unlock(struct collection *collection)
{
    pthread_rwlock_unlock(&collection->lock);
}

/* ---- What is in it ---- */

struct sources collection_sources(const struct collection *collection, struct arena *arena)
{
    struct sources all = {
        .sources = ARENA_NEW_ARRAY(arena, struct source *, collection->n_parts + 2),
    };

    if (collection->active != NULL) {
        all.sources[all.n++] = memtable_source(collection->active);
    }
    if (collection->frozen != NULL) {
        all.sources[all.n++] = memtable_source(collection->frozen);
    }
    for (size_t i = 0; i < collection->n_parts; i++) {
        all.sources[all.n++] = collection->parts[i].source;
    }
    return all;
}

status collection_find(const struct collection *collection, struct arena *arena, bytes id,
                       struct source **ret_source, uint32_t *ret_doc)
{
    struct sources sources = collection_sources(collection, arena);

    for (size_t i = 0; i < sources.n; i++) {
        uint32_t doc = NO_DOC;
        TRY(source_find_id(sources.sources[i], arena, id, &doc));
        if (doc != NO_DOC) {
            *ret_source = sources.sources[i];
            *ret_doc = doc;
            return status_ok();
        }
    }
    *ret_source = NULL;
    return status_ok();
}

static status remove_document(struct arena *arena, struct analyzer *analyzer, struct source *source,
                              uint32_t doc)
{
    struct indexed_document *before = ARENA_NEW(arena, struct indexed_document);
    bytes stored;

    TRY(source_stored(source, arena, doc, &stored));
    if (!indexed_document_make(analyzer, arena, stored, before)) {
        return status_error(arena, STATUS_DATA_LOSS, "a stored document is broken");
    }
    return source_remove(source, arena, doc, before);
}

status collection_upsert(struct collection *collection, struct arena *arena,
                         struct analyzer *analyzer, const struct indexed_document *document,
                         bool *ret_changed)
{
    struct source *source = NULL;
    uint32_t doc = NO_DOC;
    bytes stored;

    TRY(collection_find(collection, arena, document->id, &source, &doc));
    if (source != NULL) {
        TRY(source_stored(source, arena, doc, &stored));
        *ret_changed = bytes_compare(stored, document->stored) != 0;
        if (!*ret_changed) {
            return status_ok();
        }
        TRY(remove_document(arena, analyzer, source, doc));
        collection->n_documents--;
    }
    if (collection->active == NULL) {
        collection->active = memtable_new();
    }
    memtable_add(collection->active, document);
    collection->n_documents++;
    *ret_changed = true;
    return status_ok();
}

status collection_delete(struct collection *collection, struct arena *arena,
                         struct analyzer *analyzer, bytes id)
{
    struct source *source = NULL;
    uint32_t doc = NO_DOC;

    TRY(collection_find(collection, arena, id, &source, &doc));
    if (source != NULL) {
        TRY(remove_document(arena, analyzer, source, doc));
        collection->n_documents--;
    }
    return status_ok();
}

bool collection_drop(struct collection *collection)
{
    bool first = !collection->dropped;

    collection->dropped = true;
    atomic_fetch_add(&collection->segments->n_dropped, first);
    return first;
}

void collection_freeze(struct collection *collection)
{
    assert(collection->frozen == NULL);
    collection->frozen = collection->active;
    collection->active = NULL;
}
