/* prepare - makes a home ready for a start: who runs as whom, who is whom, and what runs.
 *
 * The programs that run are copies in HOME/bin, so that a build meanwhile changes none of them and
 * what the agent finds behind a process is what was registered.
 *
 * Who is whom stands in HOME/registry/entries.json: as root by uid, which only root can take;
 * otherwise by the path and SHA-256 of the program, which holds as long as nobody else works under
 * this uid (`weft status` says "development trust: one uid").
 */

#ifndef CLI_PREPARE_H_
#define CLI_PREPARE_H_

#include "cli/home.h"
#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/status.h"

#include <stdbool.h>

/* Writes all that the supervisor and the registry read, over what the last start left.  programs is
 * the folder where the build put the programs. */
status prepare(struct arena *arena, const struct home *home, const char *programs) NONNULL;

/* Whether a program was built after it was copied for the mesh that runs. */
bool prepare_is_outdated(struct arena *arena, const struct home *home, const char *programs)
    NONNULL;

#endif
