/* mesh_status - how the programs of a mesh are, from the supervisor and from themselves. */

#ifndef CLI_MESH_STATUS_H_
#define CLI_MESH_STATUS_H_

#include "cli/home.h"
#include "cli/output.h"
#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All texts are in arena; those that the program did not say are NULL. */
struct program_status {
    const char *name;
    const char *state;  /* as the supervisor has it: "ready", "starting", "restarting" ... */
    const char *health; /* as it says itself on /readyz: "healthy", or what it waits for; NULL when
                           it was not asked */
    const char *address;
    const char *http;
    const char *spiffe_id;
    const char *version;
    const char *says;
    const char *last_end;
    int pid;
    int uid;
    int64_t restarts;
    int64_t ready_ms;      /* from its start; -1 when it is not ready */
    int64_t start_time_ms; /* wall */
    int64_t retry_in_ms;
    int64_t memory_kb; /* proportional set size; -1 when the kernel does not tell us */
};

struct mesh_status {
    const struct program_status *programs;
    size_t n_programs;
    bool all_ready;
};

/* NOT_FOUND: no supervisor runs, or it is about to end. */
status mesh_status_get(struct arena *arena, const struct home *home, struct mesh_status *ret)
    NONNULL;
/* Asks each that is ready for its health, and the kernel for its memory: some milliseconds more. */
void mesh_status_probe(struct arena *arena, struct mesh_status *status) NONNULL;
/* Whether all that were asked say so. */
bool mesh_status_is_healthy(const struct mesh_status *status) NONNULL;

/* Says it. */
void mesh_status_show(struct arena *arena, struct output *output, const struct mesh_status *status)
    NONNULL;

#endif
