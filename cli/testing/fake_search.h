/* fake_search - a search service that takes documents, forgets nothing, and breaks when it is told.
 *
 * A real server on a Unix socket, since what is tested is how a client bears its going away.
 */

#ifndef CLI_TESTING_FAKE_SEARCH_H_
#define CLI_TESTING_FAKE_SEARCH_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/rpc/channel.h"
#include "libs/rpc/server.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct fake_search {
    struct runtime *runtime;
    struct server *server;
    struct channel *channel;
    struct peer *peer; /* what the code under test is given */
    /* Tests set these: */
    _Atomic size_t break_after; /* answers on one stream, then it ends with break_with; 0: never */
    _Atomic int n_breaks;       /* so many times; then streams live */
    enum status_code break_with;
    _Atomic bool is_away;       /* no stream is taken */
    _Atomic size_t refuse_each; /* each nth document has an error of its own; 0: none */
    /* And read these: */
    _Atomic size_t n_documents; /* that were answered with OK, over all streams */
    _Atomic size_t n_streams;
    char token[16]; /* that the last stream came with; read it when nothing is under way */
};

/* Listens in folder, a temp_folder(). */
void fake_search_start(struct fake_search *self, struct arena *arena, const char *folder) NONNULL;
void fake_search_stop(struct fake_search *self) NONNULL;

#endif
