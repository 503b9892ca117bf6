/* weft_supervisor HOME - keeps the programs of HOME/plan.json running until it gets SIGTERM.
 *
 * A program of its own, and not a verb of the client, because it lives as long as the mesh does:
 * without gRPC's libraries it takes about a megabyte.
 */

#include "cli/supervisor/supervisor.h"
#include "libs/base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sysexits.h>
#include <unistd.h>

/* One that ends has closed its socket before its lock is free, and takes some milliseconds. */
enum { LOCK_PATIENCE_MS = 10 * 1000, LOCK_EVERY_MS = 2 };

static bool lock_soon(int fd)
{
    int64_t end_ms = clock_monotonic_ms(&system_clock) + LOCK_PATIENCE_MS;

    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK || clock_monotonic_ms(&system_clock) > end_ms) {
            return false;
        }
        (void)usleep(LOCK_EVERY_MS * 1000);
    }
    return true;
}

/* Held for as long as we live, so that there is one supervisor of a home. */
static status take_lock(struct arena *arena, const char *home)
{
    const char *path = arena_printf(arena, "%s/supervisor.lock", home);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0 || !lock_soon(fd)) {
        return status_error(arena, STATUS_UNAVAILABLE, "lock '%s': %s", path,
                            errno == EWOULDBLOCK ? "another supervisor has it" : strerror(errno));
    }
    const char *pid = arena_printf(arena, "%d\n", (int)getpid());
    if (ftruncate(fd, 0) != 0 || write(fd, pid, strlen(pid)) < 0) {
        return status_error(arena, STATUS_UNAVAILABLE, "write '%s': %s", path, strerror(errno));
    }
    return status_ok();
}

/* Who started us reads standard error until it closes, to see whether we could. */
static void leave_terminal(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    (void)fflush(stderr);
    for (int fd = 0; fd <= 2 && null >= 0; fd++) {
        (void)dup2(null, fd);
    }
}

static status supervise(struct arena *arena, const char *home)
{
    struct disk_files files;
    struct disk_files logs;
    struct supervisor *supervisor = NULL;
    struct plan plan;
    bytes json;

    TRY(take_lock(arena, home));
    TRY(disk_files_init(&files, arena, home));
    status s = files_read(&files.files, arena, "plan.json", PLAN_MAX_BYTES, &json);
    disk_files_reset(&files);
    TRY(s);
    TRY(plan_parse(arena, json, &plan));
    TRY(disk_files_init(&logs, arena, arena_printf(arena, "%s/logs", home)));
    s = supervisor_new(
        arena,
        &(struct supervisor_options){ .plan = &plan, .logs = &logs.files, .clock = &system_clock },
        &supervisor);
    if (status_is_ok(s)) {
        leave_terminal();
        supervisor_run(supervisor);
    }
    supervisor_free(supervisor);
    disk_files_reset(&logs);
    return s;
}

int main(int argc, char **argv)
{
    struct arena *arena = arena_new();

    if (argc != 2) {
        (void)fprintf(stderr, "usage: weft_supervisor HOME\n");
        return EX_USAGE;
    }
    status s = supervise(arena, argv[1]);
    if (!status_is_ok(s)) {
        (void)fprintf(stderr, "%s\n", s.message);
    }
    int code = status_is_ok(s) ? EXIT_SUCCESS : EXIT_FAILURE;
    arena_free(arena);
    return code;
}
