/* The whole mesh as a person runs it: all programs, by the command line alone.
 *
 * The demo on lists of our own, and then each service killed in the middle of an ingest job: the
 * job ends, what was acknowledged is there, its event is in the log once, and it is not done again.
 */

#include "cli/programs.h"
#include "libs/base/clock.h"
#include "libs/base/text.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/temp_folder.h"

#include <jansson.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    N_PACKAGES = 30 * 1000, /* half a second of work and more, so that a kill comes in its middle */
    PATIENCE_MS = 60 * 1000,
};

struct fixture {
    struct arena *arena;
    const char *home;
    const char *folder; /* where the test began: Bazel's paths begin there */
    int code;           /* of the last shell() */
    pid_t worker;
};

static const char *shell(struct fixture *f, const char *command)
{
    struct text all = text_new(f->arena);
    char data[4096];
    size_t n;

    FILE *pipe = popen(command, "re");
    assert_non_null(pipe);
    while ((n = fread(data, 1, sizeof data, pipe)) > 0) {
        text_add_bytes(&all, (bytes){ (const uint8_t *)data, n });
    }
    int code = pclose(pipe);
    f->code = WIFEXITED(code) ? WEXITSTATUS(code) : -1;
    return text_string(&all);
}

static const char *weft(struct fixture *f, const char *words)
{
    return shell(f, arena_printf(f->arena, "\"$WEFT_PROGRAMS\"/weft %s", words));
}

/* ---- Packages of our own ---- */

struct known {
    const char *name;
    const char *section;
    const char *summary;
};

static const struct known known[] = {
    { "ffmpeg", "video", "convert video files on the command line" },
    { "rdfind", "utils", "find duplicate files and photos" },
    { "gnuchess", "games", "play chess against the computer" },
};

static void write_packages(struct fixture *f, const char *folder)
{
    FILE *file = fopen(arena_printf(f->arena, "%s/test_main_binary-amd64_Packages", folder), "we");

    assert_non_null(file);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        (void)fprintf(file, "Package: %s\nSection: %s\nDescription: %s\n\n", known[i].name,
                      known[i].section, known[i].summary);
    }
    for (int i = 0; i < N_PACKAGES; i++) {
        (void)fprintf(file,
                      "Package: filler-%d\nSection: misc\nPriority: optional\nTag: role::test\n"
                      "Description: filler number %d\n some text about nothing in particular %d\n"
                      " that is as long as texts of packages often are\n\n",
                      i, i, i % 1000);
    }
    assert_int_equal(fclose(file), 0);
}

/* ---- A mesh for all tests ---- */

static void copy_program(struct fixture *f, const char *programs, const char *path)
{
    (void)shell(f, arena_printf(f->arena, "cp %s/%s %s/", f->folder, path, programs));
    assert_int_equal(f->code, 0);
}

static int set_up_all(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    char folder[PATH_MAX];

    assert_non_null(f);
    *state = f;
    f->arena = arena_new();
    f->folder = arena_strdup(f->arena, getcwd(folder, sizeof folder));
    const char *temp = temp_folder(f->arena);
    const char *programs = arena_printf(f->arena, "%s/programs", temp);
    f->home = arena_printf(f->arena, "%s/home", temp);
    assert_int_equal(mkdir(programs, 0755), 0);
    for (size_t i = 0; i < N_PROGRAMS; i++) {
        const char *name = program_entries[i].name;
        copy_program(f, programs, arena_printf(f->arena, "services/%s/%s", name, name));
    }
    copy_program(f, programs, "cli/weft");
    copy_program(f, programs, "cli/supervisor/weft_supervisor");
    write_packages(f, temp);
    (void)setenv("WEFT_HOME", f->home, 1);
    (void)setenv("WEFT_PROGRAMS", programs, 1);
    (void)setenv("WEFT_APT_LISTS", temp, 1);
    (void)weft(f, "up");
    assert_int_equal(f->code, 0);
    return 0;
}

static int tear_down_all(void **state)
{
    struct fixture *f = *state;

    (void)weft(f, "logs -n 60 >&2");
    (void)weft(f, "down --purge");
    arena_free(f->arena);
    free(f);
    return 0;
}

/* ---- Objects that the client prints ---- */

static json_t *object(struct fixture *f, const char *words)
{
    const char *line = weft(f, arena_printf(f->arena, "%s -o json", words));

    return json_loadb(line, strcspn(line, "\n"), 0, NULL);
}

static const char *text_of(struct fixture *f, json_t *json, const char *name)
{
    const char *value = json_string_value(json_object_get(json, name));

    return arena_strdup(f->arena, value != NULL ? value : "");
}

static pid_t pid_of(struct fixture *f, const char *service)
{
    const char *line = weft(f, "status -o json");
    json_int_t pid = 0;

    for (size_t i = 0; i < N_PROGRAMS; i++) {
        json_t *json = json_loadb(line, strcspn(line, "\n"), 0, NULL);
        if (strcmp(text_of(f, json, "name"), service) == 0) {
            pid = json_integer_value(json_object_get(json, "pid"));
        }
        json_decref(json);
        line += strcspn(line, "\n") + 1;
    }
    return (pid_t)pid;
}

/* ---- Jobs ---- */

static const char *enqueue(struct fixture *f, const char *collection)
{
    (void)weft(f,
               arena_printf(f->arena,
                            "collection create e2e %s --field name:text --field summary:text "
                            "--field description:text --field section:keyword --field "
                            "priority:keyword --field maintainer:keyword --field version:keyword "
                            "--field tags:keyword",
                            collection));
    assert_int_equal(f->code, 0);
    json_t *job = object(f, arena_printf(f->arena,
                                         "job enqueue e2e ingest.apt --payload "
                                         "'{\"source\":\"apt\",\"collection\":\"%s\"}'",
                                         collection));
    const char *id = text_of(f, job, "job_id");
    json_decref(job);
    assert_string_not_equal(id, "");
    return id;
}

/* The scheduler may be what is away, so that there is no answer now and then. */
static const char *state_of(struct fixture *f, const char *job_id, int64_t *ret_done)
{
    json_t *job = object(f, arena_printf(f->arena, "job get e2e %s 2>/dev/null", job_id));
    const char *state = text_of(f, job, "state");

    *ret_done = json_integer_value(json_object_get(json_object_get(job, "progress"), "done"));
    json_decref(job);
    return state;
}

static void kill_in_the_middle(struct fixture *f, const char *job_id, const char *service)
{
    pid_t pid = pid_of(f, service);
    int64_t done = 0;

    assert_true(pid > 0);
    while (done == 0) {
        assert_string_not_equal(state_of(f, job_id, &done), "succeeded");
    }
    assert_int_equal(kill(pid, SIGKILL), 0);
}

static void wait_for_end(struct fixture *f, const char *job_id)
{
    int64_t end_ms = clock_monotonic_ms(&system_clock) + PATIENCE_MS;
    const char *state = "";
    int64_t done;

    while (strcmp(state, "succeeded") != 0) {
        state = state_of(f, job_id, &done);
        if (clock_monotonic_ms(&system_clock) > end_ms || strcmp(state, "dead") == 0) {
            fail_msg("job '%s' is '%s' after %lld", job_id, state, (long long)done);
        }
    }
}

static size_t count_lines(const char *text, const char *with)
{
    size_t n = 0;

    for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1) {
        const char *found = strstr(line, with);
        n += found != NULL && found < line + strcspn(line, "\n");
        if (line[strcspn(line, "\n")] == '\0') {
            break;
        }
    }
    return n;
}

/* All that was acknowledged is there, the event of it once, and it was done once. */
static void check_nothing_is_lost(struct fixture *f, const char *job_id, const char *collection)
{
    const char *list = weft(f, "collection list e2e -o json");
    const char *line = strstr(list, arena_printf(f->arena, "\"collection_id\":\"%s\"", collection));
    const char *target = arena_printf(f->arena, "job:%s", job_id);

    assert_non_null(line);
    assert_non_null(strstr(line, arena_printf(f->arena, "\"n_documents\":%d,",
                                              (int)(N_PACKAGES + sizeof known / sizeof known[0]))));
    /* The outbox is emptied at once when audit is there, and when it is back again. */
    int64_t end_ms = clock_monotonic_ms(&system_clock) + PATIENCE_MS;
    size_t n = 0;
    while (n == 0 && clock_monotonic_ms(&system_clock) < end_ms) {
        n = count_lines(
            weft(f,
                 arena_printf(f->arena,
                              "audit list --tenant weft --action job.enqueue --target %s -o json "
                              "2>/dev/null",
                              target)),
            target);
    }
    assert_int_equal(n, 1);
    const char *log = shell(f, arena_printf(f->arena, "cat %s/worker.log", f->home));
    assert_int_equal(
        count_lines(log,
                    arena_printf(f->arena, "{\"job_id\":\"%s\",\"event\":\"reported\"}", job_id)),
        1);
}

static void start_worker(struct fixture *f)
{
    const char *line = shell(f, arena_printf(f->arena,
                                             "\"$WEFT_PROGRAMS\"/weft worker apt -o json "
                                             ">%s/worker.log 2>&1 & echo $!",
                                             f->home));

    f->worker = (pid_t)strtol(line, NULL, 10);
    assert_true(f->worker > 1);
}

static void stop_worker(struct fixture *f)
{
    assert_int_equal(kill(f->worker, SIGTERM), 0);
}

/* ---- Tests ---- */

/* A moment after `up` at most, each program's /readyz says that it has all it needs. */
static void each_program_says_how_it_is(void **state)
{
    struct fixture *f = *state;
    int64_t end_ms = clock_monotonic_ms(&system_clock) + PATIENCE_MS;

    do {
        (void)weft(f, "status");
        assert_true(clock_monotonic_ms(&system_clock) < end_ms);
    } while (f->code != 0);
    const char *line = weft(f, "status -o json");
    for (size_t i = 0; i < N_PROGRAMS; i++) {
        json_t *json = json_loadb(line, strcspn(line, "\n"), 0, NULL);
        assert_string_equal(text_of(f, json, "health"), "healthy");
        assert_string_not_equal(text_of(f, json, "http"), "");
        json_decref(json);
        line += strcspn(line, "\n") + 1;
    }
}

static void the_demo_holds(void **state)
{
    struct fixture *f = *state;
    const char *said = weft(f, "demo -o json");

    if (f->code != 0) {
        fail_msg("%s", said);
    }
    assert_null(strstr(said, "\"holds\":false"));
    (void)weft(f, "demo");
    assert_int_equal(f->code, 0);
}

/* The packages are acme's. */
static void who_asks_in_the_wrong_tenant_is_told(void **state)
{
    struct fixture *f = *state;

    assert_non_null(strstr(weft(f, "search debian packages chess 2>&1"), "--as NAME"));
    assert_int_equal(f->code, 1);
    (void)weft(f, "key create acme publisher --save mine");
    assert_int_equal(f->code, 0);
    assert_non_null(strstr(weft(f, "search debian packages chess --as mine"), "gnuchess"));
    assert_non_null(strstr(weft(f, "tenant list --as mine 2>&1"), "platform:tenants:list"));
    assert_int_equal(f->code, 1);
}

static void a_job_survives_the_death_of_each_service(void **state)
{
    struct fixture *f = *state;

    start_worker(f);
    for (size_t i = 0; i < N_PROGRAMS; i++) {
        const char *service = program_entries[i].name;
        const char *collection = arena_printf(f->arena, "without-%s", service);
        const char *job_id = enqueue(f, collection);

        kill_in_the_middle(f, job_id, service);
        wait_for_end(f, job_id);
        (void)weft(f, "up >/dev/null"); /* until what was killed is ready again */
        assert_int_equal(f->code, 0);
        print_message("killed '%s' in the middle of '%s'\n", service, job_id);
        check_nothing_is_lost(f, job_id, collection);
    }
    stop_worker(f);
}

static void the_log_is_what_was_signed(void **state)
{
    struct fixture *f = *state;

    (void)weft(f, arena_printf(f->arena, "audit verify %s/audit/log --vkey \"$(%s)\"", f->home,
                               "\"$WEFT_PROGRAMS\"/weft audit vkey"));
    assert_int_equal(f->code, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_program_says_how_it_is),
        cmocka_unit_test(the_demo_holds),
        cmocka_unit_test(who_asks_in_the_wrong_tenant_is_told),
        cmocka_unit_test(a_job_survives_the_death_of_each_service),
        cmocka_unit_test(the_log_is_what_was_signed),
    };

    return cmocka_run_group_tests_name("whole_mesh", tests, set_up_all, tear_down_all);
}
