#include "libs/mesh/lease.h"

#include "libs/base/wait.h"
#include "libs/rpc/message.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

/* The registry waits 15 s for one. */
enum { BEAT_MS = 2000 };

struct lease {
    struct keeper_task task;
    struct lease_options options;
    struct link link;
    _Atomic int state; /* Weft__Registry__V1__InstanceState, as it is to be told */
    int64_t start_ms;
    _Atomic int64_t beat_due_us;
    pthread_mutex_t lock; /* over is_drained */
    pthread_cond_t changed;
    bool is_drained;
    /* Of the stream's events. */
    int told_state;
    uint64_t to_acknowledge; /* 0: nothing */
};

static const ProtobufCMessage *first_message(void *state, struct arena *arena)
{
    struct lease *self = state;
    Weft__Registry__V1__LeaseRequest *request = ARENA_NEW(arena, Weft__Registry__V1__LeaseRequest);
    Weft__Registry__V1__Instance *instance = ARENA_NEW(arena, Weft__Registry__V1__Instance);
    Google__Protobuf__Timestamp *start = ARENA_NEW(arena, Google__Protobuf__Timestamp);

    google__protobuf__timestamp__init(start);
    start->seconds = self->start_ms / 1000;
    start->nanos = (int32_t)(self->start_ms % 1000) * 1000000;
    weft__registry__v1__instance__init(instance);
    instance->service = message_text(self->options.service);
    instance->instance_id = message_text(self->options.instance_id);
    instance->address = message_text(self->options.address);
    instance->http_address = message_text(self->options.http_address);
    instance->version = message_text(self->options.version);
    instance->start_time = start;
    self->told_state = atomic_load(&self->state);
    instance->state = (Weft__Registry__V1__InstanceState)self->told_state;
    weft__registry__v1__lease_request__init(request);
    request->kind_case = WEFT__REGISTRY__V1__LEASE_REQUEST__KIND_REGISTER_INSTANCE;
    request->register_instance = instance;
    self->to_acknowledge = 0;
    return &request->base;
}

static status send_beat(struct lease *self, struct stream *stream)
{
    Weft__Registry__V1__LeaseRequest request;
    Weft__Registry__V1__Beat beat;

    self->told_state = atomic_load(&self->state);
    weft__registry__v1__beat__init(&beat);
    beat.state = (Weft__Registry__V1__InstanceState)self->told_state;
    weft__registry__v1__lease_request__init(&request);
    request.kind_case = WEFT__REGISTRY__V1__LEASE_REQUEST__KIND_BEAT;
    request.beat = &beat;
    return stream_send(stream, &request.base);
}

static status acknowledge(struct lease *self, struct stream *stream)
{
    Weft__Registry__V1__LeaseRequest request;

    weft__registry__v1__lease_request__init(&request);
    request.kind_case = WEFT__REGISTRY__V1__LEASE_REQUEST__KIND_POLICY_REVISION;
    request.policy_revision = self->to_acknowledge;
    self->to_acknowledge = 0;
    return stream_send(stream, &request.base);
}

static status on_writable(struct stream *stream, void *state)
{
    struct lease *self = state;
    int64_t now_us = clock_monotonic_us(self->options.clock);

    if (self->to_acknowledge != 0) {
        TRY(acknowledge(self, stream));
    }
    if (atomic_load(&self->state) != self->told_state || now_us >= self->beat_due_us) {
        self->beat_due_us = now_us + (int64_t)BEAT_MS * 1000;
        return send_beat(self, stream);
    }
    return status_ok();
}

static void set_drained(struct lease *self, bool drained)
{
    pthread_mutex_lock(&self->lock);
    self->is_drained = drained;
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->lock);
}

static status on_message(struct stream *stream, void *state, const ProtobufCMessage *message)
{
    struct lease *self = state;
    const Weft__Registry__V1__LeaseResponse *response =
        (const Weft__Registry__V1__LeaseResponse *)message;

    if (response->kind_case == WEFT__REGISTRY__V1__LEASE_RESPONSE__KIND_GRANTED) {
        set_drained(self, false);
        self->options.held(self->options.data, true, "");
    } else if (response->kind_case == WEFT__REGISTRY__V1__LEASE_RESPONSE__KIND_POLICY) {
        self->options.policy(self->options.data, response->policy);
        self->to_acknowledge = response->policy->revision;
        return on_writable(stream, self);
    } else if (response->kind_case == WEFT__REGISTRY__V1__LEASE_RESPONSE__KIND_DRAINED) {
        set_drained(self, true);
    }
    return status_ok(); /* a kind of a newer registry: not for us */
}

static void on_down(void *state, status why)
{
    struct lease *self = state;

    set_drained(self, false);
    self->options.held(self->options.data, false, why.message);
}

static void tick(struct keeper_task *task)
{
    struct lease *self = (struct lease *)task;

    link_tick(&self->link);
    if (clock_monotonic_us(self->options.clock) >= self->beat_due_us) {
        link_wake(&self->link);
    }
}

struct lease *lease_new(const struct lease_options *options)
{
    struct lease *self = calloc(1, sizeof *self);

    if (self == NULL) {
        abort();
    }
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->changed, NULL);
    self->task.tick = tick;
    self->options = *options;
    self->start_ms = clock_wall_ms(options->clock);
    atomic_init(&self->state, WEFT__REGISTRY__V1__INSTANCE_STATE__INSTANCE_STATE_UNHEALTHY);
    link_init(&self->link, &(struct link_options){
                               .peer = options->registry,
                               .service = &weft__registry__v1__registry_service__descriptor,
                               .method = "Lease",
                               .name = "lease",
                               .clock = options->clock,
                               .random = options->random,
                               .log = options->log,
                               .first = first_message,
                               .message = on_message,
                               .writable = on_writable,
                               .down = on_down,
                               .state = self,
                               .goodbye_ms = LINK_GOODBYE_MS,
                           });
    keeper_add(options->keeper, &self->task);
    return self;
}

void lease_free(struct lease *self)
{
    if (self != NULL) {
        link_reset(&self->link);
        pthread_cond_destroy(&self->changed);
        pthread_mutex_destroy(&self->lock);
        free(self);
    }
}

void lease_set_state(struct lease *self, Weft__Registry__V1__InstanceState state)
{
    atomic_store(&self->state, (int)state);
    link_wake(&self->link);
}

bool lease_drain(struct lease *self, int64_t timeout_ms)
{
    const struct timespec end = wait_end(timeout_ms);

    lease_set_state(self, WEFT__REGISTRY__V1__INSTANCE_STATE__INSTANCE_STATE_DRAINING);
    pthread_mutex_lock(&self->lock);
    /* Without a registry, too: one that is back within this time tells the clients. */
    while (!self->is_drained && wait_until(&self->changed, &self->lock, &end)) {
    }
    bool is_drained = self->is_drained;
    pthread_mutex_unlock(&self->lock);
    return is_drained;
}
