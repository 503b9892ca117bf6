#include "services/search/segment_writer.h"

#include <stdlib.h>
#include <string.h>

status segment_writer_init(struct segment_writer *self, struct arena *arena, struct files *files,
                           const char *name)
{
    struct file *file = NULL;

    TRY(files_remove(files, arena, name));
    TRY(files_open(files, arena, name, FILES_WRITE, &file));
    *self = (struct segment_writer){
        .arena = arena,
        .file = file,
        .buffer = malloc(SEGMENT_BUFFER_BYTES),
        .failure = status_ok(),
    };
    if (self->buffer == NULL) {
        abort();
    }
    return status_ok();
}

void segment_writer_reset(struct segment_writer *self)
{
    file_close(self->file);
    free(self->buffer);
    self->file = NULL;
    self->buffer = NULL;
}

static void flush(struct segment_writer *self)
{
    bytes data = { .data = self->buffer, .size = self->n_buffered };

    if (status_is_ok(self->failure)) {
        self->failure = file_write_at(self->file, self->arena, self->offset - data.size, data);
    }
    self->n_buffered = 0;
}

void segment_writer_add(struct segment_writer *self, bytes data)
{
    while (data.size > 0) {
        size_t room = SEGMENT_BUFFER_BYTES - self->n_buffered;
        size_t n = data.size < room ? data.size : room;
        memcpy(self->buffer + self->n_buffered, data.data, n);
        self->n_buffered += n;
        self->offset += n;
        data.data += n;
        data.size -= n;
        if (self->n_buffered == SEGMENT_BUFFER_BYTES) {
            flush(self);
        }
    }
}

void segment_writer_align(struct segment_writer *self)
{
    static const uint8_t zeros[8] = { 0 };

    segment_writer_add(self, (bytes){ .data = zeros, .size = (8 - self->offset % 8) % 8 });
}

status segment_writer_finish(struct segment_writer *self)
{
    flush(self);
    TRY(self->failure);
    return file_sync(self->file, self->arena);
}
