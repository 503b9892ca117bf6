#include "libs/obs/log.h"

#include "libs/base/arena.h"
#include "libs/base/map.h"
#include "libs/base/random.h"
#include "libs/base/text.h"
#include "libs/obs/metrics.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const level_names[] = {
    [LEVEL_DEBUG] = "debug",
    [LEVEL_INFO] = "info",
    [LEVEL_WARN] = "warn",
    [LEVEL_ERROR] = "error",
};

/* What ends a line that was cut, and room for it. */
static const char cut_end[] = ",\"cut\":true}\n";
enum { ROOM = LOG_LINE_BYTES - (sizeof cut_end - 1) };

struct log {
    const char *service;
    const struct clock *clock;
    _Atomic int level;
    int fd;
    uint64_t secret_key[2];
};

struct log *log_new(const struct log_options *options)
{
    struct log *self = calloc(1, sizeof *self);

    if (self == NULL) {
        abort(); /* out of memory, when the process starts */
    }
    self->service = options->service;
    self->clock = options->clock;
    self->level = (int)options->level;
    self->fd = options->fd == 0 ? STDERR_FILENO : options->fd;
    /* The kernel's, in tests and simulations too: whoever reads a log must not know the key. */
    random_fill(&system_random, (uint8_t *)self->secret_key, sizeof self->secret_key);
    return self;
}

void log_free(struct log *self)
{
    free(self);
}

void log_set_level(struct log *self, enum log_level level)
{
    atomic_store_explicit(&self->level, (int)level, memory_order_relaxed);
}

bool log_level_parse(const char *name, enum log_level *ret_level)
{
    for (size_t i = 0; i < sizeof level_names / sizeof *level_names; i++) {
        if (strcmp(name, level_names[i]) == 0) {
            *ret_level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

bool log_wants(const struct log *self, enum log_level level)
{
    return self != NULL && (int)level >= atomic_load_explicit(&self->level, memory_order_relaxed);
}

/* ---- Fields ---- */

struct log_field log_text(const char *name, const char *value)
{
    return (struct log_field){
        .name = name,
        .text = value == NULL ? (bytes){ .data = NULL } : bytes_of(value),
    };
}

struct log_field log_bytes(const char *name, bytes value)
{
    static const uint8_t nothing[1];

    return (struct log_field){
        .name = name,
        .text = { .data = value.data == NULL ? nothing : value.data, .size = value.size },
    };
}

struct log_field log_int(const char *name, int64_t value)
{
    return (struct log_field){ .name = name, .type = LOG_INT, .integer = value };
}

struct log_field log_real(const char *name, double value)
{
    return (struct log_field){ .name = name, .type = LOG_REAL, .real = value };
}

struct log_field log_bool(const char *name, bool value)
{
    return (struct log_field){ .name = name, .type = LOG_BOOL, .boolean = value };
}

struct log_field log_secret(const char *name, bytes value)
{
    return (struct log_field){ .name = name, .type = LOG_SECRET, .text = value };
}

/* ---- A line ---- */

static void add_head(const struct log *self, struct text *line, enum log_level level)
{
    char time[CLOCK_TEXT];

    clock_format(clock_wall_ms(self->clock), time);
    text_add(line, "{\"time\":\"%s\",\"level\":\"%s\",\"service\":\"%s\",\"msg\":", time,
             level_names[level], self->service);
}

static void add_trace(struct text *line, const struct trace_context *trace)
{
    char trace_id[TRACE_ID_TEXT];
    char span_id[SPAN_ID_TEXT];

    trace_id_format(trace->trace_id, trace_id);
    span_id_format(trace->span_id, span_id);
    text_add(line, ",\"trace_id\":\"%s\",\"span_id\":\"%s\"", trace_id, span_id);
}

/* Text that is cut keeps what fits; all else is short.  Returns whether all of it fitted. */
static bool add_value(const struct log *self, struct text *line, const struct log_field *field)
{
    switch (field->type) {
    case LOG_TEXT:
        if (field->text.data != NULL) {
            return text_add_json_cut(line, field->text, ROOM - line->size);
        }
        text_add(line, "null");
        break;
    case LOG_INT:
        text_add(line, "%" PRId64, field->integer);
        break;
    case LOG_REAL:
        text_add(line, isfinite(field->real) ? "%.6g" : "null", field->real);
        break;
    case LOG_BOOL:
        text_add(line, "%s", field->boolean ? "true" : "false");
        break;
    case LOG_SECRET:
        text_add(line, "\"%08x\"", (unsigned)map_hash(self->secret_key, field->text));
        break;
    }
    return true;
}

static bool add_fields(const struct log *self, struct text *line, const struct log_field *fields)
{
    enum { LONGEST_NUMBER = 24 };

    for (const struct log_field *field = fields; field->name != NULL; field++) {
        if (line->size + strlen(field->name) + sizeof ",\"\":" + LONGEST_NUMBER > ROOM) {
            return false;
        }
        text_add(line, ",\"%s\":", field->name);
        if (!add_value(self, line, field)) {
            return false;
        }
    }
    return true;
}

static void write_line(const struct log *self, bytes line)
{
    ssize_t n;

    do {
        n = write(self->fd, line.data, line.size);
    } while (n < 0 && errno == EINTR);
    if (n != (ssize_t)line.size) {
        counter_add(COUNTER_log_lines_lost, 1);
    }
}

void log_line(struct log *self, enum log_level level, const struct trace_context *trace,
              const char *message, const struct log_field *fields)
{
    enum { TRACE_ROOM = 80 }; /* the ids come after the message, and always */
    int saved_errno = errno;  /* whoever logs an error may still want to look at it */
    struct arena *arena = arena_new();
    struct text line = text_new(arena);

    add_head(self, &line, level);
    bool whole = text_add_json_cut(&line, bytes_of(message), ROOM - TRACE_ROOM - line.size);
    if (trace != NULL) {
        add_trace(&line, trace);
    }
    whole = whole && add_fields(self, &line, fields);
    text_add(&line, "%s", whole ? "}\n" : cut_end);
    write_line(self, text_bytes(&line));
    arena_free(arena);
    errno = saved_errno;
}
