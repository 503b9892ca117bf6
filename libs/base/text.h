/* text - a string that grows in an arena.
 *
 *     struct text line = text_new(arena);
 *     text_add(&line, "%s=%d ", name, value);
 *     use(text_string(&line));
 *
 * Lives as long as the arena.  Grows by doubling, so adding n bytes costs O(n) in all.
 */

#ifndef LIBS_BASE_TEXT_H_
#define LIBS_BASE_TEXT_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/bytes.h"

#include <stdbool.h>

struct text {
    struct arena *arena;
    char *data; /* NUL-terminated once something was added */
    size_t size;
    size_t capacity;
};

struct text text_new(struct arena *arena) NONNULL;
void text_add(struct text *text, const char *format, ...) NONNULL_ARGS(1, 2) PRINTF_LIKE(2, 3);
void text_add_bytes(struct text *text, bytes data) NONNULL;
/* As a JSON string, quotes included (RFC 8259, section 7).  data is UTF-8; what is not becomes
 * U+FFFD, so that a log line is JSON whatever is in it. */
void text_add_json(struct text *text, bytes data) NONNULL;
/* The same in at most room bytes, quotes included, room being 2 or more: data that does not fit
 * is cut between two characters.  Returns whether all of it fitted. */
bool text_add_json_cut(struct text *text, bytes data, size_t room) NONNULL;

/* Never NULL; valid until the next text_add. */
const char *text_string(const struct text *text) NONNULL RETURNS_NONNULL;

static inline bytes text_bytes(const struct text *text)
{
    return (bytes){ .data = (const uint8_t *)text->data, .size = text->size };
}

static inline bytes bytes_of(const char *string)
{
    return (bytes){ .data = (const uint8_t *)string, .size = __builtin_strlen(string) };
}

#endif
