/* mesh_home - a whole mesh as a person runs it: the real programs, by the command line alone.
 *
 *     mesh_home_init(&mesh);
 *     mesh_home_weft(&mesh, "up");                  and what else one types after ./weft
 *     assert_int_equal(mesh.code, 0);
 *     ...
 *     mesh_home_end(&mesh);                         a test of its own, the last
 *     mesh_home_reset(&mesh);
 *
 * Its home is in a temporary folder, and so are copies of the programs, which any user may run.
 * mesh_home_init() puts WEFT_HOME and the like into the environment.  Functions fail the test that
 * calls them when something is not as it must be.
 */

#ifndef TESTS_E2E_MESH_HOME_H_
#define TESTS_E2E_MESH_HOME_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What a condition is waited for: ten times what the slowest takes under a sanitizer. */
enum { MESH_HOME_PATIENCE_MS = 120 * 1000 };

struct mesh_home {
    struct arena *arena;
    const char *temp;     /* a folder that is gone at the end */
    const char *programs; /* $WEFT_PROGRAMS */
    const char *home;     /* $WEFT_HOME; not there before the first up */
    const char *start;    /* where the test began: Bazel's paths begin there */
    const char *preload;  /* "LD_PRELOAD=..." for the client, or "" */
    int code;             /* the exit code of the last command; -1: a signal ended it */
};

void mesh_home_init(struct mesh_home *self) NONNULL;
/* Prints the last lines of all logs, ends what runs, and removes all. */
void mesh_home_reset(struct mesh_home *self) NONNULL;

/* From now on all programs are started with this library loaded into them, a path of Bazel's, and
 * with this variable in their environment, from which it knows what to do. */
void mesh_home_preload(struct mesh_home *self, const char *library, const char *variable,
                       const char *value) NONNULL;

/* What a command prints to standard output; its exit code is in self->code. */
const char *mesh_home_shell(struct mesh_home *self, const char *command) NONNULL RETURNS_NONNULL;
/* weft WORDS. */
const char *mesh_home_weft(struct mesh_home *self, const char *words) NONNULL RETURNS_NONNULL;
/* The same, which must succeed. */
const char *mesh_home_must(struct mesh_home *self, const char *words) NONNULL RETURNS_NONNULL;
/* "weft up", after which all is ready: with sanitizers, that is what runs. */
void mesh_home_up(struct mesh_home *self) NONNULL;

/* The first object that weft WORDS -o json prints, NULL when it prints none; the caller's. */
json_t *mesh_home_object(struct mesh_home *self, const char *words) NONNULL;
/* A text of an object, in the arena; "" when it has none. */
const char *mesh_home_text(struct mesh_home *self, const json_t *object, const char *name)
    NONNULL_ARGS(1, 3) RETURNS_NONNULL;
/* Whether a line of text has with in it: how often. */
size_t count_lines(const char *text, const char *with) NONNULL;

/* "supervisor" or a service; 0 when it does not run. */
pid_t mesh_home_pid(struct mesh_home *self, const char *program) NONNULL;

/* The audit log's files are what was signed. */
void mesh_home_verify_log(struct mesh_home *self) NONNULL;

/* Ends all and looks back: no program ended but as it was asked to, or killed by a test, or because
 * something it needs was not there yet, and no sanitizer had anything to say but of leaks. */
void mesh_home_end(struct mesh_home *self) NONNULL;

#endif
