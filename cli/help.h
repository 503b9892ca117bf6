/* help - which verbs there are, what each takes, and which was meant by a word that is none. */

#ifndef CLI_HELP_H_
#define CLI_HELP_H_

#include "cli/verb.h"
#include "libs/base/arena.h"
#include "libs/base/attributes.h"

/* "tenant", "create"; second is looked at when first is an area.  NULL: there is none. */
const struct verb *verb_find(const char *first, const char *second) NONNULL_ARGS(1);

/* "tenant create". */
const char *verb_command(struct arena *arena, const struct verb *verb) NONNULL RETURNS_NONNULL;

/* These say it, and return the exit code. */
int help_all(struct arena *arena) NONNULL;
void help_with(struct arena *arena, const struct verb *verb) NONNULL;
/* One verb, or all of an area. */
int help_about(struct arena *arena, const char *first, const char *second) NONNULL_ARGS(1, 2);
/* On standard error. */
int help_no_such_verb(struct arena *arena, const char *first, const char *second)
    NONNULL_ARGS(1, 2);

#endif
