#include "libs/base/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- What the interface is called by ---- */

status files_open(struct files *files, struct arena *arena, const char *name, enum files_mode mode,
                  struct file **ret_file)
{
    return files->ops->open(files, arena, name, mode, ret_file);
}

status files_rename(struct files *files, struct arena *arena, const char *from, const char *to)
{
    return files->ops->rename(files, arena, from, to);
}

status files_remove(struct files *files, struct arena *arena, const char *name)
{
    return files->ops->remove(files, arena, name);
}

status files_make_folder(struct files *files, struct arena *arena, const char *folder)
{
    return files->ops->make_folder(files, arena, folder);
}

status files_list(struct files *files, struct arena *arena, const char *folder,
                  struct files_names *ret_names)
{
    return files->ops->list(files, arena, folder, ret_names);
}

status files_sync_folder(struct files *files, struct arena *arena, const char *folder)
{
    return files->ops->sync_folder(files, arena, folder);
}

status file_read_at(struct file *file, struct arena *arena, uint64_t offset, uint8_t *data,
                    size_t size, size_t *ret_n)
{
    return file->ops->read_at(file, arena, offset, data, size, ret_n);
}

status file_write_at(struct file *file, struct arena *arena, uint64_t offset, bytes data)
{
    return file->ops->write_at(file, arena, offset, data);
}

status file_truncate(struct file *file, struct arena *arena, uint64_t size)
{
    return file->ops->truncate(file, arena, size);
}

status file_sync(struct file *file, struct arena *arena)
{
    return file->ops->sync(file, arena);
}

status file_size(struct file *file, struct arena *arena, uint64_t *ret_size)
{
    return file->ops->size(file, arena, ret_size);
}

status file_map(struct file *file, struct arena *arena, bytes *ret_data)
{
    return file->ops->map(file, arena, ret_data);
}

void file_close(struct file *file)
{
    if (file != NULL) {
        file->ops->close(file);
    }
}

/* ---- Whole files ---- */

static status read_whole(struct file *file, struct arena *arena, const char *name, size_t limit,
                         bytes *ret_data)
{
    uint64_t size = 0;
    size_t n = 0;

    TRY(file_size(file, arena, &size));
    if (size > limit) {
        return status_error(arena, STATUS_RESOURCE_EXHAUSTED, "'%s' has %zu bytes, more than %zu",
                            name, (size_t)size, limit);
    }
    uint8_t *data = arena_alloc(arena, (size_t)size + 1); /* a NUL, for whoever reads text */
    TRY(file_read_at(file, arena, 0, data, (size_t)size, &n));
    *ret_data = (bytes){ .data = data, .size = n };
    return status_ok();
}

status files_read(struct files *files, struct arena *arena, const char *name, size_t limit,
                  bytes *ret_data)
{
    struct file *file = NULL;

    TRY(files_open(files, arena, name, FILES_READ, &file));
    status s = read_whole(file, arena, name, limit, ret_data);
    file_close(file);
    return s;
}

static status write_whole(struct file *file, struct arena *arena, bytes data)
{
    TRY(file_truncate(file, arena, 0));
    TRY(file_write_at(file, arena, 0, data));
    return file_sync(file, arena);
}

status files_replace(struct files *files, struct arena *arena, const char *name, bytes data)
{
    const char *fresh = arena_printf(arena, "%s.new", name);
    const char *slash = strrchr(name, '/');
    const char *folder =
        slash == NULL ? "" : arena_printf(arena, "%.*s", (int)(slash - name), name);
    struct file *file = NULL;

    TRY(files_open(files, arena, fresh, FILES_WRITE, &file));
    status s = write_whole(file, arena, data);
    file_close(file);
    TRY(s);
    TRY(files_rename(files, arena, fresh, name));
    return files_sync_folder(files, arena, folder);
}

/* ---- A real folder ---- */

struct disk_file {
    struct file file;
    int fd;
    void *map;
    size_t map_size;
};

static status errno_status(struct arena *arena, const char *doing, const char *name)
{
    int error = errno;
    enum status_code code = error == ENOENT                      ? STATUS_NOT_FOUND
                            : error == ENOSPC || error == EDQUOT ? STATUS_RESOURCE_EXHAUSTED
                                                                 : STATUS_UNAVAILABLE;

    /* This one reaches callers far away, who know of no files. */
    return code == STATUS_RESOURCE_EXHAUSTED
               ? status_error(arena, code, "the disk is full")
               : status_error(arena, code, "%s '%s': %s", doing, name, strerror(error));
}

static const char *path_of(const struct files *files, struct arena *arena, const char *name)
{
    const struct disk_files *self = (const struct disk_files *)files;

    return name[0] == '\0' ? self->root : arena_printf(arena, "%s/%s", self->root, name);
}

static status disk_read_at(struct file *file, struct arena *arena, uint64_t offset, uint8_t *data,
                           size_t size, size_t *ret_n)
{
    const struct disk_file *self = (const struct disk_file *)file;
    size_t done = 0;

    while (done < size) {
        ssize_t n = pread(self->fd, data + done, size - done, (off_t)(offset + done));
        if (n < 0 && errno != EINTR) {
            return errno_status(arena, "read", "file");
        }
        if (n == 0) {
            break;
        }
        done += n > 0 ? (size_t)n : 0;
    }
    *ret_n = done;
    return status_ok();
}

static status disk_write_at(struct file *file, struct arena *arena, uint64_t offset, bytes data)
{
    const struct disk_file *self = (const struct disk_file *)file;

    for (size_t done = 0; done < data.size;) {
        ssize_t n = pwrite(self->fd, data.data + done, data.size - done, (off_t)(offset + done));
        if (n < 0 && errno != EINTR) {
            return errno_status(arena, "write", "file");
        }
        done += n > 0 ? (size_t)n : 0;
    }
    return status_ok();
}

static status disk_truncate(struct file *file, struct arena *arena, uint64_t size)
{
    const struct disk_file *self = (const struct disk_file *)file;

    return ftruncate(self->fd, (off_t)size) == 0 ? status_ok()
                                                 : errno_status(arena, "truncate", "file");
}

static status disk_sync(struct file *file, struct arena *arena)
{
    const struct disk_file *self = (const struct disk_file *)file;

    return fdatasync(self->fd) == 0 ? status_ok() : errno_status(arena, "sync", "file");
}

static status disk_size(struct file *file, struct arena *arena, uint64_t *ret_size)
{
    const struct disk_file *self = (const struct disk_file *)file;
    struct stat info;

    if (fstat(self->fd, &info) != 0) {
        return errno_status(arena, "stat", "file");
    }
    *ret_size = (uint64_t)info.st_size;
    return status_ok();
}

static status disk_map(struct file *file, struct arena *arena, bytes *ret_data)
{
    struct disk_file *self = (struct disk_file *)file;
    uint64_t size = 0;

    TRY(disk_size(file, arena, &size));
    if (self->map == NULL && size > 0) {
        void *map = mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, self->fd, 0);
        if (map == MAP_FAILED) {
            return errno_status(arena, "map", "file");
        }
        self->map = map;
        self->map_size = (size_t)size;
    }
    *ret_data = (bytes){ .data = self->map, .size = self->map_size };
    return status_ok();
}

static void disk_close(struct file *file)
{
    struct disk_file *self = (struct disk_file *)file;

    if (self->map != NULL) {
        (void)munmap(self->map, self->map_size);
    }
    (void)close(self->fd);
    free(self);
}

static const struct file_ops disk_file_ops = {
    .read_at = disk_read_at,
    .write_at = disk_write_at,
    .truncate = disk_truncate,
    .sync = disk_sync,
    .size = disk_size,
    .map = disk_map,
    .close = disk_close,
};

static status disk_open(struct files *files, struct arena *arena, const char *name,
                        enum files_mode mode, struct file **ret_file)
{
    int flags = mode == FILES_READ ? O_RDONLY : O_RDWR | O_CREAT;
    int fd = open(path_of(files, arena, name), flags | O_CLOEXEC, 0600);

    if (fd < 0) {
        return errno_status(arena, "open", name);
    }
    struct disk_file *self = calloc(1, sizeof *self);
    if (self == NULL) {
        abort();
    }
    *self = (struct disk_file){ .file = { .ops = &disk_file_ops }, .fd = fd };
    *ret_file = &self->file;
    return status_ok();
}

static status disk_rename(struct files *files, struct arena *arena, const char *from,
                          const char *to)
{
    return rename(path_of(files, arena, from), path_of(files, arena, to)) == 0
               ? status_ok()
               : errno_status(arena, "rename", from);
}

static status disk_remove(struct files *files, struct arena *arena, const char *name)
{
    return remove(path_of(files, arena, name)) == 0 || errno == ENOENT
               ? status_ok()
               : errno_status(arena, "remove", name);
}

static status disk_sync_folder(struct files *files, struct arena *arena, const char *folder)
{
    int fd = open(path_of(files, arena, folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0) {
        return errno_status(arena, "open", folder);
    }
    status s = fsync(fd) == 0 ? status_ok() : errno_status(arena, "sync", folder);
    (void)close(fd);
    return s;
}

/* One folder.  Its parent is synced also when it was there: who made it may have died in between.
 */
static status make_one_folder(struct files *files, struct arena *arena, const char *name,
                              const char *parent)
{
    struct stat info;

    if (mkdir(path_of(files, arena, name), 0700) != 0) {
        if (errno != EEXIST || stat(path_of(files, arena, name), &info) != 0) {
            return errno_status(arena, "make", name);
        }
        if (!S_ISDIR(info.st_mode)) {
            errno = ENOTDIR;
            return errno_status(arena, "make", name);
        }
    }
    return disk_sync_folder(files, arena, parent);
}

static status disk_make_folder(struct files *files, struct arena *arena, const char *folder)
{
    char *name = arena_strdup(arena, folder);
    const char *parent = "";

    for (char *end = name; end != NULL && *end != '\0';) {
        end = strchr(end, '/');
        if (end != NULL) {
            *end = '\0';
        }
        TRY(make_one_folder(files, arena, name, parent));
        if (end != NULL) {
            parent = arena_strdup(arena, name);
            *end++ = '/';
        }
    }
    return status_ok();
}

static int is_entry(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static status disk_list(struct files *files, struct arena *arena, const char *folder,
                        struct files_names *ret_names)
{
    struct dirent **entries = NULL;
    int n = scandir(path_of(files, arena, folder), &entries, is_entry, by_name);

    if (n < 0) {
        return errno_status(arena, "list", folder);
    }
    const char **names = ARENA_NEW_ARRAY(arena, const char *, (size_t)n);
    for (int i = 0; i < n; i++) {
        names[i] = arena_strdup(arena, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    *ret_names = (struct files_names){ .names = names, .n_names = (size_t)n };
    return status_ok();
}

static const struct files_ops disk_files_ops = {
    .open = disk_open,
    .rename = disk_rename,
    .remove = disk_remove,
    .make_folder = disk_make_folder,
    .list = disk_list,
    .sync_folder = disk_sync_folder,
};

status disk_files_init(struct disk_files *self, struct arena *arena, const char *root)
{
    if (mkdir(root, 0700) != 0 && errno != EEXIST) {
        return errno_status(arena, "make", root);
    }
    *self = (struct disk_files){ .files = { .ops = &disk_files_ops }, .root = strdup(root) };
    if (self->root == NULL) {
        abort();
    }
    return status_ok();
}

void disk_files_reset(struct disk_files *self)
{
    free(self->root);
    self->root = NULL;
}
