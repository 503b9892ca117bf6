/* Members that come and go under callers that never pause: a registry and an agent as they run, two
 * members (this program again) that say which of them answers, and this process, which calls them
 * by their common name. */

#include "libs/base/clock.h"
#include "libs/mesh/mesh.h"
#include "libs/rpc/message.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/echo_service.h"
#include "libs/testing/test_call.h"
#include "tests/e2e/host.h"
#include "weft/testing/v1/echo_service.pb-c.h"
#include "weft/testing/v1/echo_service_descriptors.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* gRPC may be in the middle of a handshake when a process ends, and its TLS objects stay. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libcrypto.so\nleak:libgrpc.so\n";
}

#define ECHO_PEER_METHODS(X) X(Weft__Testing__V1__, Echo, peer_echo)
PEER_DECLARE(ECHO_PEER_METHODS);
PEER_DEFINE(weft__testing__v1__echo_service__descriptor, PEER_NO_OPTIONS, ECHO_PEER_METHODS);

enum { N_MEMBERS = 2, N_CALLERS = 4 };

static const char *const members[N_MEMBERS] = { "left", "right" };

struct fixture {
    struct host host;
    struct mesh *mesh;
};

static struct fixture f;

/* ---- Members ---- */

static int be_member(void)
{
    struct arena *arena = arena_new();
    struct config *config = config_new(arena);
    struct mesh_options options = mesh_options_read(config, "echo");
    struct echo_service echo = { .says = options.instance_id };

    options.no_snapshot = true;
    struct mesh *mesh = mesh_join_or_exit(arena, &options);
    server_register(mesh_server(mesh), &echo_service_methods, &echo, echo_service_descriptors);
    int code = mesh_run(mesh);
    mesh_free(mesh);
    arena_free(arena);
    return code;
}

static void start_member(size_t i)
{
    host_start_program(&f.host, members[i], host_this_program(f.host.arena));
    host_wait_ready(&f.host, members[i]);
}

/* One call; the member that answered is in the call's arena. */
static status ask(struct call *call, const char **ret_member)
{
    const Weft__Testing__V1__EchoResponse *response;
    Weft__Testing__V1__EchoRequest request;

    weft__testing__v1__echo_request__init(&request);
    request.name = message_text("x");
    TRY(peer_echo(mesh_peer(f.mesh, "echo"), call, &request, &response));
    *ret_member = arena_printf(call->arena, "%.*s", (int)response->payload.len,
                               (const char *)response->payload.data);
    return status_ok();
}

/* Until each of both has answered us: calls go round. */
static void wait_for_both(void)
{
    int64_t until_ms = clock_monotonic_ms(&system_clock) + HOST_PATIENCE_MS;
    bool has_answered[N_MEMBERS] = { false };

    while (!has_answered[0] || !has_answered[1]) {
        struct arena *arena = arena_new();
        struct call call = call_of_process(arena);
        const char *member = "";
        status s = ask(&call, &member);
        if (clock_monotonic_ms(&system_clock) > until_ms) {
            fail_msg("not both answer: %s", s.message);
        }
        for (size_t i = 0; i < N_MEMBERS && status_is_ok(s); i++) {
            has_answered[i] =
                has_answered[i] || strncmp(member, members[i], strlen(members[i])) == 0;
        }
        arena_free(arena);
        (void)usleep(1000);
    }
}

/* ---- Callers ---- */

struct caller {
    pthread_t thread;
    atomic_bool stops;
    atomic_int n_calls, n_failed;
    char why[256]; /* the last one failed */
};

static void *call_all_the_time(void *data)
{
    struct caller *self = data;

    while (!self->stops) {
        struct arena *arena = arena_new();
        struct call call = call_of_process(arena);
        const char *member;
        status s = ask(&call, &member);
        self->n_calls++;
        if (!status_is_ok(s)) {
            self->n_failed++;
            (void)snprintf(self->why, sizeof self->why, "%s", s.message);
        }
        arena_free(arena);
    }
    return NULL;
}

/* Not on a test's stack: one that fails leaves them running. */
static struct caller callers[N_CALLERS];

static void start_calling(void)
{
    for (size_t i = 0; i < N_CALLERS; i++) {
        callers[i] = (struct caller){ .stops = false };
        assert_int_equal(pthread_create(&callers[i].thread, NULL, call_all_the_time, &callers[i]),
                         0);
    }
    for (size_t i = 0; i < N_CALLERS; i++) {
        while (callers[i].n_calls == 0) {
            (void)usleep(1000);
        }
    }
}

/* Returns how many calls failed. */
static int stop_calling(void)
{
    int n_failed = 0;

    for (size_t i = 0; i < N_CALLERS; i++) {
        callers[i].stops = true;
        (void)pthread_join(callers[i].thread, NULL);
        n_failed += callers[i].n_failed;
        if (callers[i].n_failed > 0) {
            print_message("%d of %d calls failed, the last with: %s\n", callers[i].n_failed,
                          callers[i].n_calls, callers[i].why);
        }
    }
    return n_failed;
}

/* ---- The tests ---- */

static int set_up(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    const struct host_entry entry = { "echo", host_this_program(arena) };

    host_init(&f.host, &entry, 1);
    arena_free(arena);
    host_start(&f.host, "registry");
    host_start(&f.host, "agent");
    start_member(0);
    start_member(1);
    f.mesh = host_join(&f.host);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    mesh_free(f.mesh);
    host_reset(&f.host);
    return 0;
}

static void a_member_that_is_told_to_end_takes_no_call_with_it(void **state)
{
    (void)state;
    wait_for_both();
    start_calling();
    for (size_t i = 0; i < N_MEMBERS; i++) {
        host_end(&f.host, members[i]);
        start_member(i);
        wait_for_both();
    }
    assert_int_equal(stop_calling(), 0);
}

static void a_member_that_dies_is_gone_within_a_moment(void **state)
{
    (void)state;
    wait_for_both();
    start_calling();
    host_stop(&f.host, members[0], SIGKILL);
    /* Of each caller the one under way, and one that met the connection before its end was seen. */
    assert_true(stop_calling() <= 2 * N_CALLERS);
    start_calling();
    start_member(0);
    wait_for_both();
    assert_int_equal(stop_calling(), 0);
}

/* C core 1.51 crashes when it is told that there are no endpoints before the last connection ends
 * (services/registry/xds_endpoints.c). */
static void a_client_outlives_the_last_member(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        wait_for_both();
        start_calling();
        host_end(&f.host, members[0]);
        host_end(&f.host, members[1]);
        for (size_t i = 0; i < N_CALLERS; i++) {
            while (callers[i].n_failed == 0) {
                (void)usleep(1000);
            }
        }
        assert_true(stop_calling() > 0);
        start_member(0);
        start_member(1);
    }
}

static void a_registry_that_dies_and_comes_back_costs_no_call(void **state)
{
    (void)state;
    wait_for_both();
    start_calling();
    host_stop(&f.host, "registry", SIGKILL);
    host_start(&f.host, "registry");
    /* Their leases come back within some seconds; until then nobody is told that they were gone. */
    (void)usleep(6000000);
    wait_for_both();
    assert_int_equal(stop_calling(), 0);
}

/* Returns how many datagrams are in it when no more go in. */
static int fill(const char *socket_path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int n = 0;

    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", socket_path);
    while (sendto(fd, "x", 1, 0, (struct sockaddr *)&address, sizeof address) == 1) {
        n++;
    }
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(close(fd), 0);
    return n;
}

static void what_a_member_has_to_say_is_said_until_it_is_heard(void **state)
{
    const char *member = "";

    (void)state;
    host_end(&f.host, members[0]);
    host_end(&f.host, members[1]);
    assert_true(fill(host_path(&f.host, "left.notify")) > 0);
    host_spawn(&f.host, members[0], host_this_program(f.host.arena));
    while (member[0] == '\0') { /* it has all that it needs, and nobody can have heard of it */
        struct call call = call_of_process(f.host.arena);
        (void)ask(&call, &member);
        (void)usleep(10000);
    }
    host_wait_ready(&f.host, members[0]);
    assert_int_equal(strncmp(host_address(&f.host, members[0]), "127.0.0.1:", 10), 0);
    start_member(1);
}

/* What a sanitizer finds at the end of a process is said by its exit code. */
static void all_end_well(void **state)
{
    (void)state;
    host_end(&f.host, members[0]);
    host_end(&f.host, members[1]);
    host_end(&f.host, "agent");
    host_end(&f.host, "registry");
}

int main(void)
{
    if (getenv("WEFT_INSTANCE") != NULL) {
        return be_member();
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_member_that_is_told_to_end_takes_no_call_with_it),
        cmocka_unit_test(a_member_that_dies_is_gone_within_a_moment),
        cmocka_unit_test(a_client_outlives_the_last_member),
        cmocka_unit_test(a_registry_that_dies_and_comes_back_costs_no_call),
        cmocka_unit_test(what_a_member_has_to_say_is_said_until_it_is_heard),
        cmocka_unit_test(all_end_well),
    };

    return cmocka_run_group_tests_name("members_e2e", tests, set_up, tear_down);
}
