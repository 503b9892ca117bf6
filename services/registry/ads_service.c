#include "services/registry/ads_service.h"

#include "envoy/service/discovery/v3/ads.pb-c.h"
#include "libs/base/text.h"
#include "libs/crypto/spiffe_id.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

typedef Envoy__Service__Discovery__V3__DiscoveryRequest DiscoveryRequest;
typedef Envoy__Service__Discovery__V3__DiscoveryResponse DiscoveryResponse;

/* One stream.  ads is used by the stream's events, and read by whoever lists: hence a lock. */
struct subscriber {
    struct subscriber *next;
    struct subscriber *previous;
    struct ads_service *service;
    struct stream *stream;
    struct watcher watcher;
    uint64_t serial;
    const char *spiffe_id; /* the call's */
    pthread_mutex_t lock;
    struct ads_stream *ads;
};

struct ads_service {
    struct ads_service_options options;
    void (*progress)(void *object);
    void *progress_object;
    pthread_mutex_t lock; /* over the list; taken before a subscriber's */
    struct subscriber *first;
    struct subscriber *last; /* the newest: the list is in order of serial */
    uint64_t last_serial;
};

struct ads_service *ads_service_new(const struct ads_service_options *options)
{
    assert(options->catalogue != NULL && options->resources != NULL &&
           options->trust_domain != NULL);
    struct ads_service *self = malloc(sizeof *self);
    if (self == NULL) {
        abort();
    }
    *self = (struct ads_service){ .options = *options, .lock = PTHREAD_MUTEX_INITIALIZER };
    return self;
}

void ads_service_free(struct ads_service *service)
{
    if (service != NULL) {
        assert(service->first == NULL);
        (void)pthread_mutex_destroy(&service->lock);
        free(service);
    }
}

/* ---- The list ---- */

static void join(struct ads_service *self, struct subscriber *subscriber)
{
    (void)pthread_mutex_lock(&self->lock);
    subscriber->serial = ++self->last_serial;
    subscriber->previous = self->last;
    *(self->last != NULL ? &self->last->next : &self->first) = subscriber;
    self->last = subscriber;
    (void)pthread_mutex_unlock(&self->lock);
}

static void leave(struct ads_service *self, struct subscriber *subscriber)
{
    (void)pthread_mutex_lock(&self->lock);
    *(subscriber->previous != NULL ? &subscriber->previous->next : &self->first) = subscriber->next;
    *(subscriber->next != NULL ? &subscriber->next->previous : &self->last) = subscriber->previous;
    (void)pthread_mutex_unlock(&self->lock);
}

void ads_service_wake(struct ads_service *service)
{
    (void)pthread_mutex_lock(&service->lock);
    for (struct subscriber *at = service->first; at != NULL; at = at->next) {
        stream_wake(at->stream);
    }
    (void)pthread_mutex_unlock(&service->lock);
}

/* An agent's word on whom it speaks for is good; anybody else speaks for itself. */
static const char *identity_of(const struct ads_service *self, struct arena *arena,
                               const struct subscriber *subscriber, const char *cluster)
{
    const char *agents = arena_printf(arena, "spiffe://%s/agent/", self->options.trust_domain);
    bool is_agent = strncmp(subscriber->spiffe_id, agents, strlen(agents)) == 0;

    return is_agent && cluster[0] != '\0' ? cluster : arena_strdup(arena, subscriber->spiffe_id);
}

size_t ads_service_list(struct ads_service *service, struct arena *arena, uint64_t after,
                        size_t limit, const struct ads_listed **ret_clients)
{
    struct ads_listed *clients = ARENA_NEW_ARRAY(arena, struct ads_listed, limit + 1);
    size_t n = 0;

    (void)pthread_mutex_lock(&service->lock);
    for (struct subscriber *at = service->first; at != NULL && n < limit; at = at->next) {
        if (at->serial <= after) {
            continue;
        }
        (void)pthread_mutex_lock(&at->lock);
        clients[n] = (struct ads_listed){
            .serial = at->serial,
            .client = ads_stream_client(at->ads, arena),
        };
        clients[n].spiffe_id = identity_of(service, arena, at, clients[n].client.cluster);
        n++;
        (void)pthread_mutex_unlock(&at->lock);
    }
    (void)pthread_mutex_unlock(&service->lock);
    *ret_clients = clients;
    return n;
}

size_t ads_service_n_behind(struct ads_service *service, enum xds_type type, const char *name,
                            uint64_t version)
{
    size_t n = 0;

    (void)pthread_mutex_lock(&service->lock);
    for (struct subscriber *at = service->first; at != NULL; at = at->next) {
        (void)pthread_mutex_lock(&at->lock);
        n += ads_stream_obeys(at->ads, type, name, version) ? 0 : 1;
        (void)pthread_mutex_unlock(&at->lock);
    }
    (void)pthread_mutex_unlock(&service->lock);
    return n;
}

void ads_service_on_progress(struct ads_service *service, void (*progress)(void *object),
                             void *object)
{
    service->progress = progress;
    service->progress_object = object;
}

static void report_progress(const struct ads_service *self)
{
    if (self->progress != NULL) {
        self->progress(self->progress_object);
    }
}

/* ---- One stream ---- */

static void wake(void *object)
{
    stream_wake(object);
}

/* The standard's .proto cannot say who may call, so it is said here. */
static status check_member(const struct ads_service *self, const struct call *call)
{
    struct spiffe_id id;

    if (!status_is_ok(spiffe_id_parse(call->arena, bytes_of(call->peer_id), &id)) ||
        strcmp(id.trust_domain, self->options.trust_domain) != 0) {
        return status_error(call->arena, STATUS_PERMISSION_DENIED,
                            "'%s' is no member of trust domain '%s'", call->peer_id,
                            self->options.trust_domain);
    }
    return status_ok();
}

static status subscriber_open(struct stream *stream, void *service, void **ret_state)
{
    struct ads_service *self = service;
    const struct call *call = stream_call(stream);

    TRY(check_member(self, call));
    struct subscriber *subscriber = malloc(sizeof *subscriber);
    if (subscriber == NULL) {
        abort();
    }
    *subscriber = (struct subscriber){
        .service = self,
        .stream = stream,
        .watcher = { .wake = wake, .object = stream },
        .spiffe_id = call->peer_id,
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .ads = ads_stream_new(self->options.resources),
    };
    join(self, subscriber);
    catalogue_watch(self->options.catalogue, &subscriber->watcher);
    *ret_state = subscriber;
    return status_ok();
}

static const DiscoveryResponse *next_response(struct subscriber *self)
{
    (void)pthread_mutex_lock(&self->lock);
    const DiscoveryResponse *response =
        ads_stream_next(self->ads, stream_event_arena(self->stream));
    (void)pthread_mutex_unlock(&self->lock);
    return response;
}

static status subscriber_writable(struct stream *stream, void *state)
{
    struct subscriber *self = state;
    const DiscoveryResponse *response;

    while (stream_has_room(stream) && (response = next_response(self)) != NULL) {
        TRY(stream_send(stream, &response->base));
    }
    return status_ok();
}

/* One line for each refusal: what the client says of it, since nobody else will. */
static void log_refusal(const struct subscriber *self, const DiscoveryRequest *request)
{
    LOG(self->service->options.log, LEVEL_WARN, NULL, "an xDS client refused its configuration",
        log_text("spiffe_id", self->spiffe_id), log_text("type", request->type_url),
        log_text("error", request->error_detail->message));
}

static status subscriber_message(struct stream *stream, void *state,
                                 const DiscoveryRequest *request)
{
    struct subscriber *self = state;
    enum ads_event event = ADS_DROPPED;

    if (request == NULL) { /* the client unsubscribed from everything */
        stream_end(stream);
        return status_ok();
    }
    (void)pthread_mutex_lock(&self->lock);
    status s = ads_stream_request(self->ads, stream_event_arena(stream), request, &event);
    (void)pthread_mutex_unlock(&self->lock);
    TRY(s);
    if (event == ADS_REFUSED) {
        log_refusal(self, request);
    }
    if (event != ADS_DROPPED && event != ADS_UNKNOWN) {
        report_progress(self->service);
    }
    return subscriber_writable(stream, state);
}

static void subscriber_closed(struct stream *stream, void *state, status why)
{
    struct subscriber *self = state;

    (void)stream;
    (void)why;
    if (self == NULL) {
        return;
    }
    catalogue_unwatch(self->service->options.catalogue, &self->watcher);
    leave(self->service, self);
    report_progress(self->service);
    ads_stream_free(self->ads);
    (void)pthread_mutex_destroy(&self->lock);
    free(self);
}

#define STREAMS(X) \
    X(StreamAggregatedResources, DiscoveryRequest, DiscoveryResponse, INLINE, subscriber)
SERVICE_DEFINE_STREAMS_TYPED(
    ads_service_methods, envoy__service__discovery__v3__aggregated_discovery_service__descriptor,
    NO_METHODS, STREAMS);
