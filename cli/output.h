/* output - what a verb has to say, as a table for people or as JSON, one object a line, for
 * programs.
 *
 * A verb makes rows of named, typed fields and does not know which of the two is wanted:
 *
 *     output_row(out, FIELDS(field_text("name", name), field_number("pid", pid)));
 *     output_end(out);
 *
 * The first row's fields are the columns.  A table is printed whole by output_end(), since widths
 * need all rows; an object is printed at once, so `weft bench -o json | ...` can follow.
 *
 * Colours are for terminals alone (and not when NO_COLOR is set).  What others wrote is shown
 * without its control characters: a tenant's name does not get to move our cursor.
 */

#ifndef CLI_OUTPUT_H_
#define CLI_OUTPUT_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum output_format { OUTPUT_TABLE, OUTPUT_JSON };

enum tone { TONE_PLAIN, TONE_GOOD, TONE_WARN, TONE_BAD, TONE_DIM, TONE_STRONG };

enum field_type { FIELD_TEXT, FIELD_NUMBER, FIELD_REAL, FIELD_BOOL, FIELD_RAW };

/* WHERE_ROOM: a table leaves it out in a terminal that is too narrow. */
enum field_place {
    FIELD_EVERYWHERE,
    FIELD_WHERE_ROOM,
    FIELD_JSON_ONLY,
    FIELD_TABLE_ONLY,
    FIELD_TABLE_WHERE_ROOM,
};

struct field {
    const char *name; /* the JSON name, and with spaces for its '_' the heading; a constant */
    enum field_type type;
    enum field_place place;
    enum tone tone;
    const char *text; /* NULL is null in JSON and "-" in a table; of FIELD_RAW it is JSON already */
    int64_t number;
    double real;
    bool flag;
    const char *shown; /* in the table, in place of the value; NULL for none */
};

static inline struct field field_text(const char *name, const char *value)
{
    return (struct field){ .name = name, .type = FIELD_TEXT, .text = value };
}

static inline struct field field_number(const char *name, int64_t value)
{
    return (struct field){ .name = name, .type = FIELD_NUMBER, .number = value };
}

static inline struct field field_real(const char *name, double value)
{
    return (struct field){ .name = name, .type = FIELD_REAL, .real = value };
}

static inline struct field field_bool(const char *name, bool value)
{
    return (struct field){ .name = name, .type = FIELD_BOOL, .flag = value };
}

/* json is what JSON says as it is, shown what the table says; NULL for what is only for programs.
 */
static inline struct field field_raw(const char *name, const char *json, const char *shown)
{
    return (struct field){ .name = name,
                           .type = FIELD_RAW,
                           .text = json,
                           .shown = shown,
                           .place = shown == NULL ? FIELD_JSON_ONLY : FIELD_EVERYWHERE };
}

/* Milliseconds since 1970: RFC 3339 in JSON, the machine's time zone in a table; 0 is null. */
struct field field_time(struct arena *arena, const char *name, int64_t wall_ms) NONNULL;

static inline struct field field_only(enum field_place place, struct field field)
{
    field.place = place;
    return field;
}

static inline struct field field_tone(enum tone tone, struct field field)
{
    field.tone = tone;
    return field;
}

static inline struct field field_shown(const char *shown, struct field field)
{
    field.shown = shown;
    return field;
}

#define FIELDS(...)                        \
    (const struct field[]){ __VA_ARGS__ }, \
        sizeof((const struct field[]){ __VA_ARGS__ }) / sizeof(struct field)

struct output;

struct output_options {
    FILE *out;    /* required; borrowed */
    FILE *errors; /* required; borrowed */
    enum output_format format;
    bool colour; /* as output_wants_colour() says of out, and of errors */
    bool colour_errors;
    bool is_terminal; /* out: a line may be written over */
    size_t width; /* of the terminal, as output_width() says; 0: lines are as long as they are */
};

/* The caller owns it: output_free(), which prints what is not printed yet. */
struct output *output_new(const struct output_options *options) NONNULL RETURNS_NONNULL;
void output_free(struct output *self);

bool output_wants_colour(FILE *stream) NONNULL;
/* In characters; 0 when it is no terminal. */
size_t output_width(FILE *stream) NONNULL;
bool output_is_json(const struct output *self) NONNULL;
bool output_is_terminal(const struct output *self) NONNULL;
/* Of all tables until now. */
size_t output_n_rows(const struct output *self) NONNULL;

/* Fields are copied. */
void output_row(struct output *self, const struct field *fields, size_t n_fields) NONNULL;
/* Ends a table; the next row begins another. */
void output_end(struct output *self) NONNULL;

/* A line between tables, for people alone; with JSON it says nothing. */
void output_say(struct output *self, enum tone tone, const char *format, ...)
    NONNULL PRINTF_LIKE(3, 4);
/* On standard error, for people alone: what is going on while one waits. */
void output_progress(struct output *self, const char *format, ...) NONNULL PRINTF_LIKE(2, 3);
/* What went wrong, on standard error, and when next is not NULL what to do about it. */
void output_error(struct output *self, status s, const char *next) NONNULL_ARGS(1);

#endif
