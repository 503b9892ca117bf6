/* entries - which process is which workload.
 *
 * The registry sends the registration entries and the trust bundle, whole, at each change; the
 * last ones are kept on disk, so that a host that starts while the registry is away still knows its
 * workloads.  A process is what the entry says whose selectors all match it, by the kernel's word:
 *
 *     uid     of the process at connect()
 *     path    /proc/PID/exe
 *     sha256  of that file's bytes
 *
 * Looking is guarded against pids that come back: the process must be the same one afterwards.
 */

#ifndef SERVICES_AGENT_ENTRIES_H_
#define SERVICES_AGENT_ENTRIES_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/bytes.h"
#include "libs/base/files.h"
#include "libs/base/status.h"
#include "libs/mesh/keeper.h"
#include "libs/mesh/link.h"
#include "libs/rpc/call.h"

#include <stdint.h>

/* What the kernel tells of a process. */
struct process_facts {
    int64_t uid;
    const char *path;
    const char *sha256; /* of the executable, hex; "" until an entry asks for it */
};

/* The way to /proc; tests give their own. */
struct process_reader {
    /* The facts of the process that connected, in arena.  NOT_FOUND: it is gone. */
    status (*read)(const struct process_reader *self, struct arena *arena,
                   const struct peer_process *process, bool want_hash,
                   struct process_facts *ret_facts);
};
extern const struct process_reader proc_reader;

struct entries;

struct entries_options {
    struct peer *registry;               /* borrowed; NULL in tests, which call entries_set() */
    struct keeper *keeper;               /* borrowed; freed before the entries */
    const struct clock *clock;           /* borrowed */
    const struct random_source *random;  /* borrowed */
    struct log *log;                     /* borrowed; may be NULL */
    struct files *files;                 /* borrowed: where the last ones are kept */
    const struct process_reader *reader; /* borrowed */
    void (*changed)(void *data);         /* entries or bundle have; may be NULL */
    /* OK each time the registry sends, why when its stream has ended; may be NULL.  On the stream's
     * thread. */
    void (*heard)(void *data, status s);
    void *data;
};

struct entries *entries_new(const struct entries_options *options) NONNULL RETURNS_NONNULL;
void entries_free(struct entries *entries);

/* One workload. */
struct workload {
    const char *spiffe_id;
};

/* Who the process is, in arena.  PERMISSION_DENIED: nobody that is registered.  UNAVAILABLE: no
 * entries have come yet. */
status entries_find(struct entries *entries, struct arena *arena,
                    const struct peer_process *process, struct workload *ret_workload) NONNULL;

/* The authorities, DER; empty until there are any. */
bytes entries_bundle(struct entries *entries, struct arena *arena) NONNULL;

/* Takes an encoded WatchEntriesResponse.  INVALID_ARGUMENT: it is none. */
status entries_set(struct entries *entries, bytes encoded) NONNULL_ARGS(1);

#endif
