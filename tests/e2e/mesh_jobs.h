/* mesh_jobs - ingest jobs in a mesh_home: packages, a worker, and what became of a job.
 *
 *     mesh_jobs_init(&jobs, &mesh, 30000);
 *     const char *job_id = mesh_jobs_enqueue(&jobs, "packages");
 *     mesh_jobs_start_worker(&jobs);
 *     mesh_jobs_wait(&jobs, job_id);
 *     mesh_jobs_expect_all(&jobs, job_id, "packages");
 *     mesh_jobs_stop_worker(&jobs, SIGTERM);
 *
 * The project is "e2e" of the tenant "weft".
 */

#ifndef TESTS_E2E_MESH_JOBS_H_
#define TESTS_E2E_MESH_JOBS_H_

#include "tests/e2e/mesh_home.h"

struct mesh_jobs {
    struct mesh_home *mesh;
    int n_packages;
    pid_t worker; /* 0: none */
};

/* Writes lists of packages: some real ones, for questions, and n_fillers others. */
void mesh_jobs_init(struct mesh_jobs *self, struct mesh_home *mesh, int n_fillers) NONNULL;

void mesh_jobs_create_collection(struct mesh_jobs *self, const char *collection) NONNULL;
/* A job that publishes all packages to the collection; its id. */
const char *mesh_jobs_enqueue(struct mesh_jobs *self, const char *collection)
    NONNULL RETURNS_NONNULL;

/* One at a time; what it prints goes to TEMP/worker.log. */
void mesh_jobs_start_worker(struct mesh_jobs *self) NONNULL;
void mesh_jobs_stop_worker(struct mesh_jobs *self, int signal_number) NONNULL;

/* "" when there is no answer. */
const char *mesh_jobs_state(struct mesh_jobs *self, const char *job_id, int64_t *ret_done)
    NONNULL RETURNS_NONNULL;
/* Waits until it has succeeded. */
void mesh_jobs_wait(struct mesh_jobs *self, const char *job_id) NONNULL;
/* All that was acknowledged is there, the event of it is in the log once, and it was done once. */
void mesh_jobs_expect_all(struct mesh_jobs *self, const char *job_id, const char *collection)
    NONNULL;

#endif
