#include "services/auth/point_memory.h"

#include "services/auth/auth_store.h"

/* The note lived in an arena of its own. */
static void done(void *arena, status result)
{
    (void)result;
    arena_free(arena);
}

static void commit(const struct point_memory *self, struct arena *arena, struct store_write *write)
{
    if (!status_is_ok(store_commit_async(self->store, write, done, arena))) {
        arena_free(arena); /* too many writes wait: it was not taken */
    }
}

void point_memory_note_here(const struct point_memory *self, const char *name)
{
    struct arena *arena = arena_new();
    struct store_write *write = store_write_new(arena);

    auth_store_put_point(write, arena_strdup(arena, name), 0);
    commit(self, arena, write);
}

void point_memory_note_gone(const struct point_memory *self, const char *name, bool with_a_word)
{
    struct arena *arena = arena_new();
    struct store_write *write = store_write_new(arena);

    if (with_a_word) {
        auth_store_delete_point(write, arena_strdup(arena, name));
    } else {
        auth_store_put_point(write, arena_strdup(arena, name), clock_wall_ms(self->clock));
    }
    commit(self, arena, write);
}

/* A process that is there now was there until auth died, which is a moment ago as far as anybody
 * knows: its lease is counted from now. */
status point_memory_load(const struct point_memory *self, struct arena *arena,
                         struct points *points)
{
    struct store_write *write = store_write_new(arena);
    int64_t now_ms = clock_wall_ms(self->clock);
    struct text_list names;

    auth_store_lose_points(write, now_ms, now_ms - POINTS_LEASE_MS);
    TRY(store_commit(self->store, arena, write));
    TRY(auth_store_list_points(self->store, arena, POINTS_MAX, &names));
    for (size_t i = 0; i < names.n_texts; i++) {
        points_expect(points, names.texts[i]);
    }
    return status_ok();
}
