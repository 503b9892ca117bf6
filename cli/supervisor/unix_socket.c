#include "cli/supervisor/unix_socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static status address_of(struct arena *arena, const char *path, struct sockaddr_un *ret)
{
    size_t size = strlen(path);

    *ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
    if (size >= sizeof ret->sun_path) {
        return status_error(arena, STATUS_INVALID_ARGUMENT,
                            "'%s' has %zu bytes; the path of a socket has at most %zu", path, size,
                            sizeof ret->sun_path - 1);
    }
    memcpy(ret->sun_path, path, size + 1);
    return status_ok();
}

static status errno_status(struct arena *arena, const char *doing, const char *path)
{
    int error = errno;
    enum status_code code =
        error == ENOENT || error == ECONNREFUSED ? STATUS_NOT_FOUND : STATUS_UNAVAILABLE;

    return status_error(arena, code, "%s '%s': %s", doing, path, strerror(error));
}

static status bind_to(struct arena *arena, int fd, const char *path,
                      const struct sockaddr_un *address, mode_t mode)
{
    if (unlink(path) != 0 && errno != ENOENT) {
        return errno_status(arena, "remove", path);
    }
    if (bind(fd, (const struct sockaddr *)address, sizeof *address) != 0 ||
        chmod(path, mode) != 0) {
        return errno_status(arena, "bind", path);
    }
    return status_ok();
}

status unix_socket_bind(struct arena *arena, const char *path, int type, mode_t mode, int *ret_fd)
{
    struct sockaddr_un address;

    TRY(address_of(arena, path, &address));
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return errno_status(arena, "socket for", path);
    }
    status s = bind_to(arena, fd, path, &address, mode);
    if (!status_is_ok(s)) {
        (void)close(fd);
        return s;
    }
    *ret_fd = fd;
    return status_ok();
}

status unix_socket_connect(struct arena *arena, const char *path, int type, int *ret_fd)
{
    struct sockaddr_un address;

    TRY(address_of(arena, path, &address));
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return errno_status(arena, "socket for", path);
    }
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        status s = errno_status(arena, "connect to", path);
        (void)close(fd);
        return s;
    }
    *ret_fd = fd;
    return status_ok();
}
