#include "services/search/search_service.h"

#include "libs/audit/outbox.h"
#include "libs/base/status_details.h"
#include "libs/peers/search_peer.h"
#include "libs/rpc/message.h"
#include "libs/rpc/method_options.h"
#include "libs/rpc/permission.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/crash_files.h"
#include "libs/testing/failing_store.h"
#include "libs/testing/fake_clock.h"
#include "libs/testing/loopback_peer.h"
#include "libs/testing/seeded_random.h"
#include "libs/testing/test_call.h"
#include "libs/testing/test_stream.h"
#include "weft/search/v1/search_service_descriptors.h"

#include <string.h>

/* The service over a real index and a real database, both of which can be told to fail. */
struct fixture {
    struct crash_files files;
    struct fake_clock clock;
    struct seeded_random random;
    struct failing_store store;
    struct snapshot *snapshot;
    struct search_engine *engine;
    struct search_changes changes;
    struct search_service *service;
    struct loopback_peer loopback;
    struct peer *peer;
    struct call call;
};

static void start(struct fixture *f)
{
    const struct search_engine_options options = { .files = &f->files.files,
                                                   .clock = &f->clock.clock,
                                                   .stepped = true };

    assert_status(search_engine_open(&options, f->call.arena, &f->engine), STATUS_OK);
    search_changes_init(&f->changes, f->engine, &f->store.store, &f->clock.clock,
                        &f->random.source);
    assert_status(search_changes_recover(&f->changes, f->call.arena), STATUS_OK);
    f->service = search_service_new(&(struct search_service_options){
        .engine = f->engine,
        .changes = &f->changes,
        .clock = &f->clock.clock,
        .snapshot = f->snapshot,
    });
    loopback_peer_init(&f->loopback, &search_service_methods, f->service);
    f->peer = &f->loopback.peer;
}

static void stop(struct fixture *f)
{
    search_service_free(f->service);
    search_changes_reset(&f->changes);
    search_engine_close(f->engine);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct store *store;

    assert_non_null(f);
    f->call = test_call();
    crash_files_init(&f->files);
    fake_clock_init(&f->clock, 1700000000123);
    seeded_random_init(&f->random, 7);
    f->snapshot = snapshot_new(&f->clock.clock);
    assert_status(store_open(f->call.arena, ":memory:", &store), STATUS_OK);
    assert_status(search_changes_migrate(store, f->call.arena), STATUS_OK);
    assert_status(outbox_migrate(store, f->call.arena), STATUS_OK);
    failing_store_init(&f->store, store);
    start(f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    stop(f);
    store_close(&f->store.store);
    snapshot_free(f->snapshot);
    crash_files_reset(&f->files);
    arena_free(f->call.arena);
    free(f);
    return 0;
}

/* ---- Requests ---- */

static Weft__Search__V1__FieldSchema *field_schema(struct fixture *f, const char *name,
                                                   Weft__Search__V1__FieldKind kind, float weight)
{
    Weft__Search__V1__FieldSchema *field = ARENA_NEW(f->call.arena, Weft__Search__V1__FieldSchema);

    weft__search__v1__field_schema__init(field);
    field->name = message_text(name);
    field->kind = kind;
    field->weight = weight;
    return field;
}

/* title, body, section, size, free; or the first n of them. */
static status create(struct fixture *f, const char *project, const char *collection, size_t n,
                     const Weft__Search__V1__CreateCollectionResponse **ret_response)
{
    Weft__Search__V1__CreateCollectionRequest request;
    Weft__Search__V1__FieldSchema *fields[] = {
        field_schema(f, "title", WEFT__SEARCH__V1__FIELD_KIND__FIELD_KIND_TEXT, 3),
        field_schema(f, "body", WEFT__SEARCH__V1__FIELD_KIND__FIELD_KIND_TEXT, 0),
        field_schema(f, "section", WEFT__SEARCH__V1__FIELD_KIND__FIELD_KIND_KEYWORD, 0),
        field_schema(f, "size", WEFT__SEARCH__V1__FIELD_KIND__FIELD_KIND_NUMBER, 0),
        field_schema(f, "free", WEFT__SEARCH__V1__FIELD_KIND__FIELD_KIND_BOOL, 0),
    };

    weft__search__v1__create_collection_request__init(&request);
    request.project_id = message_text(project);
    request.collection_id = message_text(collection);
    request.fields = fields;
    request.n_fields = n;
    return search_peer_create_collection(f->peer, &f->call, &request, ret_response);
}

static void create_books(struct fixture *f)
{
    const Weft__Search__V1__CreateCollectionResponse *response;

    assert_status(create(f, "library", "books", 5, &response), STATUS_OK);
}

static Weft__Search__V1__Field *text_field(struct fixture *f, const char *name, const char *text)
{
    Weft__Search__V1__Field *field = ARENA_NEW(f->call.arena, Weft__Search__V1__Field);

    weft__search__v1__field__init(field);
    field->name = message_text(name);
    field->value_case = WEFT__SEARCH__V1__FIELD__VALUE_TEXT;
    field->text = message_text(text);
    return field;
}

static Weft__Search__V1__Field *number_field(struct fixture *f, const char *name, double number)
{
    Weft__Search__V1__Field *field = text_field(f, name, "");

    field->value_case = WEFT__SEARCH__V1__FIELD__VALUE_NUMBER;
    field->number = number;
    return field;
}

static Weft__Search__V1__Document *document(struct fixture *f, const char *id, const char *title,
                                            const char *section, double size)
{
    Weft__Search__V1__Document *made = ARENA_NEW(f->call.arena, Weft__Search__V1__Document);

    weft__search__v1__document__init(made);
    made->document_id = message_text(id);
    made->fields = ARENA_NEW_ARRAY(f->call.arena, Weft__Search__V1__Field *, 3);
    made->fields[made->n_fields++] = text_field(f, "title", title);
    made->fields[made->n_fields++] = text_field(f, "section", section);
    made->fields[made->n_fields++] = number_field(f, "size", size);
    return made;
}

static status send_documents(struct fixture *f, struct test_stream *stream, const char *collection,
                             Weft__Search__V1__Document **documents, size_t n)
{
    Weft__Search__V1__UpsertDocumentsRequest request;

    (void)f;
    weft__search__v1__upsert_documents_request__init(&request);
    request.project_id = message_text("library");
    request.collection_id = message_text(collection);
    request.documents = documents;
    request.n_documents = n;
    return test_stream_message(stream, &request.base);
}

/* One batch, on a stream of its own. */
static const Weft__Search__V1__UpsertDocumentsResponse *
upsert(struct fixture *f, Weft__Search__V1__Document **documents, size_t n)
{
    struct test_stream *stream = ARENA_NEW(f->call.arena, struct test_stream);

    test_stream_init(stream, &search_service_methods, "UpsertDocuments", f->service, &f->call);
    assert_status(send_documents(f, stream, "books", documents, n), STATUS_OK);
    const ProtobufCMessage *answer = test_stream_take(stream);
    assert_non_null(answer);
    assert_status(test_stream_half_close(stream), STATUS_OK);
    assert_true(stream->ended);
    test_stream_close(stream);
    return (const Weft__Search__V1__UpsertDocumentsResponse *)answer;
}

static void add(struct fixture *f, const char *id, const char *title, const char *section,
                double size)
{
    Weft__Search__V1__Document *made = document(f, id, title, section, size);

    assert_int_equal(upsert(f, &made, 1)->results[0]->code, STATUS_OK);
}

static Weft__Search__V1__SearchRequest *search_request(struct fixture *f, const char *query)
{
    Weft__Search__V1__SearchRequest *request =
        ARENA_NEW(f->call.arena, Weft__Search__V1__SearchRequest);

    weft__search__v1__search_request__init(request);
    request->project_id = message_text("library");
    request->collection_id = message_text("books");
    request->query = message_text(query);
    return request;
}

static const Weft__Search__V1__SearchResponse *
search(struct fixture *f, const Weft__Search__V1__SearchRequest *request)
{
    const Weft__Search__V1__SearchResponse *response;

    assert_status(search_peer_search(f->peer, &f->call, request, &response), STATUS_OK);
    return response;
}

/* The ids of the hits: "a b c". */
static const char *found(struct fixture *f, const char *query)
{
    const Weft__Search__V1__SearchResponse *response = search(f, search_request(f, query));
    const char *ids = "";

    for (size_t i = 0; i < response->n_hits; i++) {
        ids = arena_printf(f->call.arena, "%s%s%s", ids, i == 0 ? "" : " ",
                           response->hits[i]->document->document_id);
    }
    return ids;
}

static Weft__Search__V1__FilterStep *
step(struct fixture *f, Weft__Search__V1__FilterOperator operator_, const char *field)
{
    Weft__Search__V1__FilterStep *made = ARENA_NEW(f->call.arena, Weft__Search__V1__FilterStep);

    weft__search__v1__filter_step__init(made);
    made->operator_ = operator_;
    made->field = message_text(field);
    return made;
}

static Weft__Search__V1__FilterStep *equal(struct fixture *f, const char *field, const char *text)
{
    Weft__Search__V1__FilterStep *made =
        step(f, WEFT__SEARCH__V1__FILTER_OPERATOR__FILTER_OPERATOR_EQUAL, field);
    Weft__Search__V1__FilterValue *value = ARENA_NEW(f->call.arena, Weft__Search__V1__FilterValue);

    weft__search__v1__filter_value__init(value);
    value->value_case = WEFT__SEARCH__V1__FILTER_VALUE__VALUE_TEXT;
    value->text = message_text(text);
    made->values = ARENA_NEW_ARRAY(f->call.arena, Weft__Search__V1__FilterValue *, 1);
    made->values[made->n_values++] = value;
    return made;
}

/* Audit events of an action. */
static int64_t n_events(struct fixture *f, const char *action)
{
    const struct store_statement query = {
        .sql = "SELECT count(*) FROM audit_outbox WHERE action = $1",
        .params = PARAMS(store_text(action)),
    };
    struct store_rows rows;

    assert_status(store_query(&f->store.store, f->call.arena, &query, &rows), STATUS_OK);
    return store_int_at(&rows, 0, 0);
}

static int64_t n_intents(struct fixture *f)
{
    const struct store_statement query = { .sql = "SELECT count(*) FROM search_intent" };
    struct store_rows rows;

    assert_status(store_query(&f->store.store, f->call.arena, &query, &rows), STATUS_OK);
    return store_int_at(&rows, 0, 0);
}

/* ---- Collections ---- */

static void a_created_collection_can_be_got(void **state)
{
    struct fixture *f = *state;
    const Weft__Search__V1__CreateCollectionResponse *created;
    const Weft__Search__V1__GetCollectionResponse *got;
    Weft__Search__V1__GetCollectionRequest request;

    assert_status(create(f, "library", "books", 5, &created), STATUS_OK);
    weft__search__v1__get_collection_request__init(&request);
    request.project_id = message_text("library");
    request.collection_id = message_text("books");
    assert_status(search_peer_get_collection(f->peer, &f->call, &request, &got), STATUS_OK);
    assert_string_equal(got->collection->collection_id, "books");
    assert_int_equal(got->collection->n_fields, 5);
    assert_true(got->collection->fields[0]->weight == 3);
    assert_true(got->collection->fields[1]->weight == 1); /* 0 means 1 */
    assert_int_equal(got->collection->create_time->seconds, 1700000000);
    assert_int_equal(got->collection->n_documents, 0);
}

static void creating_twice_is_told_once(void **state)
{
    struct fixture *f = *state;
    const Weft__Search__V1__CreateCollectionResponse *response;

    create_books(f);
    assert_status(create(f, "library", "books", 5, &response), STATUS_OK);
    assert_status(create(f, "library", "books", 4, &response), STATUS_ALREADY_EXISTS);
    assert_int_equal(n_events(f, "collection.create"), 1);
    assert_int_equal(n_intents(f), 0);
}

static void create_refuses_what_it_should(void **state)
{
    static const struct {
        const char *project, *collection;
        size_t n_fields;
        const char *field;
    } cases[] = {
        { "", "books", 5, "project_id" },         { "Library", "books", 5, "project_id" },
        { "library", "1st", 5, "collection_id" }, { "library", "bo/ks", 5, "collection_id" },
        { "library", "books", 0, "fields" },
    };
    struct fixture *f = *state;
    const Weft__Search__V1__CreateCollectionResponse *response;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        status s = create(f, cases[i].project, cases[i].collection, cases[i].n_fields, &response);
        assert_status(s, STATUS_INVALID_ARGUMENT);
        assert_memory_equal(s.message, cases[i].field, strlen(cases[i].field));
    }
    assert_int_equal(n_events(f, "collection.create"), 0);
}

static void collections_are_listed_a_page_at_a_time(void **state)
{
    static const char *const names[] = { "c", "a", "b" };
    struct fixture *f = *state;
    const Weft__Search__V1__CreateCollectionResponse *created;
    const Weft__Search__V1__ListCollectionsResponse *response;
    Weft__Search__V1__ListCollectionsRequest request;

    for (size_t i = 0; i < 3; i++) {
        assert_status(create(f, "library", names[i], 1, &created), STATUS_OK);
    }
    assert_status(create(f, "other", "z", 1, &created), STATUS_OK);
    weft__search__v1__list_collections_request__init(&request);
    request.project_id = message_text("library");
    request.page_size = 2;
    assert_status(search_peer_list_collections(f->peer, &f->call, &request, &response), STATUS_OK);
    assert_int_equal(response->n_collections, 2);
    assert_string_equal(response->collections[1]->collection_id, "b");
    request.page_token = response->next_page_token;
    assert_status(search_peer_list_collections(f->peer, &f->call, &request, &response), STATUS_OK);
    assert_int_equal(response->n_collections, 1);
    assert_string_equal(response->collections[0]->collection_id, "c");
    assert_string_equal(response->next_page_token, "");
    request.page_size = -1;
    assert_status(search_peer_list_collections(f->peer, &f->call, &request, &response),
                  STATUS_INVALID_ARGUMENT);
    request.page_size = 0;
    request.page_token = message_text("?");
    assert_status(search_peer_list_collections(f->peer, &f->call, &request, &response),
                  STATUS_INVALID_ARGUMENT);
}

static status delete_books(struct fixture *f)
{
    const Weft__Search__V1__DeleteCollectionResponse *response;
    Weft__Search__V1__DeleteCollectionRequest request;

    weft__search__v1__delete_collection_request__init(&request);
    request.project_id = message_text("library");
    request.collection_id = message_text("books");
    return search_peer_delete_collection(f->peer, &f->call, &request, &response);
}

static void a_deleted_collection_is_gone_and_told_of(void **state)
{
    struct fixture *f = *state;
    const Weft__Search__V1__SearchResponse *response;

    create_books(f);
    add(f, "a", "one", "x", 1);
    assert_status(delete_books(f), STATUS_OK);
    assert_status(delete_books(f), STATUS_NOT_FOUND);
    assert_int_equal(n_events(f, "collection.delete"), 1);
    assert_status(search_peer_search(f->peer, &f->call, search_request(f, "one"), &response),
                  STATUS_NOT_FOUND);
    create_books(f);
    assert_string_equal(found(f, "one"), "");
}

static void a_rebuilt_collection_finds_the_same(void **state)
{
    struct fixture *f = *state;
    const Weft__Search__V1__RebuildCollectionResponse *response;
    Weft__Search__V1__RebuildCollectionRequest request;

    create_books(f);
    add(f, "a", "the art of war", "x", 1);
    add(f, "b", "war and peace", "x", 1);
    weft__search__v1__rebuild_collection_request__init(&request);
    request.project_id = message_text("library");
    request.collection_id = message_text("books");
    const char *before = found(f, "war art");
    assert_status(search_peer_rebuild_collection(f->peer, &f->call, &request, &response),
                  STATUS_OK);
    assert_int_equal(response->n_documents, 2);
    assert_string_equal(found(f, "war art"), before);
    assert_int_equal(n_events(f, "collection.rebuild"), 1);
}

/* ---- Documents ---- */

static void each_document_gets_its_result_in_order(void **state)
{
    struct fixture *f = *state;
    Weft__Search__V1__Document *documents[] = {
        document(f, "a", "good", "x", 1),
        document(f, "b", "unknown field", "x", 1),
        document(f, "", "no id", "x", 1),
        document(f, "c", "good too", "x", 1),
    };

    create_books(f);
    documents[1]->fields[1] = text_field(f, "colour", "red");
    const Weft__Search__V1__UpsertDocumentsResponse *response = upsert(f, documents, 4);
    assert_int_equal(response->n_results, 4);
    assert_int_equal(response->results[0]->code, STATUS_OK);
    assert_int_equal(response->results[1]->code, STATUS_INVALID_ARGUMENT);
    assert_string_equal(response->results[1]->message,
                        "fields 'colour' is not one of the collection's");
    assert_int_equal(response->results[2]->code, STATUS_INVALID_ARGUMENT);
    assert_int_equal(response->results[3]->code, STATUS_OK);
    assert_string_equal(found(f, "good"), "a c");
}

static void a_document_comes_back_as_it_was_given(void **state)
{
    struct fixture *f = *state;
    Weft__Search__V1__Document *given = document(f, "a/b", "Title", "fiction", 0.5);
    Weft__Search__V1__GetDocumentRequest request;
    const Weft__Search__V1__GetDocumentResponse *response;

    create_books(f);
    assert_int_equal(upsert(f, &given, 1)->results[0]->code, STATUS_OK);
    weft__search__v1__get_document_request__init(&request);
    request.project_id = message_text("library");
    request.collection_id = message_text("books");
    request.document_id = message_text("a/b");
    assert_status(search_peer_get_document(f->peer, &f->call, &request, &response), STATUS_OK);
    bytes want = message_pack(f->call.arena, &given->base);
    bytes got = message_pack(f->call.arena, &response->document->base);
    assert_int_equal(got.size, want.size);
    assert_memory_equal(got.data, want.data, want.size);
    request.document_id = message_text("b");
    assert_status(search_peer_get_document(f->peer, &f->call, &request, &response),
                  STATUS_NOT_FOUND);
    request.document_id = message_text("");
    assert_status(search_peer_get_document(f->peer, &f->call, &request, &response),
                  STATUS_INVALID_ARGUMENT);
}

static void a_stream_writes_to_one_collection(void **state)
{
    struct fixture *f = *state;
    Weft__Search__V1__Document *made = document(f, "a", "one", "x", 1);
    struct test_stream stream;

    create_books(f);
    test_stream_init(&stream, &search_service_methods, "UpsertDocuments", f->service, &f->call);
    assert_status(send_documents(f, &stream, "books", &made, 1), STATUS_OK);
    assert_status(send_documents(f, &stream, "films", &made, 1), STATUS_INVALID_ARGUMENT);
    test_stream_close(&stream);
    test_stream_init(&stream, &search_service_methods, "UpsertDocuments", f->service, &f->call);
    assert_status(send_documents(f, &stream, "films", &made, 1), STATUS_NOT_FOUND);
    test_stream_close(&stream);
}

static void a_full_disk_ends_the_stream(void **state)
{
    struct fixture *f = *state;
    Weft__Search__V1__Document *made = document(f, "b", "two", "x", 1);
    struct test_stream stream;

    create_books(f);
    add(f, "a", "one", "x", 1);
    f->files.full = true;
    test_stream_init(&stream, &search_service_methods, "UpsertDocuments", f->service, &f->call);
    assert_status(send_documents(f, &stream, "books", &made, 1), STATUS_RESOURCE_EXHAUSTED);
    test_stream_close(&stream);
    assert_string_equal(found(f, "one"), "a");
    f->files.full = false;
    add(f, "b", "two", "x", 1);
    assert_string_equal(found(f, "two"), "b");
}

static status delete_document(struct fixture *f, const char *id)
{
    Weft__Search__V1__DeleteDocumentsRequest request;
    const Weft__Search__V1__DeleteDocumentsResponse *response;
    char *ids[] = { message_text(id) };

    weft__search__v1__delete_documents_request__init(&request);
    request.project_id = message_text("library");
    request.collection_id = message_text("books");
    request.document_ids = ids;
    request.n_document_ids = 1;
    return search_peer_delete_documents(f->peer, &f->call, &request, &response);
}

static void deleted_documents_are_gone_and_told_of(void **state)
{
    struct fixture *f = *state;

    create_books(f);
    add(f, "a", "one", "x", 1);
    assert_status(delete_document(f, "a"), STATUS_OK);
    assert_string_equal(found(f, "one"), "");
    assert_status(delete_document(f, "a"), STATUS_OK); /* counts as removed */
    assert_status(delete_document(f, ""), STATUS_INVALID_ARGUMENT);
    assert_int_equal(n_events(f, "document.delete"), 2);
    assert_int_equal(n_intents(f), 0);
}

/* ---- Change and event, both or neither ---- */

static void without_its_event_nothing_changes(void **state)
{
    struct fixture *f = *state;

    create_books(f);
    add(f, "a", "one", "x", 1);
    f->store.fail_commit = 1;
    assert_status(delete_document(f, "a"), STATUS_UNAVAILABLE);
    assert_string_equal(found(f, "one"), "a");
    assert_int_equal(n_events(f, "document.delete"), 0);
    assert_status(delete_document(f, "a"), STATUS_OK);
}

static void what_was_told_happens_though_the_disk_was_full(void **state)
{
    struct fixture *f = *state;

    create_books(f);
    add(f, "a", "one", "x", 1);
    f->files.full = true;
    assert_status(delete_document(f, "a"), STATUS_RESOURCE_EXHAUSTED);
    assert_int_equal(n_events(f, "document.delete"), 1);
    assert_int_equal(n_intents(f), 1);
    f->files.full = false;
    assert_status(delete_document(f, "other"), STATUS_OK); /* first does what is left */
    assert_string_equal(found(f, "one"), "");
    assert_int_equal(n_intents(f), 0);
}

static void what_was_told_happens_though_the_process_died(void **state)
{
    struct fixture *f = *state;

    create_books(f);
    add(f, "a", "one", "x", 1);
    f->store.fail_commit = 2; /* the intent is not forgotten */
    assert_status(delete_document(f, "a"), STATUS_UNAVAILABLE);
    f->files.full = true;
    f->store.fail_commit = 0;
    assert_status(delete_books(f), STATUS_RESOURCE_EXHAUSTED); /* not even begun */
    f->files.full = false;
    stop(f);
    crash_files_crash(&f->files);
    start(f);
    assert_string_equal(found(f, "one"), "");
    assert_int_equal(n_intents(f), 0);
}

/* ---- Searching ---- */

static void words_are_found_with_filters_and_snippets(void **state)
{
    struct fixture *f = *state;
    Weft__Search__V1__SearchRequest *request = search_request(f, "editing videos");
    Weft__Search__V1__FilterStep *filter[] = {
        equal(f, "section", "video"),
        step(f, WEFT__SEARCH__V1__FILTER_OPERATOR__FILTER_OPERATOR_RANGE, "size"),
        step(f, WEFT__SEARCH__V1__FILTER_OPERATOR__FILTER_OPERATOR_AND, ""),
    };
    char *wanted[] = { message_text("size") };

    create_books(f);
    add(f, "a", "A video editor", "video", 10);
    add(f, "b", "Video editing for all, and edited videos", "video", 20);
    add(f, "c", "Video editing, too large", "video", 30);
    add(f, "d", "Video editing of another section", "sound", 10);
    filter[1]->max_bound_case = WEFT__SEARCH__V1__FILTER_STEP__MAX_BOUND_MAX;
    filter[1]->max = 20;
    request->filter = filter;
    request->n_filter = 3;
    request->highlight = true;
    request->return_fields = wanted;
    request->n_return_fields = 1;
    const Weft__Search__V1__SearchResponse *response = search(f, request);
    assert_int_equal(response->n_hits, 2);
    const Weft__Search__V1__Hit *hit = response->hits[0];
    assert_string_equal(hit->document->document_id, "b");
    assert_true(hit->score > response->hits[1]->score);
    assert_int_equal(hit->document->n_fields, 1);
    assert_string_equal(hit->document->fields[0]->name, "size");
    assert_string_equal(hit->snippet->field, "title");
    assert_string_equal(hit->snippet->text, "Video editing for all, and edited videos");
    assert_int_equal(hit->snippet->n_highlights, 4);
    assert_int_equal(hit->snippet->highlights[1]->start, 6);
    assert_int_equal(hit->snippet->highlights[1]->end, 13);
    assert_non_null(response->took);
}

static void pages_follow_each_other(void **state)
{
    struct fixture *f = *state;
    Weft__Search__V1__SearchRequest *request = search_request(f, "");
    char id[] = "a";

    create_books(f);
    for (; id[0] <= 'e'; id[0]++) {
        add(f, id, "same", "x", 1);
    }
    request->page_size = 3;
    const Weft__Search__V1__SearchResponse *response = search(f, request);
    assert_int_equal(response->n_hits, 3);
    assert_string_equal(response->hits[2]->document->document_id, "c");
    request->page_token = response->next_page_token;
    request->page_size = 0; /* another size goes on in the same place */
    response = search(f, request);
    assert_int_equal(response->n_hits, 2);
    assert_string_equal(response->hits[0]->document->document_id, "d");
    assert_string_equal(response->next_page_token, "");
    request->query = message_text("same");
    status s = search_peer_search(f->peer, &f->call, request, &response);
    assert_status(s, STATUS_INVALID_ARGUMENT);
    assert_string_equal(s.message, "page_token did not come from this query");
}

static void search_refuses_what_it_should(void **state)
{
    struct fixture *f = *state;
    const Weft__Search__V1__SearchResponse *response;
    Weft__Search__V1__SearchRequest *requests[5];
    static const char *const fields[] = { "page_size", "query", "filter[0].field",
                                          "filter[0].values", "project_id" };
    Weft__Search__V1__FilterStep *unknown = equal(f, "colour", "red");
    Weft__Search__V1__FilterStep *unset = equal(f, "section", "red");

    create_books(f);
    for (size_t i = 0; i < 5; i++) {
        requests[i] = search_request(f, "one");
    }
    requests[0]->page_size = -1;
    char *query = arena_alloc(f->call.arena, 1100);
    memset(query, 'x', 1099);
    requests[1]->query = query;
    requests[2]->filter = &unknown;
    requests[2]->n_filter = 1;
    unset->values[0]->value_case = WEFT__SEARCH__V1__FILTER_VALUE__VALUE__NOT_SET;
    requests[3]->filter = &unset;
    requests[3]->n_filter = 1;
    requests[4]->project_id = message_text("../x");
    for (size_t i = 0; i < 5; i++) {
        status s = search_peer_search(f->peer, &f->call, requests[i], &response);
        assert_status(s, STATUS_INVALID_ARGUMENT);
        assert_string_equal(s.details->field.field, fields[i]);
    }
}

/* ---- Tenants ---- */

static void another_tenant_finds_nothing_of_it(void **state)
{
    static const struct principal mallory = { .tenant_id = "globex",
                                              .subject = "user:mallory",
                                              .credential = CREDENTIAL_TOKEN };
    struct fixture *f = *state;
    const Weft__Search__V1__SearchResponse *response;

    create_books(f);
    add(f, "a", "one", "x", 1);
    f->call.principal = &mallory;
    assert_status(search_peer_search(f->peer, &f->call, search_request(f, "one"), &response),
                  STATUS_NOT_FOUND);
    assert_status(delete_books(f), STATUS_NOT_FOUND);
    create_books(f); /* of the same name, and their own */
    assert_string_equal(found(f, "one"), "");
}

static void set_limits(struct fixture *f, int64_t max_projects, int64_t max_records)
{
    Weft__Auth__V1__Snapshot change;
    Weft__Auth__V1__TenantState tenant;
    Weft__Auth__V1__TenantState *tenants[] = { &tenant };

    weft__auth__v1__snapshot__init(&change);
    weft__auth__v1__tenant_state__init(&tenant);
    tenant.tenant_id = message_text("acme");
    tenant.standing = WEFT__AUTH__V1__TENANT_STANDING__TENANT_STANDING_ACTIVE;
    tenant.max_projects = max_projects;
    tenant.max_records = max_records;
    change.revision = 1;
    change.whole = true;
    change.jwks = message_text("{\"keys\":[]}");
    change.tenants = tenants;
    change.n_tenants = 1;
    assert_status(snapshot_apply(f->snapshot, f->call.arena, &change), STATUS_OK);
}

static void a_plan_allows_so_many_records_and_no_more(void **state)
{
    struct fixture *f = *state;
    Weft__Search__V1__Document *documents[] = {
        document(f, "a", "again", "x", 2),
        document(f, "c", "three", "x", 1),
        document(f, "d", "four", "x", 1),
    };

    create_books(f);
    set_limits(f, 0, 3);
    add(f, "a", "one", "x", 1);
    add(f, "b", "two", "x", 1);
    const Weft__Search__V1__UpsertDocumentsResponse *response = upsert(f, documents, 3);
    assert_int_equal(response->results[0]->code, STATUS_OK); /* replaces one */
    assert_int_equal(response->results[1]->code, STATUS_OK);
    assert_int_equal(response->results[2]->code, STATUS_RESOURCE_EXHAUSTED);
    assert_string_equal(response->results[2]->message,
                        "the plan of tenant 'acme' allows 3 records");
    assert_string_equal(found(f, "again three four"), "a c");
}

static void a_plan_allows_so_many_projects_and_no_more(void **state)
{
    struct fixture *f = *state;
    const Weft__Search__V1__CreateCollectionResponse *response;

    set_limits(f, 1, 0);
    assert_status(create(f, "library", "books", 1, &response), STATUS_OK);
    assert_status(create(f, "library", "films", 1, &response), STATUS_OK);
    assert_status(create(f, "archive", "books", 1, &response), STATUS_RESOURCE_EXHAUSTED);
}

/* ---- The table ---- */

static void every_rpc_has_a_handler(void **state)
{
    (void)state;
    assert_null(service_first_unhandled(&search_service_methods));
}

static void every_rpc_has_a_permission(void **state)
{
    struct fixture *f = *state;
    const ProtobufCServiceDescriptor *service = search_service_methods.descriptor;

    for (unsigned i = 0; i < service->n_methods; i++) {
        struct method_options options;
        assert_status(method_options_read(f->call.arena, search_service_descriptors, service->name,
                                          service->methods[i].name, &options),
                      STATUS_OK);
        if (options.permission[0] == '\0') {
            fail_msg("%s has no permission", service->methods[i].name);
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_created_collection_can_be_got),
        TEST(creating_twice_is_told_once),
        TEST(create_refuses_what_it_should),
        TEST(collections_are_listed_a_page_at_a_time),
        TEST(a_deleted_collection_is_gone_and_told_of),
        TEST(a_rebuilt_collection_finds_the_same),
        TEST(each_document_gets_its_result_in_order),
        TEST(a_document_comes_back_as_it_was_given),
        TEST(a_stream_writes_to_one_collection),
        TEST(a_full_disk_ends_the_stream),
        TEST(deleted_documents_are_gone_and_told_of),
        TEST(without_its_event_nothing_changes),
        TEST(what_was_told_happens_though_the_disk_was_full),
        TEST(what_was_told_happens_though_the_process_died),
        TEST(words_are_found_with_filters_and_snippets),
        TEST(pages_follow_each_other),
        TEST(search_refuses_what_it_should),
        TEST(another_tenant_finds_nothing_of_it),
        TEST(a_plan_allows_so_many_records_and_no_more),
        TEST(a_plan_allows_so_many_projects_and_no_more),
        TEST(every_rpc_has_a_permission),
        cmocka_unit_test(every_rpc_has_a_handler),
    };

    return cmocka_run_group_tests_name("search_service", tests, NULL, NULL);
}
