#include "cli/log_lines.h"

#include "libs/base/text.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    MAX_TAIL_BYTES = 4 * 1024 * 1024, /* of which the last lines are taken: half a file */
    CHUNK_BYTES = 64 * 1024,
};

void log_reader_init(struct log_reader *self, const char *path)
{
    *self = (struct log_reader){ .path = path, .fd = -1 };
}

static void close_file(struct log_reader *self)
{
    if (self->fd >= 0) {
        (void)close(self->fd);
    }
    self->fd = -1;
}

void log_reader_reset(struct log_reader *self)
{
    close_file(self);
    free(self->partial);
    *self = (struct log_reader){ .fd = -1 };
}

static bool open_file(struct log_reader *self)
{
    struct stat info;

    if (self->fd < 0) {
        self->fd = open(self->path, O_RDONLY | O_CLOEXEC);
        if (self->fd >= 0 && fstat(self->fd, &info) == 0) {
            self->inode = info.st_ino;
        }
    }
    return self->fd >= 0;
}

static void keep_partial(struct log_reader *self, const char *data, size_t size)
{
    char *partial = malloc(size + 1);

    if (partial == NULL) {
        abort();
    }
    memcpy(partial, data, size);
    free(self->partial);
    self->partial = partial;
    self->partial_size = size;
}

/* All that is there from where we stand, behind the part of a line that was kept. */
static struct text read_on(struct log_reader *self, struct arena *arena)
{
    struct text all = text_new(arena);
    uint8_t *chunk = arena_alloc(arena, CHUNK_BYTES);
    ssize_t n;

    if (self->partial_size > 0) {
        text_add_bytes(&all, (bytes){ (const uint8_t *)self->partial, self->partial_size });
    }
    while (open_file(self) && (n = read(self->fd, chunk, CHUNK_BYTES)) > 0) {
        text_add_bytes(&all, (bytes){ chunk, (size_t)n });
    }
    return all;
}

/* Cuts into lines, and keeps what has no end yet. */
static struct log_lines cut(struct log_reader *self, struct arena *arena, const struct text *all)
{
    struct log_lines found = { 0 };
    const char *at = text_string(all);
    const char *end;
    size_t n = 0;

    for (const char *c = at; *c != '\0'; c++) {
        n += *c == '\n';
    }
    found.lines = ARENA_NEW_ARRAY(arena, const char *, n + 1);
    for (; (end = strchr(at, '\n')) != NULL; at = end + 1) {
        found.lines[found.n_lines++] = arena_printf(arena, "%.*s", (int)(end - at), at);
    }
    keep_partial(self, at, strlen(at));
    return found;
}

struct log_lines log_reader_last(struct log_reader *self, struct arena *arena, size_t n)
{
    bool from_middle = false;

    if (open_file(self)) {
        off_t size = lseek(self->fd, 0, SEEK_END);
        from_middle = size > MAX_TAIL_BYTES;
        (void)lseek(self->fd, from_middle ? size - MAX_TAIL_BYTES : 0, SEEK_SET);
    }
    struct text all = read_on(self, arena);
    struct log_lines found = cut(self, arena, &all);
    size_t skip = found.n_lines > n ? found.n_lines - n : 0;
    skip += from_middle && skip == 0 && found.n_lines > 0; /* the first is not whole */
    return (struct log_lines){ .lines = found.lines + skip, .n_lines = found.n_lines - skip };
}

static bool was_rotated(const struct log_reader *self)
{
    struct stat info;

    return self->fd >= 0 && stat(self->path, &info) == 0 && info.st_ino != self->inode;
}

struct log_lines log_reader_next(struct log_reader *self, struct arena *arena)
{
    /* Asked before reading: what was written between stands in the old file. */
    bool rotated = was_rotated(self);
    struct text all = read_on(self, arena);

    if (rotated) {
        close_file(self);
        while (open_file(self)) {
            uint8_t *chunk = arena_alloc(arena, CHUNK_BYTES);
            ssize_t n = read(self->fd, chunk, CHUNK_BYTES);
            if (n <= 0) {
                break;
            }
            text_add_bytes(&all, (bytes){ chunk, (size_t)n });
        }
    }
    return cut(self, arena, &all);
}

/* ---- Lines ---- */

static const char *string_of(const json_t *object, const char *name)
{
    const char *value = json_string_value(json_object_get(object, name));

    return value != NULL ? value : "";
}

const char *log_line_time(struct arena *arena, const char *line)
{
    json_t *object = json_loads(line, 0, NULL);
    const char *time = arena_strdup(arena, string_of(object, "time"));

    json_decref(object);
    return time;
}

static bool is_heading(const char *name)
{
    return strcmp(name, "time") == 0 || strcmp(name, "level") == 0 ||
           strcmp(name, "service") == 0 || strcmp(name, "msg") == 0;
}

static void add_field(struct text *into, const char *name, const json_t *value)
{
    if (json_is_string(value)) {
        text_add(into, "  %s=%s", name, json_string_value(value));
        return;
    }
    char *dumped = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    text_add(into, "  %s=%s", name, dumped != NULL ? dumped : "?");
    free(dumped);
}

const char *log_line_for_people(struct arena *arena, const char *line)
{
    json_t *object = json_loads(line, 0, NULL);
    struct text text = text_new(arena);
    const char *name;
    json_t *value;

    if (!json_is_object(object)) {
        json_decref(object);
        return line;
    }
    const char *time = string_of(object, "time");
    const char *clock = strlen(time) > 11 ? time + 11 : time; /* behind "2026-11-21T" */
    text_add(&text, "%-13s %-5s %-10s %s", clock, string_of(object, "level"),
             string_of(object, "service"), string_of(object, "msg"));
    json_object_foreach(object, name, value)
    {
        if (!is_heading(name)) {
            add_field(&text, name, value);
        }
    }
    json_decref(object);
    return text_string(&text);
}
