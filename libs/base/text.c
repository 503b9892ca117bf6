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
    va_list args;

    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0) {
        abort(); /* a format that cannot be printed is a bug */
    }
    char *end = reserve(text, (size_t)n);
    va_start(args, format);
    (void)vsnprintf(end, (size_t)n + 1, format, args);
    va_end(args);
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

/* The escape of a character that must not stand in a JSON string as it is, or NULL. */
static const char *json_escape(uint8_t byte, char buffer[7])
{
    switch (byte) {
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    default:
        break;
    }
    if (byte < 0x20 || byte == 0x7f) {
        (void)snprintf(buffer, 7, "\\u%04x", byte);
        return buffer;
    }
    return NULL;
}

void text_add_json(struct text *text, bytes data)
{
    (void)text_add_json_cut(text, data, SIZE_MAX);
}

bool text_add_json_cut(struct text *text, bytes data, size_t room)
{
    char buffer[7];

    room -= 2; /* the quotes */
    text_add_bytes(text, (bytes){ (const uint8_t *)"\"", 1 });
    while (data.size > 0) {
        size_t length = utf8_character_length(data);
        const char *escape = length == 0   ? "\\ufffd"
                             : length == 1 ? json_escape(data.data[0], buffer)
                                           : NULL;
        length = length == 0 ? 1 : length;
        bytes out = escape != NULL ? bytes_of(escape) : (bytes){ data.data, length };
        if (out.size > room) {
            break;
        }
        text_add_bytes(text, out);
        room -= out.size;
        data.data += length;
        data.size -= length;
    }
    text_add_bytes(text, (bytes){ (const uint8_t *)"\"", 1 });
    return data.size == 0;
}

const char *text_string(const struct text *text)
{
    return text->data != NULL ? text->data : "";
}
