#include "libs/testing/stepped_store.h"

#include <stdlib.h>

struct held_write {
    const struct store_write *write;
    struct arena *arena;
    store_done *done;
    void *data;
    struct held_write *next;
};

static bool is_its_turn(unsigned *count)
{
    return *count > 0 && --*count == 0;
}

static status away(struct arena *arena)
{
    return status_error(arena, STATUS_UNAVAILABLE, "told to fail");
}

/* It happens now, on this thread. */
static status perform(struct stepped_store *self, struct arena *arena,
                      const struct store_write *write)
{
    void (*before)(void *data) = self->before;

    self->before = NULL;
    if (before != NULL) {
        before(self->data);
    }
    if (is_its_turn(&self->fail_commit)) {
        return away(arena);
    }
    status s = store_commit(self->real, arena, write);
    return is_its_turn(&self->cut_commit) ? away(arena) : s;
}

static status stepped_query(struct store *store, struct arena *arena,
                            const struct store_statement *query, struct store_rows *ret_rows)
{
    struct stepped_store *self = (struct stepped_store *)store;

    if (is_its_turn(&self->fail_query)) {
        return away(arena);
    }
    return self->real->ops->query(self->real, arena, query, ret_rows);
}

static status stepped_commit(struct store *store, struct arena *arena,
                             const struct store_write *write, store_done *done, void *data)
{
    struct stepped_store *self = (struct stepped_store *)store;

    if (!self->hold) {
        done(data, perform(self, arena, write));
        return status_ok();
    }
    struct held_write *held = malloc(sizeof *held);
    if (held == NULL) {
        abort();
    }
    *held = (struct held_write){ write, arena, done, data, NULL };
    *self->last = held;
    self->last = &held->next;
    self->n_held++;
    return status_ok();
}

static void stepped_watch(struct store *store, struct store_watch *watch)
{
    struct stepped_store *self = (struct stepped_store *)store;

    store_watch_commits(self->real, watch);
}

static void stepped_close(struct store *store)
{
    stepped_store_lose((struct stepped_store *)store);
}

static const struct store_ops stepped_ops = {
    .query = stepped_query,
    .commit = stepped_commit,
    .watch = stepped_watch,
    .close = stepped_close,
};

void stepped_store_init(struct stepped_store *self, struct store *real)
{
    *self = (struct stepped_store){ .store = { .ops = &stepped_ops }, .real = real };
    self->last = &self->first;
}

static struct held_write *take(struct stepped_store *self)
{
    struct held_write *held = self->first;

    self->first = held->next;
    if (self->first == NULL) {
        self->last = &self->first;
    }
    self->n_held--;
    return held;
}

void stepped_store_release(struct stepped_store *self, size_t n)
{
    for (; n > 0 && self->first != NULL; n--) {
        struct held_write *held = take(self);
        held->done(held->data, perform(self, held->arena, held->write));
        free(held);
    }
}

void stepped_store_lose(struct stepped_store *self)
{
    while (self->first != NULL) {
        struct held_write *held = take(self);
        held->done(held->data, (status){ .code = STATUS_CANCELLED, .message = "lost" });
        free(held);
    }
}
