/* ingest - brings records into a collection, and keeps on when search is away for a while.
 *
 * Batches go up one stream, several under way at once; each is counted when search has answered
 * that it is durable.  When the stream breaks (search was killed, and comes back) what was not
 * answered is sent again over a new one: an upsert of the same document twice is the same as once.
 *
 *     records   |#########|#########|#########|.........|
 *               answered             under way  not sent
 */

#ifndef CLI_INGEST_H_
#define CLI_INGEST_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/status.h"
#include "libs/rpc/call.h"
#include "libs/rpc/peer.h"
#include "weft/search/v1/search_service.pb-c.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ingest_options {
    struct peer *search;    /* required; borrowed */
    const char *project_id; /* required; borrowed, like the three below */
    const char *collection_id;
    size_t n_records;
    /* Makes record n as a document, in arena. */
    Weft__Search__V1__Document *(*record)(void *data, struct arena *arena, size_t n);
    /* After each answer, and each second without one; false stops with CANCELLED.  May be NULL. */
    bool (*progress)(void *data, size_t n_done);
    void *data;          /* of both */
    size_t batch;        /* documents in a request; 0 means 500 */
    size_t n_under_way;  /* requests not answered yet; 0 means 8 */
    int64_t patience_ms; /* search may be away so long; 0 means 60,000 */
};

struct ingest_result {
    size_t n_done;     /* durable */
    size_t n_refused;  /* answered with an error of their own */
    size_t n_restarts; /* of the stream */
};

/* The call gives token, trace and deadline; progress() may put a newer token there, which the next
 * stream is opened with: there is one when this one ends with its token.  *ret is filled in also
 * when it fails. */
status ingest(struct call *call, const struct ingest_options *options, struct ingest_result *ret)
    NONNULL;

#endif
