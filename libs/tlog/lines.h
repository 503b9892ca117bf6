/* lines - text by lines, as the formats of a transparency log are made of them. */

#ifndef LIBS_TLOG_LINES_H_
#define LIBS_TLOG_LINES_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

/* Takes the first line, without its newline, off rest; false when no newline is left. */
bool line_next(bytes *rest, bytes *ret_line) NONNULL;

/* Takes prefix off the beginning of line; false, and line as it was, when it begins otherwise. */
bool line_skip(bytes *line, const char *prefix) NONNULL;

/* All of text is a number in decimal as it is written: no sign, no leading zero, at most
 * 2^63 - 1, which is what every implementation can hold. */
bool line_number(bytes text, uint64_t *ret_number) NONNULL;

/* A copy that ends in NUL. */
const char *line_copy(struct arena *arena, bytes text) NONNULL RETURNS_NONNULL;

#endif
