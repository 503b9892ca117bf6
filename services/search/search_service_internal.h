/* What the files of search_service share. */

#ifndef SERVICES_SEARCH_SEARCH_SERVICE_INTERNAL_H_
#define SERVICES_SEARCH_SEARCH_SERVICE_INTERNAL_H_

#include "libs/rpc/stream.h"
#include "services/search/search_service.h"
#include "weft/search/v1/search_service.pb-c.h"

struct search_service {
    struct search_service_options options;
};

/* The caller's collection of that name.  INVALID_ARGUMENT: an id is not well formed. */
status collection_of(const struct call *call, struct arena *arena, const char *project_id,
                     const char *collection_id, struct collection_name *ret_name) NONNULL;

/* How many documents the tenant has, and may have. */
struct record_quota {
    int64_t max; /* 0: any number */
    int64_t n;
};
struct record_quota record_quota_of(const struct search_service *self, struct arena *arena,
                                    const char *tenant) NONNULL;
status record_quota_used_up(struct arena *arena, const char *tenant, int64_t max) NONNULL;

status upsert_documents_open(struct stream *stream, void *service, void **ret_state) NONNULL;
status upsert_documents_message(struct stream *stream, void *state,
                                const Weft__Search__V1__UpsertDocumentsRequest *request)
    NONNULL_ARGS(1, 2);
status upsert_documents_writable(struct stream *stream, void *state) NONNULL;
void upsert_documents_closed(struct stream *stream, void *state, status why) NONNULL_ARGS(1);

#endif
