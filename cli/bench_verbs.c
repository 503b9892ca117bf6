/* bench: how fast and how large it is. */

#include "cli/bench.h"
#include "cli/verbs.h"
#include "libs/base/lock_file.h"
#include "loadtests/audit_load.h"
#include "loadtests/revocation_load.h"
#include "loadtests/scheduler_load.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static status bench_audit(struct bench *self)
{
    return audit_load_run(&self->load);
}

static status bench_scheduler(struct bench *self)
{
    return scheduler_load_run(&self->load, "./weft bench scheduler");
}

static status bench_revocation(struct bench *self)
{
    return revocation_load_run(&self->load);
}

/* It prints as we do; the environment tells it the format. */
status bench_echo(struct bench *self)
{
    const char *path =
        arena_printf(self->invocation->arena, "%s/bench/echo_bench", self->invocation->programs);
    int wait_status = 0;

    pid_t pid = fork();
    if (pid == 0) {
        (void)execl(path, path, (char *)NULL);
        _exit(127);
    }
    while (pid > 0 && waitpid(pid, &wait_status, 0) < 0 && errno == EINTR) {
    }
    if (pid < 0 || !WIFEXITED(wait_status) || WEXITSTATUS(wait_status) != 0) {
        return status_error(self->invocation->arena, STATUS_ABORTED, "'%s' did not end well", path);
    }
    return status_ok();
}

/* X(name, whether it is a client of a mesh that runs), in the order in which they run.  search is
 * the first of those: it tells memory before from memory after. */
#define BENCHES(X)     \
    X(echo, false)     \
    X(start, false)    \
    X(search, true)    \
    X(audit, true)     \
    X(scheduler, true) \
    X(revocation, true)

struct bench_entry {
    const char *name;
    bool is_client;
    status (*run)(struct bench *self);
};

static const struct bench_entry entries[] = {
#define X(name, is_client) { #name, is_client, bench_##name },
    BENCHES(X)
#undef X
};

enum { N_ENTRIES = sizeof entries / sizeof entries[0] };

/* One that fails does not keep the others from running. */
static bool run(struct bench *self, const struct bench_entry *entry)
{
    output_progress(self->invocation->output, "weft: measuring %s\n", entry->name);
    status s = entry->run(self);
    if (!status_is_ok(s)) {
        output_error(self->invocation->output, s, self->invocation->advice);
        self->invocation->advice = NULL;
        self->invocation->exit_code = EXIT_FAILURE;
    }
    return status_is_ok(s);
}

static bool is_wanted(const struct bench_entry *entry, const char *only)
{
    return only[0] == '\0' || strcmp(only, entry->name) == 0;
}

static status run_clients(struct bench *self, const char *only)
{
    status s = bench_mesh_join(self);

    for (size_t i = 0; i < N_ENTRIES && status_is_ok(s); i++) {
        if (entries[i].is_client && is_wanted(&entries[i], only)) {
            (void)run(self, &entries[i]);
        }
    }
    return s;
}

static status run_all(struct bench *self, const char *only)
{
    size_t n_clients = 0;
    size_t n = 0;

    for (size_t i = 0; i < N_ENTRIES; i++) {
        if (is_wanted(&entries[i], only)) {
            n++;
            n_clients += entries[i].is_client;
            if (!entries[i].is_client) {
                (void)run(self, &entries[i]);
            }
        }
    }
    if (n == 0) {
        return status_error(self->invocation->arena, STATUS_INVALID_ARGUMENT,
                            "there is no bench '%s'", only);
    }
    if (n_clients == 0) {
        return status_ok();
    }
    TRY(bench_mesh_start(self));
    status s = run_clients(self, only);
    status end = bench_mesh_end(self);
    return status_is_ok(s) ? end : s;
}

/* What we start later we start from another folder. */
static const char *absolute(struct arena *arena, const char *path)
{
    char resolved[PATH_MAX];

    return realpath(path, resolved) != NULL ? arena_strdup(arena, resolved) : path;
}

static status bench(struct invocation *invocation)
{
    const char *only = arguments_next_or(invocation->arguments, "");
    struct bench self = { .invocation = invocation };
    struct lock_file lock; /* two at once would measure each other */
    struct home home;

    TRY(arguments_end(invocation->arguments));
    TRY(home_find(invocation->arena, invocation->root, &home));
    TRY(advise(invocation, home_claim(invocation->arena, home.root),
               "set WEFT_HOME to a folder that is empty or not there yet"));
    TRY(home_find(invocation->arena, invocation->root, &home)); /* absolute, now that it is there */
    TRY(lock_file_take(invocation->arena, home_path(invocation->arena, &home, "bench.lock"),
                       &lock));
    invocation->programs = absolute(invocation->arena, invocation->programs);
    self.real_home = home.root;
    self.root = home_path(invocation->arena, &home, "bench");
    (void)setenv("WEFT_OUTPUT", output_is_json(invocation->output) ? "json" : "table", 1);
    status s = run_all(&self, only);
    lock_file_release(&lock);
    return s;
}

const struct verb bench_verbs[] = {
    { NULL, "bench", "[echo|start|search|audit|scheduler|revocation]",
      "measure a mesh of its own, and the runtime beside a bare C core", bench },
    { 0 },
};
