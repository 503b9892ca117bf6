/* control_client - asks a supervisor something (control.h). */

#ifndef CLI_SUPERVISOR_CONTROL_CLIENT_H_
#define CLI_SUPERVISOR_CONTROL_CLIENT_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/status.h"

struct control_request {
    const char *command; /* required */
    const char *name;    /* NULL when it is about no single program */
    int timeout_ms;      /* required */
};

/* Sends {"do": command, "name": name} and returns all lines of the answer, in arena, when the
 * supervisor closes the connection: none from one that is ending.
 *
 * NOT_FOUND: no supervisor listens there.  DEADLINE_EXCEEDED: it says nothing for timeout_ms. */
status control_ask(struct arena *arena, const char *path, const struct control_request *request,
                   const char **ret_answer) NONNULL;

#endif
