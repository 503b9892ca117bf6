/* bench - figures: of the load tests, and of a mesh of its own as a person would start it.
 *
 * The load tests (loadtests/) are programs that print one JSON object a figure; ours are measured
 * from outside, through `weft up` and the public API, in a home of their own below the real one.
 */

#ifndef CLI_BENCH_H_
#define CLI_BENCH_H_

#include "cli/api.h"

#include <stdbool.h>

struct bench_figure {
    const char *name;
    double value;
    const char *unit;
    double reference; /* the bar; 0: none */
    bool at_most;     /* the bar is the greatest value that will do, and not the least */
};

/* A row; what misses its bar makes the exit code 1. */
void bench_report(struct invocation *invocation, const struct bench_figure *figure,
                  const char *command) NONNULL;

/* Runs all programs of folder whose name contains only, each with a scratch folder. */
status bench_programs(struct invocation *invocation, const char *folder, const char *scratch,
                      const char *only) NONNULL;

/* Starts a mesh in scratch, measures it, and takes it down. */
status bench_mesh(struct invocation *invocation, const char *scratch) NONNULL;

#endif
