/* The mesh from outside: registry, agent and tenant as real processes, and clients that know
 * nothing of them but the agent's socket. */

#include "libs/peers/tenant_peer.h"
#include "libs/rpc/channel.h"
#include "libs/rpc/message.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/test_call.h"
#include "tests/e2e/host.h"

#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct host_entry entries[] = {
    { .name = "tenant", .program = "services/tenant/tenant" },
    { .name = "cli", .program = "tests/e2e/caller" },
    { .name = "auth", .program = "tests/e2e/watcher" },
};

static struct host host;

static int set_up(void **state)
{
    (void)state;
    host_init(&host, entries, sizeof entries / sizeof entries[0]);
    host_start(&host, "registry");
    host_start(&host, "agent");
    host_start(&host, "tenant");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    host_reset(&host);
    return 0;
}

static void expect(struct host_client *client, const char *begins_with)
{
    const char *line = host_client_line(client);

    if (line == NULL || strncmp(line, begins_with, strlen(begins_with)) != 0) {
        fail_msg("got '%s', want '%s...'", line == NULL ? "(the end)" : line, begins_with);
    }
}

static void start_calls(struct host_client *client, const char *service, const char *count)
{
    const char *const arguments[] = { "tests/e2e/caller", "call", service, count, NULL };

    host_start_client(&host, client, HOST_PATIENCE_MS, arguments);
    expect(client, "joined spiffe://weft.local/cli");
}

/* Until the first call of a new client is answered: the catalogue has heard of a start. */
static void wait_for_tenant(void)
{
    struct host_client client;
    bool answered = false;

    for (int i = 0; i < 100 && !answered; i++) {
        start_calls(&client, "tenant", "1");
        const char *line = host_client_line(&client);
        answered = line != NULL && strncmp(line, "OK ", 3) == 0;
        host_end_client(&client);
    }
    assert_true(answered);
}

static void a_client_finds_tenant_by_its_name(void **state)
{
    struct host_client client;

    (void)state;
    wait_for_tenant();
    start_calls(&client, "tenant", "3");
    for (int i = 0; i < 3; i++) {
        expect(&client, "OK ");
    }
    assert_null(host_client_line(&client));
    host_end_client(&client);
}

/* The quickest of ten new clients, since others use this machine too; what must not be is that a
 * client waits for an answer that never comes. */
static void a_name_that_nobody_has_fails_at_once_and_is_in_the_message(void **state)
{
    enum { AT_ONCE_MS = 100 };
    struct host_client client;
    long least_ms = LONG_MAX;

    (void)state;
    wait_for_tenant();
    for (int i = 0; i < 10 && least_ms >= AT_ONCE_MS; i++) {
        start_calls(&client, "tenent", "1");
        const char *line = host_client_line(&client);
        assert_non_null(line);
        if (strncmp(line, "UNAVAILABLE ", 12) != 0 || strstr(line, "tenent") == NULL) {
            fail_msg("%s", line);
        }
        long took_ms = strtol(line + 12, NULL, 10);
        least_ms = took_ms < least_ms ? took_ms : least_ms;
        host_end_client(&client);
    }
    assert_true(least_ms < AT_ONCE_MS);
}

static void a_process_without_an_entry_is_nobody(void **state)
{
    static const char *const arguments[] = { "tests/e2e/stranger", "call", "tenant", "1", NULL };
    struct host_client client;

    (void)state;
    host_start_client(&host, &client, 2000, arguments);
    expect(&client, "DEADLINE_EXCEEDED");
    if (strstr(client.line, "identity") == NULL) {
        fail_msg("%s", client.line);
    }
    assert_null(host_client_line(&client));
    host_end_client(&client);
}

/* With the right authorities, so that nothing lacks but a certificate of one's own. */
static void who_shows_no_certificate_gets_no_answer(void **state)
{
    struct call call = test_call();
    struct runtime *runtime = runtime_start(&(struct runtime_options){ .n_workers = 1 });
    struct channel *channel =
        channel_new(runtime, &(struct channel_options){
                                 .target = host_address(&host, "tenant"),
                                 .trust_file = host_path(&host, "registry/bundle.pem"),
                                 .server_id = "spiffe://weft.local/tenant",
                                 .show_no_certificate = true,
                             });
    Weft__Tenant__V1__CheckTenantIdRequest request;
    const Weft__Tenant__V1__CheckTenantIdResponse *response;

    (void)state;
    weft__tenant__v1__check_tenant_id_request__init(&request);
    request.tenant_id = message_text("acme");
    assert_status(tenant_peer_check_tenant_id(channel_peer(channel), &call, &request, &response),
                  STATUS_UNAVAILABLE);
    channel_free(channel);
    runtime_stop(runtime);
    arena_free(call.arena);
}

/* A certificate alone may ask what is open to members, and nothing that needs a permission. */
static void who_has_no_part_in_an_rpc_is_refused(void **state)
{
    static const char *const arguments[] = { "tests/e2e/caller", "watch", "tenant", NULL };
    struct host_client client;

    (void)state;
    wait_for_tenant();
    host_start_client(&host, &client, HOST_PATIENCE_MS, arguments);
    expect(&client, "joined spiffe://weft.local/cli");
    expect(&client, "PERMISSION_DENIED");
    host_end_client(&client);
}

static void while_the_registry_is_dead_calls_go_on_and_new_clients_come(void **state)
{
    static const char *const arguments[] = { "tests/e2e/watcher", "watch", "tenant", NULL };
    struct host_client calls, newcomer, watcher;

    (void)state;
    wait_for_tenant();
    host_start_client(&host, &watcher, HOST_PATIENCE_MS, arguments);
    expect(&watcher, "joined spiffe://weft.local/auth");
    expect(&watcher, "0 tenants, synced");
    start_calls(&calls, "tenant", "200");
    expect(&calls, "OK ");
    host_stop(&host, "registry", SIGKILL);
    for (int i = 1; i < 100; i++) {
        expect(&calls, "OK ");
    }
    start_calls(&newcomer, "tenant", "3"); /* by what the agent has kept */
    expect(&newcomer, "OK ");
    host_end_client(&newcomer);
    host_start(&host, "registry");
    for (int i = 100; i < 200; i++) {
        expect(&calls, "OK ");
    }
    assert_false(host_client_has_line(&watcher, 0)); /* nothing has ended its stream */
    host_end_client(&calls);
    host_end_client(&watcher);
}

static void while_the_agent_is_dead_calls_go_on_and_then_new_clients_come(void **state)
{
    struct host_client calls, newcomer;

    (void)state;
    wait_for_tenant();
    start_calls(&calls, "tenant", "200");
    expect(&calls, "OK ");
    host_stop(&host, "agent", SIGKILL);
    for (int i = 1; i < 100; i++) {
        expect(&calls, "OK ");
    }
    assert_int_equal(unlink(host_path(&host, "agent.sock")), 0); /* for host_start() to wait for */
    host_start(&host, "agent");
    for (int i = 100; i < 200; i++) {
        expect(&calls, "OK ");
    }
    host_end_client(&calls);
    start_calls(&newcomer, "tenant", "3");
    expect(&newcomer, "OK ");
    host_end_client(&newcomer);
}

static void a_service_that_was_killed_is_found_again(void **state)
{
    static const char *const arguments[] = { "tests/e2e/watcher", "watch", "tenant", NULL };
    struct host_client watcher;

    (void)state;
    wait_for_tenant();
    host_start_client(&host, &watcher, HOST_PATIENCE_MS, arguments);
    expect(&watcher, "joined spiffe://weft.local/auth");
    expect(&watcher, "0 tenants, synced");
    host_stop(&host, "tenant", SIGKILL);
    expect(&watcher, "UNAVAILABLE");
    host_end_client(&watcher);
    host_start(&host, "tenant"); /* at another port */
    wait_for_tenant();
}

static void a_service_comes_back_by_its_old_identity_while_nobody_can_sign_a_new_one(void **state)
{
    (void)state;
    wait_for_tenant();
    host_stop(&host, "registry", SIGKILL);
    host_stop(&host, "agent", SIGKILL);
    host_stop(&host, "tenant", SIGKILL);
    assert_int_equal(unlink(host_path(&host, "agent.sock")), 0);
    host_start(&host, "agent");
    host_start(&host, "tenant"); /* waits until it listens */
    host_start(&host, "registry");
    wait_for_tenant();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_finds_tenant_by_its_name),
        cmocka_unit_test(a_name_that_nobody_has_fails_at_once_and_is_in_the_message),
        cmocka_unit_test(a_process_without_an_entry_is_nobody),
        cmocka_unit_test(who_shows_no_certificate_gets_no_answer),
        cmocka_unit_test(who_has_no_part_in_an_rpc_is_refused),
        cmocka_unit_test(while_the_registry_is_dead_calls_go_on_and_new_clients_come),
        cmocka_unit_test(while_the_agent_is_dead_calls_go_on_and_then_new_clients_come),
        cmocka_unit_test(a_service_that_was_killed_is_found_again),
        cmocka_unit_test(a_service_comes_back_by_its_old_identity_while_nobody_can_sign_a_new_one),
    };

    return cmocka_run_group_tests_name("mesh_e2e", tests, set_up, tear_down);
}
