#include "libs/rpc/executor.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/* A thread that has nothing to do looks for so long before it sleeps, one at a time: under load the
 * next task comes sooner than a sleeper would wake (some 5 us of futex and scheduler, and the
 * submitter's system call beside).  About 20 us; an idle process does not look at all. */
enum { LOOKS = 400 };

/* A thread that sleeps.  The one that fell asleep last is woken first: its stack and its caches are
 * still warm, and under little load few threads do all the work. */
struct sleeper {
    struct sleeper *next;
    pthread_cond_t wake;
    bool woken;
};

struct executor {
    pthread_mutex_t lock;
    struct sleeper *sleepers; /* the others look into the queue by themselves */
    struct executor_task *first;
    struct executor_task **end;
    atomic_size_t n_waiting; /* changed under the lock, looked at without */
    size_t max_waiting;
    bool is_looking; /* a thread does, see LOOKS */
    bool stopping;
    size_t n_threads;
    pthread_t threads[];
};

/* The lock is held. */
static struct executor_task *take(struct executor *self)
{
    struct executor_task *task = self->first;

    self->first = task->next;
    if (self->first == NULL) {
        self->end = &self->first;
    }
    (void)atomic_fetch_sub(&self->n_waiting, 1);
    return task;
}

/* The lock is held, and is again when it returns. */
static void look(struct executor *self)
{
    self->is_looking = true;
    pthread_mutex_unlock(&self->lock);
    for (int i = 0; i < LOOKS && atomic_load(&self->n_waiting) == 0; i++) {
        __builtin_ia32_pause();
    }
    pthread_mutex_lock(&self->lock);
    self->is_looking = false;
}

/* The same. */
static void sleep_until_woken(struct executor *self)
{
    struct sleeper sleeper = { .next = self->sleepers };

    pthread_cond_init(&sleeper.wake, NULL);
    self->sleepers = &sleeper;
    while (!sleeper.woken) {
        pthread_cond_wait(&sleeper.wake, &self->lock);
    }
    pthread_cond_destroy(&sleeper.wake);
}

/* The lock is held. */
static void wake_one(struct executor *self)
{
    struct sleeper *sleeper = self->sleepers;

    if (sleeper != NULL) {
        self->sleepers = sleeper->next;
        sleeper->woken = true;
        pthread_cond_signal(&sleeper->wake);
    }
}

/* The lock is held, and is again when it returns. */
static void wait_for_task(struct executor *self)
{
    if (!self->is_looking) {
        look(self);
    }
    while (self->first == NULL && !self->stopping) {
        sleep_until_woken(self);
    }
}

static void *run_tasks(void *data)
{
    struct executor *self = data;

    pthread_mutex_lock(&self->lock);
    for (;;) {
        if (self->first == NULL && !self->stopping) {
            wait_for_task(self);
        }
        if (self->first == NULL) {
            pthread_mutex_unlock(&self->lock);
            return NULL;
        }
        struct executor_task *task = take(self);
        if (self->first != NULL && !self->is_looking) {
            wake_one(self); /* who submitted it may have counted on the looker */
        }
        pthread_mutex_unlock(&self->lock);
        task->run(task);
        pthread_mutex_lock(&self->lock);
    }
}

/* Handlers are flat and decoding is bounded, so a thread needs no 8 MiB; SQLite's and the TLS
 * library's deepest calls stay below 256 KiB. */
enum { STACK_BYTES = 1024 * 1024 };

struct executor *executor_new(size_t n_threads, size_t max_waiting)
{
    struct executor *self = calloc(1, sizeof *self + n_threads * sizeof self->threads[0]);
    pthread_attr_t attributes;

    if (self == NULL) {
        abort();
    }
    self->end = &self->first;
    self->max_waiting = max_waiting;
    self->n_threads = n_threads;
    pthread_mutex_init(&self->lock, NULL);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    for (size_t i = 0; i < n_threads; i++) {
        if (pthread_create(&self->threads[i], &attributes, run_tasks, self) != 0) {
            abort(); /* no memory for a thread, when the service starts */
        }
    }
    pthread_attr_destroy(&attributes);
    return self;
}

void executor_free(struct executor *self)
{
    if (self == NULL) {
        return;
    }
    pthread_mutex_lock(&self->lock);
    self->stopping = true;
    while (self->sleepers != NULL) {
        wake_one(self);
    }
    pthread_mutex_unlock(&self->lock);
    for (size_t i = 0; i < self->n_threads; i++) {
        pthread_join(self->threads[i], NULL);
    }
    pthread_mutex_destroy(&self->lock);
    free(self);
}

bool executor_submit(struct executor *self, struct executor_task *task)
{
    pthread_mutex_lock(&self->lock);
    bool full = self->max_waiting != 0 && atomic_load(&self->n_waiting) >= self->max_waiting;
    if (!full) {
        task->next = NULL;
        *self->end = task;
        self->end = &task->next;
        (void)atomic_fetch_add(&self->n_waiting, 1);
        if (!self->is_looking) {
            wake_one(self);
        }
    }
    pthread_mutex_unlock(&self->lock);
    return !full;
}

size_t executor_waiting(struct executor *self)
{
    return atomic_load(&self->n_waiting);
}
