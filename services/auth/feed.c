#include "services/auth/feed.h"

#include "libs/base/map.h"
#include "libs/rpc/message.h"
#include "services/auth/roles.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef Weft__Auth__V1__Snapshot Snapshot;
typedef Weft__Auth__V1__TenantState TenantState;

struct feed_message {
    _Atomic int refs;
    size_t size;
    uint8_t data[];
};

struct feed_whole {
    _Atomic int refs;
    uint64_t revision;
    size_t n_messages;
    struct feed_message *messages[];
};

struct tenant {
    TenantState state; /* its tenant_id is owned */
    uint64_t revision;
};

struct revocation {
    int64_t epoch_ms;
    int64_t forget_ms;
};

struct feed {
    struct feed_options options;
    pthread_mutex_t lock;
    pthread_cond_t grown; /* a tenant was added */
    bool is_open;
    uint64_t revision;
    char *jwks;
    struct map revocations, tenants;
    struct feed_message *log[FEED_LOG_CHANGES]; /* revision r is at r % FEED_LOG_CHANGES */
    uint64_t first_logged;                      /* revision */
    struct feed_whole *whole;                   /* of the newest revision; NULL: not made yet */
};

static void *allocate(size_t size)
{
    void *memory = calloc(1, size);

    if (memory == NULL) {
        abort();
    }
    return memory;
}

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

/* ---- Messages ---- */

enum { MAX_LENGTH_BYTES = 10 };

static struct feed_message *encode(const Snapshot *snapshot)
{
    size_t size = weft__auth__v1__snapshot__get_packed_size(snapshot);
    struct feed_message *message = allocate(sizeof *message + MAX_LENGTH_BYTES + size);
    uint8_t *at = message->data;

    for (; size >= 0x80; size >>= 7) {
        *at++ = (uint8_t)(size | 0x80);
    }
    *at++ = (uint8_t)size;
    at += weft__auth__v1__snapshot__pack(snapshot, at);
    message->size = (size_t)(at - message->data);
    atomic_init(&message->refs, 1);
    return message;
}

bytes feed_message_data(const struct feed_message *message)
{
    return (bytes){ .data = message->data, .size = message->size };
}

static struct feed_message *message_ref(struct feed_message *message)
{
    (void)atomic_fetch_add(&message->refs, 1);
    return message;
}

void feed_message_unref(struct feed_message *message)
{
    if (atomic_fetch_sub(&message->refs, 1) == 1) {
        free(message);
    }
}

static void whole_unref(struct feed_whole *whole)
{
    if (whole == NULL || atomic_fetch_sub(&whole->refs, 1) > 1) {
        return;
    }
    for (size_t i = 0; i < whole->n_messages; i++) {
        feed_message_unref(whole->messages[i]);
    }
    free(whole);
}

/* ---- The whole, under the lock ---- */

static void fill_roles(struct arena *arena, Snapshot *snapshot)
{
    snapshot->n_roles = n_roles;
    snapshot->roles = ARENA_NEW_ARRAY(arena, Weft__Auth__V1__Role *, n_roles);
    for (size_t i = 0; i < n_roles; i++) {
        Weft__Auth__V1__Role *role = ARENA_NEW(arena, Weft__Auth__V1__Role);
        weft__auth__v1__role__init(role);
        role->role_id = message_text(roles[i].id);
        role->n_permissions = roles[i].n_patterns;
        role->permissions = ARENA_NEW_ARRAY(arena, char *, roles[i].n_patterns);
        for (size_t j = 0; j < roles[i].n_patterns; j++) {
            role->permissions[j] = message_text(roles[i].patterns[j]);
        }
        snapshot->roles[i] = role;
    }
}

static Weft__Auth__V1__Revocation *revocation_message(struct arena *arena, bytes subject,
                                                      const struct revocation *revocation)
{
    Weft__Auth__V1__Revocation *message = ARENA_NEW(arena, Weft__Auth__V1__Revocation);

    weft__auth__v1__revocation__init(message);
    message->subject = message_text((const char *)subject.data);
    message->epoch_ms = revocation->epoch_ms;
    message->forget_ms = revocation->forget_ms;
    return message;
}

/* All of it as messages of at most FEED_CHUNK entries, of which all but the last are partial. */
struct writer {
    struct arena *arena;
    struct feed_whole *whole;
    Snapshot message;
    bool is_begun; /* a message before this one was written */
};

static void writer_begin(struct writer *writer)
{
    weft__auth__v1__snapshot__init(&writer->message);
    writer->message.revision = writer->whole->revision;
    writer->message.whole = !writer->is_begun;
    writer->message.tenants = ARENA_NEW_ARRAY(writer->arena, TenantState *, FEED_CHUNK);
    writer->message.revocations =
        ARENA_NEW_ARRAY(writer->arena, Weft__Auth__V1__Revocation *, FEED_CHUNK);
    writer->is_begun = true;
}

static void writer_end(struct writer *writer, bool partial)
{
    writer->message.partial = partial;
    writer->whole->messages[writer->whole->n_messages++] = encode(&writer->message);
}

static void writer_make_room(struct writer *writer)
{
    if (writer->message.n_tenants + writer->message.n_revocations == FEED_CHUNK) {
        writer_end(writer, true);
        writer_begin(writer);
    }
}

static void write_entries(struct feed *self, struct writer *writer)
{
    for (struct map_at at = { 0 }; map_next(&self->revocations, &at);) {
        writer_make_room(writer);
        writer->message.revocations[writer->message.n_revocations++] =
            revocation_message(writer->arena, at.key, at.value);
    }
    for (struct map_at at = { 0 }; map_next(&self->tenants, &at);) {
        struct tenant *tenant = at.value;
        writer_make_room(writer);
        writer->message.tenants[writer->message.n_tenants++] = &tenant->state;
    }
}

static struct feed_whole *make_whole(struct feed *self)
{
    struct arena *arena = arena_new();
    size_t n = self->revocations.n_entries + self->tenants.n_entries;
    struct writer writer = { .arena = arena };

    writer.whole =
        allocate(sizeof *writer.whole + (n / FEED_CHUNK + 1) * sizeof(struct feed_message *));
    atomic_init(&writer.whole->refs, 1);
    writer.whole->revision = self->revision;
    writer_begin(&writer);
    writer.message.jwks = message_text(self->jwks);
    fill_roles(arena, &writer.message);
    write_entries(self, &writer);
    writer_end(&writer, false);
    arena_free(arena);
    return writer.whole;
}

/* ---- Changes ---- */

/* The change has this revision; it was made under the lock, which is still held. */
static uint64_t log_change(struct feed *self, Snapshot *change)
{
    change->revision = ++self->revision;
    struct feed_message **slot = &self->log[self->revision % FEED_LOG_CHANGES];
    if (*slot != NULL) {
        feed_message_unref(*slot);
        self->first_logged = self->revision - FEED_LOG_CHANGES + 1;
    }
    *slot = encode(change);
    whole_unref(self->whole);
    self->whole = NULL;
    self->options.changed(self->options.data);
    return self->revision;
}

uint64_t feed_set_keys(struct feed *self, const char *jwks)
{
    Snapshot change;

    weft__auth__v1__snapshot__init(&change);
    change.jwks = message_text(jwks);
    lock(self);
    free(self->jwks);
    self->jwks = copy(jwks);
    uint64_t revision = log_change(self, &change);
    unlock(self);
    return revision;
}

uint64_t feed_revoke(struct feed *self, const char *subject, int64_t epoch_ms, int64_t forget_ms)
{
    struct revocation *revocation = allocate(sizeof *revocation);
    Weft__Auth__V1__Revocation message, *messages[] = { &message };
    Snapshot change;

    *revocation = (struct revocation){ epoch_ms, forget_ms };
    weft__auth__v1__revocation__init(&message);
    message.subject = message_text(subject);
    message.epoch_ms = epoch_ms;
    message.forget_ms = forget_ms;
    weft__auth__v1__snapshot__init(&change);
    change.n_revocations = 1;
    change.revocations = messages;
    lock(self);
    free(map_put(&self->revocations, subject, revocation));
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
static struct tenant *put_tenant(struct feed *self, const TenantState *state)
{
    struct tenant *tenant = map_get(&self->tenants, state->tenant_id);

    if (tenant != NULL && is_same(&tenant->state, state)) {
        return NULL;
    }
    if (tenant == NULL) {
        tenant = allocate(sizeof *tenant);
        weft__auth__v1__tenant_state__init(&tenant->state);
        tenant->state.tenant_id = copy(state->tenant_id);
        (void)map_put(&self->tenants, state->tenant_id, tenant);
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
        struct tenant *tenant = put_tenant(self, tenants[i]);
        if (tenant != NULL) {
            tenant->revision = self->revision + 1;
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
    uint64_t revision = self->revision;
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
    for (struct map_at at = { 0 }; map_next(&self->revocations, &at);) {
        const struct revocation *revocation = at.value;
        if (revocation->forget_ms < now_ms) {
            free(map_remove_bytes(&self->revocations, at.key));
        }
    }
    unlock(self);
}

/* ---- Look-ups ---- */

uint64_t feed_revision(struct feed *self)
{
    lock(self);
    uint64_t revision = self->revision;
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
    const struct tenant *tenant = map_get(&self->tenants, tenant_id);

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

static struct timespec after_ms(int64_t timeout_ms)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += timeout_ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    return until;
}

bool feed_await_tenant(struct feed *self, const char *tenant_id, int64_t timeout_ms,
                       struct feed_tenant *ret_tenant)
{
    struct timespec until = after_ms(timeout_ms); /* a condition waits by the machine's clock */

    lock(self);
    bool found = find(self, tenant_id, ret_tenant);
    while (!found && pthread_cond_timedwait(&self->grown, &self->lock, &until) == 0) {
        found = find(self, tenant_id, ret_tenant);
    }
    unlock(self);
    return found;
}

int64_t feed_revoked_until(struct feed *self, const char *subject)
{
    lock(self);
    const struct revocation *revocation = map_get(&self->revocations, subject);
    int64_t epoch_ms = revocation == NULL ? 0 : revocation->epoch_ms;
    unlock(self);
    return epoch_ms;
}

/* ---- Readers ---- */

static struct feed_message *next_of_whole(struct feed_cursor *cursor)
{
    struct feed_whole *whole = cursor->whole;
    struct feed_message *message = message_ref(whole->messages[cursor->next++]);

    if (cursor->next == whole->n_messages) {
        cursor->revision = whole->revision;
        cursor->whole = NULL;
        whole_unref(whole);
    }
    return message;
}

static void begin_whole(struct feed *self, struct feed_cursor *cursor)
{
    if (self->whole == NULL) {
        self->whole = make_whole(self);
    }
    (void)atomic_fetch_add(&self->whole->refs, 1);
    cursor->whole = self->whole;
    cursor->next = 0;
}

static struct feed_message *next(struct feed *self, struct feed_cursor *cursor)
{
    if (cursor->whole == NULL) {
        if (cursor->revision == self->revision) {
            return NULL;
        }
        if (cursor->revision + 1 >= self->first_logged) {
            cursor->revision++;
            return message_ref(self->log[cursor->revision % FEED_LOG_CHANGES]);
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
    whole_unref(cursor->whole);
    *cursor = (struct feed_cursor){ .whole = NULL };
}

/* ---- Life ---- */

struct feed *feed_new(const struct feed_options *options)
{
    assert(options->clock != NULL && options->epoch > 0 && options->changed != NULL);

    struct feed *self = allocate(sizeof *self);
    pthread_condattr_t monotonic;

    self->options = *options;
    self->jwks = copy("");
    self->revision = (uint64_t)options->epoch << 32;
    self->first_logged = self->revision + 1;
    map_init(&self->revocations);
    map_init(&self->tenants);
    (void)pthread_mutex_init(&self->lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&self->grown, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    return self;
}

static void free_tenant(void *value)
{
    struct tenant *tenant = value;

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
    whole_unref(self->whole);
    map_reset(&self->revocations, free);
    map_reset(&self->tenants, free_tenant);
    free(self->jwks);
    (void)pthread_cond_destroy(&self->grown);
    (void)pthread_mutex_destroy(&self->lock);
    free(self);
}
