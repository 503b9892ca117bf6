#include "cli/supervisor/log_file.h"

#include "libs/base/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    DEFAULT_MAX_BYTES = 8 * 1024 * 1024,
    DEFAULT_N_FILES = 4,
};

struct log_file {
    struct files *files;
    char *name;
    uint64_t max_bytes;
    int n_files;
    struct file *file; /* NULL when it is not open */
    uint64_t size;
    uint64_t dropped; /* bytes that are to be told of */
};

struct log_file *log_file_new(const struct log_file_options *options)
{
    struct log_file *self = calloc(1, sizeof *self);

    if (self == NULL) {
        abort();
    }
    self->files = options->files;
    self->name = strdup(options->name);
    self->max_bytes = options->max_bytes != 0 ? options->max_bytes : DEFAULT_MAX_BYTES;
    self->n_files = options->n_files != 0 ? options->n_files : DEFAULT_N_FILES;
    if (self->name == NULL) {
        abort();
    }
    return self;
}

static void close_file(struct log_file *self)
{
    file_close(self->file);
    self->file = NULL;
}

void log_file_free(struct log_file *self)
{
    if (self != NULL) {
        close_file(self);
        free(self->name);
        free(self);
    }
}

static status open_file(struct log_file *self, struct arena *arena)
{
    if (self->file != NULL) {
        return status_ok();
    }
    TRY(files_open(self->files, arena, self->name, FILES_WRITE, &self->file));
    return file_size(self->file, arena, &self->size);
}

static const char *nth_name(const struct log_file *self, struct arena *arena, int n)
{
    return n == 0 ? self->name : arena_printf(arena, "%s.%d", self->name, n);
}

/* A file that is not there yet is no reason to stop. */
static void rotate(struct log_file *self, struct arena *arena)
{
    close_file(self);
    for (int n = self->n_files - 1; n > 0; n--) {
        (void)files_rename(self->files, arena, nth_name(self, arena, n - 1),
                           nth_name(self, arena, n));
    }
}

static status append(struct log_file *self, struct arena *arena, bytes data)
{
    TRY(open_file(self, arena));
    TRY(file_write_at(self->file, arena, self->size, data));
    self->size += data.size;
    return status_ok();
}

static status append_gap(struct log_file *self, struct arena *arena)
{
    if (self->dropped == 0) {
        return status_ok();
    }
    const char *line =
        arena_printf(arena,
                     "{\"level\":\"warn\",\"message\":\"log lines were lost: the disk "
                     "refused them\",\"bytes\":%" PRIu64 "}\n",
                     self->dropped);
    TRY(append(self, arena, bytes_of(line)));
    self->dropped = 0;
    return status_ok();
}

/* After a failed write the size is still that of before, so the next one goes over its half. */
static status write_piece(struct log_file *self, struct arena *arena, bytes piece)
{
    TRY(append_gap(self, arena));
    return append(self, arena, piece);
}

/* The first line's end at or behind offset, or all. */
static size_t line_end(bytes data, size_t offset)
{
    const uint8_t *end =
        offset < data.size ? memchr(data.data + offset, '\n', data.size - offset) : NULL;

    return end != NULL ? (size_t)(end - data.data) + 1 : data.size;
}

void log_file_write(struct log_file *self, bytes data)
{
    struct arena *arena = arena_new();

    while (data.size > 0) {
        (void)open_file(self, arena);
        size_t room = self->size < self->max_bytes ? (size_t)(self->max_bytes - self->size) : 0;
        size_t size = room >= data.size ? data.size : line_end(data, room > 0 ? room - 1 : 0);
        if (!status_is_ok(write_piece(self, arena, (bytes){ data.data, size }))) {
            self->dropped += size;
        }
        if (self->size >= self->max_bytes && data.data[size - 1] == '\n') {
            rotate(self, arena);
        }
        data = (bytes){ .data = data.data + size, .size = data.size - size };
    }
    arena_free(arena);
}
