#include "libs/mesh/keeper.h"

#include "libs/base/wait.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

struct keeper {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool poked, stopping;
    struct keeper_task *tasks;
};

/* The lock is held. */
static void wait_for_tick(struct keeper *self)
{
    const struct timespec end = wait_end(KEEPER_TICK_MS);

    while (!self->poked && !self->stopping && wait_until(&self->wake, &self->lock, &end)) {
    }
    self->poked = false;
}

static void *keep(void *data)
{
    struct keeper *self = data;

    pthread_mutex_lock(&self->lock);
    while (!self->stopping) {
        struct keeper_task *tasks = self->tasks; /* added in front, never removed */
        pthread_mutex_unlock(&self->lock);
        for (struct keeper_task *task = tasks; task != NULL; task = task->next) {
            task->tick(task);
        }
        pthread_mutex_lock(&self->lock);
        if (!self->stopping) {
            wait_for_tick(self);
        }
    }
    pthread_mutex_unlock(&self->lock);
    return NULL;
}

struct keeper *keeper_new(void)
{
    struct keeper *self = calloc(1, sizeof *self);

    if (self == NULL) {
        abort();
    }
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->wake, NULL);
    if (pthread_create(&self->thread, NULL, keep, self) != 0) {
        abort();
    }
    return self;
}

void keeper_free(struct keeper *self)
{
    if (self == NULL) {
        return;
    }
    pthread_mutex_lock(&self->lock);
    self->stopping = true;
    pthread_cond_signal(&self->wake);
    pthread_mutex_unlock(&self->lock);
    pthread_join(self->thread, NULL);
    pthread_cond_destroy(&self->wake);
    pthread_mutex_destroy(&self->lock);
    free(self);
}

void keeper_add(struct keeper *self, struct keeper_task *task)
{
    pthread_mutex_lock(&self->lock);
    task->next = self->tasks;
    self->tasks = task;
    self->poked = true;
    pthread_cond_signal(&self->wake);
    pthread_mutex_unlock(&self->lock);
}

void keeper_poke(struct keeper *self)
{
    pthread_mutex_lock(&self->lock);
    self->poked = true;
    pthread_cond_signal(&self->wake);
    pthread_mutex_unlock(&self->lock);
}
