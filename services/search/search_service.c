#include "services/search/search_service.h"

#include "libs/base/status_details.h"
#include "libs/rpc/message.h"
#include "services/search/pack.h"
#include "services/search/search_message.h"
#include "services/search/search_service_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_COLLECTIONS = 1000, /* of a tenant: each costs memory, and a place in the manifest */
    DEFAULT_COLLECTIONS_PAGE = 50,
    MAX_COLLECTIONS_PAGE = 1000,
    DEFAULT_HITS_PAGE = 10,
    MAX_HITS_PAGE = 100,
};

struct search_service *search_service_new(const struct search_service_options *options)
{
    struct search_service *self = malloc(sizeof *self);

    assert(options->engine != NULL && options->changes != NULL && options->clock != NULL);
    if (self == NULL) {
        abort();
    }
    self->options = *options;
    return self;
}

void search_service_free(struct search_service *service)
{
    free(service);
}

/* The engine blocks, so only a WORKER comes by it. */
static const struct search_service *self_of(const struct call *call)
{
    assert(call->thread == HANDLER_WORKER);
    return call->service;
}

static struct search_engine *engine_of(const struct call *call)
{
    return self_of(call)->options.engine;
}

/* ---- Names and quotas ---- */

static status check_id(struct arena *arena, const char *field, const char *id)
{
    return search_name_is_valid(id)
               ? status_ok()
               : status_bad_field(arena, field,
                                  "'%.63s' is not 1 to 63 of a-z, 0-9 and '-', the first a letter",
                                  id);
}

status collection_of(const struct call *call, struct arena *arena, const char *project_id,
                     const char *collection_id, struct collection_name *ret_name)
{
    TRY(check_id(arena, "project_id", project_id));
    TRY(check_id(arena, "collection_id", collection_id));
    *ret_name = (struct collection_name){
        .tenant = call->principal->tenant_id,
        .project = project_id,
        .collection = collection_id,
    };
    return status_ok();
}

static struct tenant_limits limits_of(const struct search_service *self, const char *tenant)
{
    struct tenant_limits limits = { .max_records = 0 };

    if (self->options.snapshot != NULL) {
        (void)snapshot_tenant(self->options.snapshot, tenant, &limits);
    }
    return limits;
}

struct record_quota record_quota_of(const struct search_service *self, struct arena *arena,
                                    const char *tenant)
{
    struct record_quota quota = { .max = limits_of(self, tenant).max_records };
    struct collection_info *infos = NULL;
    size_t n = 0;

    if (quota.max > 0) {
        search_engine_list(self->options.engine, arena, tenant, NULL, &infos, &n);
    }
    for (size_t i = 0; i < n; i++) {
        quota.n += (int64_t)infos[i].n_documents;
    }
    return quota;
}

status record_quota_used_up(struct arena *arena, const char *tenant, int64_t max)
{
    status s = status_error(arena, STATUS_RESOURCE_EXHAUSTED,
                            "the plan of tenant '%s' allows %lld records", tenant, (long long)max);

    return status_quota(arena, s, arena_printf(arena, "tenant:%s", tenant),
                        arena_printf(arena, "%lld records", (long long)max));
}

/* How many projects the collections are of; they are in order of these. */
static int64_t count_projects(const struct collection_info *infos, size_t n, const char *project)
{
    int64_t n_projects = 0;
    bool is_new = true;

    for (size_t i = 0; i < n; i++) {
        n_projects += i == 0 || strcmp(infos[i].name.project, infos[i - 1].name.project) != 0;
        is_new = is_new && strcmp(infos[i].name.project, project) != 0;
    }
    return n_projects + is_new;
}

static status check_room(struct call *call, const struct collection_name *name)
{
    int64_t max = limits_of(self_of(call), name->tenant).max_projects;
    struct collection_info *infos = NULL;
    size_t n = 0;
    status s = status_ok();

    search_engine_list(engine_of(call), call->arena, name->tenant, NULL, &infos, &n);
    if (n >= MAX_COLLECTIONS) {
        s = status_error(call->arena, STATUS_RESOURCE_EXHAUSTED,
                         "tenant '%s' has %d collections, and no more are allowed", name->tenant,
                         MAX_COLLECTIONS);
    } else if (max > 0 && count_projects(infos, n, name->project) > max) {
        s = status_error(call->arena, STATUS_RESOURCE_EXHAUSTED,
                         "the plan of tenant '%s' allows %lld projects", name->tenant,
                         (long long)max);
    }
    return status_is_ok(s)
               ? s
               : status_quota(call->arena, s, arena_printf(call->arena, "tenant:%s", name->tenant),
                              s.message);
}

static const char *target_of(const struct call *call, const struct collection_name *name)
{
    return arena_printf(call->arena, "collection:%s/%s", name->project, name->collection);
}

/* ---- Collections ---- */

/* Between begin and end: two that create the same are told apart. */
static status create_one(struct call *call, const struct search_change *change)
{
    struct collection_info info;
    status s = search_engine_describe(engine_of(call), call->arena, &change->name, &info);

    if (status_is_ok(s)) { /* OK, or ALREADY_EXISTS: nothing changes, and nothing is told */
        return search_engine_create(engine_of(call), call->arena, &change->name, &change->schema);
    }
    TRY(check_room(call, &change->name));
    return search_changes_make(self_of(call)->options.changes, call, change, "collection.create",
                               target_of(call, &change->name));
}

static status create_collection(struct call *call,
                                const Weft__Search__V1__CreateCollectionRequest *request,
                                Weft__Search__V1__CreateCollectionResponse *response)
{
    struct search_changes *changes = self_of(call)->options.changes;
    struct search_change change = { .kind = CHANGE_CREATE };
    struct collection_info info;

    TRY(collection_of(call, call->arena, request->project_id, request->collection_id,
                      &change.name));
    change.schema = schema_of_message(call->arena, request->fields, request->n_fields);
    TRY(search_schema_check(&change.schema, call->arena));
    TRY(search_changes_begin(changes, call->arena));
    status s = create_one(call, &change);
    search_changes_end(changes);
    TRY(s);
    TRY(search_engine_describe(engine_of(call), call->arena, &change.name, &info));
    response->collection = collection_message(call->arena, &info);
    return status_ok();
}

static status get_collection(struct call *call,
                             const Weft__Search__V1__GetCollectionRequest *request,
                             Weft__Search__V1__GetCollectionResponse *response)
{
    struct collection_name name;
    struct collection_info info;

    TRY(collection_of(call, call->arena, request->project_id, request->collection_id, &name));
    TRY(search_engine_describe(engine_of(call), call->arena, &name, &info));
    response->collection = collection_message(call->arena, &info);
    return status_ok();
}

/* AIP-158: 0 asks for the default, and too large a page is cut, not refused. */
static size_t page_limit(int32_t page_size, size_t usual, size_t most)
{
    size_t wanted = page_size > 0 ? (size_t)page_size : usual;

    return wanted < most ? wanted : most;
}

static status list_collections(struct call *call,
                               const Weft__Search__V1__ListCollectionsRequest *request,
                               Weft__Search__V1__ListCollectionsResponse *response)
{
    const char *after = request->page_token; /* the last id of the page before */
    size_t limit = page_limit(request->page_size, DEFAULT_COLLECTIONS_PAGE, MAX_COLLECTIONS_PAGE);
    struct collection_info *infos = NULL;
    size_t n = 0;

    TRY(check_id(call->arena, "project_id", request->project_id));
    if (request->page_size < 0) {
        return status_bad_field(call->arena, "page_size", "%d is negative", request->page_size);
    }
    if (after[0] != '\0' && !search_name_is_valid(after)) {
        return status_bad_field(call->arena, "page_token", "'%.63s' did not come from this method",
                                after);
    }
    search_engine_list(engine_of(call), call->arena, call->principal->tenant_id,
                       request->project_id, &infos, &n);
    response->collections = ARENA_NEW_ARRAY(call->arena, Weft__Search__V1__Collection *, limit);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(infos[i].name.collection, after) <= 0) {
            continue;
        }
        if (response->n_collections == limit) {
            response->next_page_token = response->collections[limit - 1]->collection_id;
            break;
        }
        response->collections[response->n_collections++] =
            collection_message(call->arena, &infos[i]);
    }
    return status_ok();
}

/* Makes a change to a collection that is there. */
static status change_collection(struct call *call, const struct search_change *change,
                                const char *action)
{
    struct search_changes *changes = self_of(call)->options.changes;
    struct collection_info info;

    TRY(search_changes_begin(changes, call->arena));
    status s = search_engine_describe(engine_of(call), call->arena, &change->name, &info);
    if (status_is_ok(s)) {
        s = search_changes_make(changes, call, change, action, target_of(call, &change->name));
    }
    search_changes_end(changes);
    return s;
}

static status delete_collection(struct call *call,
                                const Weft__Search__V1__DeleteCollectionRequest *request,
                                Weft__Search__V1__DeleteCollectionResponse *response)
{
    struct search_change change = { .kind = CHANGE_DROP };

    (void)response;
    TRY(collection_of(call, call->arena, request->project_id, request->collection_id,
                      &change.name));
    return change_collection(call, &change, "collection.delete");
}

/* Its documents are the same before and after, so it is told of and then done. */
static status rebuild_collection(struct call *call,
                                 const Weft__Search__V1__RebuildCollectionRequest *request,
                                 Weft__Search__V1__RebuildCollectionResponse *response)
{
    struct search_changes *changes = self_of(call)->options.changes;
    struct collection_name name;
    struct collection_info info;

    TRY(collection_of(call, call->arena, request->project_id, request->collection_id, &name));
    TRY(search_engine_describe(engine_of(call), call->arena, &name, &info));
    TRY(search_changes_tell(changes, call, "collection.rebuild", target_of(call, &name)));
    TRY(search_engine_rebuild(engine_of(call), call->arena, &name));
    TRY(search_engine_describe(engine_of(call), call->arena, &name, &info));
    response->n_documents = (int64_t)info.n_documents;
    return status_ok();
}

/* ---- Documents ---- */

static status get_document(struct call *call, const Weft__Search__V1__GetDocumentRequest *request,
                           Weft__Search__V1__GetDocumentResponse *response)
{
    static const struct wanted_fields all = { .n_names = 0 };
    struct collection_name name;
    struct collection_info info;
    struct search_document document;
    bytes id = bytes_of(request->document_id);

    TRY(collection_of(call, call->arena, request->project_id, request->collection_id, &name));
    if (id.size == 0 || id.size > MAX_DOCUMENT_ID_BYTES) {
        return status_bad_field(call->arena, "document_id", "is not 1 to %d bytes",
                                MAX_DOCUMENT_ID_BYTES);
    }
    TRY(search_engine_describe(engine_of(call), call->arena, &name, &info));
    TRY(search_engine_get(engine_of(call), call->arena, &name, id, &document));
    response->document = document_message(call->arena, &info.schema, &document, &all);
    return status_ok();
}

static status read_ids(struct call *call, const Weft__Search__V1__DeleteDocumentsRequest *request,
                       struct search_change *change)
{
    bytes *ids = ARENA_NEW_ARRAY(call->arena, bytes, request->n_document_ids);

    if (request->n_document_ids > MAX_WRITES) {
        return status_bad_field(call->arena, "document_ids", "are %zu, more than %d",
                                request->n_document_ids, MAX_WRITES);
    }
    for (size_t i = 0; i < request->n_document_ids; i++) {
        ids[i] = bytes_of(request->document_ids[i]);
        if (ids[i].size == 0 || ids[i].size > MAX_DOCUMENT_ID_BYTES) {
            return status_bad_field(call->arena, arena_printf(call->arena, "document_ids[%zu]", i),
                                    "is not 1 to %d bytes", MAX_DOCUMENT_ID_BYTES);
        }
    }
    change->ids = ids;
    change->n_ids = request->n_document_ids;
    return status_ok();
}

static status delete_documents(struct call *call,
                               const Weft__Search__V1__DeleteDocumentsRequest *request,
                               Weft__Search__V1__DeleteDocumentsResponse *response)
{
    struct search_change change = { .kind = CHANGE_DELETE };

    (void)response;
    TRY(collection_of(call, call->arena, request->project_id, request->collection_id,
                      &change.name));
    TRY(read_ids(call, request, &change));
    return change_collection(call, &change, "document.delete");
}

/* ---- Searching ---- */

static Google__Protobuf__Duration *duration_message(struct arena *arena, int64_t us)
{
    Google__Protobuf__Duration *duration = ARENA_NEW(arena, Google__Protobuf__Duration);

    google__protobuf__duration__init(duration);
    duration->seconds = us / 1000000;
    duration->nanos = (int32_t)(us % 1000000) * 1000;
    return duration;
}

static status search(struct call *call, const Weft__Search__V1__SearchRequest *request,
                     Weft__Search__V1__SearchResponse *response)
{
    const struct search_service *self = self_of(call);
    const struct wanted_fields wanted = { request->return_fields, request->n_return_fields };
    int64_t start_us = clock_monotonic_us(self->options.clock);
    struct search_request asked = {
        .query = request->query,
        .limit = page_limit(request->page_size, DEFAULT_HITS_PAGE, MAX_HITS_PAGE),
        .page_token = request->page_token,
        .highlight = request->highlight != 0,
    };
    struct collection_name name;
    struct search_page page;

    TRY(collection_of(call, call->arena, request->project_id, request->collection_id, &name));
    if (request->page_size < 0) {
        return status_bad_field(call->arena, "page_size", "%d is negative", request->page_size);
    }
    TRY(filter_of_message(call->arena, request->filter, request->n_filter, &asked.filter));
    TRY(search_engine_search(engine_of(call), call->arena, &name, &asked, &page));
    response->n_hits = page.n_hits;
    response->hits = ARENA_NEW_ARRAY(call->arena, Weft__Search__V1__Hit *, page.n_hits);
    for (size_t i = 0; i < page.n_hits; i++) {
        response->hits[i] = hit_message(call->arena, &page.schema, &page.hits[i], &wanted);
    }
    response->next_page_token = message_text(page.next_page_token);
    response->took =
        duration_message(call->arena, clock_monotonic_us(self->options.clock) - start_us);
    return status_ok();
}

#define METHODS(X)                                                       \
    X(Weft__Search__V1__, CreateCollection, WORKER, create_collection)   \
    X(Weft__Search__V1__, GetCollection, WORKER, get_collection)         \
    X(Weft__Search__V1__, ListCollections, WORKER, list_collections)     \
    X(Weft__Search__V1__, DeleteCollection, WORKER, delete_collection)   \
    X(Weft__Search__V1__, RebuildCollection, WORKER, rebuild_collection) \
    X(Weft__Search__V1__, GetDocument, WORKER, get_document)             \
    X(Weft__Search__V1__, DeleteDocuments, WORKER, delete_documents)     \
    X(Weft__Search__V1__, Search, WORKER, search)
#define STREAMS(X) X(Weft__Search__V1__, UpsertDocuments, WORKER, upsert_documents)
SERVICE_DEFINE_STREAMS(search_service_methods, weft__search__v1__search_service__descriptor,
                       METHODS, STREAMS);
