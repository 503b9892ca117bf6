#include "services/auth/standings.h"

#include "libs/mesh/link.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

typedef Weft__Auth__V1__TenantState Standing;

struct standings {
    struct keeper_task task;
    struct standings_options options;
    struct link link;
    pthread_mutex_t lock;
    bool is_stopped; /* the keeper may still tick */
};

/* ---- What comes ---- */

static Weft__Auth__V1__TenantStanding standing_of(Weft__Tenant__V1__TenantState state)
{
    switch (state) {
    case WEFT__TENANT__V1__TENANT_STATE__TENANT_STATE_ACTIVE:
        return WEFT__AUTH__V1__TENANT_STANDING__TENANT_STANDING_ACTIVE;
    case WEFT__TENANT__V1__TENANT_STATE__TENANT_STATE_DELETED:
        return WEFT__AUTH__V1__TENANT_STANDING__TENANT_STANDING_DELETED;
    default: /* what a newer tenant service may say, too: it reads, and does no harm */
        return WEFT__AUTH__V1__TENANT_STANDING__TENANT_STANDING_SUSPENDED;
    }
}

static Standing *standing_message(struct arena *arena, const Weft__Tenant__V1__Tenant *tenant)
{
    Standing *standing = ARENA_NEW(arena, Standing);

    weft__auth__v1__tenant_state__init(standing);
    standing->tenant_id = tenant->tenant_id;
    standing->standing = standing_of(tenant->state);
    if (tenant->plan != NULL) {
        standing->max_projects = tenant->plan->max_projects;
        standing->max_records = tenant->plan->max_records;
        standing->requests_per_minute = tenant->plan->requests_per_minute;
    }
    return standing;
}

void standings_take(struct feed *feed, struct arena *arena,
                    const Weft__Tenant__V1__WatchTenantsResponse *response)
{
    Standing **standings = ARENA_NEW_ARRAY(arena, Standing *, response->n_tenants);

    for (size_t i = 0; i < response->n_tenants; i++) {
        standings[i] = standing_message(arena, response->tenants[i]);
    }
    (void)feed_put_tenants(feed, standings, response->n_tenants);
    if (response->synced) {
        feed_open(feed);
    }
}

/* ---- The stream ---- */

static const ProtobufCMessage *first_message(void *state, struct arena *arena)
{
    Weft__Tenant__V1__WatchTenantsRequest *request =
        ARENA_NEW(arena, Weft__Tenant__V1__WatchTenantsRequest);

    (void)state;
    weft__tenant__v1__watch_tenants_request__init(request);
    return &request->base;
}

static status on_message(struct stream *stream, void *state, const ProtobufCMessage *message)
{
    struct standings *self = state;

    standings_take(self->options.feed, stream_event_arena(stream),
                   (const Weft__Tenant__V1__WatchTenantsResponse *)message);
    return status_ok();
}

static void tick(struct keeper_task *task)
{
    struct standings *self = (struct standings *)task;

    (void)pthread_mutex_lock(&self->lock);
    if (!self->is_stopped) {
        link_tick(&self->link);
    }
    (void)pthread_mutex_unlock(&self->lock);
}

struct standings *standings_new(const struct standings_options *options)
{
    struct standings *self = calloc(1, sizeof *self);

    if (self == NULL) {
        abort();
    }
    self->task.tick = tick;
    self->options = *options;
    (void)pthread_mutex_init(&self->lock, NULL);
    link_init(&self->link, &(struct link_options){
                               .peer = options->tenants,
                               .service = &weft__tenant__v1__tenant_service__descriptor,
                               .method = "WatchTenants",
                               .name = "standings",
                               .clock = options->clock,
                               .random = options->random,
                               .log = options->log,
                               .first = first_message,
                               .message = on_message,
                               .state = self,
                           });
    keeper_add(options->keeper, &self->task);
    return self;
}

void standings_stop(struct standings *self)
{
    (void)pthread_mutex_lock(&self->lock);
    bool was_stopped = self->is_stopped;
    self->is_stopped = true;
    (void)pthread_mutex_unlock(&self->lock);
    if (!was_stopped) {
        link_reset(&self->link);
    }
}

void standings_free(struct standings *self)
{
    if (self != NULL) {
        assert(self->is_stopped);
        (void)pthread_mutex_destroy(&self->lock);
        free(self);
    }
}
