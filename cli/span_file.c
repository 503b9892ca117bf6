#include "cli/span_file.h"

#include "libs/base/files.h"
#include "libs/base/text.h"

#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_SPANS = 4096 }; /* of one trace: more than a ring of the tracer keeps */

/* ---- Appending ---- */

static void add_line(struct text *into, const char *trace_id, const struct trace_span *span)
{
    text_add(into, "{\"trace_id\":\"%s\",\"span_id\":\"%s\",\"parent_span_id\":\"%s\"", trace_id,
             span->span_id, span->parent_span_id);
    text_add(into, ",\"start_us\":%" PRId64 ",\"duration_us\":%" PRId64 ",\"code\":%d",
             span->start_us, span->duration_us, span->code);
    text_add(into, ",\"service\":");
    text_add_json(into, bytes_of(span->service));
    text_add(into, ",\"name\":");
    text_add_json(into, bytes_of(span->name));
    text_add(into, "}\n");
}

static void make_room(struct arena *arena, const char *path)
{
    struct stat info;

    if (stat(path, &info) == 0 && info.st_size > SPAN_FILE_MAX_BYTES) {
        (void)rename(path, arena_printf(arena, "%s.1", path));
    }
}

void span_file_append(struct arena *arena, const char *folder, const char *trace_id,
                      const struct trace_span *spans, size_t n_spans)
{
    const char *path = arena_printf(arena, "%s/spans", folder);
    struct text lines = text_new(arena);

    for (size_t i = 0; i < n_spans; i++) {
        add_line(&lines, trace_id, &spans[i]);
    }
    make_room(arena, path);
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0) {
        (void)!write(fd, text_string(&lines), lines.size);
        (void)close(fd);
    }
}

/* ---- Finding ---- */

static const char *text_of(struct arena *arena, const json_t *object, const char *name)
{
    const char *value = json_string_value(json_object_get(object, name));

    return arena_strdup(arena, value != NULL ? value : "");
}

static struct trace_span parse(struct arena *arena, const json_t *object)
{
    return (struct trace_span){
        .span_id = text_of(arena, object, "span_id"),
        .parent_span_id = text_of(arena, object, "parent_span_id"),
        .name = text_of(arena, object, "name"),
        .service = text_of(arena, object, "service"),
        .start_us = json_integer_value(json_object_get(object, "start_us")),
        .duration_us = json_integer_value(json_object_get(object, "duration_us")),
        .code = (int)json_integer_value(json_object_get(object, "code")),
    };
}

/* Only lines that have the id are parsed, so a megabyte takes a millisecond. */
static size_t find_in(struct arena *arena, bytes data, const char *trace_id,
                      struct trace_span *spans, size_t n)
{
    const char *text = (const char *)data.data;
    const char *found = text;

    while (n < MAX_SPANS && (found = strstr(found, trace_id)) != NULL) {
        const char *begin = found;
        while (begin > text && begin[-1] != '\n') {
            begin--;
        }
        size_t size = strcspn(begin, "\n");
        json_t *object = json_loadb(begin, size, 0, NULL);
        if (strcmp(text_of(arena, object, "trace_id"), trace_id) == 0) {
            spans[n++] = parse(arena, object);
        }
        json_decref(object);
        found = begin + size;
    }
    return n;
}

void span_file_find(struct arena *arena, const char *folder, const char *trace_id,
                    const struct trace_span **ret_spans, size_t *ret_n)
{
    static const char *const names[] = { "spans.1", "spans" };
    struct trace_span *spans = ARENA_NEW_ARRAY(arena, struct trace_span, MAX_SPANS);
    struct disk_files files;
    size_t n = 0;

    *ret_spans = spans;
    *ret_n = 0;
    if (trace_id[0] == '\0' || !status_is_ok(disk_files_init(&files, arena, folder))) {
        return;
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        bytes data;
        if (status_is_ok(
                files_read(&files.files, arena, names[i], 16 * SPAN_FILE_MAX_BYTES, &data))) {
            n = find_in(arena, data, trace_id, spans, n);
        }
    }
    disk_files_reset(&files);
    *ret_n = n;
}
