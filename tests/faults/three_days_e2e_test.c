/* A machine that was off for three days, and then `weft up`: longer than any certificate is good.
 */

#include "cli/programs.h"
#include "libs/base/clock.h"
#include "libs/testing/assert_status.h"
#include "tests/e2e/mesh_home.h"
#include "tests/e2e/mesh_jobs.h"

#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { NEARLY_THREE_DAYS_S = (3 * 24 - 1) * 3600, N_PACKAGES = 500 };

static struct mesh_home mesh;
static struct mesh_jobs jobs;

static int set_up(void **state)
{
    (void)state;
    mesh_home_init(&mesh);
    mesh_jobs_init(&jobs, &mesh, N_PACKAGES);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    mesh_home_reset(&mesh);
    return 0;
}

/* A job from its beginning to its end, in which every service has its part. */
static void publish(const char *collection)
{
    mesh_jobs_create_collection(&jobs, collection);
    mesh_jobs_start_worker(&jobs);
    const char *job_id = mesh_jobs_enqueue(&jobs, collection);
    mesh_jobs_wait(&jobs, job_id);
    mesh_jobs_expect_all(&jobs, job_id, collection);
    mesh_jobs_stop_worker(&jobs, SIGTERM);
}

static void expect_found(const char *collection)
{
    const char *said =
        mesh_home_must(&mesh, arena_printf(mesh.arena, "search e2e %s play chess", collection));

    assert_non_null(strstr(said, "gnuchess"));
}

/* "2026-11-24T...", as messages have it. */
static const char *utc(time_t at)
{
    char text[32];
    struct tm parts;

    assert_non_null(gmtime_r(&at, &parts));
    assert_true(strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts) > 0);
    return arena_strdup(mesh.arena, text);
}

static void expect_all_well(void)
{
    expect_found("before");
    publish("after");
    expect_found("after");
    json_t *tenant = mesh_home_object(&mesh, "tenant create late");
    const char *create_time = mesh_home_text(&mesh, tenant, "create_time");
    json_decref(tenant);
    if (strcmp(create_time, utc(time(NULL) + NEARLY_THREE_DAYS_S)) < 0) {
        fail_msg("the clock was not three days on: '%s'", create_time);
    }
    mesh_home_verify_log(&mesh);
    mesh_home_end(&mesh);
}

/* The clock is ahead in what is started from now on, or from the moment on when the file is there.
 */
static void preload_clock(const char *file)
{
    mesh_home_preload(&mesh, "tests/e2e/three_days_on.so", "THREE_DAYS_ON", file);
}

/* ---- Tests ---- */

static void after_three_days_all_comes_up_again(void **state)
{
    (void)state;
    mesh_home_up(&mesh);
    publish("before");
    (void)mesh_home_must(&mesh, "down");
    preload_clock("/");
    mesh_home_up(&mesh);
    expect_all_well();
}

/* Nobody had the time to say good-bye. */
static void after_a_power_cut_and_three_days_too(void **state)
{
    pid_t pids[N_PROGRAMS];

    (void)state;
    mesh_home_up(&mesh);
    publish("before");
    for (size_t i = 0; i < N_PROGRAMS; i++) {
        pids[i] = mesh_home_pid(&mesh, program_entries[i].name);
        assert_true(pids[i] > 1);
    }
    assert_int_equal(kill(mesh_home_pid(&mesh, "supervisor"), SIGKILL), 0);
    for (size_t i = 0; i < N_PROGRAMS; i++) {
        (void)kill(pids[i], SIGKILL);
    }
    preload_clock("/");
    mesh_home_up(&mesh);
    expect_all_well();
}

/* Until a command succeeds that a service has to answer: those it asks must be trusted again. */
static void wait_for(const char *words)
{
    int64_t end_ms = clock_monotonic_ms(&system_clock) + MESH_HOME_PATIENCE_MS;
    const char *said;

    do {
        said = mesh_home_weft(&mesh, arena_printf(mesh.arena, "%s 2>&1", words));
    } while (mesh.code != 0 && clock_monotonic_ms(&system_clock) < end_ms);
    if (mesh.code != 0) {
        fail_msg("'weft %s' ends with code %d: %s", words, mesh.code, said);
    }
}

/* All certificates have expired under running programs, which are the same ones afterwards. */
static void a_machine_that_slept_for_three_days_goes_on(void **state)
{
    static const char *const questions[] = {
        "tenant list",  "account list weft", "collection list e2e",
        "job list e2e", "audit list",        "status",
    };
    const char *file = arena_printf(mesh.arena, "%s/awake", mesh.programs);
    pid_t pids[N_PROGRAMS];

    (void)state;
    preload_clock(file);
    mesh_home_up(&mesh);
    publish("before");
    for (size_t i = 0; i < N_PROGRAMS; i++) {
        pids[i] = mesh_home_pid(&mesh, program_entries[i].name);
    }
    (void)mesh_home_shell(&mesh, arena_printf(mesh.arena, "touch %s", file));
    assert_int_equal(mesh.code, 0);
    for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++) {
        wait_for(questions[i]);
    }
    for (size_t i = 0; i < N_PROGRAMS; i++) {
        assert_int_equal(mesh_home_pid(&mesh, program_entries[i].name), pids[i]);
    }
    expect_all_well();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(after_three_days_all_comes_up_again),
        TEST(after_a_power_cut_and_three_days_too),
        TEST(a_machine_that_slept_for_three_days_goes_on),
    };

    return cmocka_run_group_tests_name("three_days", tests, NULL, NULL);
}
