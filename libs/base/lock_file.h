/* lock_file - one process at a time.
 *
 * Whoever keeps state in a folder and must be alone with it takes the lock first.  It is the
 * kernel's (flock(2)), not the file's: it goes with the process, however that ends, and a file left
 * behind means nothing.  The file holds the process id of its holder, for people.
 */

#ifndef LIBS_BASE_LOCK_FILE_H_
#define LIBS_BASE_LOCK_FILE_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/status.h"

#include <stdint.h>

struct lock_file {
    int fd; /* -1 when it is not held */
};

/* Makes the file, with mode 0600, when there is none.  FAILED_PRECONDITION: another process, or
 * another lock_file of this one, holds the lock; it is named.  UNAVAILABLE: the file cannot be
 * opened. */
status lock_file_take(struct arena *arena, const char *path, struct lock_file *ret_lock) NONNULL;
/* The same, but gives another holder up to patience_ms to end. */
status lock_file_wait(struct arena *arena, const char *path, int64_t patience_ms,
                      struct lock_file *ret_lock) NONNULL;
void lock_file_release(struct lock_file *lock) NONNULL;

#endif
