#include "services/search/debian_records.h"

#include "libs/base/map.h"

#include <stdlib.h>
#include <string.h>

enum { NAME, SUMMARY, DESCRIPTION, SECTION, PRIORITY, MAINTAINER, TAGS, SIZE, FIELDS };

static const struct schema_field fields[FIELDS] = {
    [NAME] = { .name = "name", .kind = FIELD_TEXT, .weight = 3 },
    [SUMMARY] = { .name = "summary", .kind = FIELD_TEXT, .weight = 2 },
    [DESCRIPTION] = { .name = "description", .kind = FIELD_TEXT, .weight = 1 },
    [SECTION] = { .name = "section", .kind = FIELD_KEYWORD },
    [PRIORITY] = { .name = "priority", .kind = FIELD_KEYWORD },
    [MAINTAINER] = { .name = "maintainer", .kind = FIELD_KEYWORD },
    [TAGS] = { .name = "tags", .kind = FIELD_KEYWORD },
    [SIZE] = { .name = "installed_size", .kind = FIELD_NUMBER },
};
const struct search_schema debian_schema = { .fields = fields, .n_fields = FIELDS };

/* The next paragraph, without the empty line behind it. */
static bool next_paragraph(bytes *rest, bytes *ret_paragraph)
{
    while (rest->size > 0 && rest->data[0] == '\n') {
        rest->data++;
        rest->size--;
    }
    const uint8_t *end = memmem(rest->data, rest->size, "\n\n", 2);
    size_t size = end == NULL ? rest->size : (size_t)(end - rest->data) + 1;
    *ret_paragraph = (bytes){ .data = rest->data, .size = size };
    rest->data += size;
    rest->size -= size;
    return size > 0;
}

/* From the value to the end of its last line; empty when there is none. */
static bytes value_of(bytes paragraph, const char *name)
{
    size_t length = strlen(name);
    const uint8_t *end = paragraph.data + paragraph.size;

    for (const uint8_t *line = paragraph.data; line < end;) {
        const uint8_t *line_end = memchr(line, '\n', (size_t)(end - line));
        line_end = line_end == NULL ? end : line_end;
        if ((size_t)(line_end - line) > length + 1 && memcmp(line, name, length) == 0 &&
            line[length] == ':') {
            while (line_end + 1 < end && line_end[1] == ' ') {
                const uint8_t *next = memchr(line_end + 1, '\n', (size_t)(end - line_end - 1));
                line_end = next == NULL ? end : next;
            }
            line += length + 2 <= (size_t)(line_end - line) ? length + 2 : length + 1;
            return (bytes){ .data = line, .size = (size_t)(line_end - line) };
        }
        line = line_end + 1;
    }
    return (bytes){ .data = paragraph.data };
}

static void add_text(struct search_document *document, struct document_field *field, size_t place,
                     bytes text)
{
    if (text.size > 0) {
        *field = (struct document_field){ .place = place, .kind = FIELD_TEXT, .text = text };
        document->n_fields++;
    }
}

/* Values are parted by commas, or there is one. */
static void add_keywords(struct search_document *document, struct document_field *field,
                         struct arena *arena, size_t place, bytes text)
{
    bytes *values = ARENA_NEW_ARRAY(arena, bytes, MAX_KEYWORDS);
    size_t n = 0;

    for (size_t at = 0; at < text.size && n < MAX_KEYWORDS;) {
        size_t end = at;
        bool parts = place == TAGS;
        while (end < text.size && !(parts && text.data[end] == ',')) {
            end++;
        }
        while (at < end && (text.data[at] == ' ' || text.data[at] == '\n')) {
            at++;
        }
        if (at < end) {
            values[n++] = (bytes){ .data = text.data + at, .size = end - at };
        }
        at = end + 1;
    }
    if (n > 0) {
        *field = (struct document_field){
            .place = place, .kind = FIELD_KEYWORD, .keywords = values, .n_keywords = n
        };
        document->n_fields++;
    }
}

static struct search_document read_package(struct arena *arena, bytes package, bytes long_text)
{
    struct document_field *values = ARENA_NEW_ARRAY(arena, struct document_field, FIELDS);
    struct search_document document = { .id = value_of(package, "Package"), .fields = values };
    bytes size = value_of(package, "Installed-Size");

    add_text(&document, &values[document.n_fields], NAME, document.id);
    add_text(&document, &values[document.n_fields], SUMMARY, value_of(package, "Description"));
    add_text(&document, &values[document.n_fields], DESCRIPTION, long_text);
    add_keywords(&document, &values[document.n_fields], arena, SECTION,
                 value_of(package, "Section"));
    add_keywords(&document, &values[document.n_fields], arena, PRIORITY,
                 value_of(package, "Priority"));
    add_keywords(&document, &values[document.n_fields], arena, MAINTAINER,
                 value_of(package, "Maintainer"));
    add_keywords(&document, &values[document.n_fields], arena, TAGS, value_of(package, "Tag"));
    if (size.size > 0) {
        values[document.n_fields++] = (struct document_field){
            .place = SIZE, .kind = FIELD_NUMBER, .number = strtod((const char *)size.data, NULL)
        };
    }
    return document;
}

/* Long texts by the checksum that joins them. */
static void read_translation(struct map *texts, struct arena *arena, bytes translation)
{
    bytes paragraph;

    while (next_paragraph(&translation, &paragraph)) {
        bytes *text = ARENA_NEW(arena, bytes);
        *text = value_of(paragraph, "Description-en");
        const uint8_t *end = memchr(text->data, '\n', text->size);
        size_t summary = end == NULL ? text->size : (size_t)(end - text->data);
        *text = (bytes){ text->data + summary, text->size - summary };
        (void)map_put_bytes(texts, value_of(paragraph, "Description-md5"), text);
    }
}

void debian_records_read(struct arena *arena, bytes packages, bytes translation,
                         struct debian_records *ret_records)
{
    struct map texts;
    bytes paragraph;
    size_t room = 1024;

    map_init(&texts);
    read_translation(&texts, arena, translation);
    *ret_records = (struct debian_records){
        .documents = ARENA_NEW_ARRAY(arena, struct search_document, room),
    };
    while (next_paragraph(&packages, &paragraph)) {
        const bytes *text = map_get_bytes(&texts, value_of(paragraph, "Description-md5"));
        if (ret_records->n_documents == room) {
            struct search_document *more = ARENA_NEW_ARRAY(arena, struct search_document, room * 2);
            memcpy(more, ret_records->documents, room * sizeof *more);
            ret_records->documents = more;
            room *= 2;
        }
        ret_records->documents[ret_records->n_documents++] =
            read_package(arena, paragraph, text == NULL ? (bytes){ 0 } : *text);
    }
    map_reset(&texts, NULL);
}
