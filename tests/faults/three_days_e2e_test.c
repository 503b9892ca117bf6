/* A machine that was off for three days, and then `weft up`: longer than any certificate is good.
 */

#include "cli/programs.h"
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

static void expect_all_well_after_three_days(void)
{
    mesh_home_preload(&mesh, "tests/e2e/three_days_on.so");
    mesh_home_up(&mesh);
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

static void after_three_days_all_comes_up_again(void **state)
{
    (void)state;
    mesh_home_up(&mesh);
    publish("before");
    (void)mesh_home_must(&mesh, "down");
    expect_all_well_after_three_days();
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
    expect_all_well_after_three_days();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(after_three_days_all_comes_up_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(after_a_power_cut_and_three_days_too, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("three_days", tests, NULL, NULL);
}
