/* crash_files - files that forget what was not synced.
 *
 * A kill -9 keeps the page cache, so it never shows a missing fsync.  This double keeps every
 * file twice, as it reads now and as it is on disk:
 *
 *     write, truncate     change what reads now
 *     file_sync()         makes what reads now what is on disk
 *     new, rename,        change which names are there now
 *     remove, make folder
 *     files_sync_folder() makes the names of one folder what is on disk
 *     crash_files_crash() back to what is on disk, for everything
 *
 * So a file whose bytes were synced is gone when its name was not; a name that was synced leads to
 * an empty file when its bytes were not; and a rename from one folder to another needs both to be
 * synced.  That is as little as POSIX promises, and less than most file systems do.
 *
 * A test runs its subject over it, crashes at every step (crash_after = 1, 2, 3, ...), opens the
 * subject again and asks for everything that was acknowledged:
 *
 *     for (unsigned n = 1;; n++) {
 *         files.crash_after = n;
 *         bool is_over = n > use(&files.files, &acknowledged);     operations that it took
 *         crash_files_crash(&files);
 *         check(&files.files, &acknowledged);
 *         if (is_over) break;
 *     }
 *
 * With skip_sync = n the nth sync does nothing: if no test fails for some n, that sync is not
 * needed or not tested.
 *
 * Not safe on several threads at once unless the subject takes turns; a lock inside keeps single
 * operations whole, and the settings below are read under it.
 */

#ifndef LIBS_TESTING_CRASH_FILES_H_
#define LIBS_TESTING_CRASH_FILES_H_

#include "libs/base/attributes.h"
#include "libs/base/files.h"

#include <stdbool.h>
#include <stdint.h>

struct crash_files_state;

/* What a crash leaves of the bytes that were written to a file since its last sync. */
enum crash_torn {
    TORN_NOTHING,    /* none of them; */
    TORN_FIRST_HALF, /* the first half of them in the order of writing, cut within a write; */
    TORN_LAST_HALF,  /* the last half, for a disk may write in any order: zeros, or what was
                        there before, in place of the first */
};

struct crash_files {
    struct files files;      /* what is passed in */
    unsigned crash_after;    /* the nth changing operation (write, truncate, sync, new file,
                                rename, remove, make) and all after it fail with UNAVAILABLE and
                                change nothing; 0 none */
    unsigned fail_operation; /* the nth changing operation alone fails with UNAVAILABLE.  A write
                                has then written its first half.  A sync has lost what it should
                                have kept: it reads as before, and no later sync brings it to the
                                disk (fsyncgate, 2018); 0 none */
    unsigned skip_sync;      /* the nth sync, of file or folder, says OK and does nothing; 0 none */
    bool full;               /* every operation that needs room is RESOURCE_EXHAUSTED; of a write
                                the first half is written, as on a disk that fills up */
    enum crash_torn torn;    /* tests set it; stays as it is over a crash */
    uint64_t n_operations;   /* changing operations since the beginning or the last crash */
    uint64_t n_syncs;        /* syncs, likewise; files_make_folder() has one for each folder
                                above it with names to sync */
    struct crash_files_state *state;
};

void crash_files_init(struct crash_files *self) NONNULL;
/* Everything that was open must be closed first. */
void crash_files_reset(struct crash_files *self) NONNULL;
/* Forgets what was not synced, and sets crash_after, fail_operation, skip_sync, full and the
 * counts to nothing.  Files that were open may still be closed, and fail for all else. */
void crash_files_crash(struct crash_files *self) NONNULL;
/* Changes one bit of the byte at offset, of what is on disk and of what reads now: bit rot.  The
 * byte must be there. */
void crash_files_flip(struct crash_files *self, const char *name, uint64_t offset) NONNULL;

#endif
