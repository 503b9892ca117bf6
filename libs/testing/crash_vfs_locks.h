/* crash_vfs_locks - what the connections to one file share: its locks and its log's index.
 *
 * In a process, for no other opens these files.  All functions return SQLite's codes.
 */

#ifndef LIBS_TESTING_CRASH_VFS_LOCKS_H_
#define LIBS_TESTING_CRASH_VFS_LOCKS_H_

#include "libs/base/attributes.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>

enum { MAX_REGIONS = 64 }; /* of 32 KiB: a log of 260,000 pages, far more than a test writes */

/* One connection's hold on the file. */
struct holder {
    int level; /* SQLITE_LOCK_NONE to SQLITE_LOCK_EXCLUSIVE */
    unsigned short index_shared;
    unsigned short index_exclusive;
    bool has_index;
};

struct shared_file {
    char *name; /* owned */
    int n_open;
    pthread_mutex_t lock;
    int n_shared;                /* holders at SHARED or more */
    const struct holder *writer; /* at RESERVED or more, or NULL */
    void *regions[MAX_REGIONS];
    int n_index; /* holders of the index */
    int index_n_shared[SQLITE_SHM_NLOCK];
    bool index_is_exclusive[SQLITE_SHM_NLOCK];
    struct shared_file *next;
};

struct shared_file *shared_file_new(const char *name) NONNULL RETURNS_NONNULL;
void shared_file_free(struct shared_file *self) NONNULL;

/* https://sqlite.org/lockingv3.html, section 3. */
int shared_file_lock(struct shared_file *self, struct holder *holder, int level) NONNULL;
int shared_file_unlock(struct shared_file *self, struct holder *holder, int level) NONNULL;
bool shared_file_is_reserved(struct shared_file *self) NONNULL;

/* As xShmMap, xShmLock and xShmUnmap of https://sqlite.org/c3ref/io_methods.html. */
int shared_index_map(struct shared_file *self, struct holder *holder, int region, int size,
                     bool extend, void volatile **ret_region) NONNULL;
int shared_index_lock(struct shared_file *self, struct holder *holder, int first, int n, int flags)
    NONNULL;
void shared_index_unmap(struct shared_file *self, struct holder *holder) NONNULL;

#endif
