#include "libs/store/sqlite_vfs.h"

#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int keep_name(sqlite3_vfs *vfs, const char *name, int size, char *ret_name)
{
    size_t length = strlen(name);

    (void)vfs;
    if (length >= (size_t)size) {
        return SQLITE_CANTOPEN;
    }
    memcpy(ret_name, name, length + 1);
    return SQLITE_OK;
}

/* Only when it is not there: to close a file drops all locks that the process has on it, those of
 * SQLite's other connections too (POSIX; SQLite's "How To Corrupt", 2.2). */
static void make_private(const char *name)
{
    int fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd >= 0) {
        (void)close(fd);
    }
}

static int open_private(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                        int *ret_flags)
{
    sqlite3_vfs *real = sqlite3_vfs_find("unix");

    (void)vfs;
    if (name != NULL && (flags & SQLITE_OPEN_MAIN_DB) != 0 && (flags & SQLITE_OPEN_CREATE) != 0) {
        make_private(name);
    }
    return real->xOpen(real, name, file, flags, ret_flags);
}

/* SQLite links its VFSs into one list for the process, so this cannot be anything but global. */
static sqlite3_vfs weft;

/* The default's methods find what is their own in pAppData, which is copied with them. */
static void register_weft(void)
{
    const sqlite3_vfs *real = sqlite3_vfs_find("unix");

    if (real == NULL) {
        abort(); /* a SQLite that was built without its way to files */
    }
    weft = *real;
    weft.zName = "weft";
    weft.pNext = NULL;
    weft.xFullPathname = keep_name;
    weft.xOpen = open_private;
    if (sqlite3_vfs_register(&weft, 0) != SQLITE_OK) {
        abort(); /* no memory, when the program starts */
    }
}

const char *sqlite_vfs_weft(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, register_weft);
    return weft.zName;
}
