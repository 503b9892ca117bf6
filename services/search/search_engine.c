#include "services/search/search_engine.h"

#include "libs/base/status_details.h"
#include "services/search/engine.h"
#include "services/search/pack.h"

#include <stdlib.h>
#include <string.h>

enum {
    /* A part has some hundred bytes of tables beside the documents: small flushes make bad parts.
     * 24 MiB are some ten thousand documents. */
    DEFAULT_MEMTABLE_BYTES = 24 * 1024 * 1024,
    DEFAULT_LOG_BYTES = 32 * 1024 * 1024,
};

/* ---- Names ---- */

bytes engine_key(struct arena *arena, const struct collection_name *name)
{
    struct text key = text_new(arena);

    text_add_bytes(&key, bytes_of(name->tenant));
    text_add_bytes(&key, (bytes){ .data = (const uint8_t *)"", .size = 1 });
    text_add_bytes(&key, bytes_of(name->project));
    text_add_bytes(&key, (bytes){ .data = (const uint8_t *)"", .size = 1 });
    text_add_bytes(&key, bytes_of(name->collection));
    return text_bytes(&key);
}

/* A key is NUL-terminated, so its three parts are strings. */
static struct collection_name name_of(struct arena *arena, bytes key)
{
    struct collection_name name;

    name.tenant = (const char *)bytes_copy(arena, key).data;
    name.project = name.tenant + strlen(name.tenant) + 1;
    name.collection = name.project + strlen(name.project) + 1;
    return name;
}

static status check_name(struct arena *arena, const struct collection_name *name)
{
    const char *parts[] = { name->tenant, name->project, name->collection };

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (parts[i][0] == '\0' || strlen(parts[i]) > MAX_NAME_PART_BYTES) {
            return status_error(arena, STATUS_INVALID_ARGUMENT, "'%s' is not 1 to %d bytes",
                                parts[i], MAX_NAME_PART_BYTES);
        }
    }
    return status_ok();
}

/* ---- Opening ---- */

static struct search_engine *engine_new(const struct search_engine_options *options)
{
    struct search_engine *engine = calloc(1, sizeof *engine);

    if (engine == NULL) {
        abort();
    }
    engine->files = options->files;
    engine->clock = options->clock;
    engine->log_to = options->log;
    engine->stepped = options->stepped;
    engine->memtable_limit =
        options->memtable_bytes != 0 ? options->memtable_bytes : DEFAULT_MEMTABLE_BYTES;
    engine->log_limit = options->log_bytes != 0 ? options->log_bytes : DEFAULT_LOG_BYTES;
    engine->units_end = &engine->first_unit;
    segments_init(&engine->segments, options->files);
    map_init(&engine->collections);
    pthread_mutex_init(&engine->lock, NULL);
    pthread_mutex_init(&engine->upkeep, NULL);
    pthread_cond_init(&engine->led, NULL);
    pthread_cond_init(&engine->wanted, NULL);
    pthread_cond_init(&engine->upkeep_done, NULL);
    return engine;
}

static void unref_collection(void *collection)
{
    collection_unref(collection);
}

static void engine_free(struct search_engine *engine)
{
    map_reset(&engine->collections, unref_collection);
    segments_reset(&engine->segments);
    write_log_close(engine->log);
    for (size_t i = 0; i < engine->n_analyzers; i++) {
        analyzer_free(engine->analyzers[i]);
    }
    pthread_cond_destroy(&engine->upkeep_done);
    pthread_cond_destroy(&engine->wanted);
    pthread_cond_destroy(&engine->led);
    pthread_mutex_destroy(&engine->upkeep);
    pthread_mutex_destroy(&engine->lock);
    free(engine);
}

static status load_collections(struct search_engine *engine, struct arena *arena,
                               const struct manifest *manifest)
{
    for (size_t i = 0; i < manifest->n_collections; i++) {
        struct collection *collection = NULL;
        TRY(collection_load(&engine->segments, arena, &manifest->collections[i], &collection));
        collection_unref(map_put_bytes(&engine->collections, collection->key, collection));
    }
    return status_ok();
}

static status load(struct search_engine *engine, struct arena *arena)
{
    struct manifest manifest;

    TRY(files_make_folder(engine->files, arena, SEGMENT_FOLDER));
    TRY(manifest_read(engine->files, arena, &manifest));
    engine->flushed = manifest.flushed;
    engine->next_segment = manifest.next_segment;
    TRY(load_collections(engine, arena, &manifest));
    TRY(segments_sweep(&engine->segments, arena));
    TRY(write_log_open(engine->files, arena, manifest.flushed, engine_replay, engine,
                       &engine->log));
    engine->log_bytes = write_log_bytes(engine->log);
    return status_ok();
}

status search_engine_open(const struct search_engine_options *options, struct arena *arena,
                          struct search_engine **ret_engine)
{
    struct search_engine *engine = engine_new(options);
    status s = load(engine, arena);

    if (!status_is_ok(s)) {
        engine_free(engine);
        return s;
    }
    if (!engine->stepped) {
        engine_start_upkeep(engine);
    }
    *ret_engine = engine;
    return status_ok();
}

void search_engine_close(struct search_engine *engine)
{
    if (engine == NULL) {
        return;
    }
    if (!engine->stepped) {
        engine_stop_upkeep(engine);
    }
    engine_free(engine);
}

/* ---- Analyzers ---- */

struct analyzer *engine_take_analyzer(struct search_engine *engine)
{
    struct analyzer *analyzer = NULL;

    pthread_mutex_lock(&engine->lock);
    if (engine->n_analyzers > 0) {
        analyzer = engine->analyzers[--engine->n_analyzers];
    }
    pthread_mutex_unlock(&engine->lock);
    return analyzer != NULL ? analyzer : analyzer_new();
}

void engine_give_analyzer(struct search_engine *engine, struct analyzer *analyzer)
{
    pthread_mutex_lock(&engine->lock);
    if (engine->n_analyzers < sizeof engine->analyzers / sizeof engine->analyzers[0]) {
        engine->analyzers[engine->n_analyzers++] = analyzer;
        analyzer = NULL;
    }
    pthread_mutex_unlock(&engine->lock);
    analyzer_free(analyzer);
}

/* ---- Collections ---- */

static struct collection *get(struct search_engine *engine, bytes key)
{
    pthread_mutex_lock(&engine->lock);
    struct collection *collection = map_get_bytes(&engine->collections, key);
    if (collection != NULL) {
        collection_ref(collection);
    }
    pthread_mutex_unlock(&engine->lock);
    return collection;
}

status engine_find(struct search_engine *engine, struct arena *arena,
                   const struct collection_name *name, struct collection **ret_collection)
{
    struct collection *collection = get(engine, engine_key(arena, name));

    if (collection == NULL) {
        return status_error(arena, STATUS_NOT_FOUND, "project '%s' has no collection '%s'",
                            name->project, name->collection);
    }
    *ret_collection = collection;
    return status_ok();
}

static int by_key(const void *a, const void *b)
{
    return bytes_compare((*(struct collection *const *)a)->key,
                         (*(struct collection *const *)b)->key);
}

struct collection **engine_collections(struct search_engine *engine, struct arena *arena,
                                       size_t *ret_n)
{
    size_t n = 0;

    pthread_mutex_lock(&engine->lock);
    struct collection **collections =
        ARENA_NEW_ARRAY(arena, struct collection *, engine->collections.n_entries);
    for (struct map_at at = { 0 }; map_next(&engine->collections, &at);) {
        collections[n++] = collection_ref(at.value);
    }
    pthread_mutex_unlock(&engine->lock);
    qsort(collections, n, sizeof(struct collection *), by_key);
    *ret_n = n;
    return collections;
}

static status create(struct search_engine *engine, struct arena *arena, bytes key,
                     const struct search_schema *schema)
{
    struct text data = text_new(arena);
    status result = status_ok();

    pack_u64(&data, (uint64_t)clock_wall_ms(engine->clock));
    search_schema_pack(schema, &data);
    const struct write_op op = { .kind = WRITE_CREATE,
                                 .data = text_bytes(&data),
                                 .result = &result };
    struct write_unit unit = { .key = key, .ops = &op, .n_ops = 1, .n_bytes = data.size };
    TRY(engine_commit(engine, arena, &unit));
    return result;
}

status search_engine_create(struct search_engine *engine, struct arena *arena,
                            const struct collection_name *name, const struct search_schema *schema)
{
    struct collection *collection = NULL;

    TRY(check_name(arena, name));
    TRY(search_schema_check(schema, arena));
    status s = engine_find(engine, arena, name, &collection);
    if (!status_is_ok(s)) { /* two at once are told apart when they are applied */
        return create(engine, arena, engine_key(arena, name), schema);
    }
    bool same = search_schema_equal(&collection->schema, schema);
    collection_unref(collection);
    return same ? status_ok()
                : status_error(arena, STATUS_ALREADY_EXISTS,
                               "project '%s' has a collection '%s' with other fields",
                               name->project, name->collection);
}

status search_engine_drop(struct search_engine *engine, struct arena *arena,
                          const struct collection_name *name)
{
    struct collection *collection = NULL;
    status result = status_ok();

    TRY(engine_find(engine, arena, name, &collection));
    const struct write_op op = { .kind = WRITE_DROP, .result = &result };
    struct write_unit unit = {
        .key = collection->key, .collection = collection, .ops = &op, .n_ops = 1
    };
    status s = engine_commit(engine, arena, &unit);
    collection_unref(collection);
    return s;
}

static struct collection_info info_of(struct arena *arena, const struct collection *collection)
{
    return (struct collection_info){
        .name = name_of(arena, collection->key),
        .schema = search_schema_copy(&collection->schema, arena),
        .create_time_ms = collection->create_time_ms,
        .n_documents = collection->n_documents,
    };
}

status search_engine_describe(struct search_engine *engine, struct arena *arena,
                              const struct collection_name *name, struct collection_info *ret_info)
{
    struct collection *collection = NULL;

    TRY(engine_find(engine, arena, name, &collection));
    *ret_info = info_of(arena, collection);
    collection_unref(collection);
    return status_ok();
}

void search_engine_list(struct search_engine *engine, struct arena *arena, const char *tenant,
                        const char *project, struct collection_info **ret_infos, size_t *ret_n)
{
    size_t n_all = 0;
    size_t n = 0;
    struct collection **all = engine_collections(engine, arena, &n_all);
    struct collection_info *infos = ARENA_NEW_ARRAY(arena, struct collection_info, n_all);

    for (size_t i = 0; i < n_all; i++) {
        struct collection_name name = name_of(arena, all[i]->key);
        if ((tenant == NULL || strcmp(tenant, name.tenant) == 0) &&
            (project == NULL || strcmp(project, name.project) == 0)) {
            infos[n++] = info_of(arena, all[i]);
        }
        collection_unref(all[i]);
    }
    *ret_infos = infos;
    *ret_n = n;
}

struct engine_tenants search_engine_tenants(struct search_engine *engine, struct arena *arena)
{
    size_t n_all = 0;
    struct collection **all = engine_collections(engine, arena, &n_all);
    const char **ids = ARENA_NEW_ARRAY(arena, const char *, n_all);
    size_t n = 0;

    for (size_t i = 0; i < n_all; i++) { /* a key begins with the tenant, and they are in order */
        const char *id = (const char *)all[i]->key.data;
        if (n == 0 || strcmp(ids[n - 1], id) != 0) {
            ids[n++] = arena_strdup(arena, id);
        }
        collection_unref(all[i]);
    }
    return (struct engine_tenants){ ids, n };
}

/* ---- Reading ---- */

static status get_stored(const struct collection *collection, struct arena *arena, bytes id,
                         bytes *ret_stored)
{
    struct source *source = NULL;
    uint32_t doc = NO_DOC;
    bytes stored;

    TRY(collection_find(collection, arena, id, &source, &doc));
    if (source == NULL) {
        return status_error(arena, STATUS_NOT_FOUND, "there is no document '%.*s'", (int)id.size,
                            (const char *)id.data);
    }
    TRY(source_stored(source, arena, doc, &stored));
    *ret_stored = bytes_copy(arena, stored);
    return status_ok();
}

static status get_locked(struct collection *collection, struct arena *arena, bytes id,
                         bytes *ret_stored)
{
    TRY(collection_lock_shared(collection, arena));
    status s = get_stored(collection, arena, id, ret_stored);
    collection_unlock(collection);
    return s;
}

status search_engine_get(struct search_engine *engine, struct arena *arena,
                         const struct collection_name *name, bytes id,
                         struct search_document *ret_document)
{
    struct collection *collection = NULL;
    bytes stored = { 0 };

    TRY(engine_find(engine, arena, name, &collection));
    status s = get_locked(collection, arena, id, &stored);
    collection_unref(collection);
    TRY(s);
    if (!search_document_decode(stored, arena, ret_document)) {
        return status_error(arena, STATUS_DATA_LOSS, "document '%.*s' is broken", (int)id.size,
                            (const char *)id.data);
    }
    return status_ok();
}
