#include "cli/home.h"

#include "libs/base/files.h"
#include "libs/base/text.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/temp_folder.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
    struct arena *arena;
    const char *root;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    f->arena = arena_new();
    f->root = arena_printf(f->arena, "%s/home", temp_folder(f->arena));
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    struct home home;

    if (status_is_ok(home_find(f->arena, f->root, &home)) && home.exists) {
        (void)home_forget(f->arena, &home);
    }
    arena_free(f->arena);
    free(f);
    return 0;
}

static void write_state(struct fixture *f, const char *json)
{
    struct disk_files files;

    assert_status(disk_files_init(&files, f->arena, f->root), STATUS_OK);
    assert_status(files_replace(&files.files, f->arena, "weft.json", bytes_of(json)), STATUS_OK);
    disk_files_reset(&files);
}

static void a_home_is_remembered(void **state)
{
    struct fixture *f = *state;
    struct home made;
    struct home found;

    assert_status(home_find(f->arena, f->root, &made), STATUS_OK);
    assert_false(made.exists);
    assert_status(home_make(f->arena, &made), STATUS_OK);
    assert_status(home_find(f->arena, f->root, &found), STATUS_OK);
    assert_true(found.exists);
    assert_string_equal(found.runtime, made.runtime);
    assert_true(found.registry_port > 0 && found.registry_port != found.bootstrap_port);
    assert_int_equal(found.registry_port, made.registry_port);
    assert_int_equal(found.bootstrap_port, made.bootstrap_port);
}

static void only_its_owner_may_look_into_a_home(void **state)
{
    struct fixture *f = *state;
    struct home home;
    struct stat info;

    assert_status(home_find(f->arena, f->root, &home), STATUS_OK);
    assert_status(home_make(f->arena, &home), STATUS_OK);
    assert_int_equal(stat(home.root, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    assert_int_equal(stat(home.runtime, &info), 0);
    assert_int_equal(info.st_mode & 0777, geteuid() == 0 ? 0711 : 0700);
}

static void the_paths_of_sockets_are_short_whatever_the_homes_is(void **state)
{
    struct fixture *f = *state;
    struct home home;

    assert_int_equal(mkdir(f->root, 0700), 0);
    const char *deep = f->root;
    for (int i = 0; i < 4; i++) {
        deep = arena_printf(f->arena, "%s/a-folder-whose-name-is-quite-long-%d", deep, i);
        assert_int_equal(mkdir(deep, 0700), 0);
    }
    assert_status(home_find(f->arena, deep, &home), STATUS_OK);
    assert_status(home_make(f->arena, &home), STATUS_OK);
    assert_true(strlen(home.root) > 108);
    assert_true(strlen(home_socket(f->arena, &home, "control.sock")) < 80);
    assert_status(home_forget(f->arena, &home), STATUS_OK);
}

static void a_port_that_somebody_took_is_not_taken_again(void **state)
{
    struct fixture *f = *state;
    struct home home;

    assert_status(home_find(f->arena, f->root, &home), STATUS_OK);
    assert_status(home_make(f->arena, &home), STATUS_OK);
    int before = home.registry_port;
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)before),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_status(home_make(f->arena, &home), STATUS_OK);
    assert_int_not_equal(home.registry_port, before);
    assert_int_not_equal(home.registry_port, home.bootstrap_port);
    (void)close(fd);
}

static void a_newer_format_is_refused(void **state)
{
    struct fixture *f = *state;
    struct home home;

    write_state(f, "{\"format\":2,\"runtime\":\"/r\",\"registry_port\":1,\"bootstrap_port\":2}");
    status s = home_find(f->arena, f->root, &home);
    assert_status(s, STATUS_FAILED_PRECONDITION);
    assert_non_null(strstr(s.message, "newer Weft"));
}

static void a_damaged_state_is_named(void **state)
{
    struct fixture *f = *state;
    struct home home;

    write_state(f, "{\"format\":1");
    assert_status(home_find(f->arena, f->root, &home), STATUS_DATA_LOSS);
}

static void what_is_no_home_is_not_forgotten(void **state)
{
    struct fixture *f = *state;
    struct home home;

    assert_int_equal(mkdir(f->root, 0700), 0);
    assert_status(home_find(f->arena, f->root, &home), STATUS_OK);
    assert_status(home_forget(f->arena, &home), STATUS_FAILED_PRECONDITION);
    assert_int_equal(access(f->root, F_OK), 0);
}

static void a_folder_with_other_things_in_it_does_not_become_a_home(void **state)
{
    struct fixture *f = *state;
    struct home home;
    struct stat info;

    assert_int_equal(mkdir(f->root, 0755), 0);
    assert_int_equal(mkdir(arena_printf(f->arena, "%s/photos", f->root), 0755), 0);
    assert_status(home_find(f->arena, f->root, &home), STATUS_OK);
    assert_status(home_make(f->arena, &home), STATUS_FAILED_PRECONDITION);
    assert_int_equal(stat(f->root, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0755);
    assert_false(home.exists);
}

static void a_folder_that_was_claimed_may_fill(void **state)
{
    struct fixture *f = *state;
    struct home home;

    assert_int_equal(mkdir(f->root, 0755), 0);
    assert_status(home_claim(f->arena, f->root), STATUS_OK);
    assert_int_equal(mkdir(arena_printf(f->arena, "%s/bench.lock", f->root), 0700), 0);
    assert_int_equal(mkdir(arena_printf(f->arena, "%s/bench", f->root), 0700), 0);
    assert_status(home_find(f->arena, f->root, &home), STATUS_OK);
    assert_status(home_make(f->arena, &home), STATUS_OK);
    assert_status(home_claim(f->arena, f->root), STATUS_OK);
}

static void somebody_elses_link_is_refused(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(symlink("/tmp", f->root), 0);
    assert_status(make_folder(f->arena, f->root, 0700), STATUS_FAILED_PRECONDITION);
    assert_int_equal(unlink(f->root), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_home_is_remembered),
        TEST(only_its_owner_may_look_into_a_home),
        TEST(the_paths_of_sockets_are_short_whatever_the_homes_is),
        TEST(a_port_that_somebody_took_is_not_taken_again),
        TEST(a_newer_format_is_refused),
        TEST(a_damaged_state_is_named),
        TEST(what_is_no_home_is_not_forgotten),
        TEST(a_folder_with_other_things_in_it_does_not_become_a_home),
        TEST(a_folder_that_was_claimed_may_fill),
        TEST(somebody_elses_link_is_refused),
    };

    return cmocka_run_group_tests_name("home", tests, NULL, NULL);
}
