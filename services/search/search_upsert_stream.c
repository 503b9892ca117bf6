/* UpsertDocuments: batches of documents, each written in one go, answered in order. */

#include "libs/base/status_details.h"
#include "libs/rpc/message.h"
#include "services/search/search_message.h"
#include "services/search/search_service_internal.h"

#include <stdlib.h>
#include <string.h>

/* Which collection the stream writes to; the project is the permission's, so the server itself
 * sees that it does not change. */
struct upsert_stream {
    const struct search_service *service;
    char *collection_id; /* owned; NULL before the first request */
};

status upsert_documents_open(struct stream *stream, void *service, void **ret_state)
{
    struct upsert_stream *state = calloc(1, sizeof *state);

    (void)stream;
    if (state == NULL) {
        abort();
    }
    state->service = service;
    *ret_state = state;
    return status_ok();
}

static status check_request(struct upsert_stream *state, struct arena *arena,
                            const Weft__Search__V1__UpsertDocumentsRequest *request)
{
    if (request->n_documents > MAX_WRITES) {
        return status_bad_field(arena, "documents", "are %zu, more than %d", request->n_documents,
                                MAX_WRITES);
    }
    if (state->collection_id == NULL) {
        state->collection_id = strdup(request->collection_id);
        if (state->collection_id == NULL) {
            abort();
        }
    }
    if (request->collection_id[0] != '\0' &&
        strcmp(state->collection_id, request->collection_id) != 0) {
        return status_bad_field(arena, "collection_id", "has changed from '%.63s' to '%.63s'",
                                state->collection_id, request->collection_id);
    }
    return status_ok();
}

/* ---- A batch ---- */

struct batch {
    struct search_write *writes; /* those that can be read */
    size_t n_writes;
    status **results; /* where each one's is, in the order of the request */
};

static status *refuse(struct arena *arena, status why)
{
    status *result = ARENA_NEW(arena, status);

    *result = why;
    return result;
}

static struct batch read_batch(struct arena *arena, const struct search_schema *schema,
                               const Weft__Search__V1__UpsertDocumentsRequest *request)
{
    struct batch batch = {
        .writes = ARENA_NEW_ARRAY(arena, struct search_write, request->n_documents),
        .results = ARENA_NEW_ARRAY(arena, status *, request->n_documents),
    };

    for (size_t i = 0; i < request->n_documents; i++) {
        struct search_document *document = ARENA_NEW(arena, struct search_document);
        status s = document_of_message(arena, schema, request->documents[i], document);
        if (status_is_ok(s)) {
            struct search_write *write = &batch.writes[batch.n_writes++];
            *write = (struct search_write){ .document = document, .id = document->id };
            batch.results[i] = &write->result;
        } else {
            batch.results[i] = refuse(arena, s);
        }
    }
    return batch;
}

/* ---- What the tenant's plan allows ---- */

static bool is_there(const struct search_service *self, struct arena *arena,
                     const struct collection_name *name, bytes id)
{
    struct search_document document;

    return status_is_ok(search_engine_get(self->options.engine, arena, name, id, &document));
}

/* Near the limit, takes new documents out of the batch that are too many; those that replace others
 * stay.  Far from it, there is nothing to look at. */
static void keep_to_quota(const struct search_service *self, struct arena *arena,
                          const struct collection_name *name, size_t n_results, struct batch *batch)
{
    struct record_quota quota = record_quota_of(self, arena, name->tenant);
    struct search_write *kept = ARENA_NEW_ARRAY(arena, struct search_write, batch->n_writes);
    size_t n = 0;

    if (quota.max == 0 || quota.n + (int64_t)batch->n_writes <= quota.max) {
        return;
    }
    for (size_t i = 0; i < n_results; i++) {
        const struct search_write *write = NULL;
        for (size_t w = 0; w < batch->n_writes && write == NULL; w++) {
            write = batch->results[i] == &batch->writes[w].result ? &batch->writes[w] : NULL;
        }
        if (write == NULL) { /* it could not be read */
            continue;
        }
        bool replaces = is_there(self, arena, name, write->id);
        if (!replaces && quota.n >= quota.max) {
            batch->results[i] = refuse(arena, record_quota_used_up(arena, name->tenant, quota.max));
            continue;
        }
        quota.n += !replaces;
        kept[n] = *write;
        batch->results[i] = &kept[n++].result;
    }
    batch->writes = kept;
    batch->n_writes = n;
}

/* ---- Events ---- */

static Weft__Search__V1__ItemResult *result_message(struct arena *arena, const status *result)
{
    Weft__Search__V1__ItemResult *message = ARENA_NEW(arena, Weft__Search__V1__ItemResult);

    weft__search__v1__item_result__init(message);
    message->code = result->code;
    message->message = message_text(result->message);
    return message;
}

static status answer(struct stream *stream, const struct batch *batch, size_t n_results)
{
    struct arena *arena = stream_event_arena(stream);
    Weft__Search__V1__UpsertDocumentsResponse response;

    weft__search__v1__upsert_documents_response__init(&response);
    response.n_results = n_results;
    response.results = ARENA_NEW_ARRAY(arena, Weft__Search__V1__ItemResult *, n_results);
    for (size_t i = 0; i < n_results; i++) {
        response.results[i] = result_message(arena, batch->results[i]);
    }
    return stream_send(stream, &response.base);
}

status upsert_documents_message(struct stream *stream, void *data,
                                const Weft__Search__V1__UpsertDocumentsRequest *request)
{
    struct upsert_stream *state = data;
    const struct search_service *self = state->service;
    struct arena *arena = stream_event_arena(stream);
    struct collection_name name;
    struct collection_info info;

    if (request == NULL) {
        stream_end(stream);
        return status_ok();
    }
    TRY(check_request(state, arena, request));
    TRY(collection_of(stream_call(stream), arena, request->project_id, state->collection_id,
                      &name));
    TRY(search_engine_describe(self->options.engine, arena, &name, &info));
    struct batch batch = read_batch(arena, &info.schema, request);
    keep_to_quota(self, arena, &name, request->n_documents, &batch);
    TRY(search_engine_write(self->options.engine, arena, &name, batch.writes, batch.n_writes));
    return answer(stream, &batch, request->n_documents);
}

status upsert_documents_writable(struct stream *stream, void *state)
{
    (void)stream;
    (void)state; /* answers are sent when they are made, one for each request */
    return status_ok();
}

void upsert_documents_closed(struct stream *stream, void *data, status why)
{
    struct upsert_stream *state = data;

    (void)stream;
    (void)why;
    if (state != NULL) {
        free(state->collection_id);
        free(state);
    }
}
