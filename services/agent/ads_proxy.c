#include "services/agent/ads_proxy.h"

#include "envoy/service/discovery/v3/ads.pb-c.h"
#include "libs/rpc/decode.h"
#include "libs/rpc/message.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef Envoy__Service__Discovery__V3__DiscoveryRequest request_type;
typedef Envoy__Service__Discovery__V3__DiscoveryResponse response_type;

enum {
    MAX_TYPES = 8,         /* gRPC asks for four */
    RETRY_MS = 500,        /* between attempts to reach the registry */
    PATIENCE_MS = 300,     /* so long a request waits for the registry before last_good answers */
    MAX_QUEUED_DOWN = 256, /* responses that wait for a slow client; then it begins anew */
};

/* A message that waits, encoded. */
struct waiting {
    struct waiting *next;
    size_t size;
    uint8_t data[];
};

struct queue {
    struct waiting *first, **end;
    size_t n;
};

/* What a client subscribes to, of one type: its last request, encoded. */
struct subscription {
    struct waiting *request;
    bool answered; /* by the registry or by last_good, since it last changed */
    int64_t asked_us;
};

/* One client.  It lives until both of its streams are over. */
struct carried {
    struct carried *next; /* of the proxy's list */
    struct ads_proxy *proxy;
    _Atomic int refs;     /* the client's stream, the registry's stream */
    pthread_mutex_t lock; /* over the rest */
    struct stream *down;  /* NULL when the client is gone */
    struct stream *up;    /* NULL when the registry is away */
    bool up_works;        /* something came */
    int64_t up_due_us;
    char spiffe_id[2049];
    struct subscription types[MAX_TYPES];
    size_t n_types;
    struct queue to_client, to_registry;
    unsigned n_nonces; /* of our own answers */
};

struct ads_proxy {
    struct keeper_task task;
    struct ads_proxy_options options;
    pthread_mutex_t lock; /* over clients */
    struct carried *clients;
};

/* ---- Queues ---- */

static struct waiting *waiting_of(const ProtobufCMessage *message)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    struct waiting *waiting = malloc(sizeof *waiting + size);

    if (waiting == NULL) {
        abort();
    }
    waiting->next = NULL;
    waiting->size = size;
    (void)protobuf_c_message_pack(message, waiting->data);
    return waiting;
}

static void push(struct queue *queue, struct waiting *waiting)
{
    if (queue->first == NULL) {
        queue->end = &queue->first;
    }
    *queue->end = waiting;
    queue->end = &waiting->next;
    queue->n++;
}

static struct waiting *pop(struct queue *queue)
{
    struct waiting *waiting = queue->first;

    if (waiting != NULL) {
        queue->first = waiting->next;
        queue->n--;
    }
    return waiting;
}

static void clear(struct queue *queue)
{
    for (struct waiting *waiting = pop(queue); waiting != NULL; waiting = pop(queue)) {
        free(waiting);
    }
}

static void unref(struct carried *self)
{
    if (atomic_fetch_sub(&self->refs, 1) > 1) {
        return;
    }
    clear(&self->to_client);
    clear(&self->to_registry);
    for (size_t i = 0; i < self->n_types; i++) {
        free(self->types[i].request);
    }
    pthread_mutex_destroy(&self->lock);
    free(self);
}

/* Sends what waits, as far as there is room. */
static status send_waiting(struct carried *self, struct stream *stream, struct queue *queue,
                           const ProtobufCMessageDescriptor *type)
{
    while (stream_has_room(stream)) {
        const ProtobufCMessage *message;
        pthread_mutex_lock(&self->lock);
        struct waiting *waiting = pop(queue);
        pthread_mutex_unlock(&self->lock);
        if (waiting == NULL) {
            break;
        }
        status s = message_decode(stream_event_arena(stream), type,
                                  (bytes){ waiting->data, waiting->size }, &message);
        free(waiting);
        TRY(s);
        TRY(stream_send(stream, message));
    }
    return status_ok();
}

/* ---- The registry's stream ---- */

static status up_message(struct stream *stream, void *state, const ProtobufCMessage *message)
{
    struct carried *self = state;
    const response_type *response = (const response_type *)message;

    if (message == NULL) {
        return status_ok();
    }
    last_good_put(self->proxy->options.last_good, response);
    pthread_mutex_lock(&self->lock);
    bool slow = self->to_client.n >= MAX_QUEUED_DOWN;
    self->up_works = true;
    for (size_t i = 0; i < self->n_types; i++) {
        const ProtobufCMessage *request;
        if (status_is_ok(message_decode(
                stream_event_arena(stream),
                &envoy__service__discovery__v3__discovery_request__descriptor,
                (bytes){ self->types[i].request->data, self->types[i].request->size }, &request)) &&
            strcmp(((const request_type *)request)->type_url, response->type_url) == 0) {
            self->types[i].answered = true;
        }
    }
    if (!slow && self->down != NULL) {
        push(&self->to_client, waiting_of(message));
        stream_wake(self->down);
    }
    pthread_mutex_unlock(&self->lock);
    return slow ? status_error(stream_event_arena(stream), STATUS_RESOURCE_EXHAUSTED,
                               "the client is %d responses behind", MAX_QUEUED_DOWN)
                : status_ok();
}

static status up_writable(struct stream *stream, void *state)
{
    struct carried *self = state;

    return send_waiting(self, stream, &self->to_registry,
                        &envoy__service__discovery__v3__discovery_request__descriptor);
}

static void up_closed(struct stream *stream, void *state, status why)
{
    struct carried *self = state;

    LOG(self->proxy->options.log, LEVEL_DEBUG, NULL, "registry's stream ended",
        log_text("client", self->spiffe_id), log_text("error", why.message));
    pthread_mutex_lock(&self->lock);
    self->up = NULL;
    self->up_works = false;
    self->up_due_us = clock_monotonic_us(self->proxy->options.clock) + (int64_t)RETRY_MS * 1000;
    clear(&self->to_registry);
    pthread_mutex_unlock(&self->lock);
    stream_unref(stream);
    unref(self);
}

static const struct stream_events up_events = {
    .message = up_message,
    .writable = up_writable,
    .closed = up_closed,
};

/* Asks anew for all that the client subscribes to: its versions, no nonce.  The lock is held. */
static void ask_again(struct carried *self)
{
    struct arena *arena = arena_new();

    for (size_t i = 0; i < self->n_types; i++) {
        const ProtobufCMessage *message;
        struct waiting *kept = self->types[i].request;
        if (status_is_ok(
                message_decode(arena, &envoy__service__discovery__v3__discovery_request__descriptor,
                               (bytes){ kept->data, kept->size }, &message))) {
            request_type request = *(const request_type *)message;
            request.response_nonce = message_text("");
            request.error_detail = NULL;
            push(&self->to_registry, waiting_of(&request.base));
        }
    }
    arena_free(arena);
}

/* The lock is held; closed, which comes on another thread, waits for it. */
static void open_up(struct carried *self)
{
    struct arena *arena = arena_new();
    struct call call = call_of_process(arena);

    clear(&self->to_registry);
    ask_again(self);
    status s = peer_open_stream(
        self->proxy->options.registry, &call,
        &(struct peer_stream_options){
            .service = &envoy__service__discovery__v3__aggregated_discovery_service__descriptor,
            .method = "StreamAggregatedResources",
            .events = &up_events,
            .state = self,
            .thread = HANDLER_WORKER,
        },
        &self->up);
    if (status_is_ok(s)) {
        (void)atomic_fetch_add(&self->refs, 1);
        stream_wake(self->up);
    } else {
        self->up_due_us = clock_monotonic_us(self->proxy->options.clock) + (int64_t)RETRY_MS * 1000;
    }
    arena_free(arena);
}

/* ---- Answers of our own, while the registry is away ---- */

static void answer_from_last_good(struct carried *self, struct subscription *subscription,
                                  struct arena *arena)
{
    const ProtobufCMessage *message;
    response_type response;

    envoy__service__discovery__v3__discovery_response__init(&response);
    if (!status_is_ok(message_decode(
            arena, &envoy__service__discovery__v3__discovery_request__descriptor,
            (bytes){ subscription->request->data, subscription->request->size }, &message)) ||
        !last_good_answer(self->proxy->options.last_good, arena, (const request_type *)message,
                          &response)) {
        return;
    }
    response.nonce = arena_printf(arena, "last-good-%u", ++self->n_nonces);
    subscription->answered = true;
    push(&self->to_client, waiting_of(&response.base));
    stream_wake(self->down);
}

static void look_after(struct carried *self, int64_t now_us)
{
    struct arena *arena = arena_new();

    pthread_mutex_lock(&self->lock);
    if (self->down != NULL) {
        if (self->up == NULL && self->n_types > 0 && now_us >= self->up_due_us) {
            open_up(self);
        }
        for (size_t i = 0; i < self->n_types && !self->up_works; i++) {
            struct subscription *subscription = &self->types[i];
            if (!subscription->answered &&
                now_us - subscription->asked_us > (int64_t)PATIENCE_MS * 1000) {
                answer_from_last_good(self, subscription, arena);
            }
        }
    }
    pthread_mutex_unlock(&self->lock);
    arena_free(arena);
}

static void tick(struct keeper_task *task)
{
    struct ads_proxy *self = (struct ads_proxy *)task;
    int64_t now_us = clock_monotonic_us(self->options.clock);

    pthread_mutex_lock(&self->lock);
    for (struct carried *client = self->clients; client != NULL; client = client->next) {
        look_after(client, now_us);
    }
    pthread_mutex_unlock(&self->lock);
}

/* ---- The client's stream ---- */

static status ads_open(struct stream *stream, void *service, void **ret_state)
{
    struct ads_proxy *proxy = service;
    struct carried *self = calloc(1, sizeof *self);

    if (self == NULL) {
        abort();
    }
    self->proxy = proxy;
    self->down = stream;
    atomic_init(&self->refs, 1);
    pthread_mutex_init(&self->lock, NULL);
    (void)snprintf(self->spiffe_id, sizeof self->spiffe_id, "%s",
                   stream_call(stream)->principal->subject);
    pthread_mutex_lock(&proxy->lock);
    self->next = proxy->clients;
    proxy->clients = self;
    pthread_mutex_unlock(&proxy->lock);
    *ret_state = self;
    return status_ok();
}

/* Remembers what is subscribed to; the lock is held.  The node, which comes with the first request
 * alone, is kept with every type: any may be the first on a new stream. */
static status remember(struct carried *self, struct arena *arena, const request_type *request)
{
    size_t i = 0;
    const ProtobufCMessage *kept = NULL;

    for (; i < self->n_types; i++) {
        TRY(message_decode(arena, &envoy__service__discovery__v3__discovery_request__descriptor,
                           (bytes){ self->types[i].request->data, self->types[i].request->size },
                           &kept));
        if (strcmp(((const request_type *)kept)->type_url, request->type_url) == 0) {
            break;
        }
    }
    if (i == MAX_TYPES) {
        return status_error(arena, STATUS_INVALID_ARGUMENT, "more than %d types of resources",
                            MAX_TYPES);
    }
    request_type copy = *request;
    if (copy.node == NULL && kept != NULL) {
        copy.node = ((const request_type *)kept)->node;
    }
    if (i == self->n_types) {
        self->n_types++;
    }
    free(self->types[i].request);
    self->types[i].request = waiting_of(&copy.base);
    if (request->response_nonce[0] == '\0' || self->up == NULL) {
        self->types[i].answered = request->response_nonce[0] != '\0';
        self->types[i].asked_us = clock_monotonic_us(self->proxy->options.clock);
    }
    return status_ok();
}

static status ads_message(struct stream *stream, void *state, const request_type *message)
{
    struct carried *self = state;

    if (message == NULL) {
        stream_end(stream);
        return status_ok();
    }
    request_type request = *message;
    Envoy__Config__Core__V3__Node node;
    if (request.node != NULL) {
        node = *request.node;
        node.cluster = self->spiffe_id;
        request.node = &node;
    }
    pthread_mutex_lock(&self->lock);
    status s = remember(self, stream_event_arena(stream), &request);
    if (status_is_ok(s) && self->up == NULL &&
        clock_monotonic_us(self->proxy->options.clock) >= self->up_due_us) {
        open_up(self);
    } else if (status_is_ok(s) && self->up != NULL &&
               strncmp(request.response_nonce, "last-good-", strlen("last-good-")) != 0) {
        push(&self->to_registry, waiting_of(&request.base));
        stream_wake(self->up);
    }
    pthread_mutex_unlock(&self->lock);
    return s;
}

static status ads_writable(struct stream *stream, void *state)
{
    struct carried *self = state;

    return send_waiting(self, stream, &self->to_client,
                        &envoy__service__discovery__v3__discovery_response__descriptor);
}

static void ads_closed(struct stream *stream, void *state, status why)
{
    struct carried *self = state;
    struct carried **at = &self->proxy->clients;

    (void)stream;
    (void)why;
    pthread_mutex_lock(&self->proxy->lock);
    while (*at != self) {
        at = &(*at)->next;
    }
    *at = self->next;
    pthread_mutex_unlock(&self->proxy->lock);
    pthread_mutex_lock(&self->lock);
    self->down = NULL;
    if (self->up != NULL) {
        stream_cancel(self->up);
    }
    pthread_mutex_unlock(&self->lock);
    unref(self);
}

#define STREAMS(X) X(StreamAggregatedResources, request_type, response_type, WORKER, ads)
SERVICE_DEFINE_STREAMS_TYPED(
    ads_proxy_methods, envoy__service__discovery__v3__aggregated_discovery_service__descriptor,
    NO_METHODS, STREAMS);

/* ---- Life ---- */

struct ads_proxy *ads_proxy_new(const struct ads_proxy_options *options)
{
    struct ads_proxy *self = calloc(1, sizeof *self);

    if (self == NULL) {
        abort();
    }
    self->task.tick = tick;
    self->options = *options;
    pthread_mutex_init(&self->lock, NULL);
    keeper_add(options->keeper, &self->task);
    return self;
}

void ads_proxy_free(struct ads_proxy *self)
{
    if (self != NULL) {
        pthread_mutex_destroy(&self->lock);
        free(self);
    }
}
