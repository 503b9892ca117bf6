/* bench - how fast and how large Weft is: a mesh of its own as a person would start it, and load
 * tests (loadtests/) that are ordinary clients of it.
 *
 * The mesh lives in HOME/bench, on the same disk as the real one, and is gone afterwards: what a
 * load test writes must not stay in somebody's audit log, and `weft up` cannot be timed on a mesh
 * that is in use.
 */

#ifndef CLI_BENCH_H_
#define CLI_BENCH_H_

#include "cli/api.h"
#include "loadtests/load.h"

struct bench {
    struct invocation *invocation; /* ours: what was asked of us */
    struct invocation inside;      /* the same, in the mesh that is measured */
    const char *real_home;         /* absolute; where the package lists are */
    const char *root;              /* of the mesh that is measured; absolute */
    struct load load;              /* once bench_mesh_join() was called */
};

/* ---- The mesh that is measured: bench_mesh.c ---- */

/* Starts it, over what an interrupted run may have left. */
status bench_mesh_start(struct bench *self) NONNULL;
/* Becomes its client, and prepares load. */
status bench_mesh_join(struct bench *self) NONNULL;
/* Stops it and removes all of it. */
status bench_mesh_end(struct bench *self) NONNULL;

/* Proportional set sizes of all its processes and their supervisor, together. */
status bench_mesh_memory(struct bench *self, double *ret_kib) NONNULL;

/* ---- What is measured ---- */

/* How long `weft up` takes and what the idle mesh weighs; starts and stops the mesh, which must not
 * run. */
status bench_start(struct bench *self) NONNULL;
/* Ingest, memory a record, questions; before other loads, since memory is told apart by time. */
status bench_search(struct bench *self) NONNULL;
/* The runtime beside a bare C core: needs no mesh. */
status bench_echo(struct bench *self) NONNULL;

#endif
