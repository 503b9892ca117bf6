/* collection, document, search: what is known. */

#include "cli/api.h"
#include "cli/filter.h"
#include "cli/hits.h"
#include "cli/verbs.h"
#include "libs/peers/search_peer.h"

#include <stdlib.h>
#include <string.h>

static const char columns[] = "project_id collection_id n_documents create_time";

/* ---- Collections ---- */

/* "summary:text:3": name, kind and, of a text, its weight. */
static status parse_field(struct invocation *invocation, const char *text,
                          Weft__Search__V1__FieldSchema **ret_field)
{
    static const char *const kinds[] = { "", "text", "keyword", "number", "bool" };
    Weft__Search__V1__FieldSchema *field =
        ARENA_NEW(invocation->arena, Weft__Search__V1__FieldSchema);
    char *rest = arena_strdup(invocation->arena, text);
    const char *name = strsep(&rest, ":");
    const char *kind = strsep(&rest, ":");
    char *end = rest;

    weft__search__v1__field_schema__init(field);
    field->name = message_text(name);
    field->weight = rest != NULL ? strtof(rest, &end) : 0;
    if (rest != NULL && (end == rest || *end != '\0')) {
        return status_error(invocation->arena, STATUS_INVALID_ARGUMENT,
                            "'%s' has the weight '%s', which is no number", text, rest);
    }
    for (size_t i = 1; kind != NULL && i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kind, kinds[i]) == 0) {
            field->kind = (Weft__Search__V1__FieldKind)i;
            *ret_field = field;
            return status_ok();
        }
    }
    return status_error(invocation->arena, STATUS_INVALID_ARGUMENT,
                        "'%s' is no NAME:KIND, where KIND is text, keyword, number or bool", text);
}

static status create_collection(struct invocation *invocation)
{
    const Weft__Search__V1__CreateCollectionResponse *response;
    Weft__Search__V1__CreateCollectionRequest request;
    struct call call;

    weft__search__v1__create_collection_request__init(&request);
    const char *const *fields = arguments_all(invocation->arguments, "--field", &request.n_fields);
    request.fields =
        ARENA_NEW_ARRAY(invocation->arena, Weft__Search__V1__FieldSchema *, request.n_fields + 1);
    for (size_t i = 0; i < request.n_fields; i++) {
        TRY(parse_field(invocation, fields[i], &request.fields[i]));
    }
    request.project_id = api_next(invocation, "PROJECT_ID");
    request.collection_id = api_next(invocation, "COLLECTION_ID");
    TRY(api_begin(invocation, &call));
    TRY(search_peer_create_collection(api_peer(invocation, "search"), &call, &request, &response));
    api_show(invocation, &response->collection->base, columns);
    return status_ok();
}

static status list_collections(struct invocation *invocation)
{
    const Weft__Search__V1__ListCollectionsResponse *page;
    Weft__Search__V1__ListCollectionsRequest request;
    int64_t left = api_limit(invocation);
    struct call call;

    weft__search__v1__list_collections_request__init(&request);
    request.project_id = api_next(invocation, "PROJECT_ID");
    TRY(api_begin(invocation, &call));
    do {
        request.page_size = api_page_size(left);
        TRY(search_peer_list_collections(api_peer(invocation, "search"), &call, &request, &page));
        for (size_t i = 0; i < page->n_collections; i++, left--) {
            api_show(invocation, &page->collections[i]->base, columns);
        }
        request.page_token = page->next_page_token;
    } while (left > 0 && page->next_page_token[0] != '\0');
    api_end_list(invocation, page->next_page_token);
    return status_ok();
}

static status delete_collection(struct invocation *invocation)
{
    const Weft__Search__V1__DeleteCollectionResponse *response;
    Weft__Search__V1__DeleteCollectionRequest request;
    struct call call;

    weft__search__v1__delete_collection_request__init(&request);
    request.project_id = api_next(invocation, "PROJECT_ID");
    request.collection_id = api_next(invocation, "COLLECTION_ID");
    TRY(api_begin(invocation, &call));
    TRY(search_peer_delete_collection(api_peer(invocation, "search"), &call, &request, &response));
    output_say(invocation->output, TONE_PLAIN, "'%s' is gone", request.collection_id);
    return status_ok();
}

static status rebuild(struct invocation *invocation)
{
    const Weft__Search__V1__RebuildCollectionResponse *response;
    Weft__Search__V1__RebuildCollectionRequest request;
    struct call call;

    weft__search__v1__rebuild_collection_request__init(&request);
    request.project_id = api_next(invocation, "PROJECT_ID");
    request.collection_id = api_next(invocation, "COLLECTION_ID");
    TRY(api_begin(invocation, &call));
    TRY(search_peer_rebuild_collection(api_peer(invocation, "search"), &call, &request, &response));
    api_show(invocation, &response->base, "n_documents");
    return status_ok();
}

/* ---- Documents ---- */

static status get_document(struct invocation *invocation)
{
    const Weft__Search__V1__GetDocumentResponse *response;
    Weft__Search__V1__GetDocumentRequest request;
    struct call call;

    weft__search__v1__get_document_request__init(&request);
    request.project_id = api_next(invocation, "PROJECT_ID");
    request.collection_id = api_next(invocation, "COLLECTION_ID");
    request.document_id = api_next(invocation, "DOCUMENT_ID");
    TRY(api_begin(invocation, &call));
    TRY(search_peer_get_document(api_peer(invocation, "search"), &call, &request, &response));
    if (output_is_json(invocation->output)) {
        api_show(invocation, &response->document->base, "document_id");
        return status_ok();
    }
    for (size_t i = 0; i < response->document->n_fields; i++) {
        api_show(invocation, &response->document->fields[i]->base,
                 "name text keywords.values number");
    }
    return status_ok();
}

static status delete_documents(struct invocation *invocation)
{
    const Weft__Search__V1__DeleteDocumentsResponse *response;
    Weft__Search__V1__DeleteDocumentsRequest request;
    struct call call;
    char *id;

    weft__search__v1__delete_documents_request__init(&request);
    request.project_id = api_next(invocation, "PROJECT_ID");
    request.collection_id = api_next(invocation, "COLLECTION_ID");
    id = api_next(invocation, "DOCUMENT_ID");
    request.document_ids = &id;
    request.n_document_ids = 1;
    TRY(api_begin(invocation, &call));
    TRY(search_peer_delete_documents(api_peer(invocation, "search"), &call, &request, &response));
    output_say(invocation->output, TONE_PLAIN, "'%s' is gone", id);
    return status_ok();
}

/* ---- Search ---- */

static void say_time(struct invocation *invocation,
                     const Weft__Search__V1__SearchResponse *response)
{
    if (response->took != NULL) {
        output_say(invocation->output, TONE_DIM, "%zu hits in %.1f ms", response->n_hits,
                   (double)response->took->seconds * 1000 + response->took->nanos / 1e6);
    }
    if (response->next_page_token[0] != '\0') {
        output_say(invocation->output, TONE_DIM, "more: --page-token %s",
                   response->next_page_token);
    }
}

static status search(struct invocation *invocation)
{
    const Weft__Search__V1__SearchResponse *response;
    Weft__Search__V1__SearchRequest request;
    struct filter filter = { 0 };
    struct call call;

    weft__search__v1__search_request__init(&request);
    TRY(filter_parse(invocation->arena, arguments_text(invocation->arguments, "--filter", ""),
                     &filter));
    request.filter = filter.steps;
    request.n_filter = filter.n_steps;
    request.page_size = (int32_t)arguments_number(invocation->arguments, "--limit", 10, 1, 100);
    request.page_token = message_text(arguments_text(invocation->arguments, "--page-token", ""));
    request.highlight = true;
    request.project_id = api_next(invocation, "PROJECT_ID");
    request.collection_id = api_next(invocation, "COLLECTION_ID");
    request.query = message_text(arguments_rest(invocation->arguments));
    TRY(api_begin(invocation, &call));
    TRY(search_peer_search(api_peer(invocation, "search"), &call, &request, &response));
    hits_show(invocation->output, invocation->arena, response);
    say_time(invocation, response);
    return status_ok();
}

const struct verb search_verbs[] = {
    { NULL, "search",
      "PROJECT_ID COLLECTION_ID [WORD]... [--filter FILTER] [--limit N] [--page-token TOKEN]",
      "find documents, best first, or all in the order of their ids; FILTER: 'section = games and "
      "not priority in (required)'",
      search },
    { "collection", "create", "PROJECT_ID COLLECTION_ID --field NAME:KIND[:WEIGHT]...",
      "add a collection", create_collection },
    { "collection", "list", "PROJECT_ID [--limit N]", "show a project's collections",
      list_collections },
    { "collection", "delete", "PROJECT_ID COLLECTION_ID", "remove a collection with all in it",
      delete_collection },
    { "collection", "rebuild", "PROJECT_ID COLLECTION_ID", "make the index anew from its documents",
      rebuild },
    { "document", "get", "PROJECT_ID COLLECTION_ID DOCUMENT_ID", "show one document",
      get_document },
    { "document", "delete", "PROJECT_ID COLLECTION_ID DOCUMENT_ID", "remove one document",
      delete_documents },
    { 0 },
};
