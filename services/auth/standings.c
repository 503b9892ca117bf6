#include "services/auth/standings.h"

#include "libs/base/status_details.h"
#include "libs/mesh/link.h"
#include "libs/rpc/message.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

typedef Weft__Auth__V1__TenantState Standing;

enum { LOAD_PAGE = FEED_CHUNK };

/* All tenants have been known once. */
#define KNOWN_NUMBER "standings"

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

static void keep(struct store_write *write, const Standing *standing)
{
    auth_store_put_standing(write, &(struct standing_record){
                                       .tenant_id = standing->tenant_id,
                                       .standing = (int64_t)standing->standing,
                                       .max_projects = standing->max_projects,
                                       .max_records = standing->max_records,
                                       .requests_per_minute = standing->requests_per_minute,
                                   });
}

status standings_take(struct feed *feed, struct store *store, struct arena *arena,
                      const Weft__Tenant__V1__WatchTenantsResponse *response)
{
    struct store_write *write = store_write_new(arena);
    Standing **standings = ARENA_NEW_ARRAY(arena, Standing *, response->n_tenants);

    for (size_t i = 0; i < response->n_tenants; i++) {
        standings[i] = standing_message(arena, response->tenants[i]);
        keep(write, standings[i]);
    }
    (void)feed_put_tenants(feed, standings, response->n_tenants);
    if (response->synced) {
        feed_open(feed);
        auth_store_mark(write, KNOWN_NUMBER);
    }
    return store_commit(store, arena, write);
}

/* ---- What was kept ---- */

static void put_page(struct feed *feed, struct arena *arena, const struct standing_page *page)
{
    Standing **standings = ARENA_NEW_ARRAY(arena, Standing *, page->n_records);

    for (size_t i = 0; i < page->n_records; i++) {
        const struct standing_record *record = &page->records[i];
        standings[i] = ARENA_NEW(arena, Standing);
        weft__auth__v1__tenant_state__init(standings[i]);
        standings[i]->tenant_id = message_text(record->tenant_id);
        standings[i]->standing = (Weft__Auth__V1__TenantStanding)record->standing;
        standings[i]->max_projects = record->max_projects;
        standings[i]->max_records = record->max_records;
        standings[i]->requests_per_minute = record->requests_per_minute;
    }
    (void)feed_put_tenants(feed, standings, page->n_records);
}

/* scratch takes a page at a time; where the next page begins is kept in arena. */
static status load(struct feed *feed, struct store *store, struct arena *scratch,
                   struct arena *arena)
{
    struct standing_page page = { .more = true };
    const char *after = "";
    int64_t known;

    while (page.more) {
        arena_reset(scratch);
        TRY(auth_store_scan_standings(store, scratch, after, LOAD_PAGE, &page));
        put_page(feed, scratch, &page);
        if (page.more) {
            after = arena_strdup(arena, page.records[page.n_records - 1].tenant_id);
        }
    }
    TRY(auth_store_get_number(store, scratch, KNOWN_NUMBER, &known));
    if (known != 0) {
        feed_open(feed);
    }
    return status_ok();
}

status standings_load(struct feed *feed, struct store *store, struct arena *arena)
{
    struct arena *scratch = arena_new();
    status s = status_copy(arena, load(feed, store, scratch, arena));

    arena_free(scratch);
    return s;
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
    status s = standings_take(self->options.feed, self->options.store, stream_event_arena(stream),
                              (const Weft__Tenant__V1__WatchTenantsResponse *)message);

    if (!status_is_ok(s)) {
        LOG(self->options.log, LEVEL_WARN, NULL, "standings are not kept",
            log_text("code", status_code_name(s.code)), log_text("error", s.message));
    }
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
