#include "libs/mesh/own_folder.h"

#include "libs/base/lock_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

enum { PATIENCE_MS = 30 * 1000 };

void own_folder_or_exit(void)
{
    struct arena *arena = arena_new();
    struct lock_file lock; /* never released: the kernel does that */
    status s = lock_file_wait(arena, "lock", PATIENCE_MS, &lock);

    if (!status_is_ok(s)) {
        (void)fprintf(stderr, "%s\n", s.message);
        exit(EX_TEMPFAIL);
    }
    arena_free(arena);
}
