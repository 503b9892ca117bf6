/* table - rows in columns, as wide as they are or as the terminal is.
 *
 *     INDEX  TIME        ACTION      TARGET                   what fits is printed as it is
 *     17     2026-11-21  job.        job:
 *            15:58:49    enqueue     01m7zd9v1hq3m5mw37...    what is too wide is broken
 *
 * A table that is wider than its terminal first loses the columns that are WHERE_ROOM, then
 * breaks cells, first behind a space and '/', then behind what else joins words, where it costs the
 * fewest lines.  Nothing is cut, and a word is not broken: an id must be there to be copied.  When
 * that is not enough, each row is a block with a line for each of its fields.
 */

#ifndef CLI_TABLE_H_
#define CLI_TABLE_H_

#include "cli/output.h"
#include "libs/base/arena.h"
#include "libs/base/attributes.h"

#include <stdio.h>

struct table;

/* In arena, with all that is added to it. */
struct table *table_new(struct arena *arena) NONNULL RETURNS_NONNULL;

/* The first row says which columns there are.  Fields are copied. */
void table_add(struct table *self, const struct field *fields, size_t n_fields) NONNULL;

/* Once, at last.  width 0: as wide as it is. */
void table_print(struct table *self, FILE *out, bool colour, size_t width) NONNULL;

/* text without what would be an order to the terminal; what is no UTF-8 becomes '?'.  In arena. */
const char *harmless(struct arena *arena, const char *text) NONNULL RETURNS_NONNULL;

void print_toned(FILE *out, bool colour, enum tone tone, const char *text) NONNULL;

#endif
