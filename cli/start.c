#include "cli/start.h"

#include "cli/supervisor/control_client.h"
#include "libs/base/clock.h"
#include "libs/base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    /* Three stages, each with its 10 s until SIGKILL, and then some. */
    STOP_PATIENCE_MS = 60 * 1000,
    LOOK_EVERY_MS = 2,
};

static void become_supervisor(const char *program, const char *home, int errors)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    (void)setsid();
    (void)signal(SIGHUP, SIG_DFL);
    (void)signal(SIGPIPE, SIG_DFL);
    if (null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(null, STDOUT_FILENO) >= 0 &&
        dup2(errors, STDERR_FILENO) >= 0 && chdir("/") == 0) {
        (void)execl(program, "weft_supervisor", home, (char *)NULL);
    }
    const char *why = strerror(errno);
    (void)!write(errors, why, strlen(why));
    _exit(127);
}

/* It closes its standard error when it has begun, or says why it could not, and ends. */
static status wait_until_begun(struct arena *arena, pid_t pid, int errors)
{
    struct text said = text_new(arena);
    uint8_t data[512];
    ssize_t n;

    while ((n = read(errors, data, sizeof data)) != 0) {
        if (n < 0 && errno != EINTR) {
            break;
        }
        text_add_bytes(&said, (bytes){ .data = data, .size = n > 0 ? (size_t)n : 0 });
    }
    if (said.size == 0) {
        return status_ok();
    }
    (void)waitpid(pid, NULL, 0);
    size_t size = strcspn(text_string(&said), "\n");
    return status_error(arena, STATUS_UNAVAILABLE, "the supervisor could not begin: %.*s",
                        (int)size, text_string(&said));
}

status start_supervisor(struct arena *arena, const struct home *home, const char *programs)
{
    const char *program = arena_printf(arena, "%s/weft_supervisor", programs);
    int pipe[2];

    if (pipe2(pipe, O_CLOEXEC) != 0) {
        return status_error(arena, STATUS_UNAVAILABLE, "pipe: %s", strerror(errno));
    }
    pid_t pid = fork();
    if (pid == 0) {
        become_supervisor(program, home->root, pipe[1]);
    }
    (void)close(pipe[1]);
    status s = pid > 0 ? wait_until_begun(arena, pid, pipe[0])
                       : status_error(arena, STATUS_UNAVAILABLE, "fork: %s", strerror(errno));
    (void)close(pipe[0]);
    return s;
}

/* It is gone when its lock is free: who comes next may start another, or remove all. */
static status wait_until_gone(struct arena *arena, const struct home *home)
{
    const struct timespec pause = { .tv_nsec = LOOK_EVERY_MS * 1000000L };
    int64_t end_ms = clock_monotonic_ms(&system_clock) + STOP_PATIENCE_MS;
    int fd = open(home_path(arena, home, "supervisor.lock"), O_RDWR | O_CLOEXEC);

    while (fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0) {
        if (clock_monotonic_ms(&system_clock) > end_ms) {
            (void)close(fd);
            return status_error(arena, STATUS_DEADLINE_EXCEEDED, "the supervisor does not end");
        }
        (void)nanosleep(&pause, NULL);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return status_ok();
}

status stop_supervisor(struct arena *arena, const struct home *home)
{
    const char *answer = "";

    TRY(control_ask(arena, home_socket(arena, home, "control.sock"),
                    &(struct control_request){ .command = "stop", .timeout_ms = STOP_PATIENCE_MS },
                    &answer));
    return wait_until_gone(arena, home);
}
