#include "libs/mesh/subscription.h"

#include "libs/obs/metrics.h"
#include "libs/rpc/message.h"

#include <stdlib.h>

struct subscription {
    struct keeper_task task;
    struct subscription_options options;
    struct link link;
    uint64_t to_acknowledge; /* of the stream's events; 0: nothing */
    bool was_fresh;          /* of the keeper's tick */
};

static const ProtobufCMessage *first_message(void *state, struct arena *arena)
{
    struct subscription *self = state;
    Weft__Auth__V1__SubscribeRequest *request = ARENA_NEW(arena, Weft__Auth__V1__SubscribeRequest);

    weft__auth__v1__subscribe_request__init(request);
    request->instance = message_text(self->options.instance);
    self->to_acknowledge = 0;
    return &request->base;
}

static status acknowledge(struct subscription *self, struct stream *stream)
{
    Weft__Auth__V1__SubscribeRequest request;

    weft__auth__v1__subscribe_request__init(&request);
    request.acknowledged_revision = self->to_acknowledge;
    self->to_acknowledge = 0;
    return stream_send(stream, &request.base);
}

static status on_message(struct stream *stream, void *state, const ProtobufCMessage *message)
{
    struct subscription *self = state;
    const Weft__Auth__V1__SubscribeResponse *response =
        (const Weft__Auth__V1__SubscribeResponse *)message;
    struct snapshot *snapshot = guard_authz_snapshot(self->options.guard);

    if (response->snapshot == NULL) {
        if (snapshot_revision(snapshot) > 0) {
            snapshot_beat(snapshot);
        }
        return status_ok();
    }
    TRY(snapshot_apply(snapshot, stream_event_arena(stream), response->snapshot));
    keeper_poke(self->options.keeper);
    if (response->snapshot->partial) {
        return status_ok();
    }
    self->to_acknowledge = response->snapshot->revision;
    return acknowledge(self, stream);
}

static void tick(struct keeper_task *task)
{
    struct subscription *self = (struct subscription *)task;
    struct snapshot *snapshot = guard_authz_snapshot(self->options.guard);
    bool fresh = snapshot_is_fresh(snapshot);

    link_tick(&self->link);
    gauge_set(GAUGE_snapshot_stale, snapshot_age_ms(snapshot) > SNAPSHOT_STALE_MS);
    if (fresh != self->was_fresh) {
        self->was_fresh = fresh;
        self->options.changed(self->options.data, fresh, "no word from auth");
    }
}

struct subscription *subscription_new(const struct subscription_options *options)
{
    struct subscription *self = calloc(1, sizeof *self);

    if (self == NULL) {
        abort();
    }
    self->task.tick = tick;
    self->options = *options;
    link_init(&self->link, &(struct link_options){
                               .peer = options->auth,
                               .service = &weft__auth__v1__auth_service__descriptor,
                               .method = "Subscribe",
                               .name = "snapshot",
                               .clock = options->clock,
                               .random = options->random,
                               .log = options->log,
                               .first = first_message,
                               .message = on_message,
                               .state = self,
                               .goodbye_ms = LINK_GOODBYE_MS,
                           });
    keeper_add(options->keeper, &self->task);
    return self;
}

void subscription_free(struct subscription *self)
{
    if (self != NULL) {
        link_reset(&self->link);
        free(self);
    }
}
