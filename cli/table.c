#include "cli/table.h"

#include "libs/base/text.h"
#include "libs/base/utf8.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

enum { MAX_COLUMNS = 24, GAP = 2 };

struct cell {
    const char *text;
    enum tone tone;
};

struct row {
    struct cell cells[MAX_COLUMNS];
    struct row *next;
};

struct column {
    bool is_number; /* set right-aligned */
    bool is_optional;
    bool is_left_out;
    size_t width;
};

struct table {
    struct arena *arena;
    const char *breaks; /* behind these a cell may be broken */
    struct column columns[MAX_COLUMNS];
    size_t n_columns;
    struct row *first; /* the headings */
    struct row **end;
};

struct table *table_new(struct arena *arena)
{
    struct table *self = ARENA_NEW(arena, struct table);

    *self = (struct table){ .arena = arena, .breaks = "" };
    self->end = &self->first;
    return self;
}

/* ---- Text ---- */

const char *harmless(struct arena *arena, const char *text)
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

/* The part of text that the next line takes, when it may be broken to be no wider than width. */
struct piece {
    size_t size;  /* bytes, with the spaces at its end */
    size_t shown; /* bytes without them */
    size_t width; /* of what is shown */
};

static struct piece piece_of(const char *text, size_t width, const char *breaks)
{
    struct piece best = { 0 };
    struct piece at = { 0 };

    while (text[at.size] != '\0') {
        char c = text[at.size++];
        at.width += ((unsigned char)c & 0xc0) != 0x80; /* not inside a character */
        if (c != ' ') {
            at.shown = at.size;
        }
        bool is_end = text[at.size] == '\0';
        /* An indentation belongs to the word behind it. */
        bool may_end =
            is_end || (at.shown > 0 && strchr(breaks, c) != NULL && text[at.size] != ' ');
        struct piece here = { at.size, at.shown, at.width - (at.size - at.shown) };
        if (may_end && best.size > 0 && here.width > width) {
            return best;
        }
        if (may_end) {
            best = here;
        }
    }
    return best;
}

/* ---- Rows ---- */

static void begin(struct table *self, const struct field *fields, size_t n_fields)
{
    struct row *headings = ARENA_NEW(self->arena, struct row);

    for (size_t i = 0; i < n_fields && self->n_columns < MAX_COLUMNS; i++) {
        if (fields[i].place != FIELD_JSON_ONLY) {
            headings->cells[self->n_columns] =
                (struct cell){ heading_of(self->arena, fields[i].name), TONE_DIM };
            self->columns[self->n_columns++] = (struct column){
                .is_number = fields[i].type == FIELD_NUMBER || fields[i].type == FIELD_REAL,
                .is_optional = fields[i].place == FIELD_WHERE_ROOM ||
                               fields[i].place == FIELD_TABLE_WHERE_ROOM,
            };
        }
    }
    *self->end = headings;
    self->end = &headings->next;
}

void table_add(struct table *self, const struct field *fields, size_t n_fields)
{
    struct row *row = ARENA_NEW(self->arena, struct row);
    size_t n = 0;

    if (self->first == NULL) {
        begin(self, fields, n_fields);
    }
    for (size_t i = 0; i < n_fields && n < self->n_columns; i++) {
        if (fields[i].place != FIELD_JSON_ONLY) {
            row->cells[n++] = (struct cell){ shown(self->arena, &fields[i]), fields[i].tone };
        }
    }
    for (; n < self->n_columns; n++) {
        row->cells[n].text = "";
    }
    *self->end = row;
    self->end = &row->next;
}

/* ---- Widths ---- */

struct measure {
    size_t width;
    size_t lines; /* of the row with most */
};

/* What column i becomes when it is broken to be no wider than width, as far as that is possible. */
static struct measure measure(const struct table *self, size_t i, size_t width)
{
    struct measure found = { 0 };

    for (const struct row *row = self->first; row != NULL; row = row->next) {
        const char *rest = row->cells[i].text;
        size_t lines = 0;
        while (*rest != '\0') {
            struct piece piece = piece_of(rest, width, self->breaks);
            found.width = piece.width > found.width ? piece.width : found.width;
            rest += piece.size;
            lines++;
        }
        found.lines = lines > found.lines ? lines : found.lines;
    }
    return found;
}

static size_t whole_width(const struct table *self)
{
    size_t sum = 0;

    for (size_t i = 0; i < self->n_columns; i++) {
        if (!self->columns[i].is_left_out) {
            sum += self->columns[i].width + (sum > 0 ? GAP : 0);
        }
    }
    return sum;
}

/* Makes one column narrower: the one that costs the fewest lines, of those the widest. */
static bool shrink_one(struct table *self, size_t width)
{
    struct column *best = NULL;
    struct measure of_best = { 0 };

    for (size_t i = 0; i < self->n_columns; i++) {
        struct column *column = &self->columns[i];
        if (column->is_left_out || column->width == 0) {
            continue;
        }
        struct measure narrower =
            measure(self, i, column->width > width ? width : column->width - 1);
        if (narrower.width < column->width &&
            (best == NULL || narrower.lines < of_best.lines ||
             (narrower.lines == of_best.lines && column->width > best->width))) {
            best = column;
            of_best = narrower;
        }
    }
    if (best != NULL) {
        best->width = of_best.width;
    }
    return best != NULL;
}

static void set_widths(struct table *self)
{
    for (size_t i = 0; i < self->n_columns; i++) {
        self->columns[i].width = measure(self, i, SIZE_MAX).width;
    }
}

static bool fit(struct table *self, size_t width)
{
    static const char *const breaks[] = { " /", " /.:-_" };

    set_widths(self);
    for (size_t i = self->n_columns; i-- > 0 && whole_width(self) > width;) {
        self->columns[i].is_left_out = self->columns[i].is_optional;
    }
    for (size_t i = 0; i < 2 && whole_width(self) > width; i++) {
        self->breaks = breaks[i];
        while (whole_width(self) > width && shrink_one(self, width)) {
        }
    }
    return whole_width(self) <= width;
}

/* ---- Printing ---- */

static const char *const renditions[] = {
    /* ECMA-48's "select graphic rendition". */
    [TONE_PLAIN] = "",       [TONE_GOOD] = "\x1b[32m", [TONE_WARN] = "\x1b[33m",
    [TONE_BAD] = "\x1b[31m", [TONE_DIM] = "\x1b[2m",   [TONE_STRONG] = "\x1b[1m",
};

void print_toned(FILE *out, bool colour, enum tone tone, const char *text)
{
    bool is_toned = colour && tone != TONE_PLAIN;

    (void)fprintf(out, "%s%s%s", is_toned ? renditions[tone] : "", text, is_toned ? "\x1b[0m" : "");
}

/* One line of a row; each cell's text moves on by what is printed of it. */
static bool print_line(const struct table *self, struct row *row, FILE *out, bool colour)
{
    size_t n_spaces = 0; /* that stand before the next text: none is printed at a line's end */
    bool has_more = false;

    for (size_t i = 0; i < self->n_columns; i++) {
        const struct column *column = &self->columns[i];
        struct cell *cell = &row->cells[i];
        if (column->is_left_out) {
            continue;
        }
        struct piece piece = piece_of(cell->text, column->width, self->breaks);
        size_t pad = column->width - piece.width;
        n_spaces += column->is_number ? pad : 0;
        if (piece.shown > 0) {
            (void)fprintf(out, "%*s", (int)n_spaces, "");
            print_toned(out, colour, cell->tone,
                        arena_printf(self->arena, "%.*s", (int)piece.shown, cell->text));
            n_spaces = 0;
        }
        n_spaces += (column->is_number ? 0 : pad) + GAP;
        cell->text += piece.size;
        has_more = has_more || *cell->text != '\0';
    }
    (void)fputc('\n', out);
    return has_more;
}

/* A line for each field, an empty one between rows. */
static void print_blocks(const struct table *self, FILE *out, bool colour)
{
    size_t widest = 0;

    for (size_t i = 0; i < self->n_columns; i++) {
        size_t size = strlen(self->first->cells[i].text); /* of letters, as names of fields are */
        widest = size > widest ? size : widest;
    }
    for (const struct row *row = self->first->next; row != NULL; row = row->next) {
        for (size_t i = 0; i < self->n_columns; i++) {
            const struct cell *heading = &self->first->cells[i];
            print_toned(out, colour, heading->tone, heading->text);
            (void)fprintf(out, "%*s", (int)(widest - strlen(heading->text)) + GAP, "");
            print_toned(out, colour, row->cells[i].tone, row->cells[i].text);
            (void)fputc('\n', out);
        }
        if (row->next != NULL) {
            (void)fputc('\n', out);
        }
    }
}

void table_print(struct table *self, FILE *out, bool colour, size_t width)
{
    if (self->first == NULL) {
        return;
    }
    if (!fit(self, width > 0 ? width : SIZE_MAX)) {
        print_blocks(self, out, colour);
        return;
    }
    for (struct row *row = self->first; row != NULL; row = row->next) {
        while (print_line(self, row, out, colour)) {
        }
    }
}
