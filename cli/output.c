#include "cli/output.h"

#include "cli/table.h"
#include "libs/base/text.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

struct output {
    struct output_options options;
    struct arena *arena; /* of the table at hand */
    struct table *table;
    size_t n_rows;
};

struct output *output_new(const struct output_options *options)
{
    struct output *self = calloc(1, sizeof *self);

    if (self == NULL) {
        abort();
    }
    self->options = *options;
    self->arena = arena_new();
    self->table = table_new(self->arena);
    return self;
}

void output_free(struct output *self)
{
    if (self != NULL) {
        output_end(self);
        arena_free(self->arena);
        free(self);
    }
}

bool output_wants_colour(FILE *stream)
{
    const char *no_color = getenv("NO_COLOR"); /* no-color.org */
    const char *term = getenv("TERM");

    return isatty(fileno(stream)) && (no_color == NULL || no_color[0] == '\0') &&
           (term == NULL || strcmp(term, "dumb") != 0);
}

size_t output_width(FILE *stream)
{
    struct winsize size;

    return isatty(fileno(stream)) && ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 ? size.ws_col
                                                                                   : 0;
}

bool output_is_json(const struct output *self)
{
    return self->options.format == OUTPUT_JSON;
}

bool output_is_terminal(const struct output *self)
{
    return !output_is_json(self) && self->options.is_terminal;
}

size_t output_n_rows(const struct output *self)
{
    return self->n_rows;
}

struct field field_time(struct arena *arena, const char *name, int64_t wall_ms)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    char utc[32];
    char local[32];
    struct tm parts;

    if (wall_ms == 0) {
        return field_text(name, NULL);
    }
    (void)strftime(utc, sizeof utc, "%Y-%m-%dT%H:%M:%S", gmtime_r(&seconds, &parts));
    (void)strftime(local, sizeof local, "%Y-%m-%d %H:%M:%S", localtime_r(&seconds, &parts));
    return field_shown(
        arena_strdup(arena, local),
        field_text(name, arena_printf(arena, "%s.%03dZ", utc, (int)(wall_ms % 1000))));
}

/* ---- JSON ---- */

static void add_json_value(struct text *line, const struct field *field)
{
    switch (field->type) {
    case FIELD_TEXT:
        if (field->text != NULL) {
            text_add_json(line, bytes_of(field->text));
        } else {
            text_add(line, "null");
        }
        break;
    case FIELD_NUMBER:
        text_add(line, "%" PRId64, field->number);
        break;
    case FIELD_REAL:
        text_add(line, isfinite(field->real) ? "%.6g" : "null", field->real);
        break;
    case FIELD_BOOL:
        text_add(line, field->flag ? "true" : "false");
        break;
    case FIELD_RAW:
        text_add(line, "%s", field->text);
        break;
    }
}

static void print_object(struct output *self, const struct field *fields, size_t n_fields)
{
    struct arena *arena = arena_new();
    struct text line = text_new(arena);

    for (size_t i = 0; i < n_fields; i++) {
        if (fields[i].place != FIELD_TABLE_ONLY && fields[i].place != FIELD_TABLE_WHERE_ROOM) {
            text_add(&line, "%s\"%s\":", line.size == 0 ? "{" : ",", fields[i].name);
            add_json_value(&line, &fields[i]);
        }
    }
    (void)fprintf(self->options.out, "%s}\n", line.size == 0 ? "{" : text_string(&line));
    (void)fflush(self->options.out);
    arena_free(arena);
}

/* ---- Tables ---- */

void output_row(struct output *self, const struct field *fields, size_t n_fields)
{
    self->n_rows++;
    if (output_is_json(self)) {
        print_object(self, fields, n_fields);
    } else {
        table_add(self->table, fields, n_fields);
    }
}

void output_end(struct output *self)
{
    table_print(self->table, self->options.out, self->options.colour, self->options.width);
    (void)fflush(self->options.out);
    arena_reset(self->arena);
    self->table = table_new(self->arena);
}

/* ---- Between tables ---- */

void output_say(struct output *self, enum tone tone, const char *format, ...)
{
    struct arena *arena;
    char *line = NULL;
    va_list args;

    if (output_is_json(self)) {
        return;
    }
    output_end(self);
    arena = arena_new();
    va_start(args, format);
    if (vasprintf(&line, format, args) < 0) {
        abort();
    }
    va_end(args);
    print_toned(self->options.out, self->options.colour, tone, harmless(arena, line));
    (void)fputc('\n', self->options.out);
    (void)fflush(self->options.out);
    free(line);
    arena_free(arena);
}

void output_progress(struct output *self, const char *format, ...)
{
    va_list args;

    if (output_is_json(self)) {
        return;
    }
    va_start(args, format);
    (void)vfprintf(self->options.errors, format, args);
    va_end(args);
    (void)fflush(self->options.errors);
}

static void print_error_object(struct output *self, struct arena *arena, status s, const char *next)
{
    struct text line = text_new(arena);

    text_add(&line, "{\"error\":{\"code\":\"%s\",\"message\":", status_code_name(s.code));
    text_add_json(&line, bytes_of(s.message));
    if (next != NULL) {
        text_add(&line, ",\"next\":");
        text_add_json(&line, bytes_of(next));
    }
    (void)fprintf(self->options.errors, "%s}}\n", text_string(&line));
}

void output_error(struct output *self, status s, const char *next)
{
    struct arena *arena = arena_new();
    FILE *errors = self->options.errors;

    output_end(self);
    if (output_is_json(self)) {
        print_error_object(self, arena, s, next);
    } else {
        print_toned(errors, self->options.colour_errors, TONE_BAD, "error: ");
        (void)fprintf(errors, "%s (%s)\n", harmless(arena, s.message), status_code_name(s.code));
        if (next != NULL) {
            (void)fprintf(errors, "  next: %s\n", harmless(arena, next));
        }
    }
    arena_free(arena);
}
