/* arguments - what a verb was told on the command line, all mistakes at once.
 *
 *     const char *id = arguments_next(args, "TENANT_ID");                  required
 *     const char *name = arguments_text(args, "--display-name", "");       an option with a value
 *     bool purge = arguments_flag(args, "--purge");
 *     TRY(arguments_end(args));
 *
 * Options and words come in any order; "--name=value" and "--name value" are the same; after "--"
 * all are words.  Ask for every option before the first word, because an option that was not asked
 * for would be taken for one.  Values are the command line's own and live as long as the process.
 */

#ifndef CLI_ARGUMENTS_H_
#define CLI_ARGUMENTS_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arguments;

/* Without the program's name.  In arena; words are borrowed. */
struct arguments *arguments_new(struct arena *arena, int n, char *const *words) NONNULL_ARGS(1)
    RETURNS_NONNULL;

bool arguments_flag(struct arguments *self, const char *name) NONNULL;
/* The last one's value when there are several; standard, which may be NULL, when there is none. */
const char *arguments_text(struct arguments *self, const char *name, const char *standard)
    NONNULL_ARGS(1, 2);
int64_t arguments_number(struct arguments *self, const char *name, int64_t standard, int64_t min,
                         int64_t max) NONNULL;
/* All values of an option that may be repeated; ends with NULL; arena. */
const char *const *arguments_all(struct arguments *self, const char *name, size_t *ret_n) NONNULL;

/* The next word; "" and a mistake when there is none.  what is for the mistake: "TENANT_ID". */
const char *arguments_next(struct arguments *self, const char *what) NONNULL;
/* The next word, or standard. */
const char *arguments_next_or(struct arguments *self, const char *standard) NONNULL_ARGS(1);
/* All words that are left, with a space between them; "" when there are none; arena. */
const char *arguments_rest(struct arguments *self) NONNULL RETURNS_NONNULL;

/* INVALID_ARGUMENT when something was missing, was no number, or is left over. */
status arguments_end(struct arguments *self) NONNULL;

#endif
