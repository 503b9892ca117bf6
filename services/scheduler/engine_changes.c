/* Writes on their way to the store. */

#include "services/scheduler/engine_internal.h"

#include <stdlib.h>

struct change *change_new(struct engine *self, struct job *job,
                          void (*done)(struct engine *self, struct change *change))
{
    struct arena *arena = arena_new();
    struct change *change = ARENA_NEW(arena, struct change);

    change->engine = self;
    change->arena = arena;
    change->write = store_write_new(arena);
    change->done = done;
    change->job = job;
    return change;
}

/* On the store's thread, or the submitter's: hands over, and no more. */
static void change_is_settled(void *data, status result)
{
    struct change *change = data;
    struct engine *self = change->engine;

    change->result = result;
    change->next = NULL;
    pthread_mutex_lock(&self->finished_lock);
    if (self->first_finished == NULL) { /* else the thread has been woken, and takes all */
        pthread_cond_signal(&self->something_happened);
    }
    *self->last_finished = change;
    self->last_finished = &change->next;
    pthread_mutex_unlock(&self->finished_lock);
}

void change_submit(struct change *change)
{
    struct engine *self = change->engine;

    self->n_changes++;
    status s = store_commit_async(self->options.store, change->write, change_is_settled, change);
    if (!status_is_ok(s)) {
        change_is_settled(change, s); /* it was not taken */
    }
}

/* A commit that was cut off may have happened: only the store can tell. */
static bool is_uncertain(const struct change *change)
{
    return change->job != NULL &&
           (change->result.code == STATUS_UNAVAILABLE || change->result.code == STATUS_INTERNAL ||
            change->result.code == STATUS_UNKNOWN);
}

void change_conclude(struct engine *self, struct change *change)
{
    change->done(self, change);
    self->n_changes--;
    arena_free(change->arena);
}

void changes_drop(struct engine *self, struct change *first)
{
    while (first != NULL) {
        struct change *next = first->next;
        self->n_changes--;
        arena_free(first->arena);
        first = next;
    }
}

void change_settle(struct engine *self, struct change *change)
{
    if (is_uncertain(change) && self->is_stopping) {
        changes_drop(self, change);
    } else if (is_uncertain(change)) {
        errand_reconcile(self, change);
    } else {
        change_conclude(self, change);
    }
}

bool changes_finish(struct engine *self)
{
    pthread_mutex_lock(&self->finished_lock);
    struct change *change = self->first_finished;
    self->first_finished = NULL;
    self->last_finished = &self->first_finished;
    pthread_mutex_unlock(&self->finished_lock);
    if (change == NULL) {
        return false;
    }
    pthread_mutex_lock(&self->lock);
    while (change != NULL) {
        struct change *next = change->next;
        change->next = NULL;
        change_settle(self, change);
        change = next;
    }
    errands_load_low(self);
    pthread_mutex_unlock(&self->lock);
    return true;
}
