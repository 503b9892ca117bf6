#include "cli/apt_records.h"

#include "libs/base/map.h"
#include "libs/base/text.h"
#include "libs/base/utf8.h"

#include <stdlib.h>
#include <string.h>

/* A field of a stanza: its first line's value, and its other lines as they stand. */
struct apt_field {
    bytes name;
    bytes value;
};

enum { MAX_FIELDS = 64 }; /* the longest stanza of Debian 12 has 31 */

struct stanza {
    struct apt_field fields[MAX_FIELDS];
    size_t n_fields;
};

struct description {
    const char *summary;
    const char *text;
};

struct apt_reader {
    struct arena *arena;
    struct map descriptions; /* by Description-md5 */
    struct map seen;         /* by the package's name */
    struct apt_record *records;
    size_t n_records;
    size_t capacity;
};

struct apt_reader *apt_reader_new(void)
{
    struct apt_reader *self = calloc(1, sizeof *self);

    if (self == NULL) {
        abort();
    }
    self->arena = arena_new();
    map_init(&self->descriptions);
    map_init(&self->seen);
    return self;
}

void apt_reader_free(struct apt_reader *self)
{
    if (self == NULL) {
        return;
    }
    map_reset(&self->descriptions, NULL);
    map_reset(&self->seen, NULL);
    arena_free(self->arena);
    free(self->records);
    free(self);
}

size_t apt_reader_count(const struct apt_reader *self)
{
    return self->n_records;
}

const struct apt_record *apt_reader_record(const struct apt_reader *self, size_t n)
{
    return &self->records[n];
}

/* ---- Stanzas ---- */

/* Takes the next line from *rest, without its end. */
static bool next_line(bytes *rest, bytes *ret_line)
{
    if (rest->size == 0) {
        return false;
    }
    const uint8_t *end = memchr(rest->data, '\n', rest->size);
    size_t size = end != NULL ? (size_t)(end - rest->data) : rest->size;
    size_t used = size + (end != NULL);
    *ret_line = (bytes){ .data = rest->data, .size = size };
    *rest = (bytes){ .data = rest->data + used, .size = rest->size - used };
    return true;
}

static bytes without_spaces(bytes value)
{
    while (value.size > 0 && (value.data[0] == ' ' || value.data[0] == '\t')) {
        value = (bytes){ .data = value.data + 1, .size = value.size - 1 };
    }
    return value;
}

static void begin_field(struct stanza *stanza, bytes line)
{
    const uint8_t *colon = memchr(line.data, ':', line.size);

    if (colon == NULL || stanza->n_fields == MAX_FIELDS) {
        return; /* no field: its lines, if any, go to the one before, which is as wrong */
    }
    size_t size = (size_t)(colon - line.data);
    stanza->fields[stanza->n_fields++] = (struct apt_field){
        .name = { .data = line.data, .size = size },
        .value = without_spaces((bytes){ .data = colon + 1, .size = line.size - size - 1 }),
    };
}

/* A line that goes on stands right behind the value, so the value grows over it. */
static void continue_field(struct stanza *stanza, bytes line)
{
    if (stanza->n_fields > 0) {
        struct apt_field *field = &stanza->fields[stanza->n_fields - 1];
        field->value.size = (size_t)(line.data + line.size - field->value.data);
    }
}

/* False when there is no more. */
static bool next_stanza(bytes *rest, struct stanza *ret)
{
    bytes line;

    ret->n_fields = 0;
    while (next_line(rest, &line)) {
        if (line.size == 0) {
            if (ret->n_fields > 0) {
                return true;
            }
        } else if (line.data[0] == ' ' || line.data[0] == '\t') {
            continue_field(ret, line);
        } else {
            begin_field(ret, line);
        }
    }
    return ret->n_fields > 0;
}

static bytes value_of(const struct stanza *stanza, const char *name)
{
    size_t size = strlen(name);

    for (size_t i = 0; i < stanza->n_fields; i++) {
        const struct apt_field *field = &stanza->fields[i];
        if (field->name.size == size && memcmp(field->name.data, name, size) == 0) {
            return field->value;
        }
    }
    return (bytes){ .data = (const uint8_t *)"", .size = 0 };
}

/* ---- Texts ---- */

/* What is no UTF-8 becomes '?', since a protobuf string must be. */
static void add_valid(struct text *into, bytes data)
{
    while (data.size > 0) {
        size_t size = utf8_character_length(data);
        if (size == 0) {
            text_add(into, "?");
            size = 1;
        } else {
            text_add_bytes(into, (bytes){ .data = data.data, .size = size });
        }
        data = (bytes){ .data = data.data + size, .size = data.size - size };
    }
}

static const char *copy(struct arena *arena, bytes data)
{
    if (utf8_is_valid(data)) {
        return arena_printf(arena, "%.*s", (int)data.size, (const char *)data.data);
    }
    struct text text = text_new(arena);
    add_valid(&text, data);
    return text_string(&text);
}

/* " ." is an empty line; another line without its first space. */
static void add_text_line(struct text *into, bytes line)
{
    bytes plain = without_spaces(line);

    if (plain.size == 1 && plain.data[0] == '.') {
        text_add(into, "\n");
    } else {
        text_add(into, "%s", into->size > 0 ? "\n" : "");
        add_valid(into, (bytes){ .data = line.data + 1, .size = line.size - 1 });
    }
}

static struct description description_of(struct arena *arena, bytes value)
{
    struct text text = text_new(arena);
    bytes first = { .data = (const uint8_t *)"", .size = 0 };
    bytes line;

    (void)next_line(&value, &first);
    while (next_line(&value, &line)) {
        if (line.size > 0) {
            add_text_line(&text, line);
        }
    }
    return (struct description){ .summary = copy(arena, first), .text = text_string(&text) };
}

void apt_reader_add_translations(struct apt_reader *self, bytes file)
{
    struct stanza stanza;

    while (next_stanza(&file, &stanza)) {
        bytes key = value_of(&stanza, "Description-md5");
        bytes value = value_of(&stanza, "Description-en");
        if (key.size == 32 && value.size > 0 && map_get_bytes(&self->descriptions, key) == NULL) {
            struct description *kept = ARENA_NEW(self->arena, struct description);
            *kept = description_of(self->arena, value);
            (void)map_put_bytes(&self->descriptions, key, kept);
        }
    }
}

/* ---- Packages ---- */

static struct apt_record *append(struct apt_reader *self)
{
    if (self->n_records == self->capacity) {
        self->capacity = self->capacity != 0 ? 2 * self->capacity : 1024;
        self->records = reallocarray(self->records, self->capacity, sizeof *self->records);
        if (self->records == NULL) {
            abort();
        }
    }
    return &self->records[self->n_records++];
}

static void add_package(struct apt_reader *self, const struct stanza *stanza)
{
    bytes name = value_of(stanza, "Package");
    bytes key = value_of(stanza, "Description-md5");

    if (name.size == 0 || name.size > 512 || !utf8_is_valid(name) ||
        map_get_bytes(&self->seen, name) != NULL) {
        return;
    }
    (void)map_put_bytes(&self->seen, name, self);
    struct description own = description_of(self->arena, value_of(stanza, "Description"));
    const struct description *longer = map_get_bytes(&self->descriptions, key);
    const struct description *best = own.text[0] == '\0' && longer != NULL ? longer : &own;
    *append(self) = (struct apt_record){
        .name = copy(self->arena, name),
        .section = copy(self->arena, value_of(stanza, "Section")),
        .priority = copy(self->arena, value_of(stanza, "Priority")),
        .maintainer = copy(self->arena, value_of(stanza, "Maintainer")),
        .version = copy(self->arena, value_of(stanza, "Version")),
        .homepage = copy(self->arena, value_of(stanza, "Homepage")),
        .tag = copy(self->arena, value_of(stanza, "Tag")),
        .summary = best->summary,
        .text = best->text,
    };
}

void apt_reader_add_packages(struct apt_reader *self, bytes file)
{
    struct stanza stanza;

    while (next_stanza(&file, &stanza)) {
        add_package(self, &stanza);
    }
}
