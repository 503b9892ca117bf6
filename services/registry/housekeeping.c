#include "services/registry/housekeeping.h"

#include "libs/base/wait.h"
#include "services/registry/registry_store.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

enum { SECOND_MS = 1000, HOUR_MS = 3600 * 1000 };

struct housekeeping {
    struct housekeeping_options options;
    struct watcher watcher; /* of the catalogue: a new name is written down at once */
    pthread_mutex_t lock;
    pthread_cond_t nudged;
    bool is_nudged;
    bool stops;
    bool is_started;
    pthread_t thread;
    /* The thread's own. */
    bool is_settled;
    size_t n_remembered;    /* names of services that are in the store */
    int64_t next_second_ms; /* monotonic */
    int64_t next_hour_ms;   /* monotonic */
    int64_t issued_ms;      /* the wall's, of our SVID */
};

static void complain(const struct housekeeping *self, const char *what, status s)
{
    if (!status_is_ok(s)) {
        LOG(self->options.log, LEVEL_ERROR, NULL, "housekeeping", log_text("what", what),
            log_text("error", s.message));
    }
}

status housekeeping_load_entries(const struct housekeeping_options *options, struct arena *arena)
{
    bytes json;

    TRY(files_read(options->founding->files, arena, options->entries_file, ENTRIES_MAX_FILE_BYTES,
                   &json));
    return entries_load(options->entries, arena, json);
}

status housekeeping_expect_services(const struct housekeeping_options *options, struct arena *arena)
{
    const char *const *names;
    size_t n;

    TRY(registry_store_list_services(options->store, arena, &names, &n));
    for (size_t i = 0; i < n; i++) {
        TRY(catalogue_expect(options->catalogue, arena, names[i]));
    }
    return status_ok();
}

/* Services come and stay known, so their number says whether one is new. */
static status remember_services(struct housekeeping *self, struct arena *arena)
{
    struct store_write *write = store_write_new(arena);
    const struct catalogue_service *services;
    uint64_t revision;
    size_t n;

    if (catalogue_counts(self->options.catalogue).services == self->n_remembered) {
        return status_ok();
    }
    TRY(catalogue_changes(self->options.catalogue, arena, 0, &services, &n, &revision));
    for (size_t i = 0; i < n; i++) {
        registry_store_add_service(write, services[i].name);
    }
    TRY(store_commit(self->options.store, arena, write));
    self->n_remembered = n;
    return status_ok();
}

static void each_second(struct housekeeping *self, struct arena *arena)
{
    leases_tick(self->options.leases);
    complain(self, "read the entries", housekeeping_load_entries(&self->options, arena));
    if (!self->is_settled && xds_resources_settled_in_ms(self->options.resources) == 0) {
        self->is_settled = true;
        ads_service_wake(self->options.ads);
    }
}

static void each_hour(struct housekeeping *self, struct arena *arena)
{
    bool changed = false;

    complain(self, "look after the authorities", ca_step(self->options.ca, arena, &changed));
    if (changed) {
        complain(self, "write the bundle", founding_write_bundle(self->options.founding, arena));
        entries_touch(self->options.entries);
    }
}

/* A clock that was set back may be set right again at any time, so the SVID is for the time it is
 * now. */
static bool is_renewal_due(const struct housekeeping *self)
{
    int64_t age_ms = clock_wall_ms(self->options.clock) - self->issued_ms;

    return age_ms >= FOUNDING_RENEW_MS || age_ms < 0;
}

/* Tried again each second when it fails: it is good for 16 hours more, or not at all. */
static void renew(struct housekeeping *self, struct arena *arena)
{
    int64_t now_ms = clock_wall_ms(self->options.clock);
    status s = founding_issue_own_svid(self->options.founding, arena);

    complain(self, "renew our own SVID", s);
    self->issued_ms = status_is_ok(s) ? now_ms : self->issued_ms;
}

int64_t housekeeping_step(struct housekeeping *housekeeping)
{
    struct housekeeping *self = housekeeping;
    struct arena *arena = arena_new();
    int64_t now = clock_monotonic_ms(self->options.clock);
    int64_t due = catalogue_step(self->options.catalogue);

    complain(self, "remember the services", remember_services(self, arena));
    if (now >= self->next_second_ms) {
        self->next_second_ms = now + SECOND_MS;
        each_second(self, arena);
        if (is_renewal_due(self)) {
            renew(self, arena);
        }
    }
    if (now >= self->next_hour_ms) {
        self->next_hour_ms = now + HOUR_MS;
        each_hour(self, arena);
    }
    arena_free(arena);
    return due >= 0 && due < SECOND_MS ? due : SECOND_MS;
}

static void sleep_for(struct housekeeping *self, int64_t ms)
{
    const struct timespec end = wait_end(ms);

    (void)pthread_mutex_lock(&self->lock);
    while (!self->stops && !self->is_nudged && wait_until(&self->nudged, &self->lock, &end)) {
    }
    self->is_nudged = false;
    (void)pthread_mutex_unlock(&self->lock);
}

static bool stops(struct housekeeping *self)
{
    (void)pthread_mutex_lock(&self->lock);
    bool answer = self->stops;
    (void)pthread_mutex_unlock(&self->lock);
    return answer;
}

static void *run(void *data)
{
    struct housekeeping *self = data;

    while (!stops(self)) {
        sleep_for(self, housekeeping_step(self));
    }
    return NULL;
}

struct housekeeping *housekeeping_new(const struct housekeeping_options *options)
{
    struct housekeeping *self = calloc(1, sizeof *self);

    if (self == NULL) {
        abort();
    }
    self->options = *options;
    self->issued_ms = clock_wall_ms(options->clock);
    (void)pthread_mutex_init(&self->lock, NULL);
    (void)pthread_cond_init(&self->nudged, NULL);
    self->watcher = (struct watcher){ .wake = housekeeping_nudge, .object = self };
    catalogue_watch(options->catalogue, &self->watcher);
    return self;
}

void housekeeping_start(struct housekeeping *housekeeping)
{
    if (pthread_create(&housekeeping->thread, NULL, run, housekeeping) != 0) {
        abort();
    }
    housekeeping->is_started = true;
}

void housekeeping_nudge(void *housekeeping)
{
    struct housekeeping *self = housekeeping;

    (void)pthread_mutex_lock(&self->lock);
    self->is_nudged = true;
    (void)pthread_cond_signal(&self->nudged);
    (void)pthread_mutex_unlock(&self->lock);
}

void housekeeping_free(struct housekeeping *housekeeping)
{
    if (housekeeping == NULL) {
        return;
    }
    catalogue_unwatch(housekeeping->options.catalogue, &housekeeping->watcher);
    (void)pthread_mutex_lock(&housekeeping->lock);
    housekeeping->stops = true;
    (void)pthread_cond_signal(&housekeeping->nudged);
    (void)pthread_mutex_unlock(&housekeeping->lock);
    if (housekeeping->is_started) {
        (void)pthread_join(housekeeping->thread, NULL);
    }
    (void)pthread_cond_destroy(&housekeeping->nudged);
    (void)pthread_mutex_destroy(&housekeeping->lock);
    free(housekeeping);
}
