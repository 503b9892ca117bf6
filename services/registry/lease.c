#include "services/registry/lease.h"

#include "libs/base/status_details.h"
#include "services/registry/instance_message.h"
#include "services/registry/policy_rules.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

typedef Weft__Registry__V1__LeaseRequest LeaseRequest;
typedef Weft__Registry__V1__LeaseResponse LeaseResponse;

struct leases {
    struct leases_options options;
    void (*lost)(void *object);
    void *lost_object;
    pthread_mutex_t lock; /* over the list */
    struct lease *first;
    _Atomic int n_draining;
};

struct lease {
    struct lease *next;
    struct lease *previous;
    struct leases *leases;
    struct stream *stream;
    struct policy_point point;
    const char *service; /* both in the call's arena; NULL until it has registered */
    const char *id;
    uint64_t token;
    uint64_t policy_sent;     /* revision */
    uint64_t drain_revision;  /* of the service, when it began to drain; 0 when it does not */
    bool gone;                /* by its own word */
    _Atomic int64_t heard_ms; /* monotonic, of the last message */
    _Atomic bool is_late;
    _Atomic bool is_draining; /* and not yet told that all know */
};

struct leases *leases_new(const struct leases_options *options)
{
    assert(options->catalogue != NULL && options->ads != NULL && options->board != NULL &&
           options->clock != NULL && options->trust_domain != NULL);
    struct leases *self = malloc(sizeof *self);
    if (self == NULL) {
        abort();
    }
    *self = (struct leases){ .options = *options, .lock = PTHREAD_MUTEX_INITIALIZER };
    return self;
}

void leases_free(struct leases *leases)
{
    if (leases != NULL) {
        assert(leases->first == NULL);
        (void)pthread_mutex_destroy(&leases->lock);
        free(leases);
    }
}

/* ---- All of them ---- */

static void join(struct leases *self, struct lease *lease)
{
    (void)pthread_mutex_lock(&self->lock);
    lease->next = self->first;
    if (lease->next != NULL) {
        lease->next->previous = lease;
    }
    self->first = lease;
    (void)pthread_mutex_unlock(&self->lock);
}

static void leave(struct leases *self, struct lease *lease)
{
    (void)pthread_mutex_lock(&self->lock);
    *(lease->previous != NULL ? &lease->previous->next : &self->first) = lease->next;
    if (lease->next != NULL) {
        lease->next->previous = lease->previous;
    }
    (void)pthread_mutex_unlock(&self->lock);
}

void leases_tick(struct leases *leases)
{
    int64_t now = clock_monotonic_ms(leases->options.clock);

    (void)pthread_mutex_lock(&leases->lock);
    for (struct lease *at = leases->first; at != NULL; at = at->next) {
        if (now - at->heard_ms > LEASE_TIMEOUT_MS) {
            at->is_late = true;
            stream_wake(at->stream);
        }
    }
    (void)pthread_mutex_unlock(&leases->lock);
}

void leases_on_lost(struct leases *leases, void (*lost)(void *object), void *object)
{
    leases->lost = lost;
    leases->lost_object = object;
}

void leases_progress(void *leases)
{
    struct leases *self = leases;

    if (self->n_draining == 0) { /* every acknowledgement of every client comes by here */
        return;
    }
    (void)pthread_mutex_lock(&self->lock);
    for (struct lease *at = self->first; at != NULL; at = at->next) {
        if (at->is_draining) {
            stream_wake(at->stream);
        }
    }
    (void)pthread_mutex_unlock(&self->lock);
}

/* ---- Down ---- */

static void wake(void *object)
{
    stream_wake(object);
}

static status send_policy(struct lease *self)
{
    struct arena *arena = stream_event_arena(self->stream);
    bytes packed;
    uint64_t revision = policy_board_get(self->leases->options.board, arena, &packed);
    LeaseResponse response;

    if (revision == self->policy_sent) {
        return status_ok();
    }
    weft__registry__v1__lease_response__init(&response);
    response.kind_case = WEFT__REGISTRY__V1__LEASE_RESPONSE__KIND_POLICY;
    TRY(policy_unpack(arena, packed, &response.policy));
    TRY(stream_send(self->stream, &response.base));
    self->policy_sent = revision;
    return status_ok();
}

static void set_draining(struct lease *self, bool draining)
{
    if (self->is_draining != draining) {
        self->is_draining = draining;
        self->leases->n_draining += draining ? 1 : -1;
    }
}

/* A client that has accepted it makes no new calls here, so nobody has to sleep and hope. */
static status send_drained(struct lease *self)
{
    Weft__Registry__V1__Drained drained;
    LeaseResponse response;

    if (!self->is_draining || ads_service_n_behind(self->leases->options.ads, XDS_ENDPOINTS,
                                                   self->service, self->drain_revision) > 0) {
        return status_ok();
    }
    set_draining(self, false);
    weft__registry__v1__drained__init(&drained);
    weft__registry__v1__lease_response__init(&response);
    response.kind_case = WEFT__REGISTRY__V1__LEASE_RESPONSE__KIND_DRAINED;
    response.drained = &drained;
    return stream_send(self->stream, &response.base);
}

status lease_writable(struct stream *stream, void *state)
{
    struct lease *self = state;

    if (self->is_late) {
        return status_error(stream_event_arena(stream), STATUS_DEADLINE_EXCEEDED,
                            "no message for %d s", LEASE_TIMEOUT_MS / 1000);
    }
    if (self->service == NULL || !stream_has_room(stream)) {
        return status_ok();
    }
    TRY(send_policy(self));
    return send_drained(self);
}

/* ---- Up ---- */

static status check_identity(struct lease *self, const char *service)
{
    const struct call *call = stream_call(self->stream);
    struct arena *arena = stream_event_arena(self->stream);
    const char *expected =
        arena_printf(arena, "spiffe://%s/%s", self->leases->options.trust_domain, service);

    if (strcmp(call->peer_id, expected) != 0) {
        return status_error(arena, STATUS_PERMISSION_DENIED, "'%s' is not service '%s'",
                            call->peer_id, service);
    }
    return status_ok();
}

static status send_granted(struct lease *self)
{
    Weft__Registry__V1__LeaseGranted granted;
    LeaseResponse response;

    weft__registry__v1__lease_granted__init(&granted);
    granted.fencing_token = self->token;
    weft__registry__v1__lease_response__init(&response);
    response.kind_case = WEFT__REGISTRY__V1__LEASE_RESPONSE__KIND_GRANTED;
    response.granted = &granted;
    return stream_send(self->stream, &response.base);
}

static void begin_to_drain(struct lease *self)
{
    self->drain_revision =
        catalogue_service_revision(self->leases->options.catalogue, self->service);
    set_draining(self, true);
}

static status register_instance(struct lease *self, const Weft__Registry__V1__Instance *message)
{
    struct arena *arena = stream_event_arena(self->stream);
    const struct call *call = stream_call(self->stream);
    struct instance instance;

    TRY(instance_from_message(arena, message, call->peer_id, &instance));
    TRY(check_identity(self, instance.service));
    TRY(catalogue_register(self->leases->options.catalogue, arena, &instance, &self->token));
    self->service = arena_strdup(call->arena, instance.service);
    self->id = arena_strdup(call->arena, instance.id);
    self->point = (struct policy_point){
        .wake = wake,
        .object = self->stream,
        .name = arena_printf(call->arena, "%s %s", call->peer_id, self->id),
    };
    policy_board_join(self->leases->options.board, &self->point);
    if (instance.health == INSTANCE_DRAINING) {
        begin_to_drain(self);
    }
    return send_granted(self);
}

static status beat(struct lease *self, const Weft__Registry__V1__Beat *message)
{
    struct arena *arena = stream_event_arena(self->stream);
    enum instance_health health;

    TRY(instance_health_from_message(arena, "beat.state", message->state, &health));
    TRY(catalogue_set_health(self->leases->options.catalogue, arena, self->service, self->id,
                             self->token, health));
    if (health == INSTANCE_DRAINING && self->drain_revision == 0) {
        begin_to_drain(self);
    } else if (health != INSTANCE_DRAINING) {
        self->drain_revision = 0;
        set_draining(self, false);
    }
    return status_ok();
}

static status obey(struct lease *self, uint64_t revision)
{
    if (revision > self->policy_sent) {
        return status_bad_field(stream_event_arena(self->stream), "policy_revision",
                                "%llu was never sent", (unsigned long long)revision);
    }
    policy_board_obeyed(self->leases->options.board, &self->point, revision);
    return catalogue_acknowledge(self->leases->options.catalogue, stream_event_arena(self->stream),
                                 self->service, self->id, self->token, revision);
}

static status take(struct lease *self, const LeaseRequest *request)
{
    struct arena *arena = stream_event_arena(self->stream);
    bool registers =
        request->kind_case == WEFT__REGISTRY__V1__LEASE_REQUEST__KIND_REGISTER_INSTANCE;

    if (registers != (self->service == NULL)) {
        return status_bad_field(arena, "kind",
                                registers ? "registers a second time"
                                          : "must be register_instance at first");
    }
    switch (request->kind_case) {
    case WEFT__REGISTRY__V1__LEASE_REQUEST__KIND_REGISTER_INSTANCE:
        return register_instance(self, request->register_instance);
    case WEFT__REGISTRY__V1__LEASE_REQUEST__KIND_BEAT:
        return beat(self, request->beat);
    case WEFT__REGISTRY__V1__LEASE_REQUEST__KIND_POLICY_REVISION:
        return obey(self, request->policy_revision);
    default: /* of a newer client; it still says that it is alive */
        return status_ok();
    }
}

status leases_open(struct leases *leases, struct stream *stream, void **ret_state)
{
    struct lease *self = malloc(sizeof *self);

    if (self == NULL) {
        abort();
    }
    *self = (struct lease){
        .leases = leases,
        .stream = stream,
        .heard_ms = clock_monotonic_ms(leases->options.clock),
    };
    join(leases, self);
    *ret_state = self;
    return status_ok();
}

status lease_message(struct stream *stream, void *state, const LeaseRequest *request)
{
    struct lease *self = state;

    if (request == NULL) {
        self->gone = true;
        stream_end(stream);
        return status_ok();
    }
    self->heard_ms = clock_monotonic_ms(self->leases->options.clock);
    TRY(take(self, request));
    return lease_writable(stream, self);
}

static void let_go(struct lease *self)
{
    const struct leases_options *options = &self->leases->options;

    policy_board_leave(options->board, &self->point);
    set_draining(self, false);
    if (self->gone) {
        catalogue_deregister(options->catalogue, self->service, self->id, self->token);
        return;
    }
    catalogue_lose(options->catalogue, self->service, self->id, self->token);
    if (self->leases->lost != NULL) {
        self->leases->lost(self->leases->lost_object);
    }
}

void lease_closed(struct stream *stream, void *state, status why)
{
    struct lease *self = state;

    (void)stream;
    (void)why;
    if (self == NULL) {
        return;
    }
    leave(self->leases, self);
    if (self->service != NULL) {
        let_go(self);
    }
    free(self);
}
