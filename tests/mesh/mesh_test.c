/* The mesh, end to end: a registry and an agent as they run, members that serve (this program
 * again, told so by its argument), and this process, which calls them by their name.  What it
 * proves is the way: identity by the kernel's word, a lease, xDS through the agent, mutual TLS; and
 * that nobody notices when members or the registry go and come. */

#include "libs/mesh/mesh.h"
#include "libs/rpc/message.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/echo_service.h"
#include "libs/testing/temp_folder.h"
#include "libs/testing/test_call.h"
#include "weft/testing/v1/echo_service.pb-c.h"
#include "weft/testing/v1/echo_service_descriptors.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* gRPC may be in the middle of a handshake when a process ends, and its TLS objects stay. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libcrypto.so\nleak:libgrpc.so\n";
}

#define ECHO_PEER_METHODS(X) X(Weft__Testing__V1__, Echo, peer_echo)
PEER_DECLARE(ECHO_PEER_METHODS);
PEER_DEFINE(weft__testing__v1__echo_service__descriptor, ECHO_PEER_METHODS);

/* How long an unknown name may take; ThreadSanitizer is ten times slower.  It also keeps a signal
 * back for as long as the thread that got it is inside libgrpc, which may be for ever: programs
 * under it cannot be told to end. */
#ifdef __SANITIZE_THREAD__
enum { UNKNOWN_MS = 1000, TAKES_SIGNALS = 0 };
#else
enum { UNKNOWN_MS = 100, TAKES_SIGNALS = 1 };
#endif

enum { PATIENCE_MS = 60000 };

struct fixture {
    struct arena *arena;
    const char *folder;
    char start[4096];    /* where the test was started: Bazel's paths begin there */
    const char *program; /* this one */
    unsigned registry_port;
    unsigned bootstrap_port;
    pid_t registry;
    pid_t agent;
    pid_t members[2];
    struct mesh *mesh;
};

static struct fixture f;

/* ---- The two programs ---- */

/* One that was free a moment ago: agents are told a port before the registry listens at it. */
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

static const char *in_folder(const char *name)
{
    return arena_printf(f.arena, "%s/%s", f.folder, name);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

enum { MAX_ENVIRONMENT = 16 };

/* What this test was told of sanitizers goes for the programs as well. */
static const char *const *with_sanitizers(const char *const *environment)
{
    static const char *const names[] = { "ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS" };
    const char **all = ARENA_NEW_ARRAY(f.arena, const char *, MAX_ENVIRONMENT);
    size_t n = 0;

    for (; environment[n] != NULL; n++) {
        all[n] = environment[n];
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (getenv(names[i]) != NULL) {
            all[n++] = arena_printf(f.arena, "%s=%s", names[i], getenv(names[i]));
        }
    }
    assert_true(n < MAX_ENVIRONMENT);
    return all;
}

/* Runs a program in a folder of its own, its output in FOLDER/log.  Its first argument is its
 * name. */
static pid_t run(const char *name, const char *program, const char *const *environment)
{
    const char *folder = in_folder(name);
    union {
        const char *const *in;
        char *const *out;
    } variables = { .in = with_sanitizers(environment) };
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid > 0) {
        return pid;
    }
    int log = -1;
    if (chdir(folder) == 0) {
        log = open("log", O_WRONLY | O_CREAT | O_APPEND, 0600);
    }
    (void)dup2(log, STDOUT_FILENO);
    (void)dup2(log, STDERR_FILENO);
    (void)execle(program, program, name, NULL, variables.out);
    _exit(127);
}

static const char *from_start(const char *path)
{
    return path[0] == '/' ? path : arena_printf(f.arena, "%s/%s", f.start, path);
}

static void run_registry(void)
{
    const char *const environment[] = {
        arena_printf(f.arena, "WEFT_AGENT=%s", in_folder("agent.sock")),
        arena_printf(f.arena, "WEFT_LISTEN=127.0.0.1:%u", f.registry_port),
        arena_printf(f.arena, "WEFT_BOOTSTRAP_LISTEN=127.0.0.1:%u", f.bootstrap_port),
        NULL,
    };

    f.registry = run("registry", from_start("services/registry/registry"), environment);
}

static void run_agent(void)
{
    const char *const environment[] = {
        arena_printf(f.arena, "WEFT_AGENT=%s", in_folder("agent.sock")),
        arena_printf(f.arena, "WEFT_REGISTRY=127.0.0.1:%u", f.registry_port),
        arena_printf(f.arena, "WEFT_BOOTSTRAP=127.0.0.1:%u", f.bootstrap_port),
        arena_printf(f.arena, "WEFT_TRUST_BUNDLE=%s", in_folder("registry/bundle.pem")),
        arena_printf(f.arena, "WEFT_JOIN_TOKEN_FILE=%s", in_folder("registry/join_token")),
        NULL,
    };

    f.agent = run("agent", from_start("services/agent/agent"), environment);
}

static void wait_for_file(const char *path)
{
    struct stat info;

    for (int ms = 0; stat(path, &info) != 0; ms++) {
        if (ms == PATIENCE_MS) {
            fail_msg("'%s' did not appear", path);
        }
        (void)usleep(1000);
    }
}

/* It must have been running until now: a sanitizer ends what it finds fault with. */
static void kill_program(pid_t *pid, const char *name)
{
    int result = 0;

    if (waitpid(*pid, &result, WNOHANG) != 0) {
        (void)system(arena_printf(f.arena, "cat %s/log", in_folder(name)));
        fail_msg("the %s had ended, with %d", name, result);
    }
    (void)kill(*pid, SIGKILL);
    (void)waitpid(*pid, NULL, 0);
    *pid = 0;
}

/* What ends otherwise than well has left something behind. */
static void end_program(pid_t *pid, const char *name)
{
    int result = 0;

    if (!TAKES_SIGNALS) {
        kill_program(pid, name);
        return;
    }
    (void)kill(*pid, SIGTERM);
    assert_int_equal(waitpid(*pid, &result, 0), *pid);
    *pid = 0;
    /* One that was only starting has not asked for the signal yet, and ends by it. */
    bool was_starting = WIFSIGNALED(result) && WTERMSIG(result) == SIGTERM;
    if (!was_starting && (!WIFEXITED(result) || WEXITSTATUS(result) != 0)) {
        (void)system(arena_printf(f.arena, "cat %s/log", in_folder(name)));
        fail_msg("the %s ended with %d", name, result);
    }
}

/* ---- Members ---- */

static void run_member(size_t i)
{
    const char *name = arena_printf(f.arena, "tenant-%zu", i + 1);
    const char *const environment[] = {
        arena_printf(f.arena, "WEFT_AGENT=%s", in_folder("agent.sock")),
        arena_printf(f.arena, "WEFT_INSTANCE=%s", name),
        arena_printf(f.arena, "NOTIFY_SOCKET=%s.notify", in_folder(name)),
        "WEFT_LOG_LEVEL=warn",
        NULL,
    };

    (void)mkdir(in_folder(name), 0700);
    f.members[i] = run(name, from_start(f.program), environment);
}

/* What a member does, until it is told to end. */
static int be_member(void)
{
    struct arena *arena = arena_new();
    struct config *config = config_new(arena);
    struct mesh_options options = mesh_options_read(config, "tenant");
    struct echo_service echo = { .cancelled = 0 };

    options.no_snapshot = true;
    struct mesh *mesh = mesh_join_or_exit(arena, &options);
    server_register(mesh_server(mesh), &echo_service_methods, &echo, echo_service_descriptors);
    int code = mesh_run(mesh);
    mesh_free(mesh);
    arena_free(arena);
    return code;
}

/* As a client, in the working folder. */
static status join(struct arena *arena, const char *agent_socket, struct mesh **ret_mesh)
{
    const struct mesh_options options = {
        .service = "cli",
        .instance_id = "cli-1",
        .agent_socket = agent_socket,
        .listen = "",
        .http = "",
        .trust_domain = "weft.local",
        .notify_socket = "",
        .log_level = "warn",
        .is_client = true,
    };

    return mesh_join(arena, &options, PATIENCE_MS, ret_mesh);
}

static int set_up(void **state)
{
    (void)state;
    f = (struct fixture){ .arena = arena_new(), .program = f.program };
    assert_non_null(getcwd(f.start, sizeof f.start));
    f.folder = temp_folder(f.arena);
    f.registry_port = free_port();
    f.bootstrap_port = free_port();
    assert_int_equal(mkdir(in_folder("registry"), 0700), 0);
    assert_int_equal(mkdir(in_folder("agent"), 0700), 0);
    write_file(in_folder("registry/entries.json"),
               arena_printf(f.arena,
                            "[{\"spiffe_id\":\"spiffe://weft.local/tenant\","
                            "\"dns\":[\"tenant\",\"localhost\"],\"uid\":%u}]",
                            (unsigned)geteuid()));
    run_registry();
    wait_for_file(in_folder("registry/join_token"));
    run_agent();
    wait_for_file(in_folder("agent.sock"));
    assert_int_equal(chdir(f.folder), 0);
    assert_status(join(f.arena, in_folder("agent.sock"), &f.mesh), STATUS_OK);
    run_member(0);
    run_member(1);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    mesh_free(f.mesh);
    end_program(&f.members[0], "tenant-1");
    end_program(&f.members[1], "tenant-2");
    end_program(&f.agent, "agent");
    end_program(&f.registry, "registry");
    assert_int_equal(chdir(f.start), 0);
    arena_free(f.arena);
    return 0;
}

/* One call; *ret_ms is how long it took. */
static status call_by_name(struct call *call, const char *service, int64_t *ret_ms)
{
    const Weft__Testing__V1__EchoResponse *response;
    Weft__Testing__V1__EchoRequest request;
    int64_t started = clock_monotonic_ms(&system_clock);

    weft__testing__v1__echo_request__init(&request);
    request.name = message_text("x");
    status s = peer_echo(mesh_peer(f.mesh, service), call, &request, &response);
    *ret_ms = clock_monotonic_ms(&system_clock) - started;
    return s;
}

/* What a caller does: one call, to say whether it could. */
static int be_caller(void)
{
    struct arena *arena = arena_new();
    struct call call = call_of_process(arena);
    int64_t ms;
    status s = join(arena, getenv("WEFT_AGENT"), &f.mesh);

    if (status_is_ok(s)) {
        s = call_by_name(&call, "tenant", &ms);
    }
    if (!status_is_ok(s)) {
        (void)fprintf(stderr, "%s\n", s.message);
    }
    mesh_free(f.mesh);
    arena_free(arena);
    return status_is_ok(s) ? 0 : 1;
}

static void run_caller(void)
{
    const char *const environment[] = {
        arena_printf(f.arena, "WEFT_AGENT=%s", in_folder("agent.sock")),
        NULL,
    };
    int result = 0;

    (void)mkdir(in_folder("caller"), 0700);
    pid_t pid = run("caller", from_start(f.program), environment);
    assert_int_equal(waitpid(pid, &result, 0), pid);
    if (result != 0) {
        (void)system(arena_printf(f.arena, "cat %s/log", in_folder("caller")));
        fail_msg("the caller ended with %d", result);
    }
}

/* Until it answers. */
static void wait_for_service(const char *service)
{
    for (int64_t started = clock_monotonic_ms(&system_clock);;) {
        struct arena *arena = arena_new();
        struct call call = call_of_process(arena);
        int64_t ms;
        status s = call_by_name(&call, service, &ms);
        bool late = clock_monotonic_ms(&system_clock) - started > PATIENCE_MS;
        if (late && !status_is_ok(s)) {
            fail_msg("'%s' did not answer: %s", service, s.message);
        }
        arena_free(arena);
        if (status_is_ok(s)) {
            return;
        }
        (void)usleep(10000);
    }
}

static void a_member_is_found_by_its_name_and_answers_over_mutual_tls(void **state)
{
    struct arena *arena = arena_new();
    struct call call = call_of_process(arena);
    int64_t ms;

    (void)state;
    wait_for_service("tenant");
    assert_string_equal(mesh_spiffe_id(f.mesh), "spiffe://weft.local/tenant");
    assert_status(call_by_name(&call, "tenant", &ms), STATUS_OK);
    arena_free(arena);
}

static void an_unknown_name_fails_at_once_and_is_in_the_message(void **state)
{
    struct arena *arena = arena_new();
    struct call call = call_of_process(arena);
    int64_t ms;

    (void)state;
    wait_for_service("tenant"); /* the mesh is up */
    status s = call_by_name(&call, "tenent", &ms);
    assert_int_equal(s.code, STATUS_UNAVAILABLE);
    assert_non_null(strstr(s.message, "tenent"));
    if (ms >= UNKNOWN_MS) {
        fail_msg("it took %lld ms: %s", (long long)ms, s.message);
    }
    arena_free(arena);
}

static void while_the_registry_is_dead_everybody_is_found_and_when_it_is_back_too(void **state)
{
    struct arena *arena = arena_new();
    int64_t ms;

    (void)state;
    wait_for_service("tenant");
    kill_program(&f.registry, "registry");
    for (int i = 0; i < 20; i++) {
        struct call call = call_of_process(arena);
        assert_status(call_by_name(&call, "tenant", &ms), STATUS_OK);
        (void)usleep(10000);
    }
    run_registry();
    /* Our lease comes back within some seconds; until then nobody is told that we were gone. */
    for (int i = 0; i < 600; i++) {
        struct call call = call_of_process(arena);
        assert_status(call_by_name(&call, "tenant", &ms), STATUS_OK);
        (void)usleep(10000);
    }
    arena_free(arena);
}

static void who_starts_while_the_registry_is_dead_finds_everybody_too(void **state)
{
    (void)state;
    wait_for_service("tenant");
    (void)usleep(1500000); /* what is good has been kept */
    kill_program(&f.registry, "registry");
    run_caller();
    run_registry();
    wait_for_service("tenant");
}

/* Calls without a pause until it is told to stop. */
struct caller {
    pthread_t thread;
    _Atomic bool stops;
    int n_calls;
    int n_failed;
    char why[256]; /* the last one failed */
};

static void *call_all_the_time(void *data)
{
    struct caller *self = data;

    while (!self->stops) {
        struct arena *arena = arena_new();
        struct call call = call_of_process(arena);
        int64_t ms;
        status s = call_by_name(&call, "tenant", &ms);
        self->n_calls++;
        if (!status_is_ok(s)) {
            self->n_failed++;
            (void)snprintf(self->why, sizeof self->why, "%s", s.message);
        }
        arena_free(arena);
    }
    return NULL;
}

enum { N_CALLERS = 4 };

static void start_calling(struct caller callers[N_CALLERS])
{
    for (size_t i = 0; i < N_CALLERS; i++) {
        callers[i] = (struct caller){ .stops = false };
        assert_int_equal(pthread_create(&callers[i].thread, NULL, call_all_the_time, &callers[i]),
                         0);
    }
}

/* Returns how many calls failed. */
static int stop_calling(struct caller callers[N_CALLERS])
{
    int n_failed = 0;

    for (size_t i = 0; i < N_CALLERS; i++) {
        callers[i].stops = true;
        (void)pthread_join(callers[i].thread, NULL);
        assert_true(callers[i].n_calls > 0);
        n_failed += callers[i].n_failed;
        if (callers[i].n_failed > 0) {
            print_message("%d of %d calls failed, the last with: %s\n", callers[i].n_failed,
                          callers[i].n_calls, callers[i].why);
        }
    }
    return n_failed;
}

static void a_member_that_is_told_to_end_takes_no_call_with_it(void **state)
{
    struct caller callers[N_CALLERS];

    (void)state;
    if (!TAKES_SIGNALS) {
        skip();
    }
    wait_for_service("tenant");
    (void)usleep(500000); /* both members are there */
    start_calling(callers);
    for (size_t i = 0; i < 2; i++) {
        end_program(&f.members[i], i == 0 ? "tenant-1" : "tenant-2");
        run_member(i);
        (void)usleep(1000000); /* it is there again */
    }
    assert_int_equal(stop_calling(callers), 0);
}

static void a_member_that_dies_is_gone_within_a_moment(void **state)
{
    struct caller callers[N_CALLERS];

    (void)state;
    wait_for_service("tenant");
    start_calling(callers);
    (void)usleep(50000);
    kill_program(&f.members[0], "tenant-1");
    (void)usleep(200000);
    /* Of each caller the one under way, and one that met the connection before its end was seen. */
    assert_true(stop_calling(callers) <= 2 * N_CALLERS);
    start_calling(callers);
    (void)usleep(200000);
    run_member(0);
    (void)usleep(500000);
    assert_int_equal(stop_calling(callers), 0);
}

/* C core 1.51 crashes when it is told that there are no endpoints before the last connection ends
 * (services/registry/xds_endpoints.c). */
static void a_client_outlives_the_last_member(void **state)
{
    struct caller callers[N_CALLERS];

    (void)state;
    if (!TAKES_SIGNALS) {
        skip();
    }
    wait_for_service("tenant");
    for (size_t round = 0; round < 3; round++) {
        start_calling(callers);
        end_program(&f.members[0], "tenant-1");
        end_program(&f.members[1], "tenant-2");
        (void)usleep(300000);
        assert_true(stop_calling(callers) > 0);
        run_member(0);
        run_member(1);
        wait_for_service("tenant");
    }
}

/* A supervisor's socket, as full as it gets: *ret_n datagrams are in it. */
static int full_socket(const char *path, size_t *ret_n)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int others = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    for (*ret_n = 0; sendto(others, "x", 1, 0, (struct sockaddr *)&address, sizeof address) == 1;
         ++*ret_n) {
    }
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(close(others), 0);
    return fd;
}

static void what_a_member_has_to_say_is_said_until_it_is_heard(void **state)
{
    char said[512] = "";
    size_t n;

    (void)state;
    end_program(&f.members[0], "tenant-1");
    end_program(&f.members[1], "tenant-2");
    int fd = full_socket(in_folder("tenant-1.notify"), &n);
    run_member(0);
    wait_for_service("tenant"); /* it has all that it needs, and nobody can have heard of it */
    for (; n > 0; n--) {
        assert_int_equal(recv(fd, said, sizeof said, 0), 1);
    }
    while (strstr(said, "READY=1") == NULL) {
        struct pollfd more = { .fd = fd, .events = POLLIN };
        assert_int_equal(poll(&more, 1, PATIENCE_MS), 1);
        ssize_t size = recv(fd, said, sizeof said - 1, 0);
        assert_true(size > 0);
        said[size] = '\0';
    }
    assert_non_null(strstr(said, "X_WEFT_ADDRESS=127.0.0.1:"));
    assert_int_equal(close(fd), 0);
    assert_int_equal(unlink(in_folder("tenant-1.notify")), 0);
    run_member(1);
    wait_for_service("tenant");
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        return strcmp(argv[1], "caller") == 0 ? be_caller() : be_member();
    }
    f.program = argv[0];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_member_is_found_by_its_name_and_answers_over_mutual_tls),
        cmocka_unit_test(an_unknown_name_fails_at_once_and_is_in_the_message),
        cmocka_unit_test(a_member_that_is_told_to_end_takes_no_call_with_it),
        cmocka_unit_test(a_member_that_dies_is_gone_within_a_moment),
        cmocka_unit_test(a_client_outlives_the_last_member),
        cmocka_unit_test(what_a_member_has_to_say_is_said_until_it_is_heard),
        cmocka_unit_test(while_the_registry_is_dead_everybody_is_found_and_when_it_is_back_too),
        cmocka_unit_test(who_starts_while_the_registry_is_dead_finds_everybody_too),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
