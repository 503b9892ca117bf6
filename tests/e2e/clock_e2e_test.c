/* A host that was off for a while: registry, agent and services ran, ended, and are started again
 * when all certificates have expired. */

#include "libs/base/clock.h"
#include "libs/base/files.h"
#include "libs/crypto/x509.h"
#include "libs/mesh/identity.h"
#include "libs/testing/assert_status.h"
#include "tests/e2e/host.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

enum { MAX_FILE_BYTES = 256 * 1024 };

static const int64_t DAY_MS = (int64_t)24 * 3600 * 1000;

static const struct host_entry entries[] = {
    { .name = "auth", .program = "services/auth/auth" },
    { .name = "tenant", .program = "services/tenant/tenant" },
    { .name = "cli", .program = "tests/e2e/caller" },
};

static struct host host;

static int set_up(void **state)
{
    (void)state;
    host_init(&host, entries, sizeof entries / sizeof entries[0]);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    host_reset(&host);
    return 0;
}

static void start_all(void)
{
    host_start(&host, "registry");
    host_start(&host, "agent");
    host_start(&host, "auth");
    host_start(&host, "tenant");
    host_wait_ready(&host, "auth");
    host_wait_ready(&host, "tenant");
}

static void stop_all(int signal_number)
{
    host_stop(&host, "tenant", signal_number);
    host_stop(&host, "auth", signal_number);
    host_stop(&host, "agent", signal_number);
    host_stop(&host, "registry", signal_number);
    (void)unlink(host_path(&host, "agent.sock")); /* for host_start() to wait for */
}

/* Until the first call of a new client is answered: the catalogue has heard of a start. */
static void expect_an_answer(void)
{
    static const char *const arguments[] = { "tests/e2e/caller", "call", "tenant", "1", NULL };
    const char *line = "(never asked)";

    for (int i = 0; i < 100 && strncmp(line, "OK ", 3) != 0; i++) {
        struct host_client client;
        host_start_client(&host, &client, HOST_PATIENCE_MS, arguments);
        assert_string_equal(host_client_line(&client), "joined spiffe://weft.local/cli");
        const char *answer = host_client_line(&client);
        line = arena_strdup(host.arena, answer == NULL ? "(the end)" : answer);
        host_end_client(&client);
    }
    if (strncmp(line, "OK ", 3) != 0) {
        fail_msg("the last answer: %s", line);
    }
}

/* The agent's certificate, as it is in its files. */
static struct x509_certificate svid_of_agent(void)
{
    struct disk_files files;
    struct der_list certificates;
    struct x509_certificate svid;
    bytes pem, chain;

    assert_status(disk_files_init(&files, host.arena, host_path(&host, "agent/svid")), STATUS_OK);
    assert_status(files_read(&files.files, host.arena, IDENTITY_SVID_FILE, MAX_FILE_BYTES, &pem),
                  STATUS_OK);
    assert_status(x509_from_pem(host.arena, pem, &chain), STATUS_OK);
    assert_status(x509_split(host.arena, chain, &certificates), STATUS_OK);
    assert_status(x509_parse_svid(host.arena, certificates.values[0], &svid), STATUS_OK);
    disk_files_reset(&files);
    return svid;
}

static void after_three_days_the_mesh_comes_back(void **state)
{
    int64_t three_days_on_ms = clock_wall_ms(&system_clock) + 3 * DAY_MS;

    (void)state;
    start_all();
    expect_an_answer();
    assert_true(svid_of_agent().not_after_ms < three_days_on_ms);
    stop_all(SIGTERM);

    host.preload = "tests/e2e/three_days_on.so";
    start_all();
    expect_an_answer();
    assert_true(svid_of_agent().not_before_ms > three_days_on_ms - DAY_MS);
    assert_true(svid_of_agent().not_after_ms > three_days_on_ms);
}

/* A power cut instead of an orderly end: nothing was said to anybody. */
static void after_a_power_cut_and_three_days_too(void **state)
{
    (void)state;
    start_all();
    expect_an_answer();
    stop_all(SIGKILL);

    host.preload = "tests/e2e/three_days_on.so";
    start_all();
    expect_an_answer();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(after_three_days_the_mesh_comes_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(after_a_power_cut_and_three_days_too, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("clock_e2e", tests, NULL, NULL);
}
