#include "libs/audit/spool_files.h"

#include <string.h>

static bool is_synced(const struct segment *segment)
{
    return segment->is_name_durable && segment->synced == segment->size;
}

bool spool_is_synced(struct spool *self)
{
    bool is_all = true;

    pthread_mutex_lock(&self->lock);
    for (const struct segment *segment = self->first; segment != NULL; segment = segment->next) {
        is_all = is_all && is_synced(segment);
    }
    pthread_mutex_unlock(&self->lock);
    return is_all;
}

/* Copies what a sync has lost from the page cache, where it still is, to a new file.  The lock is
 * held.  What is copied counts for the new file alone, so a disk that fails for long does not fill
 * the spool with copies. */
static status write_anew(struct spool *self, struct arena *arena, struct segment *lost)
{
    uint64_t done = lost == self->first ? self->cursor : 0; /* acknowledged: nobody needs it */
    uint64_t from = done > lost->synced ? done : lost->synced;
    size_t size = from < lost->size ? (size_t)(lost->size - from) : 0;
    uint8_t *data = arena_alloc(arena, size + 1);
    size_t n = 0;

    TRY(file_read_at(lost->file, arena, from, data, size, &n));
    TRY(spool_begin_segment(self, arena));
    TRY(file_write_at(self->newest->file, arena, 0, (bytes){ .data = data, .size = n }));
    self->newest->size = n;
    self->n_bytes -= size - n;
    memcpy(self->newest->bytes_of, lost->bytes_of, sizeof lost->bytes_of);
    memset(lost->bytes_of, 0, sizeof lost->bytes_of);
    lost->size -= size;
    lost->synced = lost->size;
    lost->has_lost = false;
    (void)file_truncate(lost->file, arena, lost->size); /* it would only be sent twice */
    return status_ok();
}

static status sync_bytes(struct spool *self, struct arena *arena, struct segment *segment)
{
    pthread_mutex_lock(&self->lock);
    uint64_t size = segment->size;
    bool has_lost = segment->has_lost;
    pthread_mutex_unlock(&self->lock);

    status s = has_lost ? status_ok() : file_sync(segment->file, arena);
    pthread_mutex_lock(&self->lock);
    segment->has_lost = has_lost || !status_is_ok(s);
    if (!segment->has_lost) {
        segment->synced = size;
    } else {
        status anew = write_anew(self, arena, segment);
        s = status_is_ok(s) ? anew : s;
    }
    pthread_mutex_unlock(&self->lock);
    return s;
}

static status sync_name(struct spool *self, struct arena *arena, struct segment *segment)
{
    TRY(files_sync_folder(self->files, arena, ""));
    pthread_mutex_lock(&self->lock);
    segment->is_name_durable = true;
    pthread_mutex_unlock(&self->lock);
    return status_ok();
}

/* The removal lock is held, so that segment stays; the other is not while the disk works, so that
 * appends go on. */
static status sync_segment(struct spool *self, struct arena *arena, struct segment *segment)
{
    TRY(sync_bytes(self, arena, segment));
    return segment->is_name_durable ? status_ok() : sync_name(self, arena, segment);
}

static struct segment *first_unsynced(struct spool *self)
{
    pthread_mutex_lock(&self->lock);
    struct segment *segment = self->first;
    while (segment != NULL && is_synced(segment)) {
        segment = segment->next;
    }
    pthread_mutex_unlock(&self->lock);
    return segment;
}

/* A failure ends it; what is left is tried again at the next sync. */
status spool_sync(struct spool *self, struct arena *arena)
{
    status s = status_ok();

    pthread_mutex_lock(&self->removal);
    for (struct segment *segment; status_is_ok(s) && (segment = first_unsynced(self)) != NULL;) {
        s = sync_segment(self, arena, segment);
    }
    pthread_mutex_unlock(&self->removal);
    return s;
}
