/* A whole mesh whose home is on a disk that is full: a real one. */

#include "cli/programs.h"
#include "libs/base/clock.h"
#include "libs/testing/assert_status.h"
#include "tests/e2e/mesh_home.h"
#include "tests/e2e/mesh_jobs.h"
#include "tests/faults/small_disk.h"

#include <signal.h>
#include <string.h>

enum {
    /* A page that is there already may take a few writes; it never takes so many. */
    MAX_TRIES = 200,
    MAX_ACKNOWLEDGED = 1000,
};

/* Of each service that has something to write; all know a thing by its name. */
struct area {
    const char *service;
    const char *write; /* the name takes the place of %s */
    const char *list;
    const char *id; /* how an event's target calls it */
};

static const struct area areas[] = {
    { "tenant", "tenant create %s", "tenant list", "tenant_id" },
    { "auth", "account create weft %s --role publisher", "account list weft",
      "service_account_id" },
    { "search", "collection create e2e %s --field name:text", "collection list e2e",
      "collection_id" },
    { "scheduler", "job enqueue e2e %s", "job list e2e", "job_id" },
};

enum { N_AREAS = sizeof areas / sizeof areas[0] };

/* What answers without writing anything, and a part of the answer. */
static const struct {
    const char *words;
    const char *want;
} reads[] = {
    { "tenant get acme", "acme" },
    { "whoami", "sa:administrator" },
    { "account list weft", "administrator" },
    { "collection list e2e", "packages" },
    { "search e2e packages convert video files", "ffmpeg" },
    { "document get e2e packages rdfind", "duplicate" },
    { "job list e2e", "succeeded" },
    { "audit checkpoint", "weft.local/audit" },
    { "audit vkey", "weft.local/audit" },
    { "instance list", "scheduler" },
};

enum { N_READS = sizeof reads / sizeof reads[0] };

static struct mesh_home mesh;
static struct mesh_jobs jobs;
static bool has_disk;
static const char *acknowledged[MAX_ACKNOWLEDGED]; /* in an event's target */
static size_t n_acknowledged;

static int set_up_all(void **state)
{
    (void)state;
    mesh_home_init(&mesh);
    mesh_jobs_init(&jobs, &mesh, 30 * 1000);
    has_disk = small_disk_mount(mesh.home);
    if (!has_disk) {
        return 0;
    }
    mesh_home_up(&mesh);
    (void)mesh_home_must(&mesh, "tenant create acme");
    mesh_jobs_create_collection(&jobs, "packages");
    mesh_jobs_start_worker(&jobs);
    mesh_jobs_wait(&jobs, mesh_jobs_enqueue(&jobs, "packages"));
    return 0;
}

static int tear_down_all(void **state)
{
    (void)state;
    (void)mesh_home_weft(&mesh, "down");
    small_disk_unmount(mesh.home);
    mesh_home_reset(&mesh);
    return 0;
}

/* The reason was printed by who could not make the disk. */
static void need_disk(void)
{
    if (!has_disk) {
        skip();
    }
}

/* ---- What is written and read ---- */

static const char *name_of(const struct area *area, int n)
{
    return arena_printf(mesh.arena, "full-%s-%d", area->service, n);
}

/* Whether it was acknowledged; else it was refused in the right words. */
static bool write_one(const struct area *area, const char *name)
{
    size_t before = strcspn(area->write, "%");
    const char *words = arena_printf(mesh.arena, "%.*s%s%s -o json 2>&1", (int)before, area->write,
                                     name, area->write + before + strlen("%s"));
    const char *said = mesh_home_weft(&mesh, words);
    json_t *object = json_loadb(said, strcspn(said, "\n"), 0, NULL);
    const char *id = mesh_home_text(&mesh, object, area->id);

    json_decref(object);
    if (mesh.code == 0) {
        assert_string_not_equal(id, "");
        assert_true(n_acknowledged < MAX_ACKNOWLEDGED);
        acknowledged[n_acknowledged++] = id;
        return true;
    }
    if (strstr(said, "RESOURCE_EXHAUSTED") == NULL || strstr(said, "the disk is full") == NULL ||
        strchr(said, '/') != NULL || strstr(said, "sqlite") != NULL) {
        fail_msg("'%s' is refused by: %s", words, said);
    }
    return false;
}

static bool is_listed(const struct area *area, const char *name)
{
    const char *list = mesh_home_must(&mesh, arena_printf(mesh.arena, "%s -o json", area->list));

    return strstr(list, arena_printf(mesh.arena, "\"%s\"", name)) != NULL;
}

static void expect_reads(void)
{
    for (size_t i = 0; i < N_READS; i++) {
        const char *said = mesh_home_must(&mesh, reads[i].words);
        if (strstr(said, reads[i].want) == NULL) {
            fail_msg("'%s' has no '%s' in it: %s", reads[i].words, reads[i].want, said);
        }
    }
}

/* What was restarted is found again after a while. */
static void wait_for_reads(void)
{
    int64_t end_ms = clock_monotonic_ms(&system_clock) + MESH_HOME_PATIENCE_MS;

    for (size_t i = 0; i < N_READS; i++) {
        do {
            (void)mesh_home_weft(&mesh,
                                 arena_printf(mesh.arena, "%s >/dev/null 2>&1", reads[i].words));
        } while (mesh.code != 0 && clock_monotonic_ms(&system_clock) < end_ms);
    }
    expect_reads();
}

/* ---- Tests ---- */

static void writes_are_refused_reads_go_on_and_writes_with_room_again(void **state)
{
    pid_t pids[N_PROGRAMS];
    const char *refused[N_AREAS];

    (void)state;
    need_disk();
    for (size_t i = 0; i < N_PROGRAMS; i++) {
        pids[i] = mesh_home_pid(&mesh, program_entries[i].name);
    }
    small_disk_fill(mesh.home);
    for (size_t i = 0; i < N_AREAS; i++) {
        int n = 0;
        while (n < MAX_TRIES && write_one(&areas[i], name_of(&areas[i], n))) {
            n++;
        }
        assert_true(n < MAX_TRIES);
        refused[i] = name_of(&areas[i], n);
        assert_false(is_listed(&areas[i], refused[i]));
    }
    expect_reads();
    small_disk_clear(mesh.home);
    for (size_t i = 0; i < N_AREAS; i++) {
        assert_true(write_one(&areas[i], refused[i]));
        assert_true(is_listed(&areas[i], refused[i]));
    }
    for (size_t i = 0; i < N_PROGRAMS; i++) {
        assert_int_equal(mesh_home_pid(&mesh, program_entries[i].name), pids[i]);
    }
}

static void a_job_waits_for_room(void **state)
{
    int64_t done = 0;

    (void)state;
    need_disk();
    mesh_jobs_create_collection(&jobs, "later");
    const char *job_id = mesh_jobs_enqueue(&jobs, "later");
    while (done == 0) {
        (void)mesh_jobs_state(&jobs, job_id, &done);
    }
    small_disk_fill(mesh.home);
    /* One that nobody acknowledged is proof that the worker has met the end of the disk, or has
     * come to its own before. */
    (void)write_one(&areas[0], "full-tenant-meanwhile");
    expect_reads();
    small_disk_clear(mesh.home);
    mesh_jobs_wait(&jobs, job_id);
    mesh_jobs_expect_all(&jobs, job_id, "later");
}

static void kill_all_of(const char *const *services, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        pid_t pid = mesh_home_pid(&mesh, services[i]);
        assert_true(pid > 1);
        assert_int_equal(kill(pid, SIGKILL), 0);
    }
}

/* With the identity and the state of before; but for those who write when they begin. */
static void what_dies_on_a_full_disk_comes_back(void **state)
{
    static const char *const at_once[] = { "tenant", "search", "scheduler" };
    static const char *const with_room[] = { "audit", "auth", "registry", "agent" };

    (void)state;
    need_disk();
    small_disk_fill(mesh.home);
    kill_all_of(at_once, sizeof at_once / sizeof at_once[0]);
    wait_for_reads();
    kill_all_of(with_room, sizeof with_room / sizeof with_room[0]);
    small_disk_clear(mesh.home);
    mesh_home_up(&mesh);
    wait_for_reads();
    for (size_t i = 0; i < N_AREAS; i++) {
        assert_true(write_one(&areas[i], arena_printf(mesh.arena, "%s-after", areas[i].service)));
    }
}

/* Each acknowledged change is in the log once; the events that waited come by themselves. */
static void no_event_is_missing(void **state)
{
    int64_t end_ms = clock_monotonic_ms(&system_clock) + MESH_HOME_PATIENCE_MS;
    const char *events;

    (void)state;
    need_disk();
    for (size_t i = 0; i < n_acknowledged; i++) {
        const char *target = arena_printf(mesh.arena, "%s\"", acknowledged[i]);
        do {
            events = mesh_home_weft(&mesh, "audit list --limit 100000 -o json 2>/dev/null");
        } while (count_lines(events, target) == 0 && clock_monotonic_ms(&system_clock) < end_ms);
        if (count_lines(events, target) != 1) {
            fail_msg("'%s' has %zu events", acknowledged[i], count_lines(events, target));
        }
    }
}

static void the_log_is_whole_and_no_process_had_a_fault_of_its_own(void **state)
{
    (void)state;
    need_disk();
    mesh_jobs_stop_worker(&jobs, SIGTERM);
    mesh_home_verify_log(&mesh);
    mesh_home_end(&mesh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_are_refused_reads_go_on_and_writes_with_room_again),
        cmocka_unit_test(a_job_waits_for_room),
        cmocka_unit_test(what_dies_on_a_full_disk_comes_back),
        cmocka_unit_test(no_event_is_missing),
        cmocka_unit_test(the_log_is_whole_and_no_process_had_a_fault_of_its_own),
    };

    return cmocka_run_group_tests_name("full_disk", tests, set_up_all, tear_down_all);
}
