/* http_ask - says something to an HTTP server on the loopback interface, and hears the answer. */

#ifndef LIBS_HTTP_HTTP_ASK_H_
#define LIBS_HTTP_HTTP_ASK_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"

#include <stdint.h>

struct http_answer {
    int status;       /* 0 when there was no answer */
    const char *head; /* status line and headers */
    const char *body; /* as sent, not unchunked */
};

/* Sends request, as it is, and reads until the server closes the connection: so let it ask for
 * that.  Everything is in arena. */
struct http_answer http_ask(struct arena *arena, uint16_t port, const char *request) NONNULL;
/* GET path, in a connection of its own. */
struct http_answer http_get(struct arena *arena, uint16_t port, const char *path) NONNULL;

#endif
