#include "libs/authz/snapshot.h"

#include "libs/base/map.h"
#include "libs/base/text.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { BURST_S = 10 };

struct role {
    size_t n;
    char *patterns[];
};

struct revocation {
    int64_t epoch_ms;
    int64_t forget_ms;
};

struct tenant {
    struct tenant_limits limits;
    pthread_mutex_t lock; /* over the rest: one tenant's calls alone meet there */
    double requests;      /* left */
    int64_t counted_us;
};

struct snapshot {
    const struct clock *clock;
    pthread_rwlock_t lock;
    uint64_t revision;
    struct jose_keys *keys;
    struct map roles, revocations, tenants;
    _Atomic int64_t beat_us; /* INT64_MIN before the first */
};

static void *allocate(size_t size)
{
    void *memory = calloc(1, size);

    if (memory == NULL) {
        abort();
    }
    return memory;
}

static void role_free(void *value)
{
    struct role *role = value;

    for (size_t i = 0; i < role->n; i++) {
        free(role->patterns[i]);
    }
    free(role);
}

static void tenant_free(void *value)
{
    struct tenant *tenant = value;

    pthread_mutex_destroy(&tenant->lock);
    free(tenant);
}

struct snapshot *snapshot_new(const struct clock *clock)
{
    struct snapshot *self = allocate(sizeof *self);

    self->clock = clock;
    pthread_rwlock_init(&self->lock, NULL);
    map_init(&self->roles);
    map_init(&self->revocations);
    map_init(&self->tenants);
    atomic_init(&self->beat_us, INT64_MIN);
    return self;
}

void snapshot_free(struct snapshot *self)
{
    if (self == NULL) {
        return;
    }
    jose_keys_free(self->keys);
    map_reset(&self->roles, role_free);
    map_reset(&self->revocations, free);
    map_reset(&self->tenants, tenant_free);
    pthread_rwlock_destroy(&self->lock);
    free(self);
}

/* ---- Changes; the write lock is held ---- */

static void put_roles(struct snapshot *self, const Weft__Auth__V1__Snapshot *change)
{
    if (change->n_roles == 0) {
        return;
    }
    map_reset(&self->roles, role_free);
    for (size_t i = 0; i < change->n_roles; i++) {
        const Weft__Auth__V1__Role *from = change->roles[i];
        struct role *role = allocate(sizeof *role + from->n_permissions * sizeof(char *));
        role->n = from->n_permissions;
        for (size_t j = 0; j < role->n; j++) {
            role->patterns[j] = strdup(from->permissions[j]);
            if (role->patterns[j] == NULL) {
                abort();
            }
        }
        struct role *before = map_put(&self->roles, from->role_id, role);
        if (before != NULL) {
            role_free(before);
        }
    }
}

static void forget_old_revocations(struct snapshot *self)
{
    int64_t now_ms = clock_wall_ms(self->clock);

    for (struct map_at at = { 0 }; map_next(&self->revocations, &at);) {
        const struct revocation *revocation = at.value;
        if (revocation->forget_ms < now_ms) {
            free(map_remove_bytes(&self->revocations, at.key));
        }
    }
}

static void put_revocations(struct snapshot *self, const Weft__Auth__V1__Snapshot *change)
{
    forget_old_revocations(self);
    for (size_t i = 0; i < change->n_revocations; i++) {
        struct revocation *revocation = allocate(sizeof *revocation);
        revocation->epoch_ms = change->revocations[i]->epoch_ms;
        revocation->forget_ms = change->revocations[i]->forget_ms;
        free(map_put(&self->revocations, change->revocations[i]->subject, revocation));
    }
}

static void put_tenants(struct snapshot *self, const Weft__Auth__V1__Snapshot *change)
{
    for (size_t i = 0; i < change->n_tenants; i++) {
        const Weft__Auth__V1__TenantState *from = change->tenants[i];
        struct tenant *tenant = map_get(&self->tenants, from->tenant_id);
        if (tenant == NULL) {
            tenant = allocate(sizeof *tenant);
            pthread_mutex_init(&tenant->lock, NULL);
            tenant->requests = (double)from->requests_per_minute * BURST_S / 60;
            tenant->counted_us = clock_monotonic_us(self->clock);
            (void)map_put(&self->tenants, from->tenant_id, tenant);
        }
        tenant->limits = (struct tenant_limits){
            .standing = from->standing,
            .max_projects = from->max_projects,
            .max_records = from->max_records,
            .requests_per_minute = from->requests_per_minute,
        };
    }
}

status snapshot_apply(struct snapshot *self, struct arena *arena,
                      const Weft__Auth__V1__Snapshot *change)
{
    struct jose_keys *keys = NULL;

    if (self->revision == 0 && !change->whole) {
        return status_error(arena, STATUS_INVALID_ARGUMENT, "a change came before a whole");
    }
    if (change->jwks[0] != '\0') {
        TRY(jose_keys_parse(arena, bytes_of(change->jwks), &keys));
    }
    pthread_rwlock_wrlock(&self->lock);
    if (change->whole) {
        map_reset(&self->roles, role_free);
        map_reset(&self->revocations, free);
        map_reset(&self->tenants, tenant_free);
    }
    struct jose_keys *old = NULL;
    if (keys != NULL) {
        old = self->keys;
        self->keys = keys;
    }
    put_roles(self, change);
    put_revocations(self, change);
    put_tenants(self, change);
    self->revision = change->revision;
    pthread_rwlock_unlock(&self->lock);
    jose_keys_free(old);
    snapshot_beat(self);
    return status_ok();
}

void snapshot_beat(struct snapshot *self)
{
    atomic_store(&self->beat_us, clock_monotonic_us(self->clock));
}

/* ---- Look-ups ---- */

uint64_t snapshot_revision(struct snapshot *self)
{
    pthread_rwlock_rdlock(&self->lock);
    uint64_t revision = self->revision;
    pthread_rwlock_unlock(&self->lock);
    return revision;
}

int64_t snapshot_age_ms(struct snapshot *self)
{
    int64_t beat_us = atomic_load(&self->beat_us);

    return beat_us == INT64_MIN ? INT64_MAX : (clock_monotonic_us(self->clock) - beat_us) / 1000;
}

bool snapshot_is_fresh(struct snapshot *self)
{
    return snapshot_age_ms(self) <= SNAPSHOT_LEASE_MS;
}

status snapshot_verify(struct snapshot *self, struct arena *arena, bytes token,
                       const struct jose_expectation *expectation, struct jose_claims *ret_claims)
{
    pthread_rwlock_rdlock(&self->lock);
    status s = self->keys == NULL ? status_error(arena, STATUS_UNAVAILABLE, "no keys from auth yet")
                                  : jose_verify(arena, self->keys, token, expectation, ret_claims);
    pthread_rwlock_unlock(&self->lock);
    return s;
}

bool snapshot_is_revoked(struct snapshot *self, const char *subject, int64_t issued_ms)
{
    pthread_rwlock_rdlock(&self->lock);
    const struct revocation *revocation = map_get(&self->revocations, subject);
    /* Tokens tell their time in whole seconds: one of the epoch's own second is old. */
    bool revoked = revocation != NULL && issued_ms <= revocation->epoch_ms;
    pthread_rwlock_unlock(&self->lock);
    return revoked;
}

struct snapshot_patterns snapshot_roles(struct snapshot *self, struct arena *arena,
                                        const struct jose_texts *roles)
{
    struct snapshot_patterns found = { .patterns = NULL };
    size_t n = 0;

    pthread_rwlock_rdlock(&self->lock);
    for (size_t i = 0; i < roles->n_texts; i++) {
        const struct role *role = map_get(&self->roles, roles->texts[i]);
        n += role == NULL ? 0 : role->n;
    }
    const char **patterns = ARENA_NEW_ARRAY(arena, const char *, n);
    for (size_t i = 0; i < roles->n_texts; i++) {
        const struct role *role = map_get(&self->roles, roles->texts[i]);
        for (size_t j = 0; role != NULL && j < role->n; j++) {
            patterns[found.n_patterns++] = arena_strdup(arena, role->patterns[j]);
        }
    }
    pthread_rwlock_unlock(&self->lock);
    found.patterns = patterns;
    return found;
}

bool snapshot_tenant(struct snapshot *self, const char *tenant_id, struct tenant_limits *ret_limits)
{
    pthread_rwlock_rdlock(&self->lock);
    const struct tenant *tenant = map_get(&self->tenants, tenant_id);
    if (tenant != NULL) {
        *ret_limits = tenant->limits;
    }
    pthread_rwlock_unlock(&self->lock);
    return tenant != NULL;
}

/* The tenant's bucket, filled up to now, less one when there is one. */
static bool take(struct tenant *tenant, int64_t now_us, int64_t *ret_retry_after_ms)
{
    double per_us = (double)tenant->limits.requests_per_minute / 60e6;
    double most = per_us * BURST_S * 1e6 > 1 ? per_us * BURST_S * 1e6 : 1;

    tenant->requests += per_us * (double)(now_us - tenant->counted_us);
    tenant->requests = tenant->requests < most ? tenant->requests : most;
    tenant->counted_us = now_us;
    if (tenant->requests < 1) {
        *ret_retry_after_ms = (int64_t)((1 - tenant->requests) / per_us / 1000) + 1;
        return false;
    }
    tenant->requests -= 1;
    return true;
}

bool snapshot_take_request(struct snapshot *self, const char *tenant_id,
                           int64_t *ret_retry_after_ms)
{
    bool taken = true;

    pthread_rwlock_rdlock(&self->lock);
    struct tenant *tenant = map_get(&self->tenants, tenant_id);
    if (tenant != NULL && tenant->limits.requests_per_minute > 0) {
        pthread_mutex_lock(&tenant->lock);
        taken = take(tenant, clock_monotonic_us(self->clock), ret_retry_after_ms);
        pthread_mutex_unlock(&tenant->lock);
    }
    pthread_rwlock_unlock(&self->lock);
    return taken;
}
