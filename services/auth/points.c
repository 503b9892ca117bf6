#include "services/auth/points.h"

#include "libs/base/wait.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LOOK_MS = 100 }; /* so often a wait looks whether its caller is still there */

/* A point that went away without a word, and may still decide. */
struct lost {
    struct lost *next;
    int64_t until_ms; /* monotonic: its lease is over */
    char name[];
};

struct points {
    const struct clock *clock;
    pthread_mutex_t lock;
    pthread_cond_t moved; /* a point has obeyed, left or come */
    struct point *first;
    size_t n;
    uint64_t last_serial;
    struct lost *lost; /* newest first */
};

struct points *points_new(const struct clock *clock)
{
    struct points *self = calloc(1, sizeof *self);

    if (self == NULL) {
        abort();
    }
    self->clock = clock;
    (void)pthread_mutex_init(&self->lock, NULL);
    (void)pthread_cond_init(&self->moved, NULL);
    return self;
}

void points_free(struct points *self)
{
    if (self == NULL) {
        return;
    }
    assert(self->first == NULL);
    while (self->lost != NULL) {
        struct lost *next = self->lost->next;
        free(self->lost);
        self->lost = next;
    }
    (void)pthread_cond_destroy(&self->moved);
    (void)pthread_mutex_destroy(&self->lock);
    free(self);
}

static void lock(struct points *self)
{
    (void)pthread_mutex_lock(&self->lock);
}

static void unlock(struct points *self)
{
    (void)pthread_mutex_unlock(&self->lock);
}

/* ---- The lost, under the lock ---- */

/* Drops those whose lease is over, those of this name, and what is too many. */
static void drop_lost(struct points *self, const char *name)
{
    int64_t now_ms = clock_monotonic_ms(self->clock);
    size_t n = 0;

    for (struct lost **at = &self->lost; *at != NULL;) {
        struct lost *lost = *at;
        if (lost->until_ms <= now_ms || ++n >= POINTS_MAX ||
            (name != NULL && strcmp(lost->name, name) == 0)) {
            *at = lost->next;
            free(lost);
        } else {
            at = &lost->next;
        }
    }
}

static void remember_lost(struct points *self, const char *name)
{
    size_t size = strlen(name) + 1;
    struct lost *lost = malloc(sizeof *lost + size);

    if (lost == NULL) {
        abort();
    }
    drop_lost(self, name);
    lost->until_ms = clock_monotonic_ms(self->clock) + POINTS_LEASE_MS;
    memcpy(lost->name, name, size);
    lost->next = self->lost;
    self->lost = lost;
}

/* ---- Coming and going ---- */

status points_join(struct points *self, struct arena *arena, struct point *point)
{
    lock(self);
    bool is_full = self->n == POINTS_MAX;
    if (!is_full) {
        self->n++;
        point->serial = ++self->last_serial;
        point->obeyed = 0;
        point->is_fenced = false;
        point->previous = NULL;
        point->next = self->first;
        if (point->next != NULL) {
            point->next->previous = point;
        }
        self->first = point;
    }
    unlock(self);
    return is_full ? status_error(arena, STATUS_RESOURCE_EXHAUSTED,
                                  "there are %d enforcement points", POINTS_MAX)
                   : status_ok();
}

static bool is_any_of(const struct points *self, const char *name)
{
    for (const struct point *at = self->first; at != NULL; at = at->next) {
        if (strcmp(at->name, name) == 0) {
            return true;
        }
    }
    return false;
}

bool points_leave(struct points *self, struct point *point, bool with_a_word)
{
    lock(self);
    *(point->previous != NULL ? &point->previous->next : &self->first) = point->next;
    if (point->next != NULL) {
        point->next->previous = point->previous;
    }
    self->n--;
    /* One that never obeyed anything decides by nothing of ours. */
    if (!with_a_word && point->obeyed > 0) {
        remember_lost(self, point->name);
    }
    bool is_last = !is_any_of(self, point->name);
    (void)pthread_cond_broadcast(&self->moved);
    unlock(self);
    return is_last;
}

void points_expect(struct points *self, const char *name)
{
    lock(self);
    remember_lost(self, name);
    unlock(self);
}

void points_obeyed(struct points *self, struct point *point, uint64_t revision)
{
    lock(self);
    if (revision > point->obeyed) {
        point->obeyed = revision;
        drop_lost(self, point->name);
        (void)pthread_cond_broadcast(&self->moved);
    }
    unlock(self);
}

bool points_is_fenced(struct points *self, const struct point *point)
{
    lock(self);
    bool is_fenced = point->is_fenced;
    unlock(self);
    return is_fenced;
}

void points_wake(struct points *self)
{
    lock(self);
    for (struct point *at = self->first; at != NULL; at = at->next) {
        stream_wake(at->stream);
    }
    unlock(self);
}

/* ---- Receipts, under the lock ---- */

struct awaited {
    const char *const *names; /* arena */
    size_t n_names;
};

static struct awaited list_all(struct points *self, struct arena *arena)
{
    size_t n = self->n;

    drop_lost(self, NULL);
    for (const struct lost *at = self->lost; at != NULL; at = at->next) {
        n++;
    }
    const char **names = ARENA_NEW_ARRAY(arena, const char *, n);
    n = 0;
    for (const struct point *at = self->first; at != NULL; at = at->next) {
        names[n++] = arena_strdup(arena, at->name);
    }
    for (const struct lost *at = self->lost; at != NULL; at = at->next) {
        names[n++] = arena_strdup(arena, at->name);
    }
    return (struct awaited){ .names = names, .n_names = n };
}

/* Whether there is one of this name, and all of this name obey. */
static bool obeys(const struct points *self, const char *name, uint64_t revision)
{
    bool found = false;

    for (const struct point *at = self->first; at != NULL; at = at->next) {
        if (strcmp(at->name, name) == 0) {
            if (at->obeyed < revision) {
                return false;
            }
            found = true;
        }
    }
    return found;
}

/* Whether one of those up to a serial is yet to answer: who is lost is not waited for. */
static bool is_anyone_silent(const struct points *self, uint64_t serial, uint64_t revision)
{
    for (const struct point *at = self->first; at != NULL; at = at->next) {
        if (at->serial <= serial && at->obeyed < revision) {
            return true;
        }
    }
    return false;
}

static void fence(struct points *self, uint64_t serial, uint64_t revision)
{
    for (struct point *at = self->first; at != NULL; at = at->next) {
        if (at->serial <= serial && at->obeyed < revision) {
            at->is_fenced = true;
            stream_wake(at->stream);
        }
    }
}

static bool is_caller_gone(const struct points_wait *wait)
{
    return wait->call != NULL && call_is_cancelled(wait->call);
}

/* Until no point up to serial is silent, or the time is over, or nobody wants to know. */
static void wait_for_all(struct points *self, const struct points_wait *wait, uint64_t serial)
{
    for (int64_t left_ms = wait->timeout_ms;
         left_ms > 0 && is_anyone_silent(self, serial, wait->revision) && !is_caller_gone(wait);) {
        const struct timespec end = wait_end(left_ms < LOOK_MS ? left_ms : LOOK_MS);
        while (is_anyone_silent(self, serial, wait->revision) &&
               wait_until(&self->moved, &self->lock, &end)) {
        }
        left_ms -= LOOK_MS;
    }
}

static struct points_receipt write_receipt(struct points *self, struct arena *arena,
                                           const struct awaited *awaited, uint64_t revision)
{
    const char **fenced = ARENA_NEW_ARRAY(arena, const char *, awaited->n_names);
    struct points_receipt receipt = {
        .revision = revision,
        .n_points = awaited->n_names,
        .fenced = fenced,
    };

    for (size_t i = 0; i < awaited->n_names; i++) {
        if (obeys(self, awaited->names[i], revision)) {
            receipt.n_obeyed++;
        } else {
            fenced[receipt.n_fenced++] = awaited->names[i];
        }
    }
    return receipt;
}

struct points_receipt points_await(struct points *self, struct arena *arena,
                                   const struct points_wait *wait)
{
    lock(self);
    uint64_t serial = self->last_serial;
    struct awaited awaited = list_all(self, arena);
    wait_for_all(self, wait, serial);
    struct points_receipt receipt = write_receipt(self, arena, &awaited, wait->revision);
    if (!wait->do_not_fence && !is_caller_gone(wait)) {
        fence(self, serial, wait->revision);
    }
    unlock(self);
    receipt.elapsed_us = clock_monotonic_us(self->clock) - wait->since_us;
    return receipt;
}
