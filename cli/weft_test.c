/* The client's program as a person runs it, over programs that pretend. */

#include "cli/programs.h"
#include "libs/base/text.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/temp_folder.h"

#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

struct fixture {
    struct arena *arena;
    const char *home;
    int code; /* of the last weft() */
};

/* The output of a command line, both streams, in arena. */
static const char *shell(struct fixture *f, const char *command)
{
    struct text all = text_new(f->arena);
    char data[1024];
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
    return shell(f, arena_printf(f->arena, "cli/weft %s 2>&1", words));
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    char folder[PATH_MAX];

    assert_non_null(f);
    f->arena = arena_new();
    const char *temp = temp_folder(f->arena);
    const char *programs = arena_printf(f->arena, "%s/programs", temp);
    f->home = arena_printf(f->arena, "%s/home", temp);
    assert_non_null(getcwd(folder, sizeof folder));
    assert_int_equal(mkdir(programs, 0700), 0);
    for (size_t i = 0; i < N_PROGRAMS; i++) {
        assert_int_equal(
            symlink(arena_printf(f->arena, "%s/cli/testing/pretender", folder),
                    arena_printf(f->arena, "%s/%s", programs, program_entries[i].name)),
            0);
    }
    assert_int_equal(symlink(arena_printf(f->arena, "%s/cli/weft", folder),
                             arena_printf(f->arena, "%s/weft", programs)),
                     0);
    assert_int_equal(symlink(arena_printf(f->arena, "%s/cli/supervisor/weft_supervisor", folder),
                             arena_printf(f->arena, "%s/weft_supervisor", programs)),
                     0);
    (void)setenv("WEFT_HOME", f->home, 1);
    (void)setenv("WEFT_PROGRAMS", programs, 1);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    (void)weft(f, "down --purge");
    arena_free(f->arena);
    free(f);
    return 0;
}

/* The object that status prints of a service; the caller's. */
static json_t *described(struct fixture *f, const char *name)
{
    const char *line = weft(f, "status -o json");

    for (size_t i = 0; i < N_PROGRAMS; i++) {
        size_t size = strcspn(line, "\n");
        json_t *object = json_loadb(line, size, 0, NULL);
        assert_non_null(object);
        if (strcmp(json_string_value(json_object_get(object, "name")), name) == 0) {
            return object;
        }
        json_decref(object);
        line += size + 1;
    }
    fail_msg("status says nothing of '%s'", name);
    return NULL;
}

static int pid_of(struct fixture *f, const char *name)
{
    json_t *object = described(f, name);
    int pid = (int)json_integer_value(json_object_get(object, "pid"));

    json_decref(object);
    return pid;
}

static void up_starts_all_and_a_second_time_changes_nothing(void **state)
{
    struct fixture *f = *state;

    assert_non_null(strstr(weft(f, "up"), "all ready after "));
    assert_int_equal(f->code, 0);
    int before = pid_of(f, "scheduler");
    assert_non_null(strstr(weft(f, "up"), "nothing changed"));
    assert_int_equal(f->code, 0);
    assert_int_equal(pid_of(f, "scheduler"), before);
}

static _Noreturn void hang_up_on_everybody(int listener)
{
    for (;;) {
        (void)close(accept(listener, NULL, NULL));
    }
}

/* Its socket is there, and nobody answers any more. */
static void a_supervisor_that_is_ending_is_none(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    (void)weft(f, "up");
    (void)weft(f, "down");
    json_t *home = json_load_file(arena_printf(f->arena, "%s/weft.json", f->home), 0, NULL);
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s/control.sock",
                   json_string_value(json_object_get(home, "runtime")));
    json_decref(home);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 8), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        hang_up_on_everybody(fd);
    }
    assert_int_equal(close(fd), 0);
    assert_non_null(strstr(weft(f, "status"), "no mesh runs"));
    assert_int_equal(f->code, 1);
    assert_non_null(strstr(weft(f, "up"), "all ready after"));
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_true(pid_of(f, "tenant") > 0);
}

static void who_starts_while_another_ends_waits_for_its_lock(void **state)
{
    struct fixture *f = *state;

    (void)weft(f, "up");
    (void)weft(f, "down");
    int fd = open(arena_printf(f->arena, "%s/supervisor.lock", f->home), O_RDWR | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0); /* down has waited until it was free */
    assert_int_equal(unlink(arena_printf(f->arena, "%s/plan.json", f->home)), 0);
    FILE *pipe = popen("cli/weft up 2>&1", "re");
    assert_non_null(pipe);
    while (access(arena_printf(f->arena, "%s/plan.json", f->home), F_OK) != 0) {
        (void)usleep(1000);
    }
    assert_int_equal(close(fd), 0);
    assert_int_equal(pclose(pipe), 0);
    assert_true(pid_of(f, "tenant") > 0);
}

static void two_that_start_at_once_start_one_mesh(void **state)
{
    struct fixture *f = *state;
    const char *said =
        shell(f, "(cli/weft up 2>&1; echo code $?) & cli/weft up 2>&1; echo code $?; wait");

    assert_non_null(strstr(said, "all ready after"));
    assert_non_null(strstr(said, "nothing changed"));
    assert_null(strstr(said, "code 1"));
}

static void status_says_what_a_program_wants_to_know(void **state)
{
    struct fixture *f = *state;
    const char *names[] = { "name", "pid", "address", "spiffe_id", "state", "ready_ms" };

    (void)weft(f, "up");
    json_t *object = described(f, "tenant");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_non_null(json_object_get(object, names[i]));
    }
    assert_string_equal(json_string_value(json_object_get(object, "state")), "ready");
    json_decref(object);
}

static void each_service_has_its_folder_and_its_user(void **state)
{
    struct fixture *f = *state;

    (void)weft(f, "up");
    for (size_t i = 0; i < N_PROGRAMS; i++) {
        const struct program_entry *program = &program_entries[i];
        struct stat info;
        assert_int_equal(stat(arena_printf(f->arena, "%s/%s", f->home, program->name), &info), 0);
        assert_int_equal(info.st_mode & 0777, 0700);
        assert_int_equal(info.st_uid, geteuid() == 0 ? program->uid : geteuid());
    }
}

static void the_registry_is_told_who_is_whom(void **state)
{
    struct fixture *f = *state;
    struct stat info;

    (void)weft(f, "up");
    const char *path = arena_printf(f->arena, "%s/registry/entries.json", f->home);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    json_t *entries = json_load_file(path, 0, NULL);
    /* All but the agent, and the client. */
    assert_int_equal(json_array_size(entries), N_PROGRAMS);
    json_t *client = json_array_get(entries, N_PROGRAMS - 1);
    assert_string_equal(json_string_value(json_object_get(client, "spiffe_id")),
                        "spiffe://weft.local/cli");
    assert_string_equal(json_string_value(json_array_get(json_object_get(client, "dns"), 1)),
                        "localhost");
    if (geteuid() == 0) {
        assert_true(json_is_integer(json_object_get(client, "uid")));
    } else {
        assert_int_equal(strlen(json_string_value(json_object_get(client, "sha256"))), 64);
    }
    json_decref(entries);
}

static void only_the_agent_knows_where_the_registry_is(void **state)
{
    struct fixture *f = *state;

    (void)weft(f, "up");
    for (size_t i = 0; i < N_PROGRAMS; i++) {
        const char *name = program_entries[i].name;
        const char *seen = shell(f, arena_printf(f->arena, "cat %s/%s/seen", f->home, name));
        assert_non_null(strstr(seen, "WEFT_AGENT="));
        assert_true((strstr(seen, "WEFT_REGISTRY=") != NULL) == (strcmp(name, "agent") == 0));
    }
}

static void what_a_runbook_sets_gets_to_the_programs(void **state)
{
    struct fixture *f = *state;

    (void)shell(f, "WEFT_BOOTSTRAP_AGAIN=1 WEFT_SECRET=x cli/weft up");
    const char *seen = shell(f, arena_printf(f->arena, "cat %s/auth/seen", f->home));
    assert_non_null(strstr(seen, "WEFT_BOOTSTRAP_AGAIN=1"));
    assert_null(strstr(seen, "WEFT_SECRET"));
    (void)weft(f, "down");
    (void)weft(f, "up");
    seen = shell(f, arena_printf(f->arena, "cat %s/auth/seen", f->home));
    assert_null(strstr(seen, "WEFT_BOOTSTRAP_AGAIN"));
}

static void logs_show_what_happened(void **state)
{
    struct fixture *f = *state;

    (void)weft(f, "up");
    assert_non_null(strstr(weft(f, "logs supervisor"), "ready  program=tenant"));
    (void)weft(f, "logs nobody");
    assert_int_equal(f->code, 1);
}

static void check_finds_a_running_mesh_fit(void **state)
{
    struct fixture *f = *state;

    (void)weft(f, "up");
    const char *said = weft(f, "check -o json");
    assert_non_null(strstr(said, "\"check\":\"services\",\"verdict\":\"ok\""));
    assert_non_null(strstr(said, "\"check\":\"ports\",\"verdict\":\"ok\""));
}

static void what_is_no_home_is_not_closed_to_others_nor_purged(void **state)
{
    struct fixture *f = *state;
    struct stat info;

    assert_int_equal(mkdir(f->home, 0755), 0);
    assert_int_equal(mkdir(arena_printf(f->arena, "%s/photos", f->home), 0755), 0);
    assert_non_null(strstr(weft(f, "up"), "holds other things"));
    assert_int_equal(f->code, 1);
    (void)weft(f, "down --purge");
    assert_int_equal(access(arena_printf(f->arena, "%s/photos", f->home), F_OK), 0);
    assert_int_equal(stat(f->home, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0755);
}

static void a_service_that_is_restarted_is_ready_as_another_process(void **state)
{
    struct fixture *f = *state;

    (void)weft(f, "up");
    int before = pid_of(f, "tenant");
    int other = pid_of(f, "audit");
    assert_non_null(strstr(weft(f, "restart tenant"), "'tenant' is ready again"));
    assert_int_equal(f->code, 0);
    assert_int_not_equal(pid_of(f, "tenant"), before);
    assert_int_not_equal(kill(before, 0), 0);
    assert_int_equal(pid_of(f, "audit"), other);
    assert_non_null(strstr(weft(f, "restart tenent"), "there is no service 'tenent'"));
    assert_int_equal(f->code, 64);
}

static void down_stops_and_purge_forgets(void **state)
{
    struct fixture *f = *state;

    (void)weft(f, "up");
    int tenant = pid_of(f, "tenant");
    assert_string_equal(weft(f, "down"), "all have stopped\n");
    assert_int_not_equal(kill(tenant, 0), 0);
    assert_int_equal(access(f->home, F_OK), 0);
    (void)weft(f, "status");
    assert_int_equal(f->code, 1);
    (void)weft(f, "down --purge");
    assert_int_not_equal(access(f->home, F_OK), 0);
}

static void what_never_becomes_ready_is_named(void **state)
{
    struct fixture *f = *state;
    const char *path = arena_printf(f->arena, "%s/search", getenv("WEFT_PROGRAMS"));

    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/bin/false", path), 0);
    const char *said = weft(f, "up");
    assert_int_equal(f->code, 1);
    assert_non_null(strstr(said, "'search' does not become ready: ended with code 1"));
    assert_non_null(strstr(said, "next: ./weft logs search"));
}

static void what_is_no_verb_gets_help(void **state)
{
    struct fixture *f = *state;

    const char *said = weft(f, "statos");
    assert_non_null(strstr(said, "there is no verb 'statos'"));
    assert_non_null(strstr(said, "did you mean 'weft status'?"));
    assert_int_equal(f->code, 64);
    assert_non_null(strstr(weft(f, "tenant crate acme"), "did you mean 'weft tenant create'?"));
    assert_int_equal(f->code, 64);
    said = weft(f, "tenant");
    assert_non_null(strstr(said, "error: 'tenant' what?"));
    assert_non_null(strstr(said, "weft tenant suspend TENANT_ID"));
    assert_int_equal(f->code, 64);
    assert_non_null(strstr(weft(f, "help zzz"), "there is no verb 'zzz'"));
    assert_int_equal(f->code, 64);
    assert_null(strstr(weft(f, "tenant list --help"), "account"));
    assert_int_equal(f->code, 0);
    assert_non_null(strstr(weft(f, "status -o yaml"), "-o is 'yaml', not table or json"));
    assert_int_equal(f->code, 64);
    assert_non_null(strstr(weft(f, "-o json status"), "{\"error\":"));
    assert_int_equal(f->code, 1);
    assert_non_null(strstr(weft(f, "-o json -o json"), "there is no verb '-o'"));
    assert_non_null(strstr(weft(f, "trace 00"), "not 32 hex digits"));
    assert_int_equal(f->code, 64);
    assert_non_null(strstr(weft(f, "audit list --since yesterday"), "--since is 'yesterday'"));
    assert_int_equal(f->code, 64);
    assert_non_null(strstr(weft(f, "status --what"), "'--what' is not known here"));
    assert_int_equal(f->code, 64);
    assert_non_null(strstr(weft(f, "help"), "weft down [--purge]"));
    assert_int_equal(f->code, 0);
}

static void what_cannot_be_written_is_no_success(void **state)
{
    struct fixture *f = *state;

    assert_non_null(strstr(shell(f, "cli/weft help 2>&1 >/dev/full"), "error: standard output"));
    assert_int_equal(f->code, 1);
}

static void a_bench_that_is_not_there_is_said_to_be(void **state)
{
    struct fixture *f = *state;

    assert_non_null(strstr(weft(f, "bench speed"), "there is no bench 'speed'"));
    assert_int_equal(f->code, 64);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(up_starts_all_and_a_second_time_changes_nothing),
        TEST(a_supervisor_that_is_ending_is_none),
        TEST(who_starts_while_another_ends_waits_for_its_lock),
        TEST(two_that_start_at_once_start_one_mesh),
        TEST(status_says_what_a_program_wants_to_know),
        TEST(each_service_has_its_folder_and_its_user),
        TEST(the_registry_is_told_who_is_whom),
        TEST(only_the_agent_knows_where_the_registry_is),
        TEST(what_a_runbook_sets_gets_to_the_programs),
        TEST(logs_show_what_happened),
        TEST(check_finds_a_running_mesh_fit),
        TEST(what_is_no_home_is_not_closed_to_others_nor_purged),
        TEST(a_service_that_is_restarted_is_ready_as_another_process),
        TEST(down_stops_and_purge_forgets),
        TEST(what_never_becomes_ready_is_named),
        TEST(what_is_no_verb_gets_help),
        TEST(what_cannot_be_written_is_no_success),
        TEST(a_bench_that_is_not_there_is_said_to_be),
    };

    return cmocka_run_group_tests_name("weft", tests, NULL, NULL);
}
