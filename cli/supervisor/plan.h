/* plan - which programs are to run, and how.
 *
 * The supervisor knows nothing of services: `weft up` writes a plan, and the supervisor keeps it.
 * The plan is a JSON file of mode 0600:
 *
 *     {"runtime": "/run/weft-1a2b3c4d",
 *      "programs": [
 *        {"name": "tenant", "stage": 2, "program": "/home/.weft/bin/tenant",
 *         "folder": "/home/.weft/tenant", "uid": 61004,
 *         "environment": {"WEFT_SERVICE": "tenant"},
 *         "opens": "/run/weft-1a2b3c4d/agent.sock"}]}
 *
 * Programs of a stage are started together, as soon as all those of the stages before have been
 * ready once.  A uid of 0 leaves the supervisor's own.  `opens` is optional: a socket that the
 * program makes and all uids may connect to; the supervisor sets its mode when the program is
 * ready.
 */

#ifndef CLI_SUPERVISOR_PLAN_H_
#define CLI_SUPERVISOR_PLAN_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/bytes.h"
#include "libs/base/status.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    PLAN_MAX_BYTES = 256 * 1024, /* a program takes about 1 KiB */
    PLAN_MAX_PROGRAMS = 64,      /* a host's worth; what the control socket can say in one go */
};

struct program {
    const char *name;
    const char *path;   /* of the executable */
    const char *folder; /* its working folder */
    const char *opens;  /* NULL when there is none */
    uid_t uid;          /* and gid; 0 means not to change it */
    int stage;
    const char *const *environment; /* "NAME=value", ends with NULL */
};

struct plan {
    const char *runtime; /* the folder of sockets */
    const struct program *programs;
    size_t n_programs;
};

/* INVALID_ARGUMENT names the place that is wrong.  All is in arena. */
status plan_parse(struct arena *arena, bytes json, struct plan *ret) NONNULL;

#endif
