#include "services/auth/feed.h"

#include "libs/base/wait.h"
#include "libs/rpc/message.h"
#include "services/auth/feed_internal.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef Weft__Auth__V1__Snapshot Snapshot;
typedef Weft__Auth__V1__TenantState TenantState;

struct feed {
    struct feed_options options;
    pthread_mutex_t lock;
    pthread_cond_t grown; /* a tenant was added */
    bool is_open;
    struct feed_state state;
    struct feed_message *log[FEED_LOG_CHANGES]; /* revision r is at r % FEED_LOG_CHANGES */
    uint64_t first_logged;                      /* revision */
    struct feed_whole *whole;                   /* of the newest revision; NULL: not made yet */
};

static char *copy(const char *text)
{
    char *made = strdup(text);

    if (made == NULL) {
        abort();
    }
    return made;
}

static void lock(struct feed *self)
{
    (void)pthread_mutex_lock(&self->lock);
}

static void unlock(struct feed *self)
{
    (void)pthread_mutex_unlock(&self->lock);
}

/* ---- Changes ---- */

/* The change has this revision; it was made under the lock, which is still held. */
static uint64_t log_change(struct feed *self, Snapshot *change)
{
    change->revision = ++self->state.revision;
    struct feed_message **slot = &self->log[self->state.revision % FEED_LOG_CHANGES];
    if (*slot != NULL) {
        feed_message_unref(*slot);
        self->first_logged = self->state.revision - FEED_LOG_CHANGES + 1;
    }
    *slot = feed_message_new(change);
    feed_whole_unref(self->whole);
    self->whole = NULL;
    self->options.changed(self->options.data);
    return self->state.revision;
}

uint64_t feed_set_keys(struct feed *self, const char *jwks)
{
    Snapshot change;

    weft__auth__v1__snapshot__init(&change);
    change.jwks = message_text(jwks);
    lock(self);
    free(self->state.jwks);
    self->state.jwks = copy(jwks);
    uint64_t revision = log_change(self, &change);
    unlock(self);
    return revision;
}

uint64_t feed_revoke(struct feed *self, const char *subject, int64_t epoch_ms, int64_t forget_ms)
{
    struct feed_state_revocation *revocation = feed_allocate(sizeof *revocation);
    Weft__Auth__V1__Revocation message, *messages[] = { &message };
    Snapshot change;

    *revocation = (struct feed_state_revocation){ epoch_ms, forget_ms };
    weft__auth__v1__revocation__init(&message);
    message.subject = message_text(subject);
    message.epoch_ms = epoch_ms;
    message.forget_ms = forget_ms;
    weft__auth__v1__snapshot__init(&change);
    change.n_revocations = 1;
    change.revocations = messages;
    lock(self);
    free(map_put(&self->state.revocations, subject, revocation));
    uint64_t revision = log_change(self, &change);
    unlock(self);
    return revision;
}

static bool is_same(const TenantState *a, const TenantState *b)
{
    return a->standing == b->standing && a->max_projects == b->max_projects &&
           a->max_records == b->max_records && a->requests_per_minute == b->requests_per_minute;
}

/* NULL when it is as it was. */
static struct feed_state_tenant *put_tenant(struct feed *self, const TenantState *state)
{
    struct feed_state_tenant *tenant = map_get(&self->state.tenants, state->tenant_id);

    if (tenant != NULL && is_same(&tenant->state, state)) {
        return NULL;
    }
    if (tenant == NULL) {
        tenant = feed_allocate(sizeof *tenant);
        weft__auth__v1__tenant_state__init(&tenant->state);
        tenant->state.tenant_id = copy(state->tenant_id);
        (void)map_put(&self->state.tenants, state->tenant_id, tenant);
    }
    tenant->state.standing = state->standing;
    tenant->state.max_projects = state->max_projects;
    tenant->state.max_records = state->max_records;
    tenant->state.requests_per_minute = state->requests_per_minute;
    return tenant;
}

/* One change for up to FEED_CHUNK tenants. */
static void put_chunk(struct feed *self, struct arena *arena, TenantState *const *tenants, size_t n)
{
    Snapshot change;

    weft__auth__v1__snapshot__init(&change);
    change.tenants = ARENA_NEW_ARRAY(arena, TenantState *, n);
    for (size_t i = 0; i < n; i++) {
        struct feed_state_tenant *tenant = put_tenant(self, tenants[i]);
        if (tenant != NULL) {
            tenant->revision = self->state.revision + 1;
            change.tenants[change.n_tenants++] = &tenant->state;
        }
    }
    if (change.n_tenants > 0) {
        (void)log_change(self, &change);
    }
}

uint64_t feed_put_tenants(struct feed *self, TenantState *const *tenants, size_t n_tenants)
{
    struct arena *arena = arena_new();

    lock(self);
    for (size_t i = 0; i < n_tenants; i += FEED_CHUNK) {
        put_chunk(self, arena, tenants + i,
                  n_tenants - i < FEED_CHUNK ? n_tenants - i : FEED_CHUNK);
    }
    uint64_t revision = self->state.revision;
    (void)pthread_cond_broadcast(&self->grown);
    unlock(self);
    arena_free(arena);
    return revision;
}

void feed_open(struct feed *self)
{
    lock(self);
    self->is_open = true;
    self->options.changed(self->options.data);
    unlock(self);
}

void feed_forget(struct feed *self)
{
    int64_t now_ms = clock_wall_ms(self->options.clock);

    lock(self);
    for (struct map_at at = { 0 }; map_next(&self->state.revocations, &at);) {
        const struct feed_state_revocation *revocation = at.value;
        if (revocation->forget_ms < now_ms) {
            free(map_remove_bytes(&self->state.revocations, at.key));
        }
    }
    unlock(self);
}

/* ---- Look-ups ---- */

uint64_t feed_revision(struct feed *self)
{
    lock(self);
    uint64_t revision = self->state.revision;
    unlock(self);
    return revision;
}

bool feed_is_open(struct feed *self)
{
    lock(self);
    bool is_open = self->is_open;
    unlock(self);
    return is_open;
}

static bool find(struct feed *self, const char *tenant_id, struct feed_tenant *ret_tenant)
{
    const struct feed_state_tenant *tenant = map_get(&self->state.tenants, tenant_id);

    if (tenant != NULL) {
        *ret_tenant = (struct feed_tenant){ tenant->state.standing, tenant->revision };
    }
    return tenant != NULL;
}

bool feed_find_tenant(struct feed *self, const char *tenant_id, struct feed_tenant *ret_tenant)
{
    lock(self);
    bool found = find(self, tenant_id, ret_tenant);
    unlock(self);
    return found;
}

bool feed_await_tenant(struct feed *self, const char *tenant_id, int64_t timeout_ms,
                       struct feed_tenant *ret_tenant)
{
    const struct timespec end = wait_end(timeout_ms);

    lock(self);
    bool found = find(self, tenant_id, ret_tenant);
    while (!found && wait_until(&self->grown, &self->lock, &end)) {
        found = find(self, tenant_id, ret_tenant);
    }
    unlock(self);
    return found;
}

int64_t feed_revoked_until(struct feed *self, const char *subject)
{
    lock(self);
    const struct feed_state_revocation *revocation = map_get(&self->state.revocations, subject);
    int64_t epoch_ms = revocation == NULL ? 0 : revocation->epoch_ms;
    unlock(self);
    return epoch_ms;
}

/* ---- Readers ---- */

static struct feed_message *next_of_whole(struct feed_cursor *cursor)
{
    struct feed_whole *whole = cursor->whole;
    struct feed_message *message = feed_message_ref(whole->messages[cursor->next++]);

    if (cursor->next == whole->n_messages) {
        cursor->revision = whole->revision;
        cursor->whole = NULL;
        feed_whole_unref(whole);
    }
    return message;
}

static void begin_whole(struct feed *self, struct feed_cursor *cursor)
{
    if (self->whole == NULL) {
        self->whole = feed_whole_new(&self->state);
    }
    (void)atomic_fetch_add(&self->whole->refs, 1);
    cursor->whole = self->whole;
    cursor->next = 0;
}

static struct feed_message *next(struct feed *self, struct feed_cursor *cursor)
{
    if (cursor->whole == NULL) {
        if (cursor->revision == self->state.revision) {
            return NULL;
        }
        if (cursor->revision + 1 >= self->first_logged) {
            cursor->revision++;
            return feed_message_ref(self->log[cursor->revision % FEED_LOG_CHANGES]);
        }
        begin_whole(self, cursor);
    }
    return next_of_whole(cursor);
}

struct feed_message *feed_next(struct feed *self, struct feed_cursor *cursor)
{
    lock(self);
    struct feed_message *message = self->is_open ? next(self, cursor) : NULL;
    unlock(self);
    return message;
}

void feed_cursor_reset(struct feed_cursor *cursor)
{
    feed_whole_unref(cursor->whole);
    *cursor = (struct feed_cursor){ .whole = NULL };
}

/* ---- Life ---- */

struct feed *feed_new(const struct feed_options *options)
{
    assert(options->clock != NULL && options->epoch > 0 && options->changed != NULL);

    struct feed *self = feed_allocate(sizeof *self);

    self->options = *options;
    self->state.jwks = copy("");
    self->state.revision = (uint64_t)options->epoch << 32;
    self->first_logged = self->state.revision + 1;
    map_init(&self->state.revocations);
    map_init(&self->state.tenants);
    (void)pthread_mutex_init(&self->lock, NULL);
    (void)pthread_cond_init(&self->grown, NULL);
    return self;
}

static void free_tenant(void *value)
{
    struct feed_state_tenant *tenant = value;

    free(tenant->state.tenant_id);
    free(tenant);
}

void feed_free(struct feed *self)
{
    if (self == NULL) {
        return;
    }
    for (size_t i = 0; i < FEED_LOG_CHANGES; i++) {
        if (self->log[i] != NULL) {
            feed_message_unref(self->log[i]);
        }
    }
    feed_whole_unref(self->whole);
    map_reset(&self->state.revocations, free);
    map_reset(&self->state.tenants, free_tenant);
    free(self->state.jwks);
    (void)pthread_cond_destroy(&self->grown);
    (void)pthread_mutex_destroy(&self->lock);
    free(self);
}
