/* The whole mesh as a person runs it: all programs, by the command line alone.
 *
 * The demo on lists of our own, and then each process killed in the middle of an ingest job: the
 * job ends, what was acknowledged is there, its event is in the log once, and it is not done again.
 */

#include "cli/programs.h"
#include "libs/base/clock.h"
#include "libs/testing/assert_status.h"
#include "tests/e2e/mesh_home.h"
#include "tests/e2e/mesh_jobs.h"

#include <signal.h>
#include <string.h>

/* Half a second of work and more, so that it has a middle. */
#if defined(__SANITIZE_ADDRESS__)
enum { N_PACKAGES = 10 * 1000 };
#else
enum { N_PACKAGES = 30 * 1000 };
#endif

static struct mesh_home mesh;
static struct mesh_jobs jobs;

static int set_up_all(void **state)
{
    (void)state;
    mesh_home_init(&mesh);
    mesh_jobs_init(&jobs, &mesh, N_PACKAGES);
    mesh_home_up(&mesh);
    return 0;
}

static int tear_down_all(void **state)
{
    (void)state;
    mesh_home_reset(&mesh);
    return 0;
}

/* A new job, and pid killed when some of it is done.  One that was over before anybody looked is no
 * such job, and another takes its place. */
static const char *kill_in_the_middle(const char *collection, pid_t pid)
{
    assert_true(pid > 1);
    for (;;) {
        const char *job_id = mesh_jobs_enqueue(&jobs, collection);
        const char *state = "";
        int64_t done = 0;

        while (done == 0) {
            state = mesh_jobs_state(&jobs, job_id, &done);
        }
        if (strcmp(state, "succeeded") != 0) {
            assert_int_equal(kill(pid, SIGKILL), 0);
            return job_id;
        }
    }
}

/* ---- Tests ---- */

/* A moment after `up` at most, each program's /readyz says that it has all it needs. */
static void each_program_says_how_it_is(void **state)
{
    int64_t end_ms = clock_monotonic_ms(&system_clock) + MESH_HOME_PATIENCE_MS;

    (void)state;
    do {
        (void)mesh_home_weft(&mesh, "status");
        assert_true(clock_monotonic_ms(&system_clock) < end_ms);
    } while (mesh.code != 0);
    const char *line = mesh_home_must(&mesh, "status -o json");
    for (size_t i = 0; i < N_PROGRAMS; i++) {
        json_t *json = json_loadb(line, strcspn(line, "\n"), 0, NULL);
        assert_string_equal(mesh_home_text(&mesh, json, "health"), "healthy");
        assert_string_not_equal(mesh_home_text(&mesh, json, "http"), "");
        json_decref(json);
        line += strcspn(line, "\n") + 1;
    }
}

static void the_demo_holds(void **state)
{
    const char *said = mesh_home_weft(&mesh, "demo -o json");

    (void)state;
    if (mesh.code != 0 || strstr(said, "\"holds\":false") != NULL) {
        (void)fputs(said, stderr); /* a message of cmocka's has a kilobyte at most */
        fail_msg("the demo ended with code %d", mesh.code);
    }
    (void)mesh_home_must(&mesh, "demo");
}

/* The packages are acme's. */
static void who_asks_in_the_wrong_tenant_is_told(void **state)
{
    (void)state;
    assert_non_null(
        strstr(mesh_home_weft(&mesh, "search debian packages chess 2>&1"), "--as NAME"));
    assert_int_equal(mesh.code, 1);
    (void)mesh_home_weft(&mesh, "key create acme publisher --save mine");
    assert_int_equal(mesh.code, 0);
    assert_non_null(
        strstr(mesh_home_weft(&mesh, "search debian packages chess --as mine"), "gnuchess"));
    assert_non_null(
        strstr(mesh_home_weft(&mesh, "tenant list --as mine 2>&1"), "platform:tenants:list"));
    assert_int_equal(mesh.code, 1);
}

static void a_job_survives_the_death_of_each_service(void **state)
{
    (void)state;
    mesh_jobs_start_worker(&jobs);
    for (size_t i = 0; i < N_PROGRAMS; i++) {
        const char *service = program_entries[i].name;
        const char *collection = arena_printf(mesh.arena, "without-%s", service);

        mesh_jobs_create_collection(&jobs, collection);
        const char *job_id = kill_in_the_middle(collection, mesh_home_pid(&mesh, service));
        mesh_jobs_wait(&jobs, job_id);
        mesh_home_up(&mesh); /* until what was killed is ready again */
        print_message("killed '%s' in the middle of '%s'\n", service, job_id);
        mesh_jobs_expect_all(&jobs, job_id, collection);
    }
    mesh_jobs_stop_worker(&jobs, SIGTERM);
}

/* Its services end with it, and come back with the next. */
static void a_job_survives_the_death_of_the_supervisor(void **state)
{
    (void)state;
    mesh_jobs_start_worker(&jobs);
    mesh_jobs_create_collection(&jobs, "without-supervisor");
    const char *job_id =
        kill_in_the_middle("without-supervisor", mesh_home_pid(&mesh, "supervisor"));
    mesh_home_up(&mesh);
    mesh_jobs_wait(&jobs, job_id);
    mesh_jobs_expect_all(&jobs, job_id, "without-supervisor");
    mesh_jobs_stop_worker(&jobs, SIGTERM);
}

static void a_job_survives_the_death_of_its_worker(void **state)
{
    (void)state;
    mesh_jobs_start_worker(&jobs);
    mesh_jobs_create_collection(&jobs, "without-worker");
    const char *job_id = kill_in_the_middle("without-worker", jobs.worker);
    mesh_jobs_start_worker(&jobs);
    mesh_jobs_wait(&jobs, job_id);
    mesh_jobs_expect_all(&jobs, job_id, "without-worker");
    mesh_jobs_stop_worker(&jobs, SIGTERM);
}

/* After all jobs, since it leaves one that nobody does. */
static void the_demo_waits_for_no_worker_that_has_ended(void **state)
{
    (void)state;
    const char *said =
        mesh_home_shell(&mesh, "WEFT_APT_LISTS=/dev/null \"$WEFT_PROGRAMS\"/weft demo 2>&1");

    assert_int_equal(mesh.code, 1);
    assert_non_null(strstr(said, "the worker has ended"));
}

static void the_log_is_what_was_signed(void **state)
{
    (void)state;
    mesh_home_verify_log(&mesh);
}

static void no_process_had_a_fault_of_its_own(void **state)
{
    (void)state;
    mesh_home_end(&mesh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_program_says_how_it_is),
        cmocka_unit_test(the_demo_holds),
        cmocka_unit_test(who_asks_in_the_wrong_tenant_is_told),
        cmocka_unit_test(a_job_survives_the_death_of_each_service),
        cmocka_unit_test(a_job_survives_the_death_of_the_supervisor),
        cmocka_unit_test(a_job_survives_the_death_of_its_worker),
        cmocka_unit_test(the_demo_waits_for_no_worker_that_has_ended),
        cmocka_unit_test(the_log_is_what_was_signed),
        cmocka_unit_test(no_process_had_a_fault_of_its_own),
    };

    return cmocka_run_group_tests_name("whole_mesh", tests, set_up_all, tear_down_all);
}
