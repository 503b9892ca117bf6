/* checks - whether this machine is fit for a mesh, each answered with what to do about it. */

#ifndef CLI_CHECKS_H_
#define CLI_CHECKS_H_

#include "cli/home.h"
#include "libs/base/arena.h"
#include "libs/base/attributes.h"

#include <stdint.h>

enum verdict { VERDICT_OK, VERDICT_WARN, VERDICT_FAIL };

struct finding {
    enum verdict verdict;
    const char *found; /* what is so; in arena */
    const char *next;  /* what to do about it; NULL when it is well */
};

struct check {
    const char *name;
    struct finding (*look)(struct arena *arena, const struct home *home);
};

/* Ends with a NULL name. */
extern const struct check checks[];

/* Parts that a test gives its own files to. */
struct finding check_clock_against(struct arena *arena, int64_t wall_ms, int64_t newest_ms) NONNULL;
struct finding check_space(struct arena *arena, const char *path, uint64_t free_bytes,
                           uint64_t free_inodes) NONNULL;
struct finding check_memory_of(struct arena *arena, uint64_t available_bytes) NONNULL;

#endif
