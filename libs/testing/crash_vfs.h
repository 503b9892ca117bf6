/* crash_vfs - SQLite over files that forget what was not synced.
 *
 * A way for SQLite to its files that leads into a struct files, which in tests is crash_files: so
 * a store runs on a disk that crashes, fills up, fails or leaves out a sync at the nth operation.
 *
 *     crash_files_init(&f.files);
 *     crash_vfs_init(&f.vfs, &f.files.files);
 *     store_open_with(arena, &(struct store_options){ .url = "sqlite:store.db",
 *                                                     .vfs = crash_vfs_name(&f.vfs) }, &store);
 *
 * It syncs as SQLite's own does on Unix: a journal or a log that was made has its folder synced at
 * its first sync, and a journal's removal syncs the folder when SQLite asks for it.  Locks and the
 * log's index (shared memory) are in this process and gone with the last connection, as after a
 * power cut.
 *
 * Any number of connections and threads.  Close them, or crash the files and close them, before
 * crash_vfs_reset().
 */

#ifndef LIBS_TESTING_CRASH_VFS_H_
#define LIBS_TESTING_CRASH_VFS_H_

#include "libs/base/attributes.h"
#include "libs/base/files.h"

struct crash_vfs_state;

struct crash_vfs {
    struct crash_vfs_state *state;
};

/* Makes itself known to SQLite under a name of its own.  Borrows files. */
void crash_vfs_init(struct crash_vfs *self, struct files *files) NONNULL;
void crash_vfs_reset(struct crash_vfs *self) NONNULL;
const char *crash_vfs_name(const struct crash_vfs *self) NONNULL RETURNS_NONNULL;

#endif
