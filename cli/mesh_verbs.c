/* up, status, down, restart: the mesh on this host. */

#include "cli/mesh_status.h"
#include "cli/prepare.h"
#include "cli/start.h"
#include "cli/supervisor/control_client.h"
#include "cli/verbs.h"
#include "libs/base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

enum {
    READY_PATIENCE_MS = 60 * 1000,
    LOOK_EVERY_MS = 10,
    /* Deaths after which up stops waiting: what fails five times in 1.5 s does so for a reason. */
    HOPELESS_RESTARTS = 5,
    EXIT_NOT_READY = 3,
};

static status find_home(struct invocation *invocation, struct home *ret)
{
    return advise(invocation, home_find(invocation->arena, invocation->root, ret),
                  "set WEFT_HOME to another folder, or look at this one");
}

static status not_running(struct invocation *invocation, const struct home *home, status s)
{
    if (s.code == STATUS_NOT_FOUND) {
        s = status_error(invocation->arena, STATUS_UNAVAILABLE, "no mesh runs in '%s'", home->root);
        return advise(invocation, s, "./weft up");
    }
    return s;
}

/* ---- up ---- */

static const struct program_status *hopeless(const struct mesh_status *mesh)
{
    for (size_t i = 0; i < mesh->n_programs; i++) {
        const struct program_status *program = &mesh->programs[i];
        if (program->restarts >= HOPELESS_RESTARTS && strcmp(program->state, "ready") != 0) {
            return program;
        }
    }
    return NULL;
}

static status give_up(struct invocation *invocation, const struct program_status *program)
{
    status s = status_error(invocation->arena, STATUS_UNAVAILABLE, "'%s' does not become ready: %s",
                            program->name,
                            program->last_end != NULL ? program->last_end
                            : program->says != NULL   ? program->says
                                                      : program->state);
    return advise(invocation, s, arena_printf(invocation->arena, "./weft logs %s", program->name));
}

static const struct program_status *first_not_ready(const struct mesh_status *mesh)
{
    for (size_t i = 0; i < mesh->n_programs; i++) {
        if (strcmp(mesh->programs[i].state, "ready") != 0) {
            return &mesh->programs[i];
        }
    }
    return &mesh->programs[0];
}

/* Fills *ret also when it fails, with how far it came. */
static status wait_until_ready(struct invocation *invocation, const struct home *home,
                               struct mesh_status *ret)
{
    const struct timespec pause = { .tv_nsec = LOOK_EVERY_MS * 1000000L };
    int64_t end_ms = clock_monotonic_ms(&system_clock) + READY_PATIENCE_MS;

    for (;;) {
        TRY(mesh_status_get(invocation->arena, home, ret));
        if (ret->all_ready) {
            return status_ok();
        }
        const struct program_status *bad = hopeless(ret);
        if (bad != NULL) {
            return give_up(invocation, bad);
        }
        if (clock_monotonic_ms(&system_clock) > end_ms) {
            return give_up(invocation, first_not_ready(ret));
        }
        (void)nanosleep(&pause, NULL);
    }
}

static void say_trust(struct invocation *invocation, const struct home *home)
{
    if (!home->is_root) {
        output_say(invocation->output, TONE_WARN,
                   "development trust: one uid (programs are told apart by path and hash; as root "
                   "each has a user of its own)");
    }
}

static void show(struct invocation *invocation, const struct home *home, struct mesh_status *mesh)
{
    mesh_status_probe(invocation->arena, mesh);
    mesh_status_show(invocation->arena, invocation->output, mesh);
    say_trust(invocation, home);
    if (prepare_is_outdated(invocation->arena, home, invocation->programs)) {
        output_say(invocation->output, TONE_WARN,
                   "programs were built since this mesh was started: ./weft down && ./weft up");
    }
}

static status start(struct invocation *invocation, struct home *home)
{
    TRY(advise(invocation, home_make(invocation->arena, home), "./weft check"));
    TRY(advise(invocation, prepare(invocation->arena, home, invocation->programs), "./weft check"));
    return advise(invocation, start_supervisor(invocation->arena, home, invocation->programs),
                  "./weft check");
}

/* Two that start at once would take each other's ports: the second waits for the first.  Held until
 * we end. */
static status wait_for_turn(struct invocation *invocation, const struct home *home)
{
    TRY(home_claim(invocation->arena, home->root));
    const char *path = home_path(invocation->arena, home, "up.lock");
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || flock(fd, LOCK_EX) != 0) {
        return status_error(invocation->arena, STATUS_UNAVAILABLE, "lock '%s': %s", path,
                            strerror(errno));
    }
    return status_ok();
}

static status up(struct invocation *invocation)
{
    int64_t begin_ms = clock_monotonic_ms(&system_clock);
    struct mesh_status mesh = { 0 };
    struct home home;

    TRY(arguments_end(invocation->arguments));
    TRY(find_home(invocation, &home));
    TRY(advise(invocation, wait_for_turn(invocation, &home),
               "set WEFT_HOME to a folder that is empty or not there yet"));
    TRY(find_home(invocation, &home)); /* as who was before us left it */
    bool runs = status_is_ok(mesh_status_get(invocation->arena, &home, &mesh));
    if (!runs) {
        output_progress(invocation->output, "weft: starting\n");
        TRY(start(invocation, &home));
    }
    status s = wait_until_ready(invocation, &home, &mesh);
    show(invocation, &home, &mesh);
    TRY(s);
    if (runs) {
        output_say(invocation->output, TONE_DIM, "was running already; nothing changed");
    } else {
        output_say(invocation->output, TONE_GOOD, "all ready after %.2f s",
                   (double)(clock_monotonic_ms(&system_clock) - begin_ms) / 1000);
    }
    return status_ok();
}

/* ---- status, down, restart ---- */

static status show_status(struct invocation *invocation)
{
    struct mesh_status mesh = { 0 };
    struct home home;

    TRY(arguments_end(invocation->arguments));
    TRY(find_home(invocation, &home));
    TRY(not_running(invocation, &home, mesh_status_get(invocation->arena, &home, &mesh)));
    show(invocation, &home, &mesh);
    invocation->exit_code = mesh.all_ready && mesh_status_is_healthy(&mesh) ? 0 : EXIT_NOT_READY;
    return status_ok();
}

static status down(struct invocation *invocation)
{
    bool purge = arguments_flag(invocation->arguments, "--purge");
    struct home home;

    TRY(arguments_end(invocation->arguments));
    TRY(find_home(invocation, &home));
    status s = stop_supervisor(invocation->arena, &home);
    if (!status_is_ok(s) && s.code != STATUS_NOT_FOUND) {
        return advise(invocation, s, "./weft logs supervisor");
    }
    output_say(invocation->output, TONE_PLAIN,
               status_is_ok(s) ? "all have stopped" : "nothing was running");
    if (purge && home.exists) {
        TRY(home_forget(invocation->arena, &home));
        output_say(invocation->output, TONE_PLAIN, "'%s' is gone", home.root);
    }
    return status_ok();
}

static const struct program_status *program_of(const struct mesh_status *mesh, const char *name)
{
    for (size_t i = 0; i < mesh->n_programs; i++) {
        if (strcmp(mesh->programs[i].name, name) == 0) {
            return &mesh->programs[i];
        }
    }
    return NULL;
}

/* Until it is ready as another process than before; *ret_pid is which. */
static status wait_for_another(struct invocation *invocation, const struct home *home,
                               const struct program_status *before, int *ret_pid)
{
    const struct timespec pause = { .tv_nsec = LOOK_EVERY_MS * 1000000L };
    int64_t end_ms = clock_monotonic_ms(&system_clock) + READY_PATIENCE_MS;
    struct mesh_status mesh = { 0 };

    for (;;) {
        TRY(mesh_status_get(invocation->arena, home, &mesh));
        const struct program_status *now = program_of(&mesh, before->name);
        if (now != NULL && now->pid != before->pid && strcmp(now->state, "ready") == 0) {
            *ret_pid = now->pid;
            return status_ok();
        }
        if (clock_monotonic_ms(&system_clock) > end_ms) {
            return give_up(invocation, now != NULL ? now : before);
        }
        (void)nanosleep(&pause, NULL);
    }
}

static status ask_to_restart(struct invocation *invocation, const struct home *home,
                             const char *name)
{
    const struct control_request request = { "restart", name, 5000 };
    const char *answer = "";

    TRY(control_ask(invocation->arena, home_socket(invocation->arena, home, "control.sock"),
                    &request, &answer));
    return strstr(answer, "\"error\"") == NULL
               ? status_ok()
               : advise(invocation,
                        status_error(invocation->arena, STATUS_INVALID_ARGUMENT,
                                     "there is no service '%s'", name),
                        "./weft status");
}

static status restart(struct invocation *invocation)
{
    const char *name = arguments_next(invocation->arguments, "SERVICE");
    int64_t begin_ms = clock_monotonic_ms(&system_clock);
    struct mesh_status mesh = { 0 };
    struct home home;
    int pid = 0;

    TRY(arguments_end(invocation->arguments));
    TRY(find_home(invocation, &home));
    TRY(not_running(invocation, &home, mesh_status_get(invocation->arena, &home, &mesh)));
    TRY(ask_to_restart(invocation, &home, name));
    const struct program_status *before = program_of(&mesh, name);
    if (before == NULL) {
        return status_error(invocation->arena, STATUS_INTERNAL, "'%s' has no status", name);
    }
    TRY(wait_for_another(invocation, &home, before, &pid));
    output_say(invocation->output, TONE_GOOD, "'%s' is ready again after %.2f s, as process %d",
               name, (double)(clock_monotonic_ms(&system_clock) - begin_ms) / 1000, pid);
    return status_ok();
}

const struct verb mesh_verbs[] = {
    { NULL, "up", "", "start what does not run, wait until all is ready, and show it", up },
    { NULL, "status", "", "show how each service is; the exit code is 3 when one is not well",
      show_status },
    { NULL, "restart", "SERVICE",
      "end one service gracefully and start it again; waits until it is ready", restart },
    { NULL, "down", "[--purge]", "stop all; --purge forgets all state", down },
    { 0 },
};
