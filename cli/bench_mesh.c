#include "cli/bench.h"
#include "cli/mesh_status.h"
#include "cli/probe.h"
#include "loadtests/report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    STARTS = 3,
    IDLE_S = 3, /* after a start, until what it left to do is done */
};

/* ---- Running programs ---- */

static void become(struct bench *self, const char *path, char *const *words)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    (void)dup2(null, STDOUT_FILENO);
    (void)dup2(null, STDERR_FILENO);
    (void)setenv("WEFT_HOME", self->root, 1);
    (void)setenv("WEFT_PROGRAMS", self->invocation->programs, 1);
    (void)execv(path, words);
    _exit(127);
}

/* The script that a person runs, when it is beside the programs; the program itself otherwise. */
static status run_weft(struct bench *self, const char *verb, const char *option)
{
    const char *script =
        arena_printf(self->invocation->arena, "%s/../weft", self->invocation->programs);
    const char *path = access(script, X_OK) == 0 ? script : "/proc/self/exe";
    char *const words[] = { message_text("weft"), message_text(verb),
                            option != NULL ? message_text(option) : NULL, NULL };
    int wait_status = 0;

    pid_t pid = fork();
    if (pid == 0) {
        become(self, path, words);
    }
    while (pid > 0 && waitpid(pid, &wait_status, 0) < 0 && errno == EINTR) {
    }
    if (pid < 0 || !WIFEXITED(wait_status) || WEXITSTATUS(wait_status) != 0) {
        self->invocation->advice =
            arena_printf(self->invocation->arena, "WEFT_HOME=%s ./weft %s", self->root, verb);
        return status_error(self->invocation->arena, STATUS_UNAVAILABLE, "weft %s did not end well",
                            verb);
    }
    return status_ok();
}

/* ---- Its life ---- */

status bench_mesh_start(struct bench *self)
{
    TRY(bench_mesh_end(self));
    return run_weft(self, "up", NULL);
}

status bench_mesh_end(struct bench *self)
{
    session_free(self->inside.session);
    self->inside.session = NULL;
    return run_weft(self, "down", "--purge");
}

static struct peer *find(void *data, const char *service)
{
    return session_peer(data, service);
}

status bench_mesh_join(struct bench *self)
{
    struct call call;

    self->inside = *self->invocation;
    self->inside.root = self->root;
    self->inside.as = NULL;
    (void)unsetenv("WEFT_API_KEY"); /* which is of another mesh */
    status s = session_open_with_token(&self->inside);
    self->invocation->advice = self->inside.advice;
    TRY(s);
    call = session_call(self->inside.session, self->invocation->arena, API_TIMEOUT_MS);
    self->load = (struct load){
        .arena = self->invocation->arena,
        .find = find,
        .data = self->inside.session,
        .admin_token = call.token,
        .folder = self->real_home,
    };
    return load_prepare(&self->load);
}

/* ---- Memory ---- */

static int supervisor_pid(struct bench *self)
{
    const char *path = arena_printf(self->invocation->arena, "%s/supervisor.lock", self->root);
    FILE *file = fopen(path, "re");
    char line[32] = "";

    if (file != NULL) {
        (void)!fgets(line, sizeof line, file);
        (void)fclose(file);
    }
    return (int)strtol(line, NULL, 10);
}

status bench_mesh_memory(struct bench *self, double *ret_kib)
{
    struct arena *arena = self->invocation->arena;
    struct mesh_status mesh;
    struct home home;
    long total = probe_memory_kb(arena, supervisor_pid(self));

    TRY(home_find(arena, self->root, &home));
    TRY(mesh_status_get(arena, &home, &mesh));
    for (size_t i = 0; i < mesh.n_programs; i++) {
        long kib = probe_memory_kb(arena, mesh.programs[i].pid);
        if (kib < 0 || total < 0) {
            return status_error(arena, STATUS_UNAVAILABLE, "the kernel tells no memory of '%s'",
                                mesh.programs[i].name);
        }
        total += kib;
    }
    *ret_kib = (double)total;
    return status_ok();
}

/* ---- The start ---- */

static status time_up(struct bench *self, double *ret_ms)
{
    int64_t start_us = clock_monotonic_us(&system_clock);

    TRY(run_weft(self, "up", NULL));
    *ret_ms = load_seconds_since(start_us) * 1e3;
    return status_ok();
}

static void report_start(const char *name, double ms)
{
    report(&(struct finding){ .name = name,
                              .value = ms,
                              .unit = "ms",
                              .bar = BAR_MOST,
                              .bar_at = 3000,
                              .command = "./weft bench start" });
}

static status measure_idle(struct bench *self, double *ret_kib)
{
    (void)nanosleep(&(struct timespec){ .tv_sec = IDLE_S }, NULL);
    return bench_mesh_memory(self, ret_kib);
}

status bench_start(struct bench *self)
{
    double first[STARTS];
    double again[STARTS];
    double idle_kib[STARTS];

    for (size_t i = 0; i < STARTS; i++) {
        TRY(bench_mesh_end(self));
        TRY(time_up(self, &first[i]));
        TRY(run_weft(self, "down", NULL));
        TRY(time_up(self, &again[i]));
        TRY(measure_idle(self, &idle_kib[i]));
    }
    TRY(bench_mesh_end(self));
    report_start("start.new_home", median(first, STARTS));
    report_start("start.again", median(again, STARTS));
    report(&(struct finding){ .name = "memory.idle",
                              .value = median(idle_kib, STARTS) / 1024,
                              .unit = "MB PSS",
                              .bar = BAR_MOST,
                              .bar_at = 110,
                              .command = "./weft bench start" });
    return status_ok();
}
