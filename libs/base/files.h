/* files - a folder and what is in it, as something that is passed in.
 *
 * Whatever keeps state in files of its own (the audit log, the search index, the agent's last
 * good configuration) borrows a struct files in its options.  In production that is
 * disk_files over a real folder; in tests it is crash_files (libs/testing/crash_files.h), which
 * can forget at any moment everything that was not synced, fill the disk, or fail the nth
 * operation.
 *
 * What survives a crash, as POSIX has it and as the double enforces it:
 *
 *     the bytes of a file           after file_sync() on it
 *     its name (new, renamed,       after files_sync_folder() on the folder that the
 *     removed)                      name stands in
 *
 * so a file that must appear whole is written under another name, synced, renamed, and its
 * folder synced: files_replace() does the four.
 *
 * Names are relative to the folder, with '/' between parts; "" is the folder itself.  No part
 * is ".." .  Errors: NOT_FOUND: no such file.  RESOURCE_EXHAUSTED: the disk is full (ENOSPC,
 * EDQUOT).  UNAVAILABLE: anything else the machine refuses.  Nothing here is a caller's
 * INVALID_ARGUMENT.
 */

#ifndef LIBS_BASE_FILES_H_
#define LIBS_BASE_FILES_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/bytes.h"
#include "libs/base/status.h"

#include <stdint.h>

/* Both begin with their interface.  A struct files is safe on any thread; a struct file's reads
 * are, its writes are for one thread at a time. */
struct files {
    const struct files_ops *ops;
};

struct file {
    const struct file_ops *ops;
};

enum files_mode {
    FILES_READ,  /* must exist */
    FILES_WRITE, /* made, with mode 0600, when it does not exist; read and written */
};

struct files_names {
    const char *const *names; /* without the folder, in strcmp() order; arena */
    size_t n_names;
};

struct files_ops {
    status (*open)(struct files *files, struct arena *arena, const char *name, enum files_mode mode,
                   struct file **ret_file);
    status (*rename)(struct files *files, struct arena *arena, const char *from, const char *to);
    status (*remove)(struct files *files, struct arena *arena, const char *name);
    status (*make_folder)(struct files *files, struct arena *arena, const char *folder);
    status (*list)(struct files *files, struct arena *arena, const char *folder,
                   struct files_names *ret_names);
    status (*sync_folder)(struct files *files, struct arena *arena, const char *folder);
};

struct file_ops {
    status (*read_at)(struct file *file, struct arena *arena, uint64_t offset, uint8_t *data,
                      size_t size, size_t *ret_n);
    status (*write_at)(struct file *file, struct arena *arena, uint64_t offset, bytes data);
    status (*truncate)(struct file *file, struct arena *arena, uint64_t size);
    status (*sync)(struct file *file, struct arena *arena);
    status (*size)(struct file *file, struct arena *arena, uint64_t *ret_size);
    status (*map)(struct file *file, struct arena *arena, bytes *ret_data);
    void (*close)(struct file *file);
};

/* ---- A real folder ---- */

struct disk_files {
    struct files files; /* what is passed in */
    char *root;         /* owned */
};

/* Makes the folder, with mode 0700, when there is none.  A relative root stays relative to the
 * process' working folder, so that it may lie below one that the process cannot pass. */
status disk_files_init(struct disk_files *self, struct arena *arena, const char *root) NONNULL;
void disk_files_reset(struct disk_files *self) NONNULL;

/* ---- Folders ---- */

/* The caller owns the file: file_close(). */
status files_open(struct files *files, struct arena *arena, const char *name, enum files_mode mode,
                  struct file **ret_file) NONNULL;
/* Takes the place of `to`, if there is one, in one step.  Durable after files_sync_folder(). */
status files_rename(struct files *files, struct arena *arena, const char *from, const char *to)
    NONNULL;
/* Of a file, or of a folder that is empty.  OK when there is none.  Durable after
 * files_sync_folder(). */
status files_remove(struct files *files, struct arena *arena, const char *name) NONNULL;
/* And its parents; OK when it is there.  Durable on return: syncs the folders above it. */
status files_make_folder(struct files *files, struct arena *arena, const char *folder) NONNULL;
status files_list(struct files *files, struct arena *arena, const char *folder,
                  struct files_names *ret_names) NONNULL;
status files_sync_folder(struct files *files, struct arena *arena, const char *folder) NONNULL;

/* The whole of a file, in arena; more than limit bytes is RESOURCE_EXHAUSTED. */
status files_read(struct files *files, struct arena *arena, const char *name, size_t limit,
                  bytes *ret_data) NONNULL;
/* Writes name + ".new", syncs it, renames it to name, syncs the folder.  Durable on return; at
 * any crash either the old content or the new is there. */
status files_replace(struct files *files, struct arena *arena, const char *name, bytes data)
    NONNULL;

/* ---- A file ---- */

/* Fewer bytes than asked for only at the end of the file. */
status file_read_at(struct file *file, struct arena *arena, uint64_t offset, uint8_t *data,
                    size_t size, size_t *ret_n) NONNULL;
/* Past the end, what lies between reads as zeros.  After an error any part may be written. */
status file_write_at(struct file *file, struct arena *arena, uint64_t offset, bytes data) NONNULL;
status file_truncate(struct file *file, struct arena *arena, uint64_t size) NONNULL;
/* fdatasync(2): the bytes and the size, not the name.  After an error nothing that was written
 * since the last success may be trusted, and asking again proves nothing (fsyncgate, 2018). */
status file_sync(struct file *file, struct arena *arena) NONNULL;
status file_size(struct file *file, struct arena *arena, uint64_t *ret_size) NONNULL;
/* The bytes as they are now, for reading until file_close(); for files that no longer change. */
status file_map(struct file *file, struct arena *arena, bytes *ret_data) NONNULL;
/* NULL is allowed. */
void file_close(struct file *file);

#endif
