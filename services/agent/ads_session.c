#include "services/agent/ads_session.h"

#include "libs/rpc/decode.h"
#include "libs/rpc/message.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef Envoy__Service__Discovery__V3__DiscoveryRequest DiscoveryRequest;
typedef Envoy__Service__Discovery__V3__DiscoveryResponse DiscoveryResponse;

/* A response on its way to the client, or the last that it was given: in an arena of its own. */
struct held {
    struct held *next;
    struct arena *arena;
    const DiscoveryResponse *response;
    uint64_t stream; /* to the registry, by which it came; 0: from last_good */
};

/* One type's half of the conversation. */
struct type {
    struct arena *arena; /* holds the url and the names; new with each change of the names */
    const char *url;
    char **names;
    size_t n_names;
    bool is_due;          /* the client waits for an answer */
    bool is_unsaid;       /* the registry has yet to hear the newest */
    uint64_t nonce;       /* ours, of the last response; 0 for none */
    struct held *last;    /* that the client has not answered yet; NULL when it has */
    uint64_t answered;    /* the stream of the last response that the client has answered */
    char *answered_nonce; /* the registry's, of that response; NULL for none */
    char *version;        /* that the client has accepted; NULL for none */
    char *error;          /* a refusal to tell the registry of; NULL for none */
    int32_t error_code;
};

struct ads_session {
    struct last_good *last_good;
    struct type types[ADS_SESSION_MAX_TYPES];
    size_t n_types;
    struct held *first;
    struct held **end;
    size_t n_waiting;
    uint64_t last_nonce;
    uint64_t last_stream;
    uint64_t stream; /* to the registry, open now; 0 for none */
    bool has_said_node;
    struct arena *arena; /* holds the node */
    Envoy__Config__Core__V3__Node *node;
};

struct ads_session *ads_session_new(struct last_good *last_good)
{
    struct ads_session *self = calloc(1, sizeof *self);

    if (self == NULL) {
        abort();
    }
    self->last_good = last_good;
    self->end = &self->first;
    self->arena = arena_new();
    return self;
}

static void held_free(struct held *held)
{
    if (held != NULL) {
        arena_free(held->arena);
    }
}

static void type_reset(struct type *type)
{
    arena_free(type->arena);
    held_free(type->last);
    free(type->answered_nonce);
    free(type->version);
    free(type->error);
}

void ads_session_free(struct ads_session *session)
{
    if (session == NULL) {
        return;
    }
    for (size_t i = 0; i < session->n_types; i++) {
        type_reset(&session->types[i]);
    }
    while (session->first != NULL) {
        struct held *held = session->first;
        session->first = held->next;
        held_free(held);
    }
    arena_free(session->arena);
    free(session);
}

static void replace_text(char **text, const char *by)
{
    free(*text);
    *text = by == NULL ? NULL : strdup(by);
    if (by != NULL && *text == NULL) {
        abort();
    }
}

static struct type *find(struct ads_session *self, const char *url)
{
    for (size_t i = 0; i < self->n_types; i++) {
        if (strcmp(self->types[i].url, url) == 0) {
            return &self->types[i];
        }
    }
    return NULL;
}

/* ---- Requests of the client ---- */

static status check(struct arena *arena, const DiscoveryRequest *request)
{
    size_t size = strlen(request->type_url);

    for (size_t i = 0; i < request->n_resource_names; i++) {
        size += strlen(request->resource_names[i]);
    }
    if (request->n_resource_names > ADS_SESSION_MAX_NAMES || size > ADS_SESSION_MAX_BYTES) {
        return status_error(arena, STATUS_RESOURCE_EXHAUSTED,
                            "a subscription to %zu names of %zu bytes; %d and %d are allowed",
                            request->n_resource_names, size, ADS_SESSION_MAX_NAMES,
                            ADS_SESSION_MAX_BYTES);
    }
    return status_ok();
}

static status keep_node(struct ads_session *self, struct arena *arena,
                        const Envoy__Config__Core__V3__Node *node)
{
    bytes packed = message_pack(arena, &node->base);
    const ProtobufCMessage *copy;

    if (packed.size > ADS_SESSION_MAX_NODE_BYTES) {
        return status_error(arena, STATUS_RESOURCE_EXHAUSTED, "a node of %zu bytes; %d are allowed",
                            packed.size, ADS_SESSION_MAX_NODE_BYTES);
    }
    TRY(message_decode(self->arena, &envoy__config__core__v3__node__descriptor, packed, &copy));
    self->node = ARENA_NEW(self->arena, Envoy__Config__Core__V3__Node);
    *self->node = *(const Envoy__Config__Core__V3__Node *)copy;
    return status_ok();
}

static status add_type(struct ads_session *self, struct arena *arena, const char *url,
                       struct type **ret_type)
{
    if (self->n_types == ADS_SESSION_MAX_TYPES) {
        return status_error(arena, STATUS_RESOURCE_EXHAUSTED, "more than %d types",
                            ADS_SESSION_MAX_TYPES);
    }
    struct type *type = &self->types[self->n_types++];
    *type = (struct type){ .arena = arena_new() };
    type->url = arena_strdup(type->arena, url);
    *ret_type = type;
    return status_ok();
}

static bool is_same(const struct type *type, const DiscoveryRequest *request)
{
    if (type->n_names != request->n_resource_names) {
        return false;
    }
    for (size_t i = 0; i < type->n_names; i++) {
        if (strcmp(type->names[i], request->resource_names[i]) != 0) {
            return false;
        }
    }
    return true;
}

static void replace_names(struct type *type, const DiscoveryRequest *request)
{
    struct arena *arena = arena_new();
    const char *url = arena_strdup(arena, type->url);
    char **names = ARENA_NEW_ARRAY(arena, char *, request->n_resource_names + 1);

    for (size_t i = 0; i < request->n_resource_names; i++) {
        names[i] = arena_strdup(arena, request->resource_names[i]);
    }
    arena_free(type->arena);
    type->arena = arena;
    type->url = url;
    type->names = names;
    type->n_names = request->n_resource_names;
}

/* The client has answered the last response that it was given. */
static void settle(struct ads_session *self, struct type *type, const Google__Rpc__Status *error)
{
    struct held *last = type->last;

    if (last == NULL) {
        return; /* it has answered before: other names, or the same again */
    }
    type->last = NULL;
    type->answered = last->stream;
    replace_text(&type->answered_nonce, last->response->nonce);
    if (error != NULL && last->stream != 0) {
        replace_text(&type->error, error->message);
        type->error_code = error->code;
    } else if (error == NULL) {
        replace_text(&type->version, last->response->version_info);
        if (last->stream != 0) {
            last_good_put(self->last_good, last->response);
        }
    }
    type->is_unsaid = true;
    held_free(last);
}

static bool is_current(const struct type *type, const char *nonce)
{
    char last[24];

    if (type->nonce == 0) {
        return true;
    }
    (void)snprintf(last, sizeof last, "%" PRIu64, type->nonce);
    return strcmp(nonce, last) == 0;
}

status ads_session_request(struct ads_session *session, struct arena *arena,
                           const DiscoveryRequest *request)
{
    struct type *type = find(session, request->type_url);
    bool first = type == NULL;

    TRY(check(arena, request));
    if (session->node == NULL && request->node != NULL) {
        TRY(keep_node(session, arena, request->node));
    }
    if (first) {
        TRY(add_type(session, arena, request->type_url, &type));
    }
    if (!is_current(type, request->response_nonce)) {
        return status_ok(); /* its answer to the newer one will come */
    }
    settle(session, type, request->error_detail);
    if (first || !is_same(type, request)) {
        replace_names(type, request);
        type->is_due = type->n_names > 0 || first;
        type->is_unsaid = true;
    }
    return status_ok();
}

/* ---- Requests to the registry ---- */

void ads_session_opened(struct ads_session *session)
{
    session->stream = ++session->last_stream;
    session->has_said_node = false;
    for (size_t i = 0; i < session->n_types; i++) {
        session->types[i].is_unsaid = true;
    }
}

void ads_session_lost(struct ads_session *session)
{
    session->stream = 0;
}

static char **copy_names(const struct type *type, struct arena *arena)
{
    char **names = ARENA_NEW_ARRAY(arena, char *, type->n_names + 1);

    for (size_t i = 0; i < type->n_names; i++) {
        names[i] = arena_strdup(arena, type->names[i]);
    }
    return names;
}

/* All of it in arena but the node, which stays as it is: the client may want other names, or accept
 * another version, before this is sent. */
static DiscoveryRequest *request_of(struct ads_session *self, struct arena *arena,
                                    struct type *type)
{
    DiscoveryRequest *request = ARENA_NEW(arena, DiscoveryRequest);
    bool answers = type->answered == self->stream && type->answered_nonce != NULL;

    envoy__service__discovery__v3__discovery_request__init(request);
    request->type_url = arena_strdup(arena, type->url);
    request->resource_names = copy_names(type, arena);
    request->n_resource_names = type->n_names;
    request->version_info = arena_strdup(arena, type->version != NULL ? type->version : "");
    if (answers) {
        request->response_nonce = message_text(arena_strdup(arena, type->answered_nonce));
    }
    if (answers && type->error != NULL) {
        request->error_detail = ARENA_NEW(arena, Google__Rpc__Status);
        google__rpc__status__init(request->error_detail);
        request->error_detail->code = type->error_code;
        request->error_detail->message = arena_strdup(arena, type->error);
    }
    if (!self->has_said_node) {
        request->node = self->node;
        self->has_said_node = true;
    }
    return request;
}

const DiscoveryRequest *ads_session_next_request(struct ads_session *session, struct arena *arena)
{
    for (size_t i = 0; i < session->n_types && session->stream != 0; i++) {
        struct type *type = &session->types[i];
        if (type->is_unsaid) {
            DiscoveryRequest *request = request_of(session, arena, type);
            type->is_unsaid = false;
            replace_text(&type->error, NULL);
            return request;
        }
    }
    return NULL;
}

/* ---- Responses ---- */

static void queue(struct ads_session *self, struct held *held)
{
    *self->end = held;
    self->end = &held->next;
    self->n_waiting++;
}

static struct held *held_new(uint64_t stream)
{
    struct arena *arena = arena_new();
    struct held *held = ARENA_NEW(arena, struct held);

    *held = (struct held){ .arena = arena, .stream = stream };
    return held;
}

void ads_session_response(struct ads_session *session, const DiscoveryResponse *response)
{
    struct held *held = held_new(session->stream);
    struct type *type = find(session, response->type_url);
    const ProtobufCMessage *copy;
    /* Decoding copies, so what is packed here goes with the copy's arena. */
    bytes packed = message_pack(held->arena, &response->base);
    status s = message_decode(
        held->arena, &envoy__service__discovery__v3__discovery_response__descriptor, packed, &copy);

    if (!status_is_ok(s) || type == NULL) { /* of a type that nobody asked for */
        held_free(held);
        return;
    }
    held->response = (const DiscoveryResponse *)copy;
    type->is_due = false;
    queue(session, held);
}

bool ads_session_has_room(const struct ads_session *session)
{
    return session->n_waiting < ADS_SESSION_MAX_WAITING;
}

const DiscoveryResponse *ads_session_next_response(struct ads_session *session, struct arena *arena)
{
    struct held *held = session->first;

    if (held == NULL) {
        return NULL;
    }
    struct type *type = find(session, held->response->type_url);
    session->first = held->next;
    session->end = session->first == NULL ? &session->first : session->end;
    session->n_waiting--;
    held_free(type->last);
    type->last = held;
    type->nonce = ++session->last_nonce;
    DiscoveryResponse *response = ARENA_NEW(arena, DiscoveryResponse);
    *response = *held->response;
    response->nonce = message_text(arena_printf(arena, "%" PRIu64, type->nonce));
    return response;
}

/* ---- Without the registry ---- */

bool ads_session_owes(const struct ads_session *session)
{
    for (size_t i = 0; i < session->n_types; i++) {
        if (session->types[i].is_due) {
            return true;
        }
    }
    return false;
}

/* A response of what is known of the names; NULL when nothing is. */
static struct held *from_last_good(struct ads_session *self, const struct type *type)
{
    struct held *held = held_new(0);
    DiscoveryResponse *response = ARENA_NEW(held->arena, DiscoveryResponse);
    DiscoveryRequest request;

    envoy__service__discovery__v3__discovery_request__init(&request);
    request.type_url = message_text(arena_strdup(held->arena, type->url));
    request.resource_names = type->names;
    request.n_resource_names = type->n_names;
    envoy__service__discovery__v3__discovery_response__init(response);
    held->response = response;
    if (!last_good_answer(self->last_good, held->arena, &request, response)) {
        held_free(held);
        return NULL;
    }
    return held;
}

void ads_session_fall_back(struct ads_session *session)
{
    for (size_t i = 0; i < session->n_types && ads_session_has_room(session); i++) {
        struct type *type = &session->types[i];
        struct held *held = type->is_due ? from_last_good(session, type) : NULL;
        if (held != NULL) {
            type->is_due = false;
            queue(session, held);
        }
    }
}
