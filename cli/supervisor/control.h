/* control - the supervisor's Unix socket: one request a connection, a line of JSON each way.
 *
 *     {"do":"status"}                    an object for each program, a line each
 *     {"do":"restart","name":"tenant"}   {} or {"error":"..."}
 *     {"do":"stop"}                      nothing; the connection closes when all have ended
 *
 * Only the owner may connect (mode 0600), so there is nothing here but a guard against mistakes:
 * a client that does not read or write costs a few hundred bytes and holds nobody up.
 */

#ifndef CLI_SUPERVISOR_CONTROL_H_
#define CLI_SUPERVISOR_CONTROL_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/status.h"
#include "libs/base/text.h"

#include <stdbool.h>

enum {
    CONTROL_MAX_CLIENTS = 16, /* more than one person's terminals; the next is turned away */
    CONTROL_MAX_REQUEST_BYTES = 512,
};

struct control;

struct control_options {
    const char *path; /* required; copied */
    /* Answers a request: command is its "do" and name its "name", "" when it has none.  Returning
     * false keeps the connection open for as long as we live. */
    bool (*answer)(void *context, const char *command, const char *name, struct text *into);
    void *context;
};

/* The caller owns it: control_free(). */
status control_new(struct arena *arena, const struct control_options *options,
                   struct control **ret_control) NONNULL;
/* Closes all connections and removes the socket. */
void control_free(struct control *self);

/* Readable when control_work() has something to do. */
int control_fd(const struct control *self) NONNULL;
void control_work(struct control *self) NONNULL;

#endif
