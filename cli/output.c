#include "cli/output.h"

#include "libs/base/text.h"
#include "libs/base/utf8.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MAX_COLUMNS = 24 };

struct cell {
    const char *text;
    enum tone tone;
    size_t width;
};

struct row {
    struct cell cells[MAX_COLUMNS];
    struct row *next;
};

struct column {
    const char *heading;
    bool is_number; /* set right-aligned */
    size_t width;
};

struct output {
    struct output_options options;
    struct arena *arena; /* of the table at hand */
    struct column columns[MAX_COLUMNS];
    size_t n_columns;
    struct row *first;
    struct row **end;
};

struct output *output_new(const struct output_options *options)
{
    struct output *self = calloc(1, sizeof *self);

    if (self == NULL) {
        abort();
    }
    self->options = *options;
    self->arena = arena_new();
    self->end = &self->first;
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

bool output_is_json(const struct output *self)
{
    return self->options.format == OUTPUT_JSON;
}

bool output_is_terminal(const struct output *self)
{
    return !output_is_json(self) && self->options.colour;
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
        if (fields[i].place != FIELD_TABLE_ONLY) {
            text_add(&line, "%s\"%s\":", line.size == 0 ? "{" : ",", fields[i].name);
            add_json_value(&line, &fields[i]);
        }
    }
    (void)fprintf(self->options.out, "%s}\n", line.size == 0 ? "{" : text_string(&line));
    (void)fflush(self->options.out);
    arena_free(arena);
}

/* ---- Tables ---- */

static size_t width_of(const char *text)
{
    size_t width = 0;

    for (; *text != '\0'; text++) {
        width += ((unsigned char)*text & 0xc0) != 0x80; /* not inside a character */
    }
    return width;
}

/* Without what would be an order to the terminal; what is no UTF-8 becomes '?'. */
static const char *harmless(struct arena *arena, const char *text)
{
    struct text clean = text_new(arena);
    bytes rest = bytes_of(text);

    while (rest.size > 0) {
        uint32_t character = 0;
        size_t size = utf8_decode(rest, &character);
        bool ok = size > 0 && character >= ' ' && (character < 0x7f || character > 0x9f);
        if (ok) {
            text_add_bytes(&clean, (bytes){ .data = rest.data, .size = size });
        } else {
            text_add(&clean, "%s", character == '\n' || character == '\t' ? " " : "?");
        }
        size_t used = size > 0 ? size : 1;
        rest = (bytes){ .data = rest.data + used, .size = rest.size - used };
    }
    return text_string(&clean);
}

static const char *shown(struct arena *arena, const struct field *field)
{
    if (field->shown != NULL) {
        return harmless(arena, field->shown);
    }
    switch (field->type) {
    case FIELD_TEXT:
        return field->text != NULL && field->text[0] != '\0' ? harmless(arena, field->text) : "-";
    case FIELD_NUMBER:
        return arena_printf(arena, "%" PRId64, field->number);
    case FIELD_REAL:
        return arena_printf(arena, "%.4g", field->real);
    case FIELD_BOOL:
        return field->flag ? "yes" : "no";
    case FIELD_RAW:
        return harmless(arena, field->text);
    }
    return "-";
}

static const char *heading_of(struct arena *arena, const char *name)
{
    char *heading = arena_strdup(arena, name);

    for (char *c = heading; *c != '\0'; c++) {
        *c = (char)(*c == '_' ? ' ' : toupper((unsigned char)*c));
    }
    return heading;
}

static void begin_table(struct output *self, const struct field *fields, size_t n_fields)
{
    for (size_t i = 0; i < n_fields && self->n_columns < MAX_COLUMNS; i++) {
        if (fields[i].place != FIELD_JSON_ONLY) {
            struct column *column = &self->columns[self->n_columns++];
            column->heading = heading_of(self->arena, fields[i].name);
            column->is_number = fields[i].type == FIELD_NUMBER || fields[i].type == FIELD_REAL;
            column->width = width_of(column->heading);
        }
    }
}

static void add_row(struct output *self, const struct field *fields, size_t n_fields)
{
    struct row *row = ARENA_NEW(self->arena, struct row);
    size_t n = 0;

    if (self->n_columns == 0) {
        begin_table(self, fields, n_fields);
    }
    for (size_t i = 0; i < n_fields && n < self->n_columns; i++) {
        if (fields[i].place != FIELD_JSON_ONLY) {
            const char *text = shown(self->arena, &fields[i]);
            struct column *column = &self->columns[n];
            row->cells[n] = (struct cell){ text, fields[i].tone, width_of(text) };
            column->width =
                row->cells[n].width > column->width ? row->cells[n].width : column->width;
            n++;
        }
    }
    *self->end = row;
    self->end = &row->next;
}

void output_row(struct output *self, const struct field *fields, size_t n_fields)
{
    if (output_is_json(self)) {
        print_object(self, fields, n_fields);
    } else {
        add_row(self, fields, n_fields);
    }
}

/* ECMA-48's "select graphic rendition". */
static const char *rendition(enum tone tone)
{
    switch (tone) {
    case TONE_PLAIN:
        return "";
    case TONE_GOOD:
        return "\x1b[32m";
    case TONE_WARN:
        return "\x1b[33m";
    case TONE_BAD:
        return "\x1b[31m";
    case TONE_DIM:
        return "\x1b[2m";
    case TONE_STRONG:
        return "\x1b[1m";
    }
    return "";
}

static void print_toned(const struct output *self, FILE *stream, enum tone tone, const char *text)
{
    if (self->options.colour && tone != TONE_PLAIN) {
        (void)fprintf(stream, "%s%s\x1b[0m", rendition(tone), text);
    } else {
        (void)fputs(text, stream);
    }
}

static void print_cell(const struct output *self, size_t column, struct cell cell)
{
    FILE *out = self->options.out;
    int pad = (int)(self->columns[column].width - cell.width);
    bool is_last = column + 1 == self->n_columns;

    if (self->columns[column].is_number) {
        (void)fprintf(out, "%*s", pad, "");
    }
    print_toned(self, out, cell.tone, cell.text != NULL ? cell.text : "");
    if (is_last) {
        (void)fputc('\n', out);
    } else {
        (void)fprintf(out, "%*s", (self->columns[column].is_number ? 0 : pad) + 2, "");
    }
}

void output_end(struct output *self)
{
    if (self->n_columns > 0) {
        for (size_t i = 0; i < self->n_columns; i++) {
            const char *heading = self->columns[i].heading;
            print_cell(self, i, (struct cell){ heading, TONE_DIM, width_of(heading) });
        }
        for (const struct row *row = self->first; row != NULL; row = row->next) {
            for (size_t i = 0; i < self->n_columns; i++) {
                print_cell(self, i, row->cells[i]);
            }
        }
    }
    (void)fflush(self->options.out);
    self->n_columns = 0;
    self->first = NULL;
    self->end = &self->first;
    arena_reset(self->arena);
}

/* ---- Between tables ---- */

void output_say(struct output *self, enum tone tone, const char *format, ...)
{
    char line[4096];
    va_list args;

    if (output_is_json(self)) {
        return;
    }
    output_end(self);
    va_start(args, format);
    (void)vsnprintf(line, sizeof line, format, args);
    va_end(args);
    print_toned(self, self->options.out, tone, line);
    (void)fputc('\n', self->options.out);
    (void)fflush(self->options.out);
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
        print_toned(self, errors, TONE_BAD, "error: ");
        (void)fprintf(errors, "%s (%s)\n", harmless(arena, s.message), status_code_name(s.code));
        if (next != NULL) {
            (void)fprintf(errors, "  next: %s\n", harmless(arena, next));
        }
    }
    arena_free(arena);
}
