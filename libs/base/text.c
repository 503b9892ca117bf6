#include "libs/base/text.h"

#include "libs/base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct text text_new(struct arena *arena)
{
    return (struct text){ .arena = arena };
}

/* Room for n more bytes and a NUL. */
static char *reserve(struct text *text, size_t n)
{
    if (text->capacity - text->size < n + 1) {
        size_t capacity = text->capacity * 2 + n + 64;
        char *data = arena_alloc(text->arena, capacity);
        if (text->size > 0) {
            memcpy(data, text->data, text->size);
        }
        text->data = data;
        text->capacity = capacity;
    }
    return text->data + text->size;
}

void text_add(struct text *text, const char *format, ...)
{
    enum { LIKELY = 64 }; /* most of what is added at once is shorter, and formatted once */
    va_list args;

    char *end = reserve(text, LIKELY);
    va_start(args, format);
    int n = vsnprintf(end, text->capacity - text->size, format, args);
    va_end(args);
    if (n < 0) {
        abort(); /* a format that cannot be printed is a bug */
    }
    if ((size_t)n >= text->capacity - text->size) {
        end = reserve(text, (size_t)n);
        va_start(args, format);
        (void)vsnprintf(end, (size_t)n + 1, format, args);
        va_end(args);
    }
    text->size += (size_t)n;
}

void text_add_bytes(struct text *text, bytes data)
{
    char *end = reserve(text, data.size);

    if (data.size > 0) {
        memcpy(end, data.data, data.size);
    }
    end[data.size] = '\0';
    text->size += data.size;
}

/* How many of the first bytes may stand in a JSON string as they are, and are ASCII. */
static size_t plain_length(bytes data)
{
    size_t n = 0;

    while (n < data.size && data.data[n] >= 0x20 && data.data[n] < 0x7f && data.data[n] != '"' &&
           data.data[n] != '\\') {
        n++;
    }
    return n;
}

/* What stands in a JSON string for one character; buffer is for what is made. */
static bytes json_character(bytes character, char buffer[7])
{
    switch (*character.data) {
    case '"':
        return bytes_of("\\\"");
    case '\\':
        return bytes_of("\\\\");
    case '\n':
        return bytes_of("\\n");
    case '\r':
        return bytes_of("\\r");
    case '\t':
        return bytes_of("\\t");
    default:
        break;
    }
    if (*character.data < 0x20 || *character.data == 0x7f) {
        (void)snprintf(buffer, 7, "\\u%04x", *character.data);
        return bytes_of(buffer);
    }
    return character;
}

/* What stands in a JSON string for the first *ret_taken bytes of data: as many as can be taken at
 * once.  What must not be cut may be longer than room. */
static bytes json_piece(bytes data, size_t room, char buffer[7], size_t *ret_taken)
{
    size_t plain = plain_length(data);
    size_t length = utf8_character_length(data);

    if (plain > 0) {
        *ret_taken = plain < room ? plain : room;
        return (bytes){ data.data, *ret_taken };
    }
    *ret_taken = length == 0 ? 1 : length;
    return length == 0 ? bytes_of("\\ufffd") : json_character((bytes){ data.data, length }, buffer);
}

void text_add_json(struct text *text, bytes data)
{
    (void)text_add_json_cut(text, data, SIZE_MAX);
}

bool text_add_json_cut(struct text *text, bytes data, size_t room)
{
    char buffer[7];
    size_t taken;

    room -= 2; /* the quotes */
    text_add_bytes(text, bytes_of("\""));
    while (data.size > 0) {
        bytes piece = json_piece(data, room, buffer, &taken);
        if (piece.size == 0 || piece.size > room) {
            break;
        }
        text_add_bytes(text, piece);
        room -= piece.size;
        data.data += taken;
        data.size -= taken;
    }
    text_add_bytes(text, bytes_of("\""));
    return data.size == 0;
}

const char *text_string(const struct text *text)
{
    return text->data != NULL ? text->data : "";
}
