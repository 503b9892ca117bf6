#include "services/registry/policy_board.h"

#include "libs/base/wait.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct policy_board {
    const struct clock *clock;
    pthread_mutex_t lock;
    pthread_cond_t moved; /* a point has obeyed or left */
    uint64_t revision;
    uint8_t *packed;
    size_t packed_size;
    struct policy_point *points;
    uint64_t last_serial;
};

struct policy_board *policy_board_new(const struct clock *clock)
{
    struct policy_board *self = calloc(1, sizeof *self);

    if (self == NULL) {
        abort();
    }
    self->clock = clock;
    (void)pthread_mutex_init(&self->lock, NULL);
    (void)pthread_cond_init(&self->moved, NULL);
    return self;
}

void policy_board_free(struct policy_board *board)
{
    if (board == NULL) {
        return;
    }
    assert(board->points == NULL);
    (void)pthread_cond_destroy(&board->moved);
    (void)pthread_mutex_destroy(&board->lock);
    free(board->packed);
    free(board);
}

static void lock(struct policy_board *self)
{
    (void)pthread_mutex_lock(&self->lock);
}

static void unlock(struct policy_board *self)
{
    (void)pthread_mutex_unlock(&self->lock);
}

static void replace(struct policy_board *self, uint64_t revision, bytes packed)
{
    uint8_t *copy = malloc(packed.size + 1);

    if (copy == NULL) {
        abort();
    }
    if (packed.size > 0) {
        memcpy(copy, packed.data, packed.size);
    }
    free(self->packed);
    self->packed = copy;
    self->packed_size = packed.size;
    self->revision = revision;
}

void policy_board_publish(struct policy_board *board, uint64_t revision, bytes packed)
{
    lock(board);
    if (revision > board->revision) {
        replace(board, revision, packed);
        for (struct policy_point *at = board->points; at != NULL; at = at->next) {
            at->wake(at->object);
        }
    }
    unlock(board);
}

uint64_t policy_board_get(struct policy_board *board, struct arena *arena, bytes *ret_packed)
{
    lock(board);
    uint64_t revision = board->revision;
    uint8_t *copy = arena_alloc(arena, board->packed_size);
    if (board->packed_size > 0) {
        memcpy(copy, board->packed, board->packed_size);
    }
    *ret_packed = (bytes){ .data = copy, .size = board->packed_size };
    unlock(board);
    return revision;
}

uint64_t policy_board_revision(struct policy_board *board)
{
    lock(board);
    uint64_t revision = board->revision;
    unlock(board);
    return revision;
}

/* ---- Points ---- */

void policy_board_join(struct policy_board *board, struct policy_point *point)
{
    lock(board);
    point->serial = ++board->last_serial;
    point->obeyed = 0;
    point->previous = NULL;
    point->next = board->points;
    if (point->next != NULL) {
        point->next->previous = point;
    }
    board->points = point;
    unlock(board);
}

void policy_board_leave(struct policy_board *board, struct policy_point *point)
{
    lock(board);
    *(point->previous != NULL ? &point->previous->next : &board->points) = point->next;
    if (point->next != NULL) {
        point->next->previous = point->previous;
    }
    (void)pthread_cond_broadcast(&board->moved);
    unlock(board);
}

void policy_board_obeyed(struct policy_board *board, struct policy_point *point, uint64_t revision)
{
    lock(board);
    if (revision > point->obeyed) {
        point->obeyed = revision;
        (void)pthread_cond_broadcast(&board->moved);
    }
    unlock(board);
}

/* ---- Receipts ---- */

struct awaited {
    const char *name; /* arena */
    uint64_t serial;
    enum { SILENT, OBEYS, LEFT } fate;
};

/* Points are listed newest first, and so are those awaited: one walk tells who has left. */
static size_t look(const struct policy_board *self, struct awaited *awaited, size_t n,
                   uint64_t revision)
{
    const struct policy_point *at = self->points;
    size_t n_silent = 0;

    for (size_t i = 0; i < n; i++) {
        while (at != NULL && at->serial > awaited[i].serial) {
            at = at->next;
        }
        bool there = at != NULL && at->serial == awaited[i].serial;
        if (there && awaited[i].fate == SILENT) {
            awaited[i].fate = at->obeyed >= revision ? OBEYS : SILENT;
        } else if (!there && awaited[i].fate == SILENT) {
            awaited[i].fate = LEFT;
        }
        n_silent += awaited[i].fate == SILENT ? 1 : 0;
    }
    return n_silent;
}

static size_t list_points(const struct policy_board *self, struct arena *arena,
                          struct awaited **ret_awaited)
{
    size_t n = 0;

    for (const struct policy_point *at = self->points; at != NULL; at = at->next) {
        n++;
    }
    struct awaited *awaited = ARENA_NEW_ARRAY(arena, struct awaited, n + 1);
    n = 0;
    for (const struct policy_point *at = self->points; at != NULL; at = at->next) {
        awaited[n++] = (struct awaited){ arena_strdup(arena, at->name), at->serial, SILENT };
    }
    *ret_awaited = awaited;
    return n;
}

static struct policy_receipt write_receipt(struct arena *arena, const struct awaited *awaited,
                                           size_t n)
{
    const char **fenced = ARENA_NEW_ARRAY(arena, const char *, n + 1);
    struct policy_receipt receipt = { .n_points = n, .fenced = fenced };

    for (size_t i = 0; i < n; i++) {
        if (awaited[i].fate == OBEYS) {
            receipt.n_obeyed++;
        } else {
            fenced[receipt.n_fenced++] = awaited[i].name;
        }
    }
    return receipt;
}

struct policy_receipt policy_board_wait(struct policy_board *board, struct arena *arena,
                                        uint64_t revision, int64_t timeout_ms)
{
    int64_t started_us = clock_monotonic_us(board->clock);
    const struct timespec end = wait_end(timeout_ms);
    struct awaited *awaited;

    lock(board);
    size_t n = list_points(board, arena, &awaited);
    while (look(board, awaited, n, revision) > 0 && wait_until(&board->moved, &board->lock, &end)) {
    }
    (void)look(board, awaited, n, revision);
    unlock(board);
    struct policy_receipt receipt = write_receipt(arena, awaited, n);
    receipt.revision = revision;
    receipt.elapsed_us = clock_monotonic_us(board->clock) - started_us;
    return receipt;
}
