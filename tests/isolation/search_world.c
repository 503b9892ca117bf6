#include "libs/audit/outbox.h"
#include "libs/rpc/message.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/crash_files.h"
#include "services/search/search_service.h"
#include "tests/isolation/world.h"
#include "weft/search/v1/search_service.pb-c.h"
#include "weft/search/v1/search_service_descriptors.h"

static const char service_name[] = "weft.search.v1.SearchService";

struct search_world {
    struct crash_files files;
    struct store *store;
    struct search_engine *engine;
    struct search_changes changes;
    struct search_service *service;
};

static void reset(void *data)
{
    struct search_world *self = data;

    search_service_free(self->service);
    search_changes_reset(&self->changes);
    search_engine_close(self->engine);
    store_close(self->store);
    crash_files_reset(&self->files);
}

static void create_collection(struct world *world, const struct principal *owner,
                              const char *project, const char *collection)
{
    Weft__Search__V1__CreateCollectionRequest request;
    Weft__Search__V1__FieldSchema body, *fields[] = { &body };

    weft__search__v1__field_schema__init(&body);
    body.name = message_text("body");
    body.kind = WEFT__SEARCH__V1__FIELD_KIND__FIELD_KIND_TEXT;
    weft__search__v1__create_collection_request__init(&request);
    request.project_id = message_text(project);
    request.collection_id = message_text(collection);
    request.fields = fields;
    request.n_fields = 1;
    (void)world_must(world, owner, service_name, "CreateCollection", &request.base);
}

static void upsert(struct world *world, const struct principal *owner, const char *project,
                   const char *collection, const char *id, const char *text)
{
    Weft__Search__V1__UpsertDocumentsRequest request;
    Weft__Search__V1__Document document, *documents[] = { &document };
    Weft__Search__V1__Field body, *fields[] = { &body };

    weft__search__v1__field__init(&body);
    body.name = message_text("body");
    body.value_case = WEFT__SEARCH__V1__FIELD__VALUE_TEXT;
    body.text = message_text(text);
    weft__search__v1__document__init(&document);
    document.document_id = message_text(id);
    document.fields = fields;
    document.n_fields = 1;
    weft__search__v1__upsert_documents_request__init(&request);
    request.project_id = message_text(project);
    request.collection_id = message_text(collection);
    request.documents = documents;
    request.n_documents = 1;
    (void)world_must(world, owner, service_name, "UpsertDocuments", &request.base);
}

void world_add_search(struct world *world)
{
    struct search_world *self = ARENA_NEW(world->arena, struct search_world);

    crash_files_init(&self->files);
    assert_status(store_open(world->arena, ":memory:", &self->store), STATUS_OK);
    assert_status(search_changes_migrate(self->store, world->arena), STATUS_OK);
    assert_status(outbox_migrate(self->store, world->arena), STATUS_OK);
    assert_status(search_engine_open(&(struct search_engine_options){ .files = &self->files.files,
                                                                      .clock = &world->clock.clock,
                                                                      .stepped = true },
                                     world->arena, &self->engine),
                  STATUS_OK);
    search_changes_init(&self->changes, self->engine, self->store, &world->clock.clock,
                        &world->random.source);
    assert_status(search_changes_recover(&self->changes, world->arena), STATUS_OK);
    self->service = search_service_new(&(struct search_service_options){
        .engine = self->engine, .changes = &self->changes, .clock = &world->clock.clock });
    arena_defer(world->arena, reset, self);
    world_add(world, &(struct world_service){ .service = &search_service_methods,
                                              .object = self->service,
                                              .descriptors = search_service_descriptors });
    create_collection(world, &world_acme, "acme-project", "acme-collection");
    create_collection(world, &world_bravo, "bravo-project", "bravo-collection");
    upsert(world, &world_acme, "acme-project", "acme-collection", "acme-document", WORLD_SECRET);
    create_collection(world, &world_acme, "acme-project", "acme-second");
    upsert(world, &world_acme, "acme-project", "acme-collection", "acme-second", WORLD_SECRET);
    upsert(world, &world_bravo, "bravo-project", "bravo-collection", "bravo-document", "secret");
    world_add_id(world, "project_id", "acme-project", "bravo-project");
    world_add_id(world, "collection_id", "acme-collection", "bravo-collection");
    world_add_id(world, "document_id", "acme-document", "bravo-document");
    world_add_id(world, "document_ids", "acme-document", "bravo-document");
}
