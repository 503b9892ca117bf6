#include "loadtests/disk_limit.h"

#include "libs/base/clock.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { FILE_BYTES = 16 * DISK_LIMIT_MAX_WRITE };

static status failed(struct arena *arena, const char *what)
{
    return status_error(arena, STATUS_UNAVAILABLE, "%s: %s", what, strerror(errno));
}

/* So that what is measured changes no metadata but the time. */
static status fill(struct arena *arena, int fd)
{
    uint8_t *chunk = arena_alloc(arena, DISK_LIMIT_MAX_WRITE);

    memset(chunk, 0x5a, DISK_LIMIT_MAX_WRITE);
    for (off_t at = 0; at < FILE_BYTES; at += DISK_LIMIT_MAX_WRITE) {
        if (pwrite(fd, chunk, DISK_LIMIT_MAX_WRITE, at) != DISK_LIMIT_MAX_WRITE) {
            return failed(arena, "fill");
        }
    }
    return fsync(fd) == 0 ? status_ok() : failed(arena, "fsync");
}

static status measure(struct arena *arena, int fd, size_t size, int64_t run_ms, double *ret)
{
    uint8_t *data = arena_alloc(arena, size);
    int64_t start_us = clock_monotonic_us(&system_clock);
    int64_t now_us = start_us;
    off_t at = 0;
    long n = 0;

    memset(data, 0xa5, size);
    for (; now_us < start_us + run_ms * 1000; n++) {
        if (pwrite(fd, data, size, at) != (ssize_t)size || fdatasync(fd) != 0) {
            return failed(arena, "write");
        }
        at += (off_t)size;
        at = at + (off_t)size <= FILE_BYTES ? at : 0;
        now_us = clock_monotonic_us(&system_clock);
    }
    *ret = (double)n * 1e6 / (double)(now_us - start_us);
    return status_ok();
}

status disk_limit_run(struct arena *arena, const char *folder, size_t size, int64_t run_ms,
                      double *ret_writes_per_s)
{
    const char *path = arena_printf(arena, "%s/disk_limit", folder);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert(size > 0 && size <= DISK_LIMIT_MAX_WRITE);
    if (fd < 0) {
        return failed(arena, path);
    }
    status s = fill(arena, fd);
    if (status_is_ok(s)) {
        s = measure(arena, fd, size, run_ms, ret_writes_per_s);
    }
    (void)close(fd);
    (void)unlink(path);
    return s;
}
