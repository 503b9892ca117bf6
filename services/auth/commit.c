#include "services/auth/commit.h"

#include <pthread.h>
#include <stdbool.h>

struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t woken;
    void (*apply)(void *data);
    void *data;
    bool is_done;
    status result;
};

static void done(void *data, status result)
{
    struct waiter *self = data;

    if (status_is_ok(result)) {
        self->apply(self->data);
    }
    (void)pthread_mutex_lock(&self->lock);
    self->result = result;
    self->is_done = true;
    (void)pthread_cond_signal(&self->woken); /* under the lock: without it, self may be gone */
    (void)pthread_mutex_unlock(&self->lock);
}

static void wait_until_done(struct waiter *self)
{
    (void)pthread_mutex_lock(&self->lock);
    while (!self->is_done) {
        (void)pthread_cond_wait(&self->woken, &self->lock);
    }
    (void)pthread_mutex_unlock(&self->lock);
}

status commit_and_apply(struct store *store, const struct store_write *write,
                        void (*apply)(void *data), void *data)
{
    struct waiter waiter = {
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .woken = PTHREAD_COND_INITIALIZER,
        .apply = apply,
        .data = data,
        .result = status_ok(),
    };
    status s = store_commit_async(store, write, done, &waiter);

    if (status_is_ok(s)) {
        wait_until_done(&waiter);
        s = waiter.result;
    }
    (void)pthread_cond_destroy(&waiter.woken);
    (void)pthread_mutex_destroy(&waiter.lock);
    return s;
}

static void nothing(void *data)
{
    (void)data;
}

/* A write of nothing comes behind them. */
status commit_settle(struct store *store, struct arena *arena)
{
    return commit_and_apply(store, store_write_new(arena), nothing, NULL);
}
