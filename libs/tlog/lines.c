#include "libs/tlog/lines.h"

#include <string.h>

bool line_next(bytes *rest, bytes *ret_line)
{
    const uint8_t *end = rest->size > 0 ? memchr(rest->data, '\n', rest->size) : NULL;

    if (end == NULL) {
        return false;
    }
    size_t size = (size_t)(end - rest->data);
    *ret_line = (bytes){ .data = rest->data, .size = size };
    *rest = (bytes){ .data = end + 1, .size = rest->size - size - 1 };
    return true;
}

bool line_skip(bytes *line, const char *prefix)
{
    size_t size = strlen(prefix);

    if (line->size < size || memcmp(line->data, prefix, size) != 0) {
        return false;
    }
    line->data += size;
    line->size -= size;
    return true;
}

bool line_number(bytes text, uint64_t *ret_number)
{
    uint64_t number = 0;

    if (text.size == 0 || (text.data[0] == '0' && text.size > 1)) {
        return false;
    }
    for (size_t i = 0; i < text.size; i++) {
        unsigned digit = (unsigned)text.data[i] - '0';
        if (digit > 9 || number > ((uint64_t)INT64_MAX - digit) / 10) {
            return false;
        }
        number = number * 10 + digit;
    }
    *ret_number = number;
    return true;
}

const char *line_copy(struct arena *arena, bytes text)
{
    char *copy = arena_alloc(arena, text.size + 1);

    if (text.size > 0) {
        memcpy(copy, text.data, text.size);
    }
    return copy;
}
