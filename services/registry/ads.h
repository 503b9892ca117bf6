/* ads - one client's xDS stream: what it subscribes to, what it was sent, what it accepted.
 *
 * The state-of-the-world variant of xDS, the only one that gRPC speaks.  Every request names a type
 * and all the names that the client wants of it, and is at once
 *
 *     a subscription      when the names are others than before      answered, changed or not
 *     an acknowledgement  when they are the same                     silence
 *     a refusal           when error_detail is set                   silence, until something
 * changes: sending the same again would go round for ever old news            when its nonce is not
 * the last one sent    dropped: the client will send its answer to the last one too
 *
 * The machine below does no I/O.  Its owner feeds it requests, asks for the next response whenever
 * there is room for one, and asks again when the catalogue has changed:
 *
 *     TRY(ads_stream_request(ads, arena, request, &event));
 *     while (room && (response = ads_stream_next(ads, arena)) != NULL) send(response);
 *
 * Nothing queues up here: a slow reader gets the newest state when it is ready for it, and never
 * sees those between.  Responses go out as clusters, endpoints, listeners, routes, so that what is
 * pointed to is there before what points to it.  Clusters and listeners are always sent all that
 * are subscribed to, for one that is left out is deleted; endpoints and routes only those that
 * have changed.
 *
 * A stream is used by one thread at a time.
 */

#ifndef SERVICES_REGISTRY_ADS_H_
#define SERVICES_REGISTRY_ADS_H_

#include "envoy/service/discovery/v3/discovery.pb-c.h"
#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/status.h"
#include "services/registry/xds_resources.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    /* What one stream may hold here: 4 types of 64 KiB and 24 bytes a name, some 350 KB.  A usual
     * client asks for ten names and takes less than 4 KB. */
    ADS_MAX_NAMES = 1000,
    ADS_MAX_NAMES_BYTES = 64 * 1024,
    ADS_MAX_NAME_BYTES = 512,  /* a longer one is left without an answer */
    ADS_MAX_NODE_BYTES = 2048, /* of each field of the node: an agent puts a SPIFFE ID into one */
    ADS_MAX_ERROR_BYTES = 1024,
};

struct ads_stream;

/* Borrows resources, which must outlive the stream.  The caller owns the stream:
 * ads_stream_free(). */
struct ads_stream *ads_stream_new(struct xds_resources *resources) NONNULL RETURNS_NONNULL;
/* NULL is allowed. */
void ads_stream_free(struct ads_stream *stream);

enum ads_event {
    ADS_SUBSCRIBED,   /* an answer is due */
    ADS_UNSUBSCRIBED, /* from everything of the type */
    ADS_ACCEPTED,
    ADS_REFUSED, /* and perhaps subscribed to something else at once */
    ADS_DROPPED, /* an old nonce */
    ADS_UNKNOWN, /* a type that we do not serve */
};

/* Takes in a request.
 * INVALID_ARGUMENT: a field of the node is too long.
 * RESOURCE_EXHAUSTED: too many names, or too long ones together. */
status ads_stream_request(struct ads_stream *stream, struct arena *arena,
                          const Envoy__Service__Discovery__V3__DiscoveryRequest *request,
                          enum ads_event *ret_event) NONNULL;

/* The next response, in arena; NULL when the client has everything.  It counts as sent. */
const Envoy__Service__Discovery__V3__DiscoveryResponse *ads_stream_next(struct ads_stream *stream,
                                                                        struct arena *arena)
    NONNULL;

/* ---- What is known of the client ---- */

enum ads_state {
    ADS_STATE_SYNCED, /* it has accepted the last response */
    ADS_STATE_STALE,  /* it has not answered yet, or we have not */
    ADS_STATE_NACKED, /* it has refused the last response, and goes on with what it had */
};

struct ads_subscription {
    enum xds_type type;
    const char *const *names;
    size_t n_names;
    uint64_t sent_version;     /* 0 for none */
    uint64_t accepted_version; /* 0 for none */
    enum ads_state state;
    const char *error; /* why it refused, in its words; "" when it did not */
};

struct ads_client {
    const char *node_id; /* what it says of itself: a claim, not an identity */
    const char *cluster; /* the same; of an agent's client, its SPIFFE ID by the agent's word */
    const char *user_agent;
    struct ads_subscription subscriptions[XDS_N_TYPES];
    size_t n_subscriptions;
};

/* A copy in arena. */
struct ads_client ads_stream_client(const struct ads_stream *stream, struct arena *arena) NONNULL;

/* Whether the client obeys a version of a resource, or a newer one; true when it has not
 * subscribed to it.  How a drain knows that no new calls will come. */
bool ads_stream_obeys(const struct ads_stream *stream, enum xds_type type, const char *name,
                      uint64_t version) NONNULL;

#endif
