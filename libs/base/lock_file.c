#include "libs/base/lock_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { MAX_HOLDER_BYTES = 32, LOOK_EVERY_MS = 20 };

static status held_by_another(struct arena *arena, const char *path, int fd)
{
    char holder[MAX_HOLDER_BYTES] = "";
    ssize_t n = pread(fd, holder, sizeof holder - 1, 0);

    holder[n > 0 ? n : 0] = '\0';
    holder[strcspn(holder, "\n")] = '\0';
    return status_error(arena, STATUS_FAILED_PRECONDITION, "'%s' is locked by process '%s'", path,
                        holder);
}

status lock_file_take(struct arena *arena, const char *path, struct lock_file *ret_lock)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0) {
        return status_error(arena, STATUS_UNAVAILABLE, "open '%s': %s", path, strerror(errno));
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        status s = held_by_another(arena, path, fd);
        (void)close(fd);
        return s;
    }
    /* Only a help to people: a full disk does not keep the lock from being held. */
    if (ftruncate(fd, 0) == 0) {
        (void)dprintf(fd, "%ld\n", (long)getpid());
    }
    *ret_lock = (struct lock_file){ .fd = fd };
    return status_ok();
}

/* By looking again and again, since flock(2) knows no time-out but by a signal. */
status lock_file_wait(struct arena *arena, const char *path, int64_t patience_ms,
                      struct lock_file *ret_lock)
{
    status s = lock_file_take(arena, path, ret_lock);

    for (int64_t ms = 0; s.code == STATUS_FAILED_PRECONDITION && ms < patience_ms;
         ms += LOOK_EVERY_MS) {
        (void)usleep(LOOK_EVERY_MS * 1000);
        s = lock_file_take(arena, path, ret_lock);
    }
    return s;
}

void lock_file_release(struct lock_file *lock)
{
    if (lock->fd >= 0) {
        (void)close(lock->fd);
    }
    lock->fd = -1;
}
