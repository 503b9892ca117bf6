/* verb - one thing that the command line can be asked to do.
 *
 *     weft status                   a verb without an area
 *     weft tenant create acme       area "tenant", name "create"
 *
 * Each area is one file, AREA_verbs.c, which ends with its table; verbs.h lists the tables.  A verb
 * takes its arguments, does its work, and says what it has to say through output; an error it
 * returns, and main prints it with the advice that the verb left.
 */

#ifndef CLI_VERB_H_
#define CLI_VERB_H_

#include "cli/arguments.h"
#include "cli/home.h"
#include "cli/output.h"
#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/status.h"

struct session;

struct invocation {
    struct arena *arena;         /* lives as long as the program */
    struct arguments *arguments; /* behind the verb's name */
    struct output *output;
    const char *root;        /* of the home: $WEFT_HOME */
    const char *programs;    /* what the build made: $WEFT_PROGRAMS */
    const char *as;          /* whose key: --as NAME; NULL when it was not said */
    const char *command;     /* "tenant create" */
    struct session *session; /* once session_open() was called; main frees it */
    const char *advice;      /* what to do next, when the verb fails; NULL for none */
    int exit_code;           /* when it does not fail */
};

struct verb {
    const char *area;    /* NULL for the verbs of the mesh itself */
    const char *name;    /* NULL ends a table */
    const char *usage;   /* its arguments: "TENANT_ID [--display-name NAME]" */
    const char *summary; /* one line */
    status (*run)(struct invocation *invocation);
};

/* Leaves advice when s is an error, and returns s. */
static inline status advise(struct invocation *invocation, status s, const char *advice)
{
    if (!status_is_ok(s)) {
        invocation->advice = advice;
    }
    return s;
}

#endif
