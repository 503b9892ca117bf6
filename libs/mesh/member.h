/* member - what a service of the mesh keeps beside its own work: its rows, and its audit.
 *
 *     struct mesh *mesh = mesh_join_or_exit(arena, &options);
 *     struct store *store = member_store_or_exit(mesh, arena, database, tenant_store_migrate);
 *     struct auditor *auditor = member_auditor_or_exit(mesh, arena, store);
 *     ...
 *     int code = mesh_run(mesh);
 *     ...
 *     auditor_close(auditor);
 *     mesh_free(mesh);
 *     store_close(store);
 *
 * For main.c alone.  What cannot be had at the start is logged, and the program exits with 69
 * (EX_UNAVAILABLE): whoever supervises tries again.
 */

#ifndef LIBS_MESH_MEMBER_H_
#define LIBS_MESH_MEMBER_H_

#include "libs/audit/auditor.h"
#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/mesh/mesh.h"
#include "libs/store/store.h"

/* So often the dependency "store" is asked whether it answers: within one scrape of /readyz. */
enum { MEMBER_STORE_CHECK_MS = 5000 };

/* Opens the store, brings its tables up to date, and is a dependency of the mesh's readiness:
 * "store", which fails while no query is answered.  A full disk is none of that, since reads go on.
 * The caller owns the store: store_close(), after mesh_free(), and then the arena. */
struct store *member_store_or_exit(struct mesh *mesh, struct arena *arena, const char *url,
                                   status (*migrate)(struct store *store, struct arena *arena))
    NONNULL RETURNS_NONNULL;

/* The same of a store that is open: for the registry, whose certificate needs one before it joins.
 */
void member_watch_store(struct mesh *mesh, struct arena *arena, struct store *store) NONNULL;

/* Sends the outbox of store and the spool, in the process' folder "spool", to the audit service,
 * and has the guard's refusals spooled.  store may be NULL.  The caller owns the auditor:
 * auditor_close(), before mesh_free(), and then the arena. */
struct auditor *member_auditor_or_exit(struct mesh *mesh, struct arena *arena, struct store *store)
    NONNULL_ARGS(1, 2) RETURNS_NONNULL;

#endif
