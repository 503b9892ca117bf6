#include "libs/testing/crash_vfs.h"

#include "libs/testing/crash_vfs_locks.h"

#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct crash_vfs_state {
    sqlite3_vfs vfs;
    char name[32];
    struct files *files;
    pthread_mutex_t lock;
    struct shared_file *shared;
};

struct vfs_file {
    sqlite3_file file;
    struct crash_vfs_state *state;
    struct file *real;
    struct arena *arena; /* for the statuses of one operation */
    struct shared_file *shared;
    struct holder holder;
    bool is_new;           /* its name may not be on disk */
    bool is_gone_at_close; /* SQLite asks for it with temporary files */
};

static int code_of(status s, int otherwise)
{
    switch (s.code) {
    case STATUS_OK:
        return SQLITE_OK;
    case STATUS_RESOURCE_EXHAUSTED:
        return SQLITE_FULL;
    default:
        return otherwise;
    }
}

/* The end of an operation on a file. */
static int end(struct vfs_file *self, status s, int otherwise)
{
    int code = code_of(s, otherwise);

    arena_reset(self->arena);
    return code;
}

static const char *folder_of(struct arena *arena, const char *name)
{
    const char *slash = strrchr(name, '/');

    return slash == NULL ? "" : arena_printf(arena, "%.*s", (int)(slash - name), name);
}

/* ---- Files ---- */

static struct shared_file *acquire(struct crash_vfs_state *state, const char *name)
{
    pthread_mutex_lock(&state->lock);
    struct shared_file *shared = state->shared;
    while (shared != NULL && strcmp(shared->name, name) != 0) {
        shared = shared->next;
    }
    if (shared == NULL) {
        shared = shared_file_new(name);
        shared->next = state->shared;
        state->shared = shared;
    }
    shared->n_open++;
    pthread_mutex_unlock(&state->lock);
    return shared;
}

static void release(struct crash_vfs_state *state, struct shared_file *shared)
{
    pthread_mutex_lock(&state->lock);
    if (--shared->n_open == 0) {
        struct shared_file **at = &state->shared;
        while (*at != shared) {
            at = &(*at)->next;
        }
        *at = shared->next;
        shared_file_free(shared);
    }
    pthread_mutex_unlock(&state->lock);
}

static int vfs_close(sqlite3_file *file)
{
    struct vfs_file *self = (struct vfs_file *)file;

    shared_index_unmap(self->shared, &self->holder);
    (void)shared_file_unlock(self->shared, &self->holder, SQLITE_LOCK_NONE);
    file_close(self->real);
    if (self->is_gone_at_close) {
        (void)files_remove(self->state->files, self->arena, self->shared->name);
    }
    release(self->state, self->shared);
    arena_free(self->arena);
    return SQLITE_OK;
}

static int vfs_read(sqlite3_file *file, void *data, int size, sqlite3_int64 offset)
{
    struct vfs_file *self = (struct vfs_file *)file;
    size_t n = 0;
    status s = file_read_at(self->real, self->arena, (uint64_t)offset, data, (size_t)size, &n);

    memset((char *)data + n, 0, (size_t)size - n); /* as SQLite wants it past the end */
    int code = end(self, s, SQLITE_IOERR_READ);
    return code == SQLITE_OK && n < (size_t)size ? SQLITE_IOERR_SHORT_READ : code;
}

static int vfs_write(sqlite3_file *file, const void *data, int size, sqlite3_int64 offset)
{
    struct vfs_file *self = (struct vfs_file *)file;
    const bytes all = { .data = data, .size = (size_t)size };

    return end(self, file_write_at(self->real, self->arena, (uint64_t)offset, all),
               SQLITE_IOERR_WRITE);
}

static int vfs_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    struct vfs_file *self = (struct vfs_file *)file;

    return end(self, file_truncate(self->real, self->arena, (uint64_t)size), SQLITE_IOERR_TRUNCATE);
}

static int vfs_sync(sqlite3_file *file, int flags)
{
    struct vfs_file *self = (struct vfs_file *)file;
    status s = file_sync(self->real, self->arena);

    (void)flags;
    if (status_is_ok(s) && self->is_new) {
        s = files_sync_folder(self->state->files, self->arena,
                              folder_of(self->arena, self->shared->name));
        self->is_new = !status_is_ok(s);
    }
    return end(self, s, SQLITE_IOERR_FSYNC);
}

static int vfs_size(sqlite3_file *file, sqlite3_int64 *ret_size)
{
    struct vfs_file *self = (struct vfs_file *)file;
    uint64_t size = 0;
    int code = end(self, file_size(self->real, self->arena, &size), SQLITE_IOERR_FSTAT);

    *ret_size = (sqlite3_int64)size;
    return code;
}

static int vfs_lock(sqlite3_file *file, int level)
{
    struct vfs_file *self = (struct vfs_file *)file;

    return shared_file_lock(self->shared, &self->holder, level);
}

static int vfs_unlock(sqlite3_file *file, int level)
{
    struct vfs_file *self = (struct vfs_file *)file;

    return shared_file_unlock(self->shared, &self->holder, level);
}

static int vfs_is_reserved(sqlite3_file *file, int *ret_is_reserved)
{
    const struct vfs_file *self = (const struct vfs_file *)file;

    *ret_is_reserved = shared_file_is_reserved(self->shared);
    return SQLITE_OK;
}

static int vfs_control(sqlite3_file *file, int operation, void *argument)
{
    (void)file;
    (void)operation;
    (void)argument;
    return SQLITE_NOTFOUND;
}

static int vfs_sector_size(sqlite3_file *file)
{
    (void)file;
    return 4096;
}

/* What SQLite believes of a disk by default: a write changes no byte beside it. */
static int vfs_characteristics(sqlite3_file *file)
{
    (void)file;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static int vfs_index_map(sqlite3_file *file, int region, int size, int extend,
                         void volatile **ret_region)
{
    struct vfs_file *self = (struct vfs_file *)file;

    return shared_index_map(self->shared, &self->holder, region, size, extend != 0, ret_region);
}

static int vfs_index_lock(sqlite3_file *file, int first, int n, int flags)
{
    struct vfs_file *self = (struct vfs_file *)file;

    return shared_index_lock(self->shared, &self->holder, first, n, flags);
}

static void vfs_index_barrier(sqlite3_file *file)
{
    (void)file;
    atomic_thread_fence(memory_order_seq_cst);
}

static int vfs_index_unmap(sqlite3_file *file, int remove)
{
    struct vfs_file *self = (struct vfs_file *)file;

    (void)remove;
    shared_index_unmap(self->shared, &self->holder);
    return SQLITE_OK;
}

static const sqlite3_io_methods file_methods = {
    .iVersion = 2,
    .xClose = vfs_close,
    .xRead = vfs_read,
    .xWrite = vfs_write,
    .xTruncate = vfs_truncate,
    .xSync = vfs_sync,
    .xFileSize = vfs_size,
    .xLock = vfs_lock,
    .xUnlock = vfs_unlock,
    .xCheckReservedLock = vfs_is_reserved,
    .xFileControl = vfs_control,
    .xSectorSize = vfs_sector_size,
    .xDeviceCharacteristics = vfs_characteristics,
    .xShmMap = vfs_index_map,
    .xShmLock = vfs_index_lock,
    .xShmBarrier = vfs_index_barrier,
    .xShmUnmap = vfs_index_unmap,
};

/* ---- Names ---- */

static struct crash_vfs_state *state_of(const sqlite3_vfs *vfs)
{
    return vfs->pAppData;
}

static bool is_there(struct crash_vfs_state *state, struct arena *arena, const char *name)
{
    struct file *file = NULL;
    bool is_there = status_is_ok(files_open(state->files, arena, name, FILES_READ, &file));

    file_close(file);
    return is_there;
}

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                    int *ret_flags)
{
    /* Those whose folder unixOpen() remembers to sync, UNIXFILE_DIRSYNC. */
    const int journals = SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL;
    struct crash_vfs_state *state = state_of(vfs);
    struct vfs_file *self = (struct vfs_file *)file;
    struct arena *arena = arena_new();
    struct file *real = NULL;

    *self = (struct vfs_file){ .state = state, .arena = arena };
    bool is_new = name != NULL && !is_there(state, arena, name);
    if (name == NULL || (is_new && (flags & SQLITE_OPEN_CREATE) == 0)) {
        arena_free(arena);
        return SQLITE_CANTOPEN;
    }
    status s = files_open(state->files, arena, name, FILES_WRITE, &real);
    if (!status_is_ok(s)) {
        errno = s.code == STATUS_RESOURCE_EXHAUSTED ? ENOSPC : EIO; /* sqlite3_system_errno() */
        arena_free(arena);
        return SQLITE_CANTOPEN;
    }
    self->file.pMethods = &file_methods;
    self->real = real;
    self->shared = acquire(state, name);
    self->is_new = is_new && (flags & journals) != 0;
    self->is_gone_at_close = (flags & SQLITE_OPEN_DELETEONCLOSE) != 0;
    if (ret_flags != NULL) {
        *ret_flags = flags;
    }
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync_folder)
{
    struct crash_vfs_state *state = state_of(vfs);
    struct arena *arena = arena_new();
    int code = SQLITE_IOERR_DELETE_NOENT;

    if (is_there(state, arena, name)) {
        code = code_of(files_remove(state->files, arena, name), SQLITE_IOERR_DELETE);
    }
    if (code == SQLITE_OK && sync_folder != 0) {
        code = code_of(files_sync_folder(state->files, arena, folder_of(arena, name)),
                       SQLITE_IOERR_DIR_FSYNC);
    }
    arena_free(arena);
    return code;
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *ret_is_there)
{
    struct arena *arena = arena_new();

    (void)flags;
    *ret_is_there = is_there(state_of(vfs), arena, name);
    arena_free(arena);
    return SQLITE_OK;
}

static int vfs_full_name(sqlite3_vfs *vfs, const char *name, int size, char *ret_name)
{
    (void)vfs;
    (void)snprintf(ret_name, (size_t)size, "%s", name);
    return SQLITE_OK;
}

/* ---- All of it ---- */

void crash_vfs_init(struct crash_vfs *self, struct files *files)
{
    const sqlite3_vfs *machine = sqlite3_vfs_find("unix");
    struct crash_vfs_state *state = calloc(1, sizeof *state);

    if (state == NULL || machine == NULL) {
        abort();
    }
    (void)snprintf(state->name, sizeof state->name, "crash-%p", (void *)state);
    state->files = files;
    state->vfs = *machine; /* for time, sleep and randomness */
    state->vfs.pNext = NULL;
    state->vfs.zName = state->name;
    state->vfs.szOsFile = sizeof(struct vfs_file);
    state->vfs.pAppData = state;
    state->vfs.xOpen = vfs_open;
    state->vfs.xDelete = vfs_delete;
    state->vfs.xAccess = vfs_access;
    state->vfs.xFullPathname = vfs_full_name;
    pthread_mutex_init(&state->lock, NULL);
    (void)sqlite3_vfs_register(&state->vfs, 0);
    self->state = state;
}

void crash_vfs_reset(struct crash_vfs *self)
{
    (void)sqlite3_vfs_unregister(&self->state->vfs);
    pthread_mutex_destroy(&self->state->lock);
    free(self->state);
    self->state = NULL;
}

const char *crash_vfs_name(const struct crash_vfs *self)
{
    return self->state->name;
}
