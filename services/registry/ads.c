#include "services/registry/ads.h"

#include "libs/base/status_details.h"
#include "libs/rpc/message.h"
#include "services/registry/ads_names.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef Envoy__Service__Discovery__V3__DiscoveryRequest DiscoveryRequest;
typedef Envoy__Service__Discovery__V3__DiscoveryResponse DiscoveryResponse;

/* One type's half of the conversation. */
struct subscription {
    bool asked; /* at least once */
    bool due;   /* an answer, whether or not anything has changed */
    struct ads_names names;
    uint64_t nonce; /* of the last response; 0 when there was none */
    uint64_t sent_version;
    uint64_t accepted_version;
    enum ads_state state;
    char *error; /* of the last refusal; NULL when there was none */
};

struct ads_stream {
    struct xds_resources *resources;
    struct subscription subscriptions[XDS_N_TYPES];
    uint64_t last_nonce;
    bool has_node;
    struct arena *node; /* what the strings below live in */
    const char *node_id;
    const char *cluster;
    const char *user_agent;
    struct locality locality;
};

struct ads_stream *ads_stream_new(struct xds_resources *resources)
{
    struct ads_stream *self = malloc(sizeof *self);

    if (self == NULL) {
        abort();
    }
    *self = (struct ads_stream){
        .resources = resources,
        .node = arena_new(),
        .node_id = "",
        .cluster = "",
        .user_agent = "",
        .locality = { "", "" },
    };
    return self;
}

void ads_stream_free(struct ads_stream *stream)
{
    if (stream == NULL) {
        return;
    }
    for (unsigned i = 0; i < XDS_N_TYPES; i++) {
        ads_names_reset(&stream->subscriptions[i].names);
        free(stream->subscriptions[i].error);
    }
    arena_free(stream->node);
    free(stream);
}

/* ---- The node, in the first request ---- */

static status check_node_field(struct arena *arena, const char *field, const char *value)
{
    if (strnlen(value, ADS_MAX_NODE_BYTES + 1) > ADS_MAX_NODE_BYTES) {
        return status_bad_field(arena, field, "is longer than %d bytes", ADS_MAX_NODE_BYTES);
    }
    return status_ok();
}

static status take_node(struct ads_stream *self, struct arena *arena,
                        const Envoy__Config__Core__V3__Node *node)
{
    TRY(check_node_field(arena, "node.id", node->id));
    TRY(check_node_field(arena, "node.cluster", node->cluster));
    TRY(check_node_field(arena, "node.user_agent_name", node->user_agent_name));
    TRY(check_node_field(arena, "node.user_agent_version", node->user_agent_version));
    self->has_node = true;
    self->node_id = arena_strdup(self->node, node->id);
    self->cluster = arena_strdup(self->node, node->cluster);
    self->user_agent =
        arena_printf(self->node, "%s %s", node->user_agent_name, node->user_agent_version);
    if (node->locality != NULL) {
        TRY(check_node_field(arena, "node.locality.region", node->locality->region));
        TRY(check_node_field(arena, "node.locality.zone", node->locality->zone));
        self->locality = (struct locality){
            .region = arena_strdup(self->node, node->locality->region),
            .zone = arena_strdup(self->node, node->locality->zone),
        };
    }
    return status_ok();
}

/* ---- Requests ---- */

static status check_names(struct arena *arena, const DiscoveryRequest *request)
{
    size_t size = 0;

    if (request->n_resource_names > ADS_MAX_NAMES) {
        return status_error(arena, STATUS_RESOURCE_EXHAUSTED,
                            "a subscription to %zu names; %d are allowed of one type",
                            request->n_resource_names, ADS_MAX_NAMES);
    }
    for (size_t i = 0; i < request->n_resource_names; i++) {
        size += strlen(request->resource_names[i]);
    }
    if (size > ADS_MAX_NAMES_BYTES) {
        return status_error(arena, STATUS_RESOURCE_EXHAUSTED,
                            "a subscription to names of %zu bytes; %d are allowed of one type",
                            size, ADS_MAX_NAMES_BYTES);
    }
    return status_ok();
}

/* Whether the request answers the last response, or is the first of its type.  Before our first
 * response any nonce is of a stream before this one, and says nothing. */
static bool is_current(const struct subscription *subscription, const char *nonce)
{
    char last[24];

    if (subscription->nonce == 0) {
        return true;
    }
    (void)snprintf(last, sizeof last, "%" PRIu64, subscription->nonce);
    return strcmp(nonce, last) == 0;
}

static void refuse(struct subscription *subscription, const char *why)
{
    free(subscription->error);
    subscription->error = strndup(why, ADS_MAX_ERROR_BYTES);
    if (subscription->error == NULL) {
        abort();
    }
    subscription->state = ADS_STATE_NACKED;
}

static void accept(struct subscription *subscription)
{
    free(subscription->error);
    subscription->error = NULL;
    subscription->state = ADS_STATE_SYNCED;
    subscription->accepted_version = subscription->sent_version;
    for (size_t i = 0; i < subscription->names.n; i++) {
        subscription->names.at[i].accepted = subscription->names.at[i].sent;
    }
}

/* Takes over the names.  Whether something is due: an empty list asks for nothing, but as the
 * first of clusters and listeners is Envoy's wildcard, which gets an empty answer and goes on. */
static bool subscribe(struct subscription *subscription, enum xds_type type,
                      const DiscoveryRequest *request)
{
    bool first = !subscription->asked;
    bool changed = ads_names_replace(&subscription->names, request->resource_names,
                                     request->n_resource_names, ADS_MAX_NAME_BYTES);

    subscription->asked = true;
    if (changed || first) {
        bool wildcard = first && (type == XDS_CLUSTER || type == XDS_LISTENER);
        subscription->due = subscription->names.n > 0 || wildcard;
        return true;
    }
    return false;
}

status ads_stream_request(struct ads_stream *stream, struct arena *arena,
                          const DiscoveryRequest *request, enum ads_event *ret_event)
{
    enum xds_type type;

    if (!stream->has_node && request->node != NULL) {
        TRY(take_node(stream, arena, request->node));
    }
    if (!xds_type_of_url(request->type_url, &type)) {
        *ret_event = ADS_UNKNOWN;
        return status_ok();
    }
    struct subscription *subscription = &stream->subscriptions[type];
    if (!is_current(subscription, request->response_nonce)) {
        *ret_event = ADS_DROPPED;
        return status_ok();
    }
    TRY(check_names(arena, request));
    bool answers = subscription->nonce != 0;
    if (answers && request->error_detail != NULL) {
        refuse(subscription, request->error_detail->message);
    } else if (answers) {
        accept(subscription);
    }
    bool changed = subscribe(subscription, type, request);
    if (answers && request->error_detail != NULL) {
        *ret_event = ADS_REFUSED;
    } else if (changed || subscription->due) {
        *ret_event = subscription->due ? ADS_SUBSCRIBED : ADS_UNSUBSCRIBED;
    } else {
        *ret_event = ADS_ACCEPTED;
    }
    return status_ok();
}

/* ---- Responses ---- */

/* Clients delete the clusters and listeners that a response leaves out. */
static bool is_complete(enum xds_type type)
{
    return type == XDS_CLUSTER || type == XDS_LISTENER;
}

/* Whether some name has an answer that was not sent; for what is due, any answer will do. */
static bool has_news(struct ads_stream *self, enum xds_type type)
{
    const struct subscription *subscription = &self->subscriptions[type];

    for (size_t i = 0; i < subscription->names.n; i++) {
        const struct ads_name *name = &subscription->names.at[i];
        uint64_t version = xds_resources_version(self->resources, type, name->text);
        if (version != 0 && (subscription->due || version != name->sent)) {
            return true;
        }
    }
    return subscription->due && subscription->names.n == 0;
}

static void unref(void *resource)
{
    xds_resource_unref(resource);
}

/* The resource of a name as an Any, or NULL when it has none, or is not to be sent again. */
static Google__Protobuf__Any *next_resource(struct ads_stream *self, struct arena *arena,
                                            enum xds_type type, struct ads_name *name, bool all)
{
    struct xds_resource *resource =
        xds_resources_get(self->resources, type, name->text, &self->locality);

    if (resource == NULL) {
        return NULL;
    }
    arena_defer(arena, unref, resource);
    if (!all && resource->version == name->sent) {
        return NULL;
    }
    Google__Protobuf__Any *any = ARENA_NEW(arena, Google__Protobuf__Any);
    google__protobuf__any__init(any);
    any->type_url = message_text(xds_type_url(type));
    any->value = message_data(resource->encoded);
    name->sent = resource->version;
    return any;
}

static DiscoveryResponse *respond(struct ads_stream *self, struct arena *arena, enum xds_type type)
{
    struct subscription *subscription = &self->subscriptions[type];
    DiscoveryResponse *response = ARENA_NEW(arena, DiscoveryResponse);
    bool all = subscription->due || is_complete(type);

    subscription->due = false;
    subscription->nonce = ++self->last_nonce;
    subscription->sent_version = xds_resources_revision(self->resources);
    subscription->state = ADS_STATE_STALE;
    envoy__service__discovery__v3__discovery_response__init(response);
    response->version_info =
        message_text(arena_printf(arena, "%" PRIu64, subscription->sent_version));
    response->nonce = message_text(arena_printf(arena, "%" PRIu64, subscription->nonce));
    response->type_url = message_text(xds_type_url(type));
    response->resources =
        ARENA_NEW_ARRAY(arena, Google__Protobuf__Any *, subscription->names.n + 1);
    for (size_t i = 0; i < subscription->names.n; i++) {
        Google__Protobuf__Any *any =
            next_resource(self, arena, type, &subscription->names.at[i], all);
        if (any != NULL) {
            response->resources[response->n_resources++] = any;
        }
    }
    return response;
}

const DiscoveryResponse *ads_stream_next(struct ads_stream *stream, struct arena *arena)
{
    for (unsigned i = 0; i < XDS_N_TYPES; i++) {
        if (has_news(stream, (enum xds_type)i)) {
            return respond(stream, arena, (enum xds_type)i);
        }
    }
    return NULL;
}

/* ---- What is known of the client ---- */

static struct ads_subscription describe(const struct subscription *subscription,
                                        struct arena *arena, enum xds_type type)
{
    const char **names = ARENA_NEW_ARRAY(arena, const char *, subscription->names.n + 1);
    bool waits = subscription->due || subscription->nonce == 0;

    for (size_t i = 0; i < subscription->names.n; i++) {
        names[i] = arena_strdup(arena, subscription->names.at[i].text);
    }
    return (struct ads_subscription){
        .type = type,
        .names = names,
        .n_names = subscription->names.n,
        .sent_version = subscription->sent_version,
        .accepted_version = subscription->accepted_version,
        .state = waits ? ADS_STATE_STALE : subscription->state,
        .error = subscription->error == NULL ? "" : arena_strdup(arena, subscription->error),
    };
}

struct ads_client ads_stream_client(const struct ads_stream *stream, struct arena *arena)
{
    struct ads_client client = {
        .node_id = arena_strdup(arena, stream->node_id),
        .cluster = arena_strdup(arena, stream->cluster),
        .user_agent = arena_strdup(arena, stream->user_agent),
    };

    for (unsigned i = 0; i < XDS_N_TYPES; i++) {
        if (stream->subscriptions[i].asked) {
            client.subscriptions[client.n_subscriptions++] =
                describe(&stream->subscriptions[i], arena, (enum xds_type)i);
        }
    }
    return client;
}

bool ads_stream_obeys(const struct ads_stream *stream, enum xds_type type, const char *name,
                      uint64_t version)
{
    const struct ads_name *there = ads_names_find(&stream->subscriptions[type].names, name);

    return there == NULL || there->accepted >= version;
}
