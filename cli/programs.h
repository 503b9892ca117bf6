/* programs - what a host runs: the one list that `weft up` is made of. */

#ifndef CLI_PROGRAMS_H_
#define CLI_PROGRAMS_H_

#include <stdbool.h>
#include <stddef.h>

/* The mesh of one host has one: who is in it is spiffe://weft.local/NAME. */
#define PROGRAMS_TRUST_DOMAIN "weft.local"

/* X(name, uid, stage, database)
 *
 * uid: as root each runs as a user of its own, a number without an entry in passwd; the agent stays
 * root, since it reads of other users' processes.  stage: see cli/supervisor/plan.h.  database:
 * whether it keeps rows, in SQLite, in its own folder. */
#define PROGRAMS(X)             \
    X(registry, 61001, 0, true) \
    X(agent, 0, 1, false)       \
    X(auth, 61003, 2, true)     \
    X(tenant, 61004, 2, true)   \
    X(audit, 61005, 2, true)    \
    X(search, 61006, 2, true)   \
    X(scheduler, 61007, 2, true)

struct program_entry {
    const char *name;
    unsigned uid;
    int stage;
    bool database;
};

static const struct program_entry program_entries[] = {
#define X(name_, uid_, stage_, database_) \
    { .name = #name_, .uid = (uid_), .stage = (stage_), .database = (database_) },
    PROGRAMS(X)
#undef X
};

enum { N_PROGRAMS = sizeof program_entries / sizeof program_entries[0] };

#endif
