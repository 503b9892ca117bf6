#include "services/tenant/tenant_watch.h"

#include "services/tenant/tenant_message.h"
#include "services/tenant/tenant_store.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>

struct tenant_watch {
    struct tenant_watchers *watchers;
    struct stream *stream;
    int64_t seen; /* revision */
    bool began;   /* its request is there */
    bool synced;  /* it was sent all that there were */
    struct tenant_watch *next, **link;
};

struct tenant_watchers {
    struct store *store;
    struct store_watch commits;
    pthread_mutex_t lock; /* over the list */
    struct tenant_watch *first;
};

/* ---- Who is to be woken ---- */

/* On the store's thread. */
static void wake_all(void *data)
{
    struct tenant_watchers *self = data;

    pthread_mutex_lock(&self->lock);
    for (const struct tenant_watch *at = self->first; at != NULL; at = at->next) {
        stream_wake(at->stream);
    }
    pthread_mutex_unlock(&self->lock);
}

struct tenant_watchers *tenant_watchers_new(struct store *store)
{
    struct tenant_watchers *self = calloc(1, sizeof *self);

    if (self == NULL) {
        abort();
    }
    self->store = store;
    pthread_mutex_init(&self->lock, NULL);
    self->commits = (struct store_watch){ .function = wake_all, .data = self };
    store_watch_commits(store, &self->commits);
    return self;
}

void tenant_watchers_free(struct tenant_watchers *self)
{
    if (self == NULL) {
        return;
    }
    store_unwatch_commits(self->store, &self->commits);
    pthread_mutex_destroy(&self->lock);
    free(self);
}

static void add(struct tenant_watchers *self, struct tenant_watch *watch)
{
    pthread_mutex_lock(&self->lock);
    watch->next = self->first;
    watch->link = &self->first;
    if (watch->next != NULL) {
        watch->next->link = &watch->next;
    }
    self->first = watch;
    pthread_mutex_unlock(&self->lock);
}

static void remove_from(struct tenant_watchers *self, struct tenant_watch *watch)
{
    pthread_mutex_lock(&self->lock);
    *watch->link = watch->next;
    if (watch->next != NULL) {
        watch->next->link = watch->link;
    }
    pthread_mutex_unlock(&self->lock);
}

/* ---- The events ---- */

/* In the list before its first query, so that no commit after that goes unnoticed. */
status tenant_watch_begin(struct tenant_watchers *self, struct stream *stream, void **ret_state)
{
    struct tenant_watch *watch = calloc(1, sizeof *watch);

    if (watch == NULL) {
        abort();
    }
    watch->watchers = self;
    watch->stream = stream;
    add(self, watch);
    *ret_state = watch;
    return status_ok();
}

/* NULL: the reader, who has nothing more to say, listens on. */
status tenant_watch_message(struct stream *stream, void *state,
                            const Weft__Tenant__V1__WatchTenantsRequest *request)
{
    struct tenant_watch *self = state;

    if (request == NULL || self->began) {
        return status_ok();
    }
    self->began = true;
    return tenant_watch_writable(stream, state);
}

static status check_not_behind(const struct tenant_watch *self, struct arena *arena)
{
    int64_t newest = 0;

    TRY(tenant_store_revision(self->watchers->store, arena, &newest));
    if (newest - self->seen > TENANT_WATCH_MAX_BEHIND) {
        return status_error(arena, STATUS_RESOURCE_EXHAUSTED,
                            "the reader is %" PRId64 " changes behind, and may be %d",
                            newest - self->seen, TENANT_WATCH_MAX_BEHIND);
    }
    return status_ok();
}

static status send_page(struct tenant_watch *self, struct arena *arena,
                        const struct tenant_page *page)
{
    Weft__Tenant__V1__WatchTenantsResponse response;

    if (self->synced && page->n_records == 0) {
        return status_ok(); /* a commit that was no change of a tenant */
    }
    self->synced = self->synced || !page->more;
    weft__tenant__v1__watch_tenants_response__init(&response);
    response.tenants = tenant_messages(arena, page);
    response.n_tenants = page->n_records;
    response.synced = self->synced;
    if (page->n_records != 0) {
        self->seen = page->records[page->n_records - 1].revision;
    }
    return stream_send(self->stream, &response.base);
}

status tenant_watch_writable(struct stream *stream, void *state)
{
    struct arena *arena = stream_event_arena(stream);
    struct tenant_watch *self = state;
    struct tenant_page page = { .more = self->began };

    if (self->synced) {
        TRY(check_not_behind(self, arena));
    }
    while (page.more && stream_has_room(stream)) {
        TRY(tenant_store_changes(self->watchers->store, arena, self->seen, TENANT_WATCH_BATCH,
                                 &page));
        TRY(send_page(self, arena, &page));
    }
    return status_ok();
}

void tenant_watch_closed(struct stream *stream, void *state, status why)
{
    struct tenant_watch *self = state;

    (void)stream;
    (void)why;
    if (self != NULL) {
        remove_from(self->watchers, self);
        free(self);
    }
}
