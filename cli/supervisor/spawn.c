#include "cli/supervisor/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Where a start failed, as the child tells its parent through a pipe that closes at exec. */
struct failure {
    const char *step; /* a constant of this program, so the pointer is good on both sides */
    int error;
};

static void reset_signals(void)
{
    sigset_t none;

    for (int number = 1; number < NSIG; number++) {
        (void)signal(number, SIG_DFL); /* fails for SIGKILL and SIGSTOP, as it should */
    }
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Groups first: once the uid is gone so is the right to change them. */
static bool become(uid_t uid)
{
    return setgroups(0, NULL) == 0 && setresgid(uid, uid, uid) == 0 &&
           setresuid(uid, uid, uid) == 0;
}

static bool redirect(int log)
{
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

    return null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(log, STDOUT_FILENO) >= 0 &&
           dup2(log, STDERR_FILENO) >= 0;
}

/* Runs in the child; returns the step that failed. */
static const char *run(const struct program *program, int executable, int log, pid_t parent)
{
    char *const arguments[] = { (char *)(uintptr_t)program->name, NULL };

    reset_signals();
    if (!redirect(log)) {
        return "redirect its output";
    }
    if (chdir(program->folder) != 0) {
        return "enter its folder";
    }
    if (program->uid != 0 && !become(program->uid)) {
        return "become its user";
    }
    (void)umask(0077);
    /* After the change of user, which would forget it. */
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || getppid() != parent) {
        return "tie it to its supervisor";
    }
    (void)fexecve(executable, arguments, (char *const *)(uintptr_t)program->environment);
    return "run it";
}

static status read_failure(struct arena *arena, const struct program *program, int pipe)
{
    struct failure failure;
    ssize_t n;

    do {
        n = read(pipe, &failure, sizeof failure);
    } while (n < 0 && errno == EINTR);
    if (n != (ssize_t)sizeof failure) {
        return status_ok(); /* the pipe closed: it runs */
    }
    return status_error(arena, STATUS_UNAVAILABLE, "start '%s': cannot %s: %s", program->name,
                        failure.step, strerror(failure.error));
}

status spawn(struct arena *arena, const struct program *program, int executable, int log,
             pid_t *ret_pid)
{
    int pipe[2];
    pid_t parent = getpid();

    if (pipe2(pipe, O_CLOEXEC) != 0) {
        return status_error(arena, STATUS_UNAVAILABLE, "start '%s': pipe: %s", program->name,
                            strerror(errno));
    }
    pid_t pid = fork();
    if (pid == 0) {
        struct failure failure = { .step = run(program, executable, log, parent) };
        failure.error = errno;
        _exit(write(pipe[1], &failure, sizeof failure) > 0 ? 127 : 126);
    }
    int fork_error = errno;
    (void)close(pipe[1]);
    if (pid < 0) {
        (void)close(pipe[0]);
        return status_error(arena, STATUS_UNAVAILABLE, "start '%s': fork: %s", program->name,
                            strerror(fork_error));
    }
    status s = read_failure(arena, program, pipe[0]);
    (void)close(pipe[0]);
    if (!status_is_ok(s)) {
        (void)waitpid(pid, NULL, 0);
        return s;
    }
    *ret_pid = pid;
    return status_ok();
}
