/* home - where a mesh keeps its state on this host: $WEFT_HOME, by default .weft in the checkout.
 *
 *     .weft/                 0700
 *       weft.json            the format, the runtime folder, the registry's two ports
 *       plan.json            what the supervisor runs; written anew by each start
 *       bin/                 the programs that run, so that a later build changes none of them
 *       logs/                NAME.log, supervisor.log
 *       NAME/                a program's own folder, its user's, 0700
 *
 * Sockets are not in it, because the path of a socket has at most 107 bytes, nor is the client's
 * identity, because a client reads also when the disk is full: they are in the runtime folder:
 * weft-1a2b3c4d in /run as root (0711: other users may pass), in $XDG_RUNTIME_DIR otherwise (0700),
 * and in /tmp where there is none of these; the digits are a hash of the home's path.
 */

#ifndef CLI_HOME_H_
#define CLI_HOME_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/status.h"

#include <stdbool.h>

/* Of weft.json.  A newer one is refused: what it says may mean something else. */
enum { HOME_FORMAT = 1 };

/* All texts are in arena. */
struct home {
    const char *root;    /* absolute when it exists */
    const char *runtime; /* NULL when there is none yet */
    bool exists;         /* `weft up` has been here */
    bool is_root;        /* we may become other users */
    int registry_port;
    int bootstrap_port;
};

/* Reads what is there, and makes nothing.
 *
 * FAILED_PRECONDITION: it is of a newer format, or of another user.  DATA_LOSS: weft.json is
 * damaged. */
status home_find(struct arena *arena, const char *root, struct home *ret) NONNULL;

/* Makes the folder, or takes an empty one; what is a home already, or began to be one, is good too.
 *
 * FAILED_PRECONDITION: it holds other things, as $HOME and /tmp do: it would be closed to others,
 * and one day removed whole. */
status home_claim(struct arena *arena, const char *root) NONNULL;

/* Claims it, makes the folders that are missing, chooses ports when there are none or one of them
 * is taken, and remembers all that. */
status home_make(struct arena *arena, struct home *home) NONNULL;

/* Removes the state and the runtime folder.  FAILED_PRECONDITION: it is no home of a mesh. */
status home_forget(struct arena *arena, const struct home *home) NONNULL;

/* A path in the home or in the runtime folder. */
const char *home_path(struct arena *arena, const struct home *home, const char *name) NONNULL;
const char *home_socket(struct arena *arena, const struct home *home, const char *name) NONNULL;

/* Makes a folder of this mode, or checks that it is one, and ours: somebody else's link or folder
 * in a public place is refused. */
status make_folder(struct arena *arena, const char *path, unsigned mode) NONNULL;
/* Whether nobody listens on this port of 127.0.0.1. */
bool port_is_free(int port);

#endif
