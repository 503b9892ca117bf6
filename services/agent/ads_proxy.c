#include "services/agent/ads_proxy.h"

#include "envoy/service/discovery/v3/ads.pb-c.h"
#include "libs/mesh/link.h"
#include "libs/rpc/message.h"
#include "services/agent/ads_session.h"

#include <pthread.h>
#include <stdlib.h>

typedef Envoy__Service__Discovery__V3__DiscoveryRequest DiscoveryRequest;
typedef Envoy__Service__Discovery__V3__DiscoveryResponse DiscoveryResponse;

/* One client.  The stream down is its own, the link up the keeper's; between them is the lock. */
struct client {
    struct client *next;
    struct ads_proxy *proxy;
    struct link link;
    pthread_mutex_t lock;
    struct stream *down; /* NULL when the client has gone */
    struct ads_session *session;
    bool has_asked; /* the link has something to begin with */
    bool is_held;   /* nothing is read from the registry until the client has read */
    int64_t due_ms; /* since when an answer is due, monotonic; 0 when none is */
};

struct ads_proxy {
    struct keeper_task task;
    struct ads_proxy_options options;
    pthread_mutex_t lock; /* over the list */
    struct client *clients;
};

/* ---- Between the two ---- */

static void lock(struct client *self)
{
    (void)pthread_mutex_lock(&self->lock);
}

static void unlock(struct client *self)
{
    (void)pthread_mutex_unlock(&self->lock);
}

/* Under the lock: notes since when an answer is due. */
static void watch_debt(struct client *self)
{
    if (!ads_session_owes(self->session)) {
        self->due_ms = 0;
    } else if (self->due_ms == 0) {
        self->due_ms = clock_monotonic_ms(self->proxy->options.clock);
    }
}

/* Under the lock. */
static void wake_down(struct client *self)
{
    if (self->down != NULL) {
        stream_wake(self->down);
    }
}

/* ---- Up: events on a worker ---- */

/* Under the lock, as the messages are the session's own. */
static status send_requests(struct client *self, struct stream *up)
{
    const DiscoveryRequest *request;

    while (stream_has_room(up) &&
           (request = ads_session_next_request(self->session, stream_event_arena(up))) != NULL) {
        TRY(stream_send(up, &request->base));
    }
    return status_ok();
}

/* The link is opened only once the client has asked for something. */
static const ProtobufCMessage *up_first(void *state, struct arena *arena)
{
    struct client *self = state;

    lock(self);
    ads_session_opened(self->session);
    self->is_held = false;
    const DiscoveryRequest *first = ads_session_next_request(self->session, arena);
    unlock(self);
    return &first->base;
}

static status up_writable(struct stream *up, void *state)
{
    struct client *self = state;

    lock(self);
    status s = send_requests(self, up);
    if (self->is_held && ads_session_has_room(self->session)) {
        self->is_held = false;
        stream_hold(up, false);
    }
    unlock(self);
    return s;
}

static status up_message(struct stream *up, void *state, const ProtobufCMessage *message)
{
    struct client *self = state;

    lock(self);
    ads_session_response(self->session, (const DiscoveryResponse *)message);
    watch_debt(self);
    if (!ads_session_has_room(self->session)) {
        self->is_held = true;
        stream_hold(up, true);
    }
    wake_down(self);
    unlock(self);
    return status_ok();
}

static void up_down(void *state, status why)
{
    struct client *self = state;

    (void)why;
    lock(self);
    ads_session_lost(self->session);
    ads_session_fall_back(self->session);
    watch_debt(self);
    wake_down(self);
    unlock(self);
}

/* ---- Down: events on a thread of the server ---- */

static status client_open(struct stream *stream, void *service, void **ret_state)
{
    struct ads_proxy *proxy = service;
    struct client *self = calloc(1, sizeof *self);

    if (self == NULL) {
        abort();
    }
    self->proxy = proxy;
    self->down = stream;
    self->session = ads_session_new(proxy->options.last_good);
    (void)pthread_mutex_init(&self->lock, NULL);
    link_init(
        &self->link,
        &(struct link_options){
            .peer = proxy->options.registry,
            .service = &envoy__service__discovery__v3__aggregated_discovery_service__descriptor,
            .method = "StreamAggregatedResources",
            .name = "xds",
            .clock = proxy->options.clock,
            .random = proxy->options.random,
            .log = proxy->options.log,
            .first = up_first,
            .message = up_message,
            .writable = up_writable,
            .down = up_down,
            .state = self,
        });
    (void)pthread_mutex_lock(&proxy->lock);
    self->next = proxy->clients;
    proxy->clients = self;
    (void)pthread_mutex_unlock(&proxy->lock);
    *ret_state = self;
    return status_ok();
}

static const DiscoveryResponse *next_response(struct client *self)
{
    lock(self);
    const DiscoveryResponse *response =
        ads_session_next_response(self->session, stream_event_arena(self->down));
    unlock(self);
    return response;
}

static status client_writable(struct stream *stream, void *state)
{
    struct client *self = state;
    const DiscoveryResponse *response;
    bool sent = false;

    while (stream_has_room(stream) && (response = next_response(self)) != NULL) {
        TRY(stream_send(stream, &response->base));
        sent = true;
    }
    if (sent) {
        link_wake(&self->link); /* which may have waited for room */
    }
    return status_ok();
}

/* What a node says of itself is a claim; whose it is, the kernel has said. */
static DiscoveryRequest attested(struct stream *stream, const DiscoveryRequest *request)
{
    struct arena *arena = stream_event_arena(stream);
    DiscoveryRequest copy = *request;

    if (request->node != NULL) {
        copy.node = ARENA_NEW(arena, Envoy__Config__Core__V3__Node);
        *copy.node = *request->node;
        copy.node->cluster = message_text(stream_call(stream)->principal->subject);
    }
    return copy;
}

static status client_message(struct stream *stream, void *state, const DiscoveryRequest *request)
{
    struct client *self = state;

    if (request == NULL) {
        stream_end(stream);
        return status_ok();
    }
    DiscoveryRequest named = attested(stream, request);
    lock(self);
    bool first = !self->has_asked;
    status s = ads_session_request(self->session, stream_event_arena(stream), &named);
    self->has_asked |= status_is_ok(s);
    watch_debt(self);
    unlock(self);
    TRY(s);
    if (first) {
        keeper_poke(self->proxy->options.keeper);
    } else {
        link_wake(&self->link);
    }
    return client_writable(stream, self);
}

/* The rest is the keeper's: what the link still does must end first, and nobody may wait here. */
static void client_closed(struct stream *stream, void *state, status why)
{
    struct client *self = state;

    (void)stream;
    (void)why;
    if (self != NULL) {
        lock(self);
        self->down = NULL;
        unlock(self);
        keeper_poke(self->proxy->options.keeper);
    }
}

/* ---- The keeper's ---- */

static void client_free(struct client *self)
{
    link_reset(&self->link);
    ads_session_free(self->session);
    (void)pthread_mutex_destroy(&self->lock);
    free(self);
}

/* Whether the client is still there. */
static bool look_after(struct client *self, int64_t now)
{
    lock(self);
    bool is_there = self->down != NULL;
    bool has_asked = self->has_asked;
    if (self->due_ms != 0 && now - self->due_ms >= ADS_PROXY_PATIENCE_MS) {
        self->due_ms = now;
        ads_session_fall_back(self->session);
        watch_debt(self);
        wake_down(self);
    }
    unlock(self);
    if (is_there && has_asked) {
        link_tick(&self->link);
    }
    return is_there;
}

/* Takes the clients that have gone out of the list. */
static struct client *take_gone(struct ads_proxy *self, int64_t now)
{
    struct client *gone = NULL;

    (void)pthread_mutex_lock(&self->lock);
    for (struct client **at = &self->clients; *at != NULL;) {
        struct client *client = *at;
        if (look_after(client, now)) {
            at = &client->next;
        } else {
            *at = client->next;
            client->next = gone;
            gone = client;
        }
    }
    (void)pthread_mutex_unlock(&self->lock);
    return gone;
}

static void free_all(struct client *clients)
{
    while (clients != NULL) {
        struct client *next = clients->next;
        client_free(clients);
        clients = next;
    }
}

static void tick(struct keeper_task *task)
{
    struct ads_proxy *self = (struct ads_proxy *)task;
    int64_t now = clock_monotonic_ms(self->options.clock);

    free_all(take_gone(self, now));
}

struct ads_proxy *ads_proxy_new(const struct ads_proxy_options *options)
{
    struct ads_proxy *self = calloc(1, sizeof *self);

    if (self == NULL) {
        abort();
    }
    self->task.tick = tick;
    self->options = *options;
    (void)pthread_mutex_init(&self->lock, NULL);
    keeper_add(options->keeper, &self->task);
    return self;
}

void ads_proxy_free(struct ads_proxy *proxy)
{
    if (proxy == NULL) {
        return;
    }
    free_all(proxy->clients);
    (void)pthread_mutex_destroy(&proxy->lock);
    free(proxy);
}

#define STREAMS(X) X(StreamAggregatedResources, DiscoveryRequest, DiscoveryResponse, INLINE, client)
SERVICE_DEFINE_STREAMS_TYPED(
    ads_proxy_methods, envoy__service__discovery__v3__aggregated_discovery_service__descriptor,
    NO_METHODS, STREAMS);
