/* host - one host of the mesh, in a temporary folder: real programs as real processes.
 *
 *     host_init(&host, entries, n_entries);          their identities
 *     host_start(&host, "registry");                 services/registry/registry, in FOLDER/registry
 *     host_start(&host, "agent");
 *     host_start(&host, "tenant");
 *     const char *address = host_address(&host, "tenant");
 *     host_stop(&host, "tenant", SIGKILL);
 *     ...
 *     host_reset(&host);
 *
 * What a program writes goes to FOLDER/NAME/output, which is printed when it does not come up.
 * Programs find the agent by WEFT_AGENT and say where they listen over NOTIFY_SOCKET, as under
 * `weft up`; only their attestation differs: here it is by the path of the executable, since all
 * run as one user.
 *
 * Functions fail the test that calls them when something is not as it must be.
 */

#ifndef TESTS_E2E_HOST_H_
#define TESTS_E2E_HOST_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/mesh/mesh.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A program is found at HOST_PATIENCE_MS or not at all: thirty times what the slowest takes under a
 * sanitizer. */
enum { HOST_MAX_PROGRAMS = 16, HOST_PATIENCE_MS = 120000 };

/* spiffe://weft.local/NAME is whoever runs this program: "services/tenant/tenant", or a path. */
struct host_entry {
    const char *name;
    const char *program;
};

struct host_program {
    const char *name;
    pid_t pid; /* 0: not running */
    int notify;
    char said[4096]; /* what it said over NOTIFY_SOCKET since its start */
};

struct host {
    struct arena *arena;
    const char *folder;
    const char *start; /* where the test was started: Bazel's paths begin there */
    unsigned registry_port, bootstrap_port;
    const char *preload; /* tests set it: LD_PRELOAD of what is started from now on; NULL: none */
    struct host_program programs[HOST_MAX_PROGRAMS];
    size_t n_programs;
};

void host_init(struct host *self, const struct host_entry *entries, size_t n_entries) NONNULL;
void host_reset(struct host *self) NONNULL;

/* In arena's memory: FOLDER/name. */
const char *host_path(struct host *self, const char *name) NONNULL RETURNS_NONNULL;

/* Starts services/NAME/NAME, also again after its end, and waits until it has what others need of
 * it: the registry its join token, the agent its socket, all others their address. */
void host_start(struct host *self, const char *name) NONNULL;
/* The same with another program than services/NAME/NAME; path is as in an entry. */
void host_start_program(struct host *self, const char *name, const char *path) NONNULL;
/* The same, and waits for nothing. */
void host_spawn(struct host *self, const char *name, const char *path) NONNULL;
/* SIGTERM.  Fails when the end is not a good one: a sanitizer may have found something. */
void host_end(struct host *self, const char *name) NONNULL;
/* Sends signal_number and waits for the end. */
void host_stop(struct host *self, const char *name, int signal_number) NONNULL;
/* SIGTERM to all that run. */
void host_stop_all(struct host *self) NONNULL;
/* Where it listens. */
const char *host_address(struct host *self, const char *name) NONNULL RETURNS_NONNULL;
/* Waits until it has said READY=1. */
void host_wait_ready(struct host *self, const char *name) NONNULL;

/* The test's own program, for an entry; in arena's memory. */
const char *host_this_program(struct arena *arena) NONNULL RETURNS_NONNULL;
/* Makes this process a client, by its entry, once the agent knows it, and FOLDER its working folder
 * until host_reset(): its certificate is there.  The caller owns the mesh: mesh_free(). */
struct mesh *host_join(struct host *self) NONNULL RETURNS_NONNULL;

/* A client: a program with arguments, in a folder of its own, whose output the test reads. */
struct host_client {
    pid_t pid;
    int output;
    char line[4096];
    size_t n_line; /* of what was read beyond the last line, in rest */
    char rest[8192];
};

/* arguments end with NULL; the first is the program, "tests/e2e/caller".  It waits for an identity
 * for identity_ms. */
void host_start_client(struct host *self, struct host_client *client, int64_t identity_ms,
                       const char *const *arguments) NONNULL;
/* The next line, without its end, in client->line; NULL: the program has ended its output. */
const char *host_client_line(struct host_client *client) NONNULL;
/* Whether there is a line, or the end, within timeout_ms. */
bool host_client_has_line(struct host_client *client, int timeout_ms) NONNULL;
/* Kills it, if it still runs. */
void host_end_client(struct host_client *client) NONNULL;

#endif
