#include "libs/obs/readiness.h"

#include "libs/obs/metrics.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REASON_SIZE = 200 + 1 };

struct dependency {
    struct dependency *next;
    struct readiness *owner;
    char *name;
    char reason[REASON_SIZE];
    bool ready;
    int64_t since_ms;
    metric_label label;
};

struct readiness {
    const struct clock *clock;
    void (*changed)(void *data);
    void *data;
    pthread_mutex_t lock;
    struct dependency *first;
    struct dependency **end;
    size_t n_dependencies;
    size_t n_ready;
};

static void *must(void *memory)
{
    if (memory == NULL) {
        abort(); /* out of memory, when the process starts */
    }
    return memory;
}

struct readiness *readiness_new(const struct readiness_options *options)
{
    struct readiness *self = must(calloc(1, sizeof *self));

    self->clock = options->clock;
    self->changed = options->changed;
    self->data = options->data;
    self->end = &self->first;
    pthread_mutex_init(&self->lock, NULL);
    return self;
}

void readiness_free(struct readiness *self)
{
    if (self == NULL) {
        return;
    }
    while (self->first != NULL) {
        struct dependency *dependency = self->first;
        self->first = dependency->next;
        free(dependency->name);
        free(dependency);
    }
    pthread_mutex_destroy(&self->lock);
    free(self);
}

/* The lock is held, here and in the next. */
static bool all_ready(const struct readiness *self)
{
    return self->n_ready == self->n_dependencies;
}

static void put(struct dependency *dependency, bool ready, const char *reason)
{
    dependency->ready = ready;
    dependency->since_ms = clock_wall_ms(dependency->owner->clock);
    (void)snprintf(dependency->reason, sizeof dependency->reason, "%s", reason);
    gauge_set_of(GAUGE_ready, (struct labels){ .name = dependency->label }, ready);
}

static void tell(const struct readiness *self, bool was, bool is)
{
    if (was != is && self->changed != NULL) {
        self->changed(self->data);
    }
}

struct dependency *readiness_add(struct readiness *self, const char *name, const char *reason)
{
    struct dependency *dependency = must(calloc(1, sizeof *dependency));

    dependency->owner = self;
    dependency->name = must(strdup(name));
    dependency->label = metric_label_of(name);
    pthread_mutex_lock(&self->lock);
    bool was = all_ready(self);
    put(dependency, false, reason);
    *self->end = dependency;
    self->end = &dependency->next;
    self->n_dependencies++;
    pthread_mutex_unlock(&self->lock);
    tell(self, was, false);
    return dependency;
}

void readiness_set(struct dependency *dependency, bool ready, const char *reason)
{
    struct readiness *self = dependency->owner;

    pthread_mutex_lock(&self->lock);
    bool was = all_ready(self);
    if (dependency->ready != ready) {
        self->n_ready = ready ? self->n_ready + 1 : self->n_ready - 1;
        put(dependency, ready, reason);
    } else {
        (void)snprintf(dependency->reason, sizeof dependency->reason, "%s", reason);
    }
    bool is = all_ready(self);
    pthread_mutex_unlock(&self->lock);
    tell(self, was, is);
}

bool readiness_is_ready(struct readiness *self)
{
    pthread_mutex_lock(&self->lock);
    bool is = all_ready(self);
    pthread_mutex_unlock(&self->lock);
    return is;
}

struct readiness_state readiness_state(struct readiness *self, struct arena *arena)
{
    struct readiness_state state = { .ready = false };

    pthread_mutex_lock(&self->lock);
    struct dependency_state *states =
        ARENA_NEW_ARRAY(arena, struct dependency_state, self->n_dependencies);
    for (const struct dependency *at = self->first; at != NULL; at = at->next) {
        states[state.n_dependencies++] = (struct dependency_state){
            .name = arena_strdup(arena, at->name),
            .reason = arena_strdup(arena, at->reason),
            .ready = at->ready,
            .since_ms = at->since_ms,
        };
    }
    state.ready = all_ready(self);
    pthread_mutex_unlock(&self->lock);
    state.dependencies = states;
    return state;
}
