/* The supervisor's program as it is run: over a home of its own, with programs that pretend. */

#include "cli/supervisor/control_client.h"
#include "cli/supervisor/lifecycle.h"
#include "libs/base/clock.h"
#include "libs/base/files.h"
#include "libs/base/text.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/temp_folder.h"

#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 60 * 1000 }; /* with a sanitizer, on a busy machine */

#define ASK(what, who)                                              \
    &(struct control_request)                                       \
    {                                                               \
        .command = (what), .name = (who), .timeout_ms = PATIENCE_MS \
    }

struct fixture {
    struct arena *arena;
    const char *home;
    const char *control;
    struct disk_files files;
    struct text plan;
    pid_t pid; /* of the supervisor; 0 when it does not run */
};

static const char *absolute(struct fixture *f, const char *path)
{
    char folder[4096];

    assert_non_null(getcwd(folder, sizeof folder));
    return arena_printf(f->arena, "%s/%s", folder, path);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    f->arena = arena_new();
    f->home = temp_folder(f->arena);
    f->control = arena_printf(f->arena, "%s/control.sock", f->home);
    f->plan = text_new(f->arena);
    assert_int_equal(chmod(f->home, 0711), 0);
    assert_status(disk_files_init(&f->files, f->arena, f->home), STATUS_OK);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    if (f->pid != 0) {
        (void)kill(f->pid, SIGKILL);
        (void)waitpid(f->pid, NULL, 0);
    }
    disk_files_reset(&f->files);
    arena_free(f->arena);
    free(f);
    return 0;
}

static void add(struct fixture *f, const char *name, int stage, unsigned uid, const char *pretend)
{
    const char *folder = arena_printf(f->arena, "%s/%s", f->home, name);

    assert_int_equal(mkdir(folder, 0700), 0);
    assert_int_equal(uid == 0 ? 0 : chown(folder, uid, uid), 0);
    text_add(&f->plan,
             "%s{\"name\":\"%s\",\"stage\":%d,\"uid\":%u,\"program\":\"%s\",\"folder\":\"%s\","
             "\"environment\":{\"PRETEND\":\"%s\",\"NOTIFY_SOCKET\":\"%s/notify.sock\"}}",
             f->plan.size > 0 ? "," : "", name, stage, uid, absolute(f, "cli/testing/pretender"),
             folder, pretend, f->home);
}

static void run(struct fixture *f)
{
    const char *plan = arena_printf(f->arena, "{\"runtime\":\"%s\",\"programs\":[%s]}", f->home,
                                    text_string(&f->plan));

    assert_status(files_replace(&f->files.files, f->arena, "plan.json", bytes_of(plan)), STATUS_OK);
    f->pid = fork();
    assert_true(f->pid >= 0);
    if (f->pid == 0) {
        (void)execl("cli/supervisor/weft_supervisor", "weft_supervisor", f->home, NULL);
        _exit(127);
    }
}

static void nap(void)
{
    const struct timespec pause = { .tv_nsec = 5000000 };

    (void)nanosleep(&pause, NULL);
}

/* What status says of a program; a new reference, or NULL when it says nothing. */
static json_t *described(struct fixture *f, const char *name)
{
    const char *answer = "";
    json_t *found = NULL;

    (void)control_ask(f->arena, f->control, ASK("status", NULL), &answer);
    for (const char *line = answer; found == NULL && *line != '\0';
         line += strcspn(line, "\n") + 1) {
        json_t *object = json_loadb(line, strcspn(line, "\n"), 0, NULL);
        if (strcmp(json_string_value(json_object_get(object, "name")), name) == 0) {
            found = object;
        } else {
            json_decref(object);
        }
    }
    return found;
}

static int64_t number_of(struct fixture *f, const char *name, const char *field)
{
    json_t *object = described(f, name);
    int64_t value = json_integer_value(json_object_get(object, field));

    json_decref(object);
    return value;
}

static const char *text_of(struct fixture *f, const char *name, const char *field)
{
    json_t *object = described(f, name);
    const char *value = json_string_value(json_object_get(object, field));

    value = arena_strdup(f->arena, value != NULL ? value : "");
    json_decref(object);
    return value;
}

static void wait_for(struct fixture *f, const char *name, const char *state)
{
    int64_t end_ms = clock_monotonic_ms(&system_clock) + PATIENCE_MS;

    while (strcmp(text_of(f, name, "state"), state) != 0) {
        if (clock_monotonic_ms(&system_clock) > end_ms) {
            fail_msg("'%s' is '%s', not '%s'", name, text_of(f, name, "state"), state);
        }
        nap();
    }
}

static const char *file_of(struct fixture *f, const char *name)
{
    bytes data = { (const uint8_t *)"", 0 };

    (void)files_read(&f->files.files, f->arena, name, 1 << 20, &data);
    return (const char *)data.data;
}

static void stop(struct fixture *f)
{
    const char *said;
    int wait_status;

    assert_status(control_ask(f->arena, f->control, ASK("stop", NULL), &said), STATUS_OK);
    assert_int_equal(waitpid(f->pid, &wait_status, 0), f->pid);
    assert_true(WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0);
    f->pid = 0;
}

static void programs_become_ready_and_are_described(void **state)
{
    struct fixture *f = *state;

    add(f, "tenant", 0, 0, "ready");
    run(f);
    wait_for(f, "tenant", "ready");
    assert_string_equal(text_of(f, "tenant", "address"), "127.0.0.1:1");
    assert_string_equal(text_of(f, "tenant", "version"), "1.2.3");
    assert_string_equal(text_of(f, "tenant", "status"), "pretending");
    assert_int_equal(number_of(f, "tenant", "restarts"), 0);
    assert_int_equal(kill((pid_t)number_of(f, "tenant", "pid"), 0), 0);
    stop(f);
}

static void a_stage_waits_for_the_one_before(void **state)
{
    struct fixture *f = *state;

    add(f, "registry", 0, 0, "silent");
    add(f, "tenant", 1, 0, "ready");
    run(f);
    wait_for(f, "registry", "starting");
    assert_string_equal(text_of(f, "tenant", "state"), "waiting");
    stop(f);
}

static void what_is_killed_comes_back(void **state)
{
    struct fixture *f = *state;

    add(f, "tenant", 0, 0, "ready");
    run(f);
    wait_for(f, "tenant", "ready");
    pid_t first = (pid_t)number_of(f, "tenant", "pid");
    assert_int_equal(kill(first, SIGKILL), 0);
    while (number_of(f, "tenant", "restarts") == 0) {
        nap();
    }
    wait_for(f, "tenant", "ready");
    assert_int_not_equal(number_of(f, "tenant", "pid"), first);
    assert_string_equal(text_of(f, "tenant", "last_end"), "killed by signal 9 (Killed)");
    assert_non_null(strstr(file_of(f, "logs/supervisor.log"), "\"again_ms\":100"));
    stop(f);
}

static void what_cannot_start_is_tried_again_ever_more_rarely(void **state)
{
    struct fixture *f = *state;

    add(f, "tenant", 0, 0, "die");
    run(f);
    while (number_of(f, "tenant", "restarts") < 2) {
        nap();
    }
    assert_string_equal(text_of(f, "tenant", "last_end"), "ended with code 3");
    stop(f);
    const char *log = file_of(f, "logs/supervisor.log");
    assert_non_null(strstr(log, "\"again_ms\":100,\"deaths_in_a_row\":1"));
    assert_non_null(strstr(log, "\"again_ms\":200,\"deaths_in_a_row\":2"));
}

static void logs_are_captured(void **state)
{
    struct fixture *f = *state;

    add(f, "tenant", 0, 0, "log");
    run(f);
    wait_for(f, "tenant", "ready");
    stop(f);
    assert_string_equal(file_of(f, "logs/tenant.log"),
                        "{\"message\":\"first\"}\n{\"message\":\"second\"}\n");
}

static void a_program_gets_what_the_plan_says_and_no_more(void **state)
{
    struct fixture *f = *state;

    add(f, "tenant", 0, 0, "ready");
    run(f);
    wait_for(f, "tenant", "ready");
    stop(f);
    assert_string_equal(file_of(f, "tenant/seen"),
                        arena_printf(f->arena,
                                     "uid=%u gid=%u\nPRETEND=ready\nNOTIFY_SOCKET=%s/notify.sock\n",
                                     (unsigned)getuid(), (unsigned)getgid(), f->home));
}

static void as_root_each_program_has_a_user_of_its_own(void **state)
{
    struct fixture *f = *state;

    if (getuid() != 0) {
        skip();
    }
    add(f, "tenant", 0, 61004, "ready");
    run(f);
    wait_for(f, "tenant", "ready");
    assert_int_equal(number_of(f, "tenant", "uid"), 61004);
    stop(f);
    assert_non_null(strstr(file_of(f, "tenant/seen"), "uid=61004 gid=61004\n"));
}

static void a_signal_stops_all(void **state)
{
    struct fixture *f = *state;
    int wait_status;

    add(f, "registry", 0, 0, "ready");
    add(f, "tenant", 1, 0, "ready");
    run(f);
    wait_for(f, "tenant", "ready");
    pid_t tenant = (pid_t)number_of(f, "tenant", "pid");
    assert_int_equal(kill(f->pid, SIGTERM), 0);
    assert_int_equal(waitpid(f->pid, &wait_status, 0), f->pid);
    f->pid = 0;
    assert_int_not_equal(kill(tenant, 0), 0);
    const char *log = file_of(f, "logs/supervisor.log");
    assert_non_null(strstr(log, "\"msg\":\"stopped\",\"program\":\"tenant\""));
    assert_true(strstr(log, "\"msg\":\"stopped\",\"program\":\"tenant\"") <
                strstr(log, "\"msg\":\"stopped\",\"program\":\"registry\""));
}

static void a_second_supervisor_of_a_home_is_refused(void **state)
{
    struct fixture *f = *state;
    int wait_status;

    add(f, "tenant", 0, 0, "ready");
    run(f);
    wait_for(f, "tenant", "ready");
    pid_t first = f->pid;
    run(f);
    assert_int_equal(waitpid(f->pid, &wait_status, 0), f->pid);
    f->pid = first;
    assert_true(WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 1);
    stop(f);
}

static void nothing_outlives_a_supervisor_that_is_killed(void **state)
{
    struct fixture *f = *state;

    add(f, "tenant", 0, 0, "ready");
    run(f);
    wait_for(f, "tenant", "ready");
    pid_t tenant = (pid_t)number_of(f, "tenant", "pid");
    assert_int_equal(kill(f->pid, SIGKILL), 0);
    assert_int_equal(waitpid(f->pid, NULL, 0), f->pid);
    f->pid = 0;
    /* It is not our child, so it is gone when whoever adopted it has buried it. */
    char state_letter = ' ';
    do {
        FILE *stat = fopen(arena_printf(f->arena, "/proc/%d/stat", (int)tenant), "re");
        if (stat == NULL) {
            return;
        }
        assert_true(fscanf(stat, "%*d %*s %c", &state_letter) <= 1);
        (void)fclose(stat);
        nap();
    } while (state_letter != 'Z');
}

static void a_program_that_is_missing_is_an_error_at_once(void **state)
{
    struct fixture *f = *state;
    int wait_status;

    text_add(&f->plan,
             "{\"name\":\"x\",\"stage\":0,\"uid\":0,\"program\":\"%s/missing\","
             "\"folder\":\"/tmp\",\"environment\":{}}",
             f->home);
    run(f);
    assert_int_equal(waitpid(f->pid, &wait_status, 0), f->pid);
    f->pid = 0;
    assert_true(WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(programs_become_ready_and_are_described),
        TEST(a_stage_waits_for_the_one_before),
        TEST(what_is_killed_comes_back),
        TEST(what_cannot_start_is_tried_again_ever_more_rarely),
        TEST(logs_are_captured),
        TEST(a_program_gets_what_the_plan_says_and_no_more),
        TEST(as_root_each_program_has_a_user_of_its_own),
        TEST(a_signal_stops_all),
        TEST(a_second_supervisor_of_a_home_is_refused),
        TEST(nothing_outlives_a_supervisor_that_is_killed),
        TEST(a_program_that_is_missing_is_an_error_at_once),
    };

    return cmocka_run_group_tests_name("supervisor", tests, NULL, NULL);
}
