#include "libs/authz/eraser.h"

#include "libs/base/status_details.h"
#include "libs/base/wait.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct eraser {
    struct eraser_options options;
    atomic_bool stopping;
    pthread_mutex_t lock;
    pthread_cond_t stopped;
    pthread_t thread;
    bool is_started;
    uint64_t swept_revision; /* of the snapshot, at the last sweep that went well */
    int64_t next_sweep_ms;   /* monotonic */
};

struct eraser *eraser_new(const struct eraser_options *options)
{
    struct eraser *self = calloc(1, sizeof *self);

    if (self == NULL) {
        abort();
    }
    self->options = *options;
    atomic_init(&self->stopping, false);
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->stopped, NULL);
    return self;
}

/* ---- One sweep ---- */

static bool is_deleted(const struct eraser *self, const char *tenant_id)
{
    struct tenant_limits limits;

    return snapshot_tenant(self->options.snapshot, tenant_id, &limits) &&
           limits.standing == WEFT__AUTH__V1__TENANT_STANDING__TENANT_STANDING_DELETED;
}

static status erase(struct eraser *self, struct arena *arena, const char *tenant_id)
{
    struct arena *own = arena_new();
    status s = status_copy(
        arena, self->options.ops->erase(self->options.data, own, tenant_id, &self->stopping));

    if (status_is_ok(s)) {
        LOG(self->options.log, LEVEL_INFO, NULL, "what a deleted tenant has left is erased",
            log_text("tenant", tenant_id));
    } else if (!atomic_load(&self->stopping)) {
        LOG(self->options.log, LEVEL_WARN, NULL, "what a deleted tenant has left is not erased yet",
            log_text("tenant", tenant_id), log_text("code", status_code_name(s.code)),
            log_text("error", s.message));
    }
    arena_free(own);
    return s;
}

status eraser_sweep(struct eraser *self, struct arena *arena)
{
    struct eraser_tenants here;
    status first = status_ok();

    TRY(self->options.ops->tenants(self->options.data, arena, &here));
    for (size_t i = 0; i < here.n_ids && !atomic_load(&self->stopping); i++) {
        if (is_deleted(self, here.ids[i])) {
            status s = erase(self, arena, here.ids[i]);
            first = status_is_ok(first) ? s : first;
        }
    }
    return first;
}

/* ---- The thread ---- */

static int64_t now_ms(const struct eraser *self)
{
    return clock_monotonic_ms(self->options.clock);
}

/* How long to wait for the next look. */
static int64_t look(struct eraser *self)
{
    uint64_t revision = snapshot_revision(self->options.snapshot); /* before it is looked into */

    if (revision == self->swept_revision && now_ms(self) < self->next_sweep_ms) {
        return ERASER_LOOK_MS;
    }
    struct arena *arena = arena_new();
    bool done = status_is_ok(eraser_sweep(self, arena));
    arena_free(arena);
    if (!done) {
        self->next_sweep_ms = 0;
        return ERASER_AGAIN_MS;
    }
    self->swept_revision = revision;
    self->next_sweep_ms = now_ms(self) + ERASER_SWEEP_MS;
    return ERASER_LOOK_MS;
}

static void wait_for_stop(struct eraser *self, int64_t ms)
{
    const struct timespec end = wait_end(ms);

    pthread_mutex_lock(&self->lock);
    while (!atomic_load(&self->stopping) && wait_until(&self->stopped, &self->lock, &end)) {
    }
    pthread_mutex_unlock(&self->lock);
}

static void *run(void *data)
{
    struct eraser *self = data;

    while (!atomic_load(&self->stopping)) {
        wait_for_stop(self, look(self));
    }
    return NULL;
}

void eraser_start(struct eraser *self)
{
    if (pthread_create(&self->thread, NULL, run, self) != 0) {
        abort(); /* no memory for a thread, when the service starts */
    }
    self->is_started = true;
}

void eraser_free(struct eraser *self)
{
    if (self == NULL) {
        return;
    }
    pthread_mutex_lock(&self->lock);
    atomic_store(&self->stopping, true);
    pthread_cond_signal(&self->stopped);
    pthread_mutex_unlock(&self->lock);
    if (self->is_started) {
        (void)pthread_join(self->thread, NULL);
    }
    pthread_cond_destroy(&self->stopped);
    pthread_mutex_destroy(&self->lock);
    free(self);
}
