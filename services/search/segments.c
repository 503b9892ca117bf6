#include "services/search/segments.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A file is rewritten when less than one byte in this many is of use. */
enum { WASTE_FACTOR = 4 };

void segments_init(struct segments *self, struct files *files)
{
    *self = (struct segments){ .files = files };
    pthread_mutex_init(&self->lock, NULL);
}

static void segment_free(struct segment *segment)
{
    file_close(segment->file);
    free(segment->name);
    free(segment);
}

void segments_reset(struct segments *self)
{
    while (self->first != NULL) {
        struct segment *next = self->first->next;
        segment_free(self->first);
        self->first = next;
    }
    pthread_mutex_destroy(&self->lock);
}

const char *segment_name(struct arena *arena, uint64_t number)
{
    return arena_printf(arena, SEGMENT_FOLDER "/%016" PRIx64, number);
}

static struct segment **find(struct segments *self, uint64_t number)
{
    struct segment **at = &self->first;

    while (*at != NULL && (*at)->number != number) {
        at = &(*at)->next;
    }
    return at;
}

static status open_segment(struct segments *self, struct arena *arena, uint64_t number,
                           struct segment **ret_segment)
{
    const char *name = segment_name(arena, number);
    struct file *file = NULL;
    bytes data = { 0 };

    status s = files_open(self->files, arena, name, FILES_READ, &file);
    if (s.code == STATUS_NOT_FOUND) {
        return status_error(arena, STATUS_DATA_LOSS, "segment '%s' is gone", name);
    }
    TRY(s);
    s = file_map(file, arena, &data);
    if (!status_is_ok(s)) {
        file_close(file);
        return s;
    }
    struct segment *segment = calloc(1, sizeof *segment);
    char *copy = strdup(name);
    if (segment == NULL || copy == NULL) {
        abort();
    }
    *segment = (struct segment){
        .number = number, .name = copy, .file = file, .data = data, .next = self->first
    };
    self->first = segment;
    *ret_segment = segment;
    return status_ok();
}

/* As it lies in its file, where the next begins at a multiple of 8. */
static uint64_t aligned(uint64_t size)
{
    return (size + 7) / 8 * 8;
}

/* The lock is held. */
static status use(struct segments *self, struct arena *arena, const struct extent *extent,
                  struct extent_view *ret_view)
{
    struct segment *segment = *find(self, extent->segment);

    if (segment == NULL) {
        TRY(open_segment(self, arena, extent->segment, &segment));
    }
    if (extent->offset > segment->data.size || extent->size > segment->data.size - extent->offset) {
        return status_error(arena, STATUS_DATA_LOSS,
                            "segment '%s' has %zu bytes, and ends too early", segment->name,
                            segment->data.size);
    }
    segment->n_uses++;
    segment->live_bytes += aligned(extent->size);
    *ret_view = (struct extent_view){
        .data = { segment->data.data + extent->offset, (size_t)extent->size },
        .file = segment->file,
        .offset = extent->offset,
        .name = segment->name,
    };
    return status_ok();
}

status segments_use(struct segments *self, struct arena *arena, const struct extent *extent,
                    struct extent_view *ret_view)
{
    pthread_mutex_lock(&self->lock);
    status s = use(self, arena, extent, ret_view);
    pthread_mutex_unlock(&self->lock);
    return s;
}

void segments_release(struct segments *self, const struct extent *extent)
{
    struct segment *unused = NULL;

    pthread_mutex_lock(&self->lock);
    struct segment **at = find(self, extent->segment);
    assert(*at != NULL && (*at)->n_uses > 0);
    (*at)->live_bytes -= aligned(extent->size);
    if (--(*at)->n_uses == 0) {
        unused = *at;
        *at = unused->next;
    }
    pthread_mutex_unlock(&self->lock);
    if (unused != NULL) {
        struct arena *arena = arena_new();
        (void)files_remove(self->files, arena, unused->name);
        segment_free(unused);
        arena_free(arena);
    }
}

void segments_close(struct segments *self, uint64_t number)
{
    pthread_mutex_lock(&self->lock);
    struct segment **at = find(self, number);
    struct segment *segment = *at;
    if (segment != NULL) {
        *at = segment->next;
        segment_free(segment);
    }
    pthread_mutex_unlock(&self->lock);
}

bool segments_is_wasteful(struct segments *self, const struct extent *extent)
{
    pthread_mutex_lock(&self->lock);
    const struct segment *segment = *find(self, extent->segment);
    bool wasteful = segment != NULL && segment->live_bytes < segment->data.size / WASTE_FACTOR;
    pthread_mutex_unlock(&self->lock);
    return wasteful;
}

bool segments_is_whole(struct segments *self, const struct extent *extent)
{
    pthread_mutex_lock(&self->lock);
    const struct segment *segment = *find(self, extent->segment);
    bool whole = segment != NULL && segment->live_bytes >= segment->data.size;
    pthread_mutex_unlock(&self->lock);
    return whole;
}

static bool is_used(struct segments *self, uint64_t number)
{
    pthread_mutex_lock(&self->lock);
    bool used = *find(self, number) != NULL;
    pthread_mutex_unlock(&self->lock);
    return used;
}

status segments_sweep(struct segments *self, struct arena *arena)
{
    struct files_names names;

    TRY(files_list(self->files, arena, SEGMENT_FOLDER, &names));
    for (size_t i = 0; i < names.n_names; i++) {
        uint64_t number = 0;
        if (sscanf(names.names[i], "%16" SCNx64, &number) == 1 && !is_used(self, number)) {
            TRY(files_remove(self->files, arena, segment_name(arena, number)));
        }
    }
    return status_ok();
}
