#include "cli/testing/fake_search.h"

#include "libs/rpc/message.h"
#include "libs/rpc/service.h"
#include "weft/search/v1/search_service.pb-c.h"
#include "weft/search/v1/search_service_descriptors.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- What nobody asks of it ---- */

#define NOT_HERE(rpc, handler)                                                                \
    static status handler(struct call *call, const Weft__Search__V1__##rpc##Request *request, \
                          Weft__Search__V1__##rpc##Response *response)                        \
    {                                                                                         \
        (void)request;                                                                        \
        (void)response;                                                                       \
        return status_error(call->arena, STATUS_UNIMPLEMENTED, "not of this double");         \
    }

NOT_HERE(CreateCollection, create_collection)
NOT_HERE(GetCollection, get_collection)
NOT_HERE(ListCollections, list_collections)
NOT_HERE(DeleteCollection, delete_collection)
NOT_HERE(RebuildCollection, rebuild_collection)
NOT_HERE(GetDocument, get_document)
NOT_HERE(DeleteDocuments, delete_documents)
NOT_HERE(Search, search)

/* ---- Upserts ---- */

struct upsert {
    struct fake_search *search;
    size_t n_answers;
};

static status upsert_open(struct stream *stream, void *service, void **ret_state)
{
    struct fake_search *search = service;

    if (atomic_load(&search->is_away)) {
        return status_error(stream_event_arena(stream), STATUS_UNAVAILABLE, "away");
    }
    struct upsert *self = calloc(1, sizeof *self);
    if (self == NULL) {
        abort();
    }
    self->search = search;
    (void)snprintf(search->token, sizeof search->token, "%s", stream_call(stream)->token);
    atomic_fetch_add(&self->search->n_streams, 1);
    *ret_state = self;
    return status_ok();
}

static bool is_refused(struct fake_search *self, size_t n)
{
    size_t each = atomic_load(&self->refuse_each);

    return each != 0 && n % each == 0;
}

static status upsert_message(struct stream *stream, void *state,
                             const Weft__Search__V1__UpsertDocumentsRequest *request)
{
    struct arena *arena = stream_event_arena(stream);
    Weft__Search__V1__UpsertDocumentsResponse response;
    struct upsert *self = state;

    if (request == NULL) {
        stream_end(stream);
        return status_ok();
    }
    size_t break_after = atomic_load(&self->search->break_after);
    if (break_after != 0 && self->n_answers == break_after &&
        atomic_fetch_sub(&self->search->n_breaks, 1) > 0) {
        return status_error(arena, self->search->break_with, "told to break");
    }
    weft__search__v1__upsert_documents_response__init(&response);
    response.n_results = request->n_documents;
    response.results = ARENA_NEW_ARRAY(arena, Weft__Search__V1__ItemResult *, request->n_documents);
    for (size_t i = 0; i < request->n_documents; i++) {
        response.results[i] = ARENA_NEW(arena, Weft__Search__V1__ItemResult);
        weft__search__v1__item_result__init(response.results[i]);
        if (is_refused(self->search, i)) {
            response.results[i]->code = STATUS_INVALID_ARGUMENT;
        } else {
            atomic_fetch_add(&self->search->n_documents, 1);
        }
    }
    self->n_answers++;
    return stream_send(stream, &response.base);
}

static void upsert_closed(struct stream *stream, void *state, status why)
{
    (void)stream;
    (void)why;
    free(state);
}

#define upsert_writable NULL

#define METHODS(X)                                                       \
    X(Weft__Search__V1__, CreateCollection, WORKER, create_collection)   \
    X(Weft__Search__V1__, GetCollection, WORKER, get_collection)         \
    X(Weft__Search__V1__, ListCollections, WORKER, list_collections)     \
    X(Weft__Search__V1__, DeleteCollection, WORKER, delete_collection)   \
    X(Weft__Search__V1__, RebuildCollection, WORKER, rebuild_collection) \
    X(Weft__Search__V1__, GetDocument, WORKER, get_document)             \
    X(Weft__Search__V1__, DeleteDocuments, WORKER, delete_documents)     \
    X(Weft__Search__V1__, Search, WORKER, search)
#define STREAMS(X) X(Weft__Search__V1__, UpsertDocuments, WORKER, upsert)
SERVICE_DEFINE_STREAMS(fake_search_methods, weft__search__v1__search_service__descriptor, METHODS,
                       STREAMS);

/* ---- Its life ---- */

void fake_search_start(struct fake_search *self, struct arena *arena, const char *folder)
{
    const char *address = arena_printf(arena, "unix:%s/search.sock", folder);

    *self = (struct fake_search){ .runtime = runtime_start(&(struct runtime_options){ 0 }) };
    self->server =
        server_new(&(struct server_options){ .address = address, .n_queues = 1, .n_workers = 2 });
    server_register(self->server, &fake_search_methods, self, search_service_descriptors);
    status s = server_start(self->server, arena);
    if (!status_is_ok(s)) {
        (void)fprintf(stderr, "fake_search: %s\n", s.message);
        abort();
    }
    self->channel = channel_new(self->runtime, &(struct channel_options){ .target = address });
    self->peer = channel_peer(self->channel);
}

void fake_search_stop(struct fake_search *self)
{
    channel_free(self->channel);
    server_stop(self->server, 1000);
    server_free(self->server);
    runtime_stop(self->runtime);
}
