#include "cli/supervisor/notification.h"

#include "libs/base/utf8.h"

#include <string.h>

static bool is_named(bytes line, const char *name, bytes *ret_value)
{
    size_t size = strlen(name);

    if (line.size <= size || memcmp(line.data, name, size) != 0 || line.data[size] != '=') {
        return false;
    }
    *ret_value = (bytes){ .data = line.data + size + 1, .size = line.size - size - 1 };
    return true;
}

static bool is_one(bytes value)
{
    return value.size == 1 && value.data[0] == '1';
}

static const char *copy(struct arena *arena, bytes value)
{
    char *text = arena_alloc(arena, value.size + 1);

    if (value.size > 0) {
        memcpy(text, value.data, value.size);
    }
    return text;
}

static bool is_printable(bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < ' ' || text.data[i] == 0x7f) {
            return false;
        }
    }
    return utf8_is_valid(text);
}

static bool take_line(struct arena *arena, bytes line, struct notification *into)
{
    bytes value;

    if (line.size > NOTIFICATION_MAX_VALUE_BYTES || !is_printable(line)) {
        return false;
    }
    if (is_named(line, "READY", &value)) {
        into->ready = is_one(value);
    } else if (is_named(line, "STOPPING", &value)) {
        into->stopping = is_one(value);
    }
#define X(field, name)                    \
    if (is_named(line, name, &value)) {   \
        into->field = copy(arena, value); \
    }
    NOTIFICATION_TEXTS(X)
#undef X
    return true;
}

bool notification_parse(struct arena *arena, bytes datagram, struct notification *ret)
{
    struct notification found = { 0 };
    bytes rest = datagram;

    if (datagram.size > NOTIFICATION_MAX_BYTES) {
        return false;
    }
    while (rest.size > 0) {
        const uint8_t *end = memchr(rest.data, '\n', rest.size);
        size_t size = end != NULL ? (size_t)(end - rest.data) : rest.size;
        if (!take_line(arena, (bytes){ .data = rest.data, .size = size }, &found)) {
            return false;
        }
        size_t used = size + (end != NULL);
        rest = (bytes){ .data = rest.data + used, .size = rest.size - used };
    }
    *ret = found;
    return true;
}
