#include "libs/rpc/crew.h"

#include "libs/base/wait.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

enum {
    /* The watching thread's round.  A task that it finds in two rounds is overdue. */
    ROUND_MS = 1,
    /* Rounds without a task after which it sleeps: to wake it costs a system call, which a busy
     * server should seldom pay, and a round costs some microseconds, which an idle one should not.
     */
    QUIET_ROUNDS = 10,
};

/* One queue and its two threads. */
struct post {
    struct crew *crew;
    void *queue;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_led, is_over;
    int n_standing_by;
    atomic_size_t lead; /* its number, changed under the lock: who leads by another leads no more */
    struct crew_task *task;
    bool was_seen;  /* the task, by the watching thread */
    size_t n_tasks; /* so far */
    size_t n_tasks_seen;
    pthread_t threads[2];
};

struct crew {
    crew_next *next;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stopping;
    atomic_bool sleeps; /* the watching thread */
    pthread_t watcher;
    size_t n_posts;
    struct post posts[];
};

/* ---- A queue's threads ---- */

/* Until it is the caller's to lead, or over: then false. */
static bool stand_by(struct post *self, size_t *ret_lead)
{
    pthread_mutex_lock(&self->lock);
    self->n_standing_by++;
    while (self->is_led && !self->is_over) {
        pthread_cond_wait(&self->changed, &self->lock);
    }
    self->n_standing_by--;
    self->is_led = true;
    *ret_lead = atomic_load(&self->lead);
    bool goes_on = !self->is_over;
    pthread_mutex_unlock(&self->lock);
    return goes_on;
}

static void end(struct post *self)
{
    pthread_mutex_lock(&self->lock);
    self->is_over = true;
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->lock);
}

static void *work(void *data)
{
    struct post *self = data;
    size_t lead = 0;

    while (stand_by(self, &lead)) {
        while (atomic_load(&self->lead) == lead) {
            if (!self->crew->next(self->queue)) {
                end(self);
                return NULL;
            }
        }
    }
    return NULL;
}

/* ---- The watching thread ---- */

/* Returns whether there was a task since the last round. */
static bool look_at(struct post *self)
{
    pthread_mutex_lock(&self->lock);
    bool was_busy = self->task != NULL || self->n_tasks != self->n_tasks_seen;
    self->n_tasks_seen = self->n_tasks;
    if (self->task != NULL && !self->was_seen) {
        self->was_seen = true;
    } else if (self->task != NULL) {
        self->task->overdue(self->task);
        self->task = NULL;
        self->is_led = false;
        (void)atomic_fetch_add(&self->lead, 1);
        pthread_cond_signal(&self->changed);
    }
    pthread_mutex_unlock(&self->lock);
    return was_busy;
}

static bool look_around(struct crew *self)
{
    bool was_busy = false;

    for (size_t i = 0; i < self->n_posts; i++) {
        was_busy = look_at(&self->posts[i]) || was_busy;
    }
    return was_busy;
}

/* The lock is held. */
static void wait_a_round(struct crew *self)
{
    const struct timespec end = wait_end(ROUND_MS);

    (void)wait_until(&self->changed, &self->lock, &end);
}

static void *watch(void *data)
{
    struct crew *self = data;
    int n_quiet = 0;

    pthread_mutex_lock(&self->lock);
    while (!self->stopping) {
        if (atomic_load(&self->sleeps)) {
            pthread_cond_wait(&self->changed, &self->lock);
            continue;
        }
        wait_a_round(self);
        n_quiet = look_around(self) ? 0 : n_quiet + 1;
        if (n_quiet >= QUIET_ROUNDS) {
            /* Who begins a task looks at this after it, so one of the two sees the other. */
            atomic_store(&self->sleeps, true);
            if (look_around(self)) {
                atomic_store(&self->sleeps, false);
            }
            n_quiet = 0;
        }
    }
    pthread_mutex_unlock(&self->lock);
    return NULL;
}

static void wake_watcher(struct crew *self)
{
    pthread_mutex_lock(&self->lock);
    atomic_store(&self->sleeps, false);
    pthread_cond_signal(&self->changed);
    pthread_mutex_unlock(&self->lock);
}

/* ---- The leader's side ---- */

bool crew_begin(struct crew *self, size_t queue, struct crew_task *task)
{
    struct post *post = &self->posts[queue];

    pthread_mutex_lock(&post->lock);
    bool may = post->n_standing_by > 0;
    if (may) {
        post->task = task;
        post->was_seen = false;
        post->n_tasks++;
    }
    pthread_mutex_unlock(&post->lock);
    if (may && atomic_load(&self->sleeps)) {
        wake_watcher(self);
    }
    return may;
}

void crew_end(struct crew *self, size_t queue, struct crew_task *task)
{
    struct post *post = &self->posts[queue];

    pthread_mutex_lock(&post->lock);
    if (post->task == task) { /* else it was overdue, and the task there is another's */
        post->task = NULL;
    }
    pthread_mutex_unlock(&post->lock);
}

/* ---- Its life ---- */

static void start(pthread_t *thread, void *(*run)(void *data), void *data)
{
    if (pthread_create(thread, NULL, run, data) != 0) {
        abort(); /* no memory for a thread, when the service starts */
    }
}

struct crew *crew_new(void *const *queues, size_t n_queues, crew_next *next)
{
    struct crew *self = calloc(1, sizeof *self + n_queues * sizeof self->posts[0]);

    if (self == NULL) {
        abort();
    }
    self->next = next;
    self->n_posts = n_queues;
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->changed, NULL);
    for (size_t i = 0; i < n_queues; i++) {
        struct post *post = &self->posts[i];
        post->crew = self;
        post->queue = queues[i];
        pthread_mutex_init(&post->lock, NULL);
        pthread_cond_init(&post->changed, NULL);
        start(&post->threads[0], work, post);
        start(&post->threads[1], work, post);
    }
    start(&self->watcher, watch, self);
    return self;
}

void crew_free(struct crew *self)
{
    if (self == NULL) {
        return;
    }
    for (size_t i = 0; i < self->n_posts; i++) {
        pthread_join(self->posts[i].threads[0], NULL);
        pthread_join(self->posts[i].threads[1], NULL);
    }
    pthread_mutex_lock(&self->lock);
    self->stopping = true;
    pthread_cond_signal(&self->changed);
    pthread_mutex_unlock(&self->lock);
    pthread_join(self->watcher, NULL);
    for (size_t i = 0; i < self->n_posts; i++) {
        pthread_cond_destroy(&self->posts[i].changed);
        pthread_mutex_destroy(&self->posts[i].lock);
    }
    pthread_cond_destroy(&self->changed);
    pthread_mutex_destroy(&self->lock);
    free(self);
}
