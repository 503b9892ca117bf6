/* crash_files - files that forget what was not synced.
 *
 * A kill -9 keeps the page cache, so it never shows a missing fsync.  This double keeps every
 * file twice, as it reads now and as it is on disk:
 *
 *     write, truncate    change what reads now
 *     file_sync()        makes what reads now what is on disk
 *     new, rename,       change which names are there now
 *     remove
 *     files_sync_folder() makes the names of one folder what is on disk
 *     crash_files_crash() back to what is on disk, for everything
 *
 * A test runs its subject over it, crashes at every step (crash_after = 1, 2, 3, ...), opens the
 * subject again and asks for everything that was acknowledged.  With skip_sync = n the nth sync
 * does nothing: if no test fails for some n, that sync is not needed or not tested.
 *
 * Not safe on several threads at once unless the subject takes turns; a lock inside keeps single
 * operations whole.
 */

#ifndef LIBS_TESTING_CRASH_FILES_H_
#define LIBS_TESTING_CRASH_FILES_H_

#include "libs/base/attributes.h"
#include "libs/base/files.h"

#include <stdbool.h>
#include <stdint.h>

struct crash_files_state;

struct crash_files {
    struct files files;    /* what is passed in */
    unsigned crash_after;  /* the nth changing operation (write, truncate, sync, rename, remove,
                              make) and all after it fail with UNAVAILABLE; 0 none */
    unsigned skip_sync;    /* the nth sync, of file or folder, says OK and does nothing; 0 none */
    bool full;             /* every operation that needs room is RESOURCE_EXHAUSTED */
    bool torn;             /* at a crash, half of what was written since the last sync of a
                              file is on disk all the same */
    uint64_t n_operations; /* changing operations so far */
    uint64_t n_syncs;      /* syncs so far */
    struct crash_files_state *state;
};

void crash_files_init(struct crash_files *self) NONNULL;
/* Everything that was open must be closed first. */
void crash_files_reset(struct crash_files *self) NONNULL;
/* Forgets what was not synced and sets crash_after, skip_sync and full to nothing.  Files that
 * were open may still be closed, and fail for all else. */
void crash_files_crash(struct crash_files *self) NONNULL;
/* Changes one byte of what is on disk and reads now: bit rot. */
void crash_files_flip(struct crash_files *self, const char *name, uint64_t offset) NONNULL;

#endif
