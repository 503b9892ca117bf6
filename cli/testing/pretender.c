/* pretender - a program that does what PRETEND says, for tests of the supervisor.
 *
 *     ready     says that it is ready, and waits for SIGTERM; so does one that is told nothing
 *     deaf      the same, and ignores SIGTERM
 *     silent    never says anything
 *     die       ends with code 3
 *     log       writes lines to standard error, then is ready
 *
 * It leaves in the file "seen" of its folder who it is and what it was given.
 */

#include "cli/supervisor/unix_socket.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

static void notify(const char *text)
{
    struct arena *arena = arena_new();
    const char *path = getenv("NOTIFY_SOCKET");
    int fd = -1;

    if (path != NULL && status_is_ok(unix_socket_connect(arena, path, SOCK_DGRAM, &fd))) {
        (void)send(fd, text, strlen(text), 0);
        (void)close(fd);
    }
    arena_free(arena);
}

static void leave_seen(void)
{
    FILE *file = fopen("seen", "we");

    if (file == NULL) {
        return;
    }
    (void)fprintf(file, "uid=%u gid=%u\n", (unsigned)getuid(), (unsigned)getgid());
    for (int fd = 3; fd < 64; fd++) {
        if (fd != fileno(file) && fcntl(fd, F_GETFD) >= 0 &&
            (fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0) {
            (void)fprintf(file, "inherited=%d\n", fd);
        }
    }
    for (char **line = environ; *line != NULL; line++) {
        (void)fprintf(file, "%s\n", *line);
    }
    (void)fclose(file);
}

static void on_term(int number)
{
    (void)number;
    _exit(0);
}

int main(void)
{
    const char *pretend = getenv("PRETEND");

    leave_seen();
    pretend = pretend != NULL ? pretend : "ready";
    (void)signal(SIGTERM, strcmp(pretend, "deaf") == 0 ? SIG_IGN : on_term);
    if (strcmp(pretend, "die") == 0) {
        return 3;
    }
    if (strcmp(pretend, "log") == 0) {
        (void)fprintf(stderr, "{\"message\":\"first\"}\n{\"message\":\"second\"}\n");
    }
    if (strcmp(pretend, "silent") != 0) {
        notify("READY=1\nSTATUS=pretending\nX_WEFT_ADDRESS=127.0.0.1:1\nX_WEFT_VERSION=1.2.3");
    }
    for (;;) {
        (void)pause();
    }
}
