#include "tests/e2e/host.h"

#include "libs/base/clock.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/temp_folder.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_ENVIRONMENT = 16, POLL_MS = 5 };

/* ---- Files ---- */

const char *host_path(struct host *self, const char *name)
{
    return arena_printf(self->arena, "%s/%s", self->folder, name);
}

static void make_folder(const char *path)
{
    struct stat info;

    if (stat(path, &info) != 0) {
        assert_int_equal(mkdir(path, 0700), 0);
    }
}

static void wait_for_file(const char *path)
{
    struct stat info;

    for (int ms = 0; stat(path, &info) != 0; ms += POLL_MS) {
        if (ms >= HOST_PATIENCE_MS) {
            fail_msg("'%s' did not appear", path);
        }
        (void)usleep(POLL_MS * 1000);
    }
}

static const char *program_path(struct host *self, const char *program)
{
    char path[PATH_MAX];

    if (program[0] == '/') {
        return program;
    }
    if (realpath(arena_printf(self->arena, "%s/%s", self->start, program), path) == NULL) {
        fail_msg("'%s' is not there", program);
    }
    return arena_strdup(self->arena, path);
}

static void write_entries(struct host *self, const struct host_entry *entries, size_t n)
{
    FILE *file = fopen(host_path(self, "registry/entries.json"), "w");

    assert_non_null(file);
    (void)fputs("[", file);
    for (size_t i = 0; i < n; i++) {
        (void)fprintf(file,
                      "%s{\"spiffe_id\":\"spiffe://weft.local/%s\","
                      "\"dns\":[\"%s\",\"localhost\"],\"path\":\"%s\"}",
                      i == 0 ? "" : ",", entries[i].name, entries[i].name,
                      program_path(self, entries[i].program));
    }
    assert_true(fputs("]", file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* One that was free a moment ago: the agent is told a port before the registry listens at it. */
static unsigned free_port(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    assert_int_equal(close(fd), 0);
    return ntohs(address.sin_port);
}

/* ---- Processes ---- */

/* The address sanitizer wants to be the first library, and works as well as the second. */
static void add_preload(struct host *self, const char **variables, size_t *n)
{
    if (self->preload != NULL) {
        variables[(*n)++] =
            arena_printf(self->arena, "LD_PRELOAD=%s", program_path(self, self->preload));
        variables[(*n)++] = "ASAN_OPTIONS=verify_asan_link_order=0";
    }
}

static const char *const *environment_of(struct host *self, const char *name)
{
    const char **variables = ARENA_NEW_ARRAY(self->arena, const char *, MAX_ENVIRONMENT);
    size_t n = 0;

    variables[n++] = arena_printf(self->arena, "WEFT_AGENT=%s", host_path(self, "agent.sock"));
    variables[n++] = arena_printf(self->arena, "WEFT_INSTANCE=%s-1", name);
    variables[n++] = arena_printf(self->arena, "NOTIFY_SOCKET=%s.notify", host_path(self, name));
    if (strcmp(name, "registry") == 0) {
        variables[n++] = arena_printf(self->arena, "WEFT_LISTEN=127.0.0.1:%u", self->registry_port);
        variables[n++] =
            arena_printf(self->arena, "WEFT_BOOTSTRAP_LISTEN=127.0.0.1:%u", self->bootstrap_port);
    } else if (strcmp(name, "agent") == 0) {
        variables[n++] =
            arena_printf(self->arena, "WEFT_REGISTRY=127.0.0.1:%u", self->registry_port);
        variables[n++] =
            arena_printf(self->arena, "WEFT_BOOTSTRAP=127.0.0.1:%u", self->bootstrap_port);
        variables[n++] = arena_printf(self->arena, "WEFT_TRUST_BUNDLE=%s",
                                      host_path(self, "registry/bundle.pem"));
        variables[n++] = arena_printf(self->arena, "WEFT_JOIN_TOKEN_FILE=%s",
                                      host_path(self, "registry/join_token"));
    }
    add_preload(self, variables, &n);
    variables[n] = NULL;
    return variables;
}

/* Never returns; in the child.  execve() takes no const, and changes nothing. */
static _Noreturn void become(const char *program, const char *const *arguments,
                             const char *const *environment, const char *folder, int output)
{
    union {
        const char *const *in;
        char *const *out;
    } argv = { .in = arguments }, envp = { .in = environment };

    /* A test that fails in the middle leaves nobody behind. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && chdir(folder) == 0) {
        int log = open("output", O_WRONLY | O_CREAT | O_APPEND, 0600);
        (void)dup2(output < 0 ? log : output, STDOUT_FILENO);
        (void)dup2(log, STDERR_FILENO);
        (void)execve(program, argv.out, envp.out);
    }
    _exit(127);
}

static struct host_program *program_of(struct host *self, const char *name)
{
    for (size_t i = 0; i < self->n_programs; i++) {
        if (strcmp(self->programs[i].name, name) == 0) {
            return &self->programs[i];
        }
    }
    assert_true(self->n_programs < HOST_MAX_PROGRAMS);
    struct host_program *program = &self->programs[self->n_programs++];
    *program = (struct host_program){ .name = arena_strdup(self->arena, name), .notify = -1 };
    return program;
}

static void open_notify_socket(struct host *self, struct host_program *program)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s/%s.notify", self->folder,
                   program->name);
    program->notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(program->notify >= 0);
    assert_int_equal(bind(program->notify, (struct sockaddr *)&address, sizeof address), 0);
}

/* False: nothing came within timeout_ms. */
static bool hear(struct host_program *program, int timeout_ms)
{
    struct pollfd ready = { .fd = program->notify, .events = POLLIN };
    size_t length = strlen(program->said);

    if (poll(&ready, 1, timeout_ms) <= 0) {
        return false;
    }
    if (length > sizeof program->said / 2) {
        length = 0; /* what it said long ago */
    }
    ssize_t n = recv(program->notify, program->said + length, sizeof program->said - length - 1, 0);
    program->said[length + (size_t)(n > 0 ? n : 0)] = '\0';
    return n > 0;
}

static void print_log(struct host *self, const char *name)
{
    char line[512];
    FILE *log = fopen(host_path(self, arena_printf(self->arena, "%s/output", name)), "r");

    while (log != NULL && fgets(line, sizeof line, log) != NULL) {
        print_error("%s: %s", name, line);
    }
    if (log != NULL) {
        (void)fclose(log);
    }
}

/* What follows key in what the program has said. */
static const char *wait_for(struct host *self, struct host_program *program, const char *key)
{
    int64_t until_ms = clock_monotonic_ms(&system_clock) + HOST_PATIENCE_MS;
    const char *found;

    while ((found = strstr(program->said, key)) == NULL) {
        if (!hear(program, 100) && clock_monotonic_ms(&system_clock) > until_ms) {
            print_log(self, program->name);
            fail_msg("'%s' has not said '%s'", program->name, key);
        }
    }
    return found + strlen(key);
}

void host_spawn(struct host *self, const char *name, const char *path)
{
    struct host_program *program = program_of(self, name);
    const char *const arguments[] = { name, NULL };
    const char *const *environment = environment_of(self, name);
    const char *folder = host_path(self, name);

    assert_int_equal(program->pid, 0);
    make_folder(folder);
    if (program->notify < 0) {
        open_notify_socket(self, program);
    }
    program->pid = fork();
    assert_true(program->pid >= 0);
    if (program->pid == 0) {
        become(program_path(self, path), arguments, environment, folder, -1);
    }
}

void host_start_program(struct host *self, const char *name, const char *path)
{
    host_spawn(self, name, path);
    if (strcmp(name, "registry") == 0) {
        wait_for_file(host_path(self, "registry/join_token"));
    } else if (strcmp(name, "agent") == 0) {
        wait_for_file(host_path(self, "agent.sock"));
    }
    if (strcmp(name, "agent") != 0) {
        (void)wait_for(self, program_of(self, name), "X_WEFT_ADDRESS=");
    }
}

void host_start(struct host *self, const char *name)
{
    host_start_program(self, name, arena_printf(self->arena, "services/%s/%s", name, name));
}

/* Its next life speaks for itself. */
static int bury(struct host_program *program)
{
    int result = 0;

    assert_int_equal(waitpid(program->pid, &result, 0), program->pid);
    while (hear(program, 0)) {
    }
    program->said[0] = '\0';
    program->pid = 0;
    return result;
}

void host_end(struct host *self, const char *name)
{
    struct host_program *program = program_of(self, name);

    assert_int_equal(kill(program->pid, SIGTERM), 0);
    int result = bury(program);
    if (!WIFEXITED(result) || WEXITSTATUS(result) != 0) {
        print_log(self, name);
        fail_msg("'%s' ended with %d", name, result);
    }
}

void host_stop(struct host *self, const char *name, int signal_number)
{
    struct host_program *program = program_of(self, name);

    if (program->pid > 0) {
        (void)kill(program->pid, signal_number);
        (void)bury(program);
    }
}

const char *host_address(struct host *self, const char *name)
{
    const char *address = wait_for(self, program_of(self, name), "X_WEFT_ADDRESS=");

    return arena_printf(self->arena, "%.*s", (int)strcspn(address, "\n"), address);
}

void host_wait_ready(struct host *self, const char *name)
{
    (void)wait_for(self, program_of(self, name), "READY=1");
}

/* ---- Clients ---- */

const char *host_this_program(struct arena *arena)
{
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path);

    assert_true(n > 0);
    return arena_printf(arena, "%.*s", (int)n, path);
}

struct mesh *host_join(struct host *self)
{
    const struct mesh_options options = {
        .service = "cli",
        .instance_id = "cli-1",
        .agent_socket = host_path(self, "agent.sock"),
        .listen = "",
        .http = "",
        .trust_domain = "weft.local",
        .notify_socket = "",
        .log_level = "error",
        .is_client = true,
        .no_snapshot = true,
    };
    struct mesh *mesh = NULL;

    assert_int_equal(chdir(self->folder), 0);
    assert_status(mesh_join(self->arena, &options, HOST_PATIENCE_MS, &mesh), STATUS_OK);
    return mesh;
}

void host_start_client(struct host *self, struct host_client *client, int64_t identity_ms,
                       const char *const *arguments)
{
    const char *environment[MAX_ENVIRONMENT] = {
        arena_printf(self->arena, "WEFT_AGENT=%s", host_path(self, "agent.sock")),
        arena_printf(self->arena, "CALLER_TIMEOUT_MS=%lld", (long long)identity_ms),
    };
    size_t n_environment = 2;
    const char *program = program_path(self, arguments[0]);
    const char *where = host_path(self, strrchr(arguments[0], '/') + 1);
    int ends[2];

    add_preload(self, environment, &n_environment);
    *client = (struct host_client){ .output = -1 };
    make_folder(where);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    client->pid = fork();
    assert_true(client->pid >= 0);
    if (client->pid == 0) {
        become(program, arguments, environment, where, ends[1]);
    }
    (void)close(ends[1]);
    client->output = ends[0];
}

bool host_client_has_line(struct host_client *client, int timeout_ms)
{
    struct pollfd ready = { .fd = client->output, .events = POLLIN };

    return memchr(client->rest, '\n', client->n_line) != NULL || poll(&ready, 1, timeout_ms) > 0;
}

const char *host_client_line(struct host_client *client)
{
    char *end;

    while ((end = memchr(client->rest, '\n', client->n_line)) == NULL) {
        assert_true(client->n_line < sizeof client->rest);
        if (!host_client_has_line(client, HOST_PATIENCE_MS)) {
            fail_msg("the client has said nothing for %d ms", HOST_PATIENCE_MS);
        }
        ssize_t n = read(client->output, client->rest + client->n_line,
                         sizeof client->rest - client->n_line);
        if (n <= 0) {
            return NULL;
        }
        client->n_line += (size_t)n;
    }
    (void)snprintf(client->line, sizeof client->line, "%.*s", (int)(end - client->rest),
                   client->rest);
    client->n_line -= (size_t)(end + 1 - client->rest);
    memmove(client->rest, end + 1, client->n_line);
    return client->line;
}

void host_end_client(struct host_client *client)
{
    if (client->pid > 0) {
        (void)kill(client->pid, SIGKILL);
        (void)waitpid(client->pid, NULL, 0);
        (void)close(client->output);
    }
    *client = (struct host_client){ .output = -1 };
}

/* ---- The host ---- */

void host_init(struct host *self, const struct host_entry *entries, size_t n_entries)
{
    char start[PATH_MAX];

    assert_non_null(getcwd(start, sizeof start));
    *self = (struct host){ .arena = arena_new() };
    self->start = arena_strdup(self->arena, start);
    self->folder = temp_folder(self->arena);
    self->registry_port = free_port();
    self->bootstrap_port = free_port();
    make_folder(host_path(self, "registry"));
    write_entries(self, entries, n_entries);
}

/* The latest first, since who needs others goes before them; all at once, since each waits a while
 * for its clients. */
void host_stop_all(struct host *self)
{
    for (size_t i = self->n_programs; i > 0; i--) {
        if (self->programs[i - 1].pid > 0) {
            (void)kill(self->programs[i - 1].pid, SIGTERM);
        }
    }
    for (size_t i = self->n_programs; i > 0; i--) {
        host_stop(self, self->programs[i - 1].name, SIGTERM);
    }
}

void host_reset(struct host *self)
{
    host_stop_all(self);
    assert_int_equal(chdir(self->start), 0);
    for (size_t i = 0; i < self->n_programs; i++) {
        if (self->programs[i].notify >= 0) {
            (void)close(self->programs[i].notify);
        }
    }
    arena_free(self->arena);
}
