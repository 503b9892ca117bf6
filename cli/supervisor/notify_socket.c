#include "cli/supervisor/notify_socket.h"

#include "cli/supervisor/unix_socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

status notify_socket_open(struct arena *arena, const char *path, int *ret_fd)
{
    const int yes = 1;
    int fd = -1;

    TRY(unix_socket_bind(arena, path, SOCK_DGRAM, 0666, &fd));
    if (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes) != 0) {
        status s = status_error(arena, STATUS_UNAVAILABLE, "SO_PASSCRED on '%s': %s", path,
                                strerror(errno));
        (void)close(fd);
        return s;
    }
    *ret_fd = fd;
    return status_ok();
}

static bool sender(struct msghdr *message, pid_t *ret_pid)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS) {
            struct ucred credentials;
            memcpy(&credentials, CMSG_DATA(c), sizeof credentials);
            *ret_pid = credentials.pid;
            return true;
        }
    }
    return false;
}

bool notify_socket_receive(int fd, struct arena *arena, pid_t *ret_pid,
                           struct notification *ret_said)
{
    for (;;) {
        uint8_t data[NOTIFICATION_MAX_BYTES + 1]; /* one more, to see what is too long */
        union {
            char space[CMSG_SPACE(sizeof(struct ucred))];
            struct cmsghdr align;
        } control;
        struct iovec vector = { .iov_base = data, .iov_len = sizeof data };
        struct msghdr message = {
            .msg_iov = &vector,
            .msg_iovlen = 1,
            .msg_control = &control,
            .msg_controllen = sizeof control,
        };
        /* Descriptors that someone sends along (FDSTORE) do not fit and are closed by the kernel.
         */
        ssize_t n = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (n < 0 && errno != EINTR) {
            return false;
        }
        if (n > 0 && sender(&message, ret_pid) &&
            notification_parse(arena, (bytes){ .data = data, .size = (size_t)n }, ret_said)) {
            return true;
        }
    }
}
