#include "services/registry/ca_service.h"

#include "libs/audit/outbox.h"
#include "libs/base/status_details.h"
#include "libs/rpc/message.h"
#include "weft/registry/v1/ca_service.pb-c.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

struct ca_service {
    struct ca_service_options options;
};

struct ca_service *ca_service_new(const struct ca_service_options *options)
{
    assert(options->ca != NULL && options->entries != NULL && options->store != NULL &&
           options->clock != NULL);
    struct ca_service *self = malloc(sizeof *self);
    if (self == NULL) {
        abort();
    }
    *self = (struct ca_service){ .options = *options };
    return self;
}

void ca_service_free(struct ca_service *service)
{
    free(service);
}

static bytes bytes_in(ProtobufCBinaryData data)
{
    return (bytes){ .data = data.data, .size = data.len };
}

static Weft__Registry__V1__Svid *svid_message(struct arena *arena, const struct ca_svid *svid)
{
    Weft__Registry__V1__Svid *message = ARENA_NEW(arena, Weft__Registry__V1__Svid);

    weft__registry__v1__svid__init(message);
    message->certificate_chain = message_data(svid->chain);
    message->bundle = message_data(svid->bundle);
    message->expire_time = ARENA_NEW(arena, Google__Protobuf__Timestamp);
    google__protobuf__timestamp__init(message->expire_time);
    message->expire_time->seconds = svid->expire_time_ms / 1000;
    message->expire_time->nanos = (int32_t)(svid->expire_time_ms % 1000) * 1000000;
    return message;
}

/* Both block: a signature takes a millisecond, a commit waits for the disk. */
static status commit(struct call *call, const struct store_write *write)
{
    const struct ca_service *self = call->service;

    assert(call->thread == HANDLER_WORKER);
    return store_commit(self->options.store, call->arena, write);
}

/* ---- Agents ---- */

static status admit(struct call *call, struct store_write *write,
                    const Weft__Registry__V1__AttestAgentRequest *request, struct ca_svid *ret_svid)
{
    const struct ca_service *self = call->service;
    struct ca *ca = self->options.ca;

    switch (request->proof_case) {
    case WEFT__REGISTRY__V1__ATTEST_AGENT_REQUEST__PROOF_JOIN_TOKEN:
        return ca_admit(ca, call->arena, write,
                        &(struct ca_join){
                            .host_id = request->host_id,
                            .csr = bytes_in(request->csr),
                            .token = request->join_token,
                        },
                        ret_svid);
    case WEFT__REGISTRY__V1__ATTEST_AGENT_REQUEST__PROOF_EXPIRED_SVID:
        return ca_readmit(ca, call->arena, write,
                          &(struct ca_rejoin){
                              .host_id = request->host_id,
                              .csr = bytes_in(request->csr),
                              .certificate = bytes_in(request->expired_svid->certificate),
                              .signature = bytes_in(request->expired_svid->signature),
                              .proof_time_ms = request->expired_svid->time_ms,
                          },
                          ret_svid);
    default:
        return status_bad_field(call->arena, "proof", "is missing");
    }
}

static status attest_agent(struct call *call, const Weft__Registry__V1__AttestAgentRequest *request,
                           Weft__Registry__V1__AttestAgentResponse *response)
{
    const struct ca_service *self = call->service;
    struct store_write *write = store_write_new(call->arena);
    struct ca_svid svid = { .serial = "" };

    TRY(admit(call, write, request, &svid));
    write_audit(write, call, "agent.attest", arena_printf(call->arena, "agent:%s", svid.id.text),
                clock_wall_ms(self->options.clock));
    TRY(commit(call, write));
    response->svid = svid_message(call->arena, &svid);
    return status_ok();
}

static status renew_agent(struct call *call, const Weft__Registry__V1__RenewAgentRequest *request,
                          Weft__Registry__V1__RenewAgentResponse *response)
{
    const struct ca_service *self = call->service;
    struct store_write *write = store_write_new(call->arena);
    struct ca_svid svid;

    TRY(ca_renew_agent(self->options.ca, call->arena, write, call->peer_id, bytes_in(request->csr),
                       &svid));
    TRY(commit(call, write));
    response->svid = svid_message(call->arena, &svid);
    return status_ok();
}

/* ---- Workloads ---- */

static status sign_workload(struct call *call,
                            const Weft__Registry__V1__SignWorkloadRequest *request,
                            Weft__Registry__V1__SignWorkloadResponse *response)
{
    const struct ca_service *self = call->service;
    struct store_write *write = store_write_new(call->arena);
    struct ca_svid svid;
    struct entry entry;

    if (!entries_find(self->options.entries, call->arena, request->spiffe_id, &entry)) {
        return status_error(call->arena, STATUS_NOT_FOUND, "there is no entry for '%.200s'",
                            request->spiffe_id);
    }
    TRY(ca_sign_workload(self->options.ca, call->arena, write,
                         &(struct ca_workload){
                             .spiffe_id = entry.spiffe_id,
                             .dns_names = entry.dns_names,
                             .n_dns_names = entry.n_dns_names,
                             .csr = bytes_in(request->csr),
                         },
                         &svid));
    TRY(commit(call, write));
    response->svid = svid_message(call->arena, &svid);
    return status_ok();
}

/* ---- WatchEntries ---- */

struct watch {
    struct ca_service *service;
    struct stream *stream;
    struct watcher watcher;
    uint64_t sent; /* revision */
};

static void add_selector(struct arena *arena, Weft__Registry__V1__Entry *entry,
                         Weft__Registry__V1__SelectorKind kind, const char *value)
{
    Weft__Registry__V1__Selector *selector = ARENA_NEW(arena, Weft__Registry__V1__Selector);

    weft__registry__v1__selector__init(selector);
    selector->kind = kind;
    selector->value = message_text(value);
    entry->selectors[entry->n_selectors++] = selector;
}

static Weft__Registry__V1__Entry *entry_message(struct arena *arena, const struct entry *entry)
{
    Weft__Registry__V1__Entry *message = ARENA_NEW(arena, Weft__Registry__V1__Entry);

    weft__registry__v1__entry__init(message);
    message->spiffe_id = message_text(entry->spiffe_id);
    message->dns_names = ARENA_NEW_ARRAY(arena, char *, entry->n_dns_names + 1);
    for (size_t i = 0; i < entry->n_dns_names; i++) {
        message->dns_names[i] = message_text(entry->dns_names[i]);
    }
    message->n_dns_names = entry->n_dns_names;
    message->selectors = ARENA_NEW_ARRAY(arena, Weft__Registry__V1__Selector *, 3);
    if (entry->uid >= 0) {
        add_selector(arena, message, WEFT__REGISTRY__V1__SELECTOR_KIND__SELECTOR_KIND_UID,
                     arena_printf(arena, "%" PRId64, entry->uid));
    }
    if (entry->path[0] != '\0') {
        add_selector(arena, message, WEFT__REGISTRY__V1__SELECTOR_KIND__SELECTOR_KIND_PATH,
                     entry->path);
    }
    if (entry->sha256[0] != '\0') {
        add_selector(arena, message, WEFT__REGISTRY__V1__SELECTOR_KIND__SELECTOR_KIND_SHA256,
                     entry->sha256);
    }
    return message;
}

static status watch_writable(struct stream *stream, void *state)
{
    struct watch *self = state;
    struct arena *arena = stream_event_arena(stream);
    const struct ca_service_options *options = &self->service->options;
    Weft__Registry__V1__WatchEntriesResponse response;
    const struct entry *entries;
    size_t n;

    if (!stream_has_room(stream) || entries_revision(options->entries) == self->sent) {
        return status_ok();
    }
    weft__registry__v1__watch_entries_response__init(&response);
    response.revision = entries_list(options->entries, arena, &entries, &n);
    response.entries = ARENA_NEW_ARRAY(arena, Weft__Registry__V1__Entry *, n + 1);
    for (size_t i = 0; i < n; i++) {
        response.entries[i] = entry_message(arena, &entries[i]);
    }
    response.n_entries = n;
    response.bundle = message_data(ca_bundle(options->ca, arena));
    self->sent = response.revision;
    return stream_send(stream, &response.base);
}

static void wake(void *object)
{
    stream_wake(object);
}

static status watch_open(struct stream *stream, void *service, void **ret_state)
{
    struct ca_service *ca_service = service;
    struct watch *self = malloc(sizeof *self);

    if (self == NULL) {
        abort();
    }
    *self = (struct watch){
        .service = ca_service,
        .stream = stream,
        .watcher = { .wake = wake, .object = stream },
    };
    entries_watch(ca_service->options.entries, &self->watcher);
    *ret_state = self;
    return status_ok();
}

static status watch_message(struct stream *stream, void *state,
                            const Weft__Registry__V1__WatchEntriesRequest *request)
{
    (void)request; /* NULL: it has said all it has to, and listens */
    return watch_writable(stream, state);
}

static void watch_closed(struct stream *stream, void *state, status why)
{
    struct watch *self = state;

    (void)stream;
    (void)why;
    if (self != NULL) {
        entries_unwatch(self->service->options.entries, &self->watcher);
        free(self);
    }
}

#define METHODS(X)                                               \
    X(Weft__Registry__V1__, AttestAgent, WORKER, attest_agent)   \
    X(Weft__Registry__V1__, SignWorkload, WORKER, sign_workload) \
    X(Weft__Registry__V1__, RenewAgent, WORKER, renew_agent)
#define STREAMS(X) X(Weft__Registry__V1__, WatchEntries, INLINE, watch)
SERVICE_DEFINE_STREAMS(ca_service_methods, weft__registry__v1__ca_service__descriptor, METHODS,
                       STREAMS);
