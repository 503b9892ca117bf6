#include "services/registry/catalogue.h"

#include "libs/base/map.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    DEFAULT_LOST_GRACE_MS = 50,
    DEFAULT_PRESERVE_MS = 5 * 60 * 1000,
    VANISH_WINDOW_MS = 10 * 1000,
    /* Eureka's threshold: 85 % must renew.  The minimum keeps a mesh of six services, where one
     * is more than 15 %, from never removing anybody. */
    PRESERVE_PERCENT = 15,
    PRESERVE_MINIMUM = 8,
};

struct entry {
    struct arena *arena; /* holds the instance and this */
    struct instance instance;
    bool lost;
    int64_t lost_ms; /* monotonic, when lost */
};

struct known_service {
    char *name;
    uint64_t revision;
    bool is_awaited;
    struct entry **entries; /* in order of their id */
    size_t n_entries;
    size_t capacity;
};

struct catalogue {
    pthread_mutex_t lock;
    const struct clock *clock;
    int64_t lost_grace_ms;
    int64_t preserve_ms;
    struct map services; /* of struct known_service */
    size_t n_instances;
    size_t n_lost;
    size_t n_vanished; /* removed as lost since vanish_start_ms */
    int64_t vanish_start_ms;
    uint64_t first_revision;
    uint64_t revision;
    uint64_t last_token;
    struct watchers watchers;
};

static void known_service_free(void *value)
{
    struct known_service *service = value;

    for (size_t i = 0; i < service->n_entries; i++) {
        arena_free(service->entries[i]->arena);
    }
    free(service->entries);
    free(service->name);
    free(service);
}

struct catalogue *catalogue_new(const struct catalogue_options *options)
{
    assert(options->clock != NULL && options->lost_grace_ms >= 0 && options->preserve_ms >= 0);
    struct catalogue *self = malloc(sizeof *self);
    if (self == NULL) {
        abort();
    }
    uint64_t now = (uint64_t)clock_wall_ms(options->clock);
    *self = (struct catalogue){
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .clock = options->clock,
        .lost_grace_ms =
            options->lost_grace_ms != 0 ? options->lost_grace_ms : DEFAULT_LOST_GRACE_MS,
        .preserve_ms = options->preserve_ms != 0 ? options->preserve_ms : DEFAULT_PRESERVE_MS,
        .first_revision = now,
        .revision = now,
        .last_token = now,
    };
    map_init(&self->services);
    return self;
}

void catalogue_free(struct catalogue *catalogue)
{
    if (catalogue == NULL) {
        return;
    }
    assert(catalogue->watchers.first == NULL);
    map_reset(&catalogue->services, known_service_free);
    (void)pthread_mutex_destroy(&catalogue->lock);
    free(catalogue);
}

static void lock(struct catalogue *self)
{
    (void)pthread_mutex_lock(&self->lock);
}

static void unlock(struct catalogue *self)
{
    (void)pthread_mutex_unlock(&self->lock);
}

/* Under the lock, after a change of this service that readers can see. */
static void changed(struct catalogue *self, struct known_service *service)
{
    service->revision = ++self->revision;
    watchers_wake(&self->watchers);
}

/* ---- Entries of a service ---- */

/* Where the instance is, or would be. */
static size_t place_of(const struct known_service *service, const char *id)
{
    size_t low = 0;

    for (size_t high = service->n_entries; low < high;) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(service->entries[middle]->instance.id, id) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct entry *find(const struct known_service *service, const char *id)
{
    size_t place = place_of(service, id);

    if (place == service->n_entries || strcmp(service->entries[place]->instance.id, id) != 0) {
        return NULL;
    }
    return service->entries[place];
}

static void remove_entry(struct catalogue *self, struct known_service *service, size_t place)
{
    struct entry *entry = service->entries[place];

    self->n_instances--;
    self->n_lost -= entry->lost ? 1 : 0;
    memmove(&service->entries[place], &service->entries[place + 1],
            (service->n_entries - place - 1) * sizeof service->entries[0]);
    service->n_entries--;
    arena_free(entry->arena);
}

static void insert_entry(struct catalogue *self, struct known_service *service, struct entry *entry)
{
    size_t place = place_of(service, entry->instance.id);

    if (service->n_entries == service->capacity) {
        service->capacity = service->capacity == 0 ? 4 : service->capacity * 2;
        service->entries =
            realloc(service->entries, service->capacity * sizeof service->entries[0]);
        if (service->entries == NULL) {
            abort();
        }
    }
    memmove(&service->entries[place + 1], &service->entries[place],
            (service->n_entries - place) * sizeof service->entries[0]);
    service->entries[place] = entry;
    service->n_entries++;
    self->n_instances++;
    self->n_lost += entry->lost ? 1 : 0;
}

static bool endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
    return a->port == b->port && strcmp(a->address, b->address) == 0;
}

/* Whoever has the same id, or answers at the same address: two of one address in one EDS are
 * refused by its clients, and only one process can listen there. */
static void remove_superseded(struct catalogue *self, struct known_service *service,
                              const struct instance *by)
{
    for (size_t i = service->n_entries; i-- > 0;) {
        const struct instance *there = &service->entries[i]->instance;
        if (strcmp(there->id, by->id) == 0 || endpoint_equal(&there->endpoint, &by->endpoint)) {
            remove_entry(self, service, i);
        }
    }
}

/* ---- Leases ---- */

static struct known_service *add_service(struct catalogue *self, const char *name)
{
    struct known_service *service = calloc(1, sizeof *service);

    if (service == NULL || (service->name = strdup(name)) == NULL) {
        abort();
    }
    (void)map_put(&self->services, name, service);
    return service;
}

static status check_room(struct catalogue *self, struct arena *arena, const char *name)
{
    const struct known_service *service = map_get(&self->services, name);

    if (service == NULL && self->services.n_entries >= CATALOGUE_MAX_SERVICES) {
        return status_error(arena, STATUS_RESOURCE_EXHAUSTED,
                            "service '%s' is new and the catalogue has %d already", name,
                            CATALOGUE_MAX_SERVICES);
    }
    if (self->n_instances >= CATALOGUE_MAX_INSTANCES) {
        return status_error(arena, STATUS_RESOURCE_EXHAUSTED, "the catalogue has %d instances",
                            CATALOGUE_MAX_INSTANCES);
    }
    if (service != NULL && service->n_entries >= CATALOGUE_MAX_INSTANCES_PER_SERVICE) {
        return status_error(arena, STATUS_RESOURCE_EXHAUSTED, "service '%s' has %d instances", name,
                            CATALOGUE_MAX_INSTANCES_PER_SERVICE);
    }
    return status_ok();
}

static struct entry *entry_new(const struct instance *instance)
{
    struct arena *arena = arena_new();
    struct entry *entry = ARENA_NEW(arena, struct entry);

    *entry = (struct entry){ .arena = arena, .instance = instance_copy(arena, instance) };
    return entry;
}

/* Takes over entry.  Under the lock. */
static status put(struct catalogue *self, struct arena *arena, struct entry *entry)
{
    struct known_service *service = map_get(&self->services, entry->instance.service);

    if (service != NULL) {
        remove_superseded(self, service, &entry->instance);
    }
    status s = check_room(self, arena, entry->instance.service);
    if (!status_is_ok(s)) {
        arena_free(entry->arena);
        return s;
    }
    if (service == NULL) {
        service = add_service(self, entry->instance.service);
    }
    entry->instance.fencing_token = ++self->last_token;
    insert_entry(self, service, entry);
    service->is_awaited = false;
    changed(self, service);
    return status_ok();
}

status catalogue_register(struct catalogue *catalogue, struct arena *arena,
                          const struct instance *instance, uint64_t *ret_token)
{
    TRY(instance_check(arena, instance));
    struct entry *entry = entry_new(instance);
    lock(catalogue);
    status s = put(catalogue, arena, entry);
    if (status_is_ok(s)) {
        *ret_token = entry->instance.fencing_token;
    }
    unlock(catalogue);
    return s;
}

status catalogue_expect(struct catalogue *catalogue, struct arena *arena, const char *service)
{
    status s = status_ok();

    if (!service_name_is_valid(service)) {
        return status_error(arena, STATUS_INVALID_ARGUMENT, "'%.80s' is no name of a service",
                            service);
    }
    lock(catalogue);
    if (map_get(&catalogue->services, service) == NULL) {
        s = check_room(catalogue, arena, service);
        if (status_is_ok(s)) {
            struct known_service *known = add_service(catalogue, service);
            known->is_awaited = true;
            changed(catalogue, known);
        }
    }
    unlock(catalogue);
    return s;
}

/* The entry this lease holds, or NULL.  Under the lock. */
static struct entry *held(struct catalogue *self, const char *name, const char *id, uint64_t token,
                          struct known_service **ret_service)
{
    struct known_service *service = map_get(&self->services, name);
    struct entry *entry = service == NULL ? NULL : find(service, id);

    *ret_service = service;
    return entry != NULL && entry->instance.fencing_token == token ? entry : NULL;
}

static status not_held(struct arena *arena, const char *service, const char *id)
{
    return status_error(arena, STATUS_ABORTED, "'%s' of '%s' is held by another lease", id,
                        service);
}

status catalogue_set_health(struct catalogue *catalogue, struct arena *arena, const char *service,
                            const char *id, uint64_t token, enum instance_health health)
{
    struct known_service *known;
    status s = status_ok();

    lock(catalogue);
    struct entry *entry = held(catalogue, service, id, token, &known);
    if (entry == NULL) {
        s = not_held(arena, service, id);
    } else if (entry->instance.health != health) {
        entry->instance.health = health;
        changed(catalogue, known);
    }
    unlock(catalogue);
    return s;
}

status catalogue_acknowledge(struct catalogue *catalogue, struct arena *arena, const char *service,
                             const char *id, uint64_t token, uint64_t policy_revision)
{
    struct known_service *known;
    status s = status_ok();

    lock(catalogue);
    struct entry *entry = held(catalogue, service, id, token, &known);
    if (entry == NULL) {
        s = not_held(arena, service, id);
    } else {
        entry->instance.policy_revision = policy_revision;
    }
    unlock(catalogue);
    return s;
}

void catalogue_lose(struct catalogue *catalogue, const char *service, const char *id,
                    uint64_t token)
{
    struct known_service *known;

    lock(catalogue);
    struct entry *entry = held(catalogue, service, id, token, &known);
    if (entry != NULL && !entry->lost) {
        entry->lost = true;
        entry->lost_ms = clock_monotonic_ms(catalogue->clock);
        catalogue->n_lost++;
    }
    unlock(catalogue);
}

void catalogue_deregister(struct catalogue *catalogue, const char *service, const char *id,
                          uint64_t token)
{
    struct known_service *known;

    lock(catalogue);
    if (held(catalogue, service, id, token, &known) != NULL) {
        remove_entry(catalogue, known, place_of(known, id));
        changed(catalogue, known);
    }
    unlock(catalogue);
}

/* ---- Time ---- */

/* Eureka's rule, over those lost now and those removed as lost a moment ago. */
static bool is_preserving(const struct catalogue *self)
{
    size_t vanished = self->n_lost + self->n_vanished;

    return vanished >= PRESERVE_MINIMUM &&
           vanished * 100 > (self->n_instances + self->n_vanished) * PRESERVE_PERCENT;
}

/* Removes those of the service that are due; returns when the next one is, or -1. */
static int64_t step_service(struct catalogue *self, struct known_service *service, int64_t now)
{
    size_t before = service->n_entries;
    int64_t next = -1;

    for (size_t i = service->n_entries; i-- > 0;) {
        const struct entry *entry = service->entries[i];
        if (!entry->lost) {
            continue;
        }
        int64_t stays = is_preserving(self) ? self->preserve_ms : self->lost_grace_ms;
        int64_t due = entry->lost_ms + stays - now;
        if (due <= 0) {
            remove_entry(self, service, i);
            self->n_vanished++;
        } else if (next < 0 || due < next) {
            next = due;
        }
    }
    if (service->n_entries != before) {
        changed(self, service);
    }
    return next;
}

int64_t catalogue_step(struct catalogue *catalogue)
{
    int64_t now = clock_monotonic_ms(catalogue->clock);
    int64_t next = -1;

    lock(catalogue);
    if (now - catalogue->vanish_start_ms >= VANISH_WINDOW_MS) {
        catalogue->vanish_start_ms = now;
        catalogue->n_vanished = 0;
    }
    if (catalogue->n_lost > 0) {
        for (struct map_at at = { 0 }; map_next(&catalogue->services, &at);) {
            int64_t due = step_service(catalogue, at.value, now);
            next = due >= 0 && (next < 0 || due < next) ? due : next;
        }
        /* Those preserved go when the window moves on, if enough have returned by then. */
        next = next > VANISH_WINDOW_MS ? VANISH_WINDOW_MS : next;
    }
    unlock(catalogue);
    return next;
}

/* ---- Reading ---- */

uint64_t catalogue_revision(struct catalogue *catalogue)
{
    lock(catalogue);
    uint64_t revision = catalogue->revision;
    unlock(catalogue);
    return revision;
}

uint64_t catalogue_service_revision(struct catalogue *catalogue, const char *service)
{
    lock(catalogue);
    const struct known_service *known = map_get(&catalogue->services, service);
    uint64_t revision = known == NULL ? 0 : known->revision;
    unlock(catalogue);
    return revision;
}

bool catalogue_awaits(struct catalogue *catalogue, const char *service)
{
    lock(catalogue);
    const struct known_service *known = map_get(&catalogue->services, service);
    bool is_awaited = known != NULL && known->is_awaited;
    unlock(catalogue);
    return is_awaited;
}

static struct catalogue_service copy_service(struct arena *arena,
                                             const struct known_service *service)
{
    struct instance *instances = ARENA_NEW_ARRAY(arena, struct instance, service->n_entries + 1);

    for (size_t i = 0; i < service->n_entries; i++) {
        instances[i] = instance_copy(arena, &service->entries[i]->instance);
    }
    return (struct catalogue_service){
        .name = arena_strdup(arena, service->name),
        .revision = service->revision,
        .instances = instances,
        .n_instances = service->n_entries,
    };
}

struct catalogue_service catalogue_get(struct catalogue *catalogue, struct arena *arena,
                                       const char *service)
{
    struct catalogue_service copy = { .name = service };

    lock(catalogue);
    const struct known_service *known = map_get(&catalogue->services, service);
    if (known != NULL) {
        copy = copy_service(arena, known);
    }
    unlock(catalogue);
    return copy;
}

static int by_name(const void *a, const void *b)
{
    const struct catalogue_service *left = a;
    const struct catalogue_service *right = b;

    return strcmp(left->name, right->name);
}

status catalogue_changes(struct catalogue *catalogue, struct arena *arena, uint64_t after,
                         const struct catalogue_service **ret_services, size_t *ret_n,
                         uint64_t *ret_revision)
{
    size_t n = 0;

    lock(catalogue);
    if (after != 0 && (after < catalogue->first_revision || after > catalogue->revision)) {
        unlock(catalogue);
        return status_error(arena, STATUS_OUT_OF_RANGE,
                            "revision %llu is not of this registry: begin at 0",
                            (unsigned long long)after);
    }
    struct catalogue_service *services =
        ARENA_NEW_ARRAY(arena, struct catalogue_service, catalogue->services.n_entries + 1);
    for (struct map_at at = { 0 }; map_next(&catalogue->services, &at);) {
        const struct known_service *service = at.value;
        if (service->revision > after) {
            services[n++] = copy_service(arena, service);
        }
    }
    *ret_revision = catalogue->revision;
    unlock(catalogue);
    qsort(services, n, sizeof services[0], by_name);
    *ret_services = services;
    *ret_n = n;
    return status_ok();
}

struct catalogue_counts catalogue_counts(struct catalogue *catalogue)
{
    lock(catalogue);
    struct catalogue_counts counts = {
        .services = catalogue->services.n_entries,
        .instances = catalogue->n_instances,
        .lost = catalogue->n_lost,
        .preserving = is_preserving(catalogue),
    };
    unlock(catalogue);
    return counts;
}

/* ---- Watching ---- */

void catalogue_watch(struct catalogue *catalogue, struct watcher *watcher)
{
    lock(catalogue);
    watchers_add(&catalogue->watchers, watcher);
    unlock(catalogue);
}

void catalogue_unwatch(struct catalogue *catalogue, struct watcher *watcher)
{
    lock(catalogue);
    watchers_remove(&catalogue->watchers, watcher);
    unlock(catalogue);
}
