#include "services/agent/workload_service.h"

#include "libs/rpc/message.h"
#include "spiffe/workload/workload.pb-c.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* One stream, of either rpc. */
struct watch {
    struct watch *next;
    struct workload_service *service;
    struct stream *stream;
    bool only_bundles;
    _Atomic bool stale; /* has not been told of the last change */
};

struct workload_service {
    struct guard guard;
    struct workload_service_options options;
    pthread_mutex_t lock; /* over watches */
    struct watch *watches;
};

/* ---- Who calls ---- */

static status authenticate(struct guard *guard, struct call *call)
{
    struct workload_service *self = (struct workload_service *)guard;
    struct principal *principal = ARENA_NEW(call->arena, struct principal);
    struct workload workload;

    if (call->peer_process == NULL) {
        return status_error(call->arena, STATUS_UNAUTHENTICATED,
                            "the kernel does not say who calls");
    }
    TRY(entries_find(self->options.entries, call->arena, call->peer_process, &workload));
    *principal = (struct principal){
        .tenant_id = PLATFORM_TENANT,
        .subject = workload.spiffe_id,
        .credential = CREDENTIAL_SVID,
    };
    call->principal = principal;
    return status_ok();
}

static const struct guard_ops workload_guard_ops = {
    .authenticate = authenticate,
    .authorise = guard_permit_all, /* what a workload may ask its agent for is about itself */
};

struct guard *workload_service_guard(struct workload_service *self)
{
    return &self->guard;
}

/* ---- Answers ---- */

static ProtobufCBinaryData binary(bytes data)
{
    union {
        const uint8_t *in;
        uint8_t *out;
    } same = { .in = data.data };

    return (ProtobufCBinaryData){ .len = data.size, .data = same.out };
}

static status send_svid(struct watch *self, struct call *call)
{
    struct svid svid;
    X509SVID message, *messages[] = { &message };
    X509SVIDResponse response;

    TRY(svids_get(self->service->options.svids, call, call->principal->subject, &svid));
    x509_svid__init(&message);
    message.spiffe_id = message_text(svid.spiffe_id);
    message.x509_svid = binary(svid.chain);
    message.x509_svid_key = binary(svid.key);
    bytes bundle = entries_bundle(self->service->options.entries, call->arena);
    message.bundle = binary(bundle.size > 0 ? bundle : svid.bundle);
    x509_svidresponse__init(&response);
    response.n_svids = 1;
    response.svids = messages;
    return stream_send(self->stream, &response.base);
}

static status send_bundle(struct watch *self, struct call *call)
{
    X509BundlesResponse__BundlesEntry entry, *entries[] = { &entry };
    X509BundlesResponse response;
    bytes bundle = entries_bundle(self->service->options.entries, call->arena);

    if (bundle.size == 0) {
        return status_error(call->arena, STATUS_UNAVAILABLE, "no trust bundle yet");
    }
    x509_bundles_response__bundles_entry__init(&entry);
    entry.key = arena_printf(call->arena, "spiffe://%s", self->service->options.trust_domain);
    entry.value = binary(bundle);
    x509_bundles_response__init(&response);
    response.n_bundles = 1;
    response.bundles = entries;
    return stream_send(self->stream, &response.base);
}

/* As it is now; each message is the full state. */
static status tell(struct watch *self)
{
    struct call call = *stream_call(self->stream);

    call.arena = stream_event_arena(self->stream);
    atomic_store(&self->stale, false);
    return self->only_bundles ? send_bundle(self, &call) : send_svid(self, &call);
}

static struct watch *watch_new(struct stream *stream, struct workload_service *service,
                               bool only_bundles)
{
    struct watch *self = calloc(1, sizeof *self);

    if (self == NULL) {
        abort();
    }
    self->service = service;
    self->stream = stream;
    self->only_bundles = only_bundles;
    pthread_mutex_lock(&service->lock);
    self->next = service->watches;
    service->watches = self;
    pthread_mutex_unlock(&service->lock);
    return self;
}

static void watch_free(struct watch *self)
{
    struct workload_service *service = self->service;
    struct watch **at = &service->watches;

    pthread_mutex_lock(&service->lock);
    while (*at != self) {
        at = &(*at)->next;
    }
    *at = self->next;
    pthread_mutex_unlock(&service->lock);
    free(self);
}

static status svid_open(struct stream *stream, void *service, void **ret_state)
{
    *ret_state = watch_new(stream, service, false);
    return status_ok();
}

static status svid_message(struct stream *stream, void *state, const X509SVIDRequest *request)
{
    (void)stream;
    return request == NULL ? status_ok() : tell(state);
}

static status svid_writable(struct stream *stream, void *state)
{
    struct watch *self = state;

    (void)stream;
    return atomic_load(&self->stale) ? tell(self) : status_ok();
}

static void svid_closed(struct stream *stream, void *state, status why)
{
    (void)stream;
    (void)why;
    watch_free(state);
}

static status bundles_open(struct stream *stream, void *service, void **ret_state)
{
    *ret_state = watch_new(stream, service, true);
    return status_ok();
}

static status bundles_message(struct stream *stream, void *state, const X509BundlesRequest *request)
{
    (void)stream;
    return request == NULL ? status_ok() : tell(state);
}

#define bundles_writable svid_writable
#define bundles_closed   svid_closed

/* ---- Life ---- */

struct workload_service *workload_service_new(const struct workload_service_options *options)
{
    struct workload_service *self = calloc(1, sizeof *self);

    if (self == NULL) {
        abort();
    }
    self->guard.ops = &workload_guard_ops;
    self->options = *options;
    pthread_mutex_init(&self->lock, NULL);
    return self;
}

void workload_service_free(struct workload_service *self)
{
    if (self != NULL) {
        pthread_mutex_destroy(&self->lock);
        free(self);
    }
}

void workload_service_changed(struct workload_service *self)
{
    pthread_mutex_lock(&self->lock);
    for (struct watch *watch = self->watches; watch != NULL; watch = watch->next) {
        atomic_store(&watch->stale, true);
        stream_wake(watch->stream);
    }
    pthread_mutex_unlock(&self->lock);
}

/* Signing waits for the registry. */
#define STREAMS(X)                                                    \
    X(FetchX509SVID, X509SVIDRequest, X509SVIDResponse, WORKER, svid) \
    X(FetchX509Bundles, X509BundlesRequest, X509BundlesResponse, WORKER, bundles)
SERVICE_DEFINE_STREAMS_TYPED(workload_service_methods, spiffe_workload_api__descriptor, NO_METHODS,
                             STREAMS);
