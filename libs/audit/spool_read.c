#include "libs/audit/spool_files.h"
#include "libs/audit/spool_record.h"

#include <assert.h>
#include <stdlib.h>

/* A file with everything acknowledged is freed before it is full when it has a 16th of its size: a
 * spool that is seldom used makes and removes few files, and sends little again. */
enum { SEGMENT_MIN_SHARE = 16 };

/* The locks are held. */
static void free_first(struct spool *self, struct arena *arena)
{
    struct segment *segment = self->first;

    self->first = segment->next;
    self->newest = self->newest == segment ? NULL : self->newest;
    self->n_bytes -= segment->size;
    for (int i = 0; i < SPOOL_N_CLASSES; i++) {
        self->bytes_of[i] -= segment->bytes_of[i];
    }
    self->cursor = 0;
    file_close(segment->file);
    /* Should the name come back after a crash, its events are sent again and known by their ids. */
    (void)files_remove(self->files, arena, spool_segment_name(arena, segment->number));
    free(segment);
}

/* Whether all of the first segment was acknowledged and it may go.  The lock is held. */
static bool is_first_done(const struct spool *self)
{
    const struct segment *first = self->first;

    return first != NULL && self->cursor >= first->size &&
           (first != self->newest || first->size >= spool_segment_limit(self) / SEGMENT_MIN_SHARE);
}

static void free_done(struct spool *self, struct arena *arena)
{
    pthread_mutex_lock(&self->removal);
    pthread_mutex_lock(&self->lock);
    while (is_first_done(self)) {
        free_first(self, arena);
    }
    pthread_mutex_unlock(&self->lock);
    pthread_mutex_unlock(&self->removal);
}

/* What of the first segment was not acknowledged. */
static status read_rest(struct spool *self, struct arena *arena, bytes *ret_rest)
{
    pthread_mutex_lock(&self->lock);
    struct segment *first = self->first;
    size_t size =
        first != NULL && first->size > self->cursor ? (size_t)(first->size - self->cursor) : 0;
    pthread_mutex_unlock(&self->lock);
    uint8_t *data = arena_alloc(arena, size + 1);
    size_t n = 0;

    if (size > 0) {
        TRY(file_read_at(first->file, arena, self->cursor, data, size, &n));
    }
    *ret_rest = (bytes){ .data = data, .size = n };
    return status_ok();
}

/* The events in rest; their ends are noted for spool_acknowledge(). */
static status decode_events(struct spool *self, struct arena *arena, bytes rest, size_t limit,
                            struct audit_event *events)
{
    size_t at = 0;
    bytes data;

    self->n_skipped = 0;
    while (self->n_ends < limit && spool_record_next(rest, &at, &self->n_skipped, &data)) {
        status s = audit_event_decode(arena, data, &events[self->n_ends]);
        if (s.code == STATUS_DATA_LOSS) { /* a checksum that is right over what is no event */
            self->n_skipped += data.size;
        } else if (!status_is_ok(s)) {
            return self->n_ends > 0 ? status_ok() : s; /* first those before it */
        } else {
            self->ends[self->n_ends++] = self->cursor + at;
        }
    }
    return status_ok();
}

static void move_cursor(struct spool *self, struct arena *arena, uint64_t cursor)
{
    pthread_mutex_lock(&self->lock);
    self->cursor = cursor;
    self->n_damaged += self->n_skipped;
    pthread_mutex_unlock(&self->lock);
    self->n_skipped = 0;
    self->n_ends = 0;
    free_done(self, arena);
}

status spool_read(struct spool *self, struct arena *arena, size_t limit,
                  const struct audit_event **ret_events, size_t *ret_n_events)
{
    const size_t max = limit < SPOOL_MAX_READ ? limit : SPOOL_MAX_READ;
    struct audit_event *events = ARENA_NEW_ARRAY(arena, struct audit_event, max);
    bytes rest;

    self->n_ends = 0;
    free_done(self, arena); /* files that a crash or write_anew() left empty */
    do {
        TRY(read_rest(self, arena, &rest));
        TRY(decode_events(self, arena, rest, max, events));
        if (self->n_ends == 0 && rest.size > 0) { /* nothing whole to its end */
            move_cursor(self, arena, self->cursor + rest.size);
        }
    } while (self->n_ends == 0 && rest.size > 0);
    *ret_events = events;
    *ret_n_events = self->n_ends;
    return status_ok();
}

void spool_acknowledge(struct spool *self, struct arena *arena, size_t n)
{
    assert(n <= self->n_ends);
    if (n > 0) {
        move_cursor(self, arena, self->ends[n - 1]);
    }
}
