#include "cli/supervisor/control_client.h"

#include "cli/supervisor/unix_socket.h"
#include "libs/base/text.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static status receive_all(struct arena *arena, int fd, struct text *into)
{
    uint8_t data[4096];
    ssize_t n;

    while ((n = recv(fd, data, sizeof data, 0)) != 0) {
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            return status_error(arena, STATUS_DEADLINE_EXCEEDED, "the supervisor does not answer");
        }
        if (n < 0 && errno == ECONNRESET) {
            break; /* it has ended, with something of ours unread */
        }
        if (n < 0 && errno != EINTR) {
            return status_error(arena, STATUS_UNAVAILABLE, "read from the supervisor: %s",
                                strerror(errno));
        }
        if (n > 0) {
            text_add_bytes(into, (bytes){ .data = data, .size = (size_t)n });
        }
    }
    return status_ok();
}

static status exchange(struct arena *arena, int fd, const struct text *line, int timeout_ms,
                       struct text *into)
{
    struct timeval timeout = {
        .tv_sec = timeout_ms / 1000,
        .tv_usec = timeout_ms % 1000 * 1000L,
    };

    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) != 0) {
        return status_error(arena, STATUS_UNAVAILABLE, "ask the supervisor: %s", strerror(errno));
    }
    ssize_t sent = send(fd, line->data, line->size, MSG_NOSIGNAL);
    bool has_ended = sent < 0 && (errno == EPIPE || errno == ECONNRESET); /* no answer comes */
    if (sent != (ssize_t)line->size && !has_ended) {
        return status_error(arena, STATUS_UNAVAILABLE, "write to the supervisor: %s",
                            strerror(errno));
    }
    return receive_all(arena, fd, into);
}

status control_ask(struct arena *arena, const char *path, const struct control_request *request,
                   const char **ret_answer)
{
    struct text line = text_new(arena);
    struct text answer = text_new(arena);
    int fd = -1;

    text_add(&line, "{\"do\":");
    text_add_json(&line, bytes_of(request->command));
    text_add(&line, ",\"name\":");
    text_add_json(&line, bytes_of(request->name != NULL ? request->name : ""));
    text_add(&line, "}\n");
    TRY(unix_socket_connect(arena, path, SOCK_STREAM, &fd));
    status s = exchange(arena, fd, &line, request->timeout_ms, &answer);
    (void)close(fd);
    TRY(s);
    *ret_answer = text_string(&answer);
    return status_ok();
}
