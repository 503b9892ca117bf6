#include "cli/supervisor/control.h"

#include "cli/supervisor/control_client.h"
#include "cli/supervisor/unix_socket.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/temp_folder.h"

#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define ASK(what, who)                                        \
    &(struct control_request)                                 \
    {                                                         \
        .command = (what), .name = (who), .timeout_ms = 10000 \
    }

struct fixture {
    struct arena *arena;
    const char *path;
    struct control *control;
    pthread_t thread; /* the server's, until it was asked to stop */
    bool stopped;
};

static bool answer(void *context, const char *command, const char *name, struct text *into)
{
    struct fixture *f = context;

    if (strcmp(command, "stop") == 0) {
        f->stopped = true;
        return false;
    }
    text_add(into, "%s of '%s'\n", command[0] != '\0' ? command : "nothing", name);
    return true;
}

static void *serve(void *context)
{
    struct fixture *f = context;

    while (!f->stopped) {
        struct pollfd wait = { .fd = control_fd(f->control), .events = POLLIN };
        (void)poll(&wait, 1, -1);
        control_work(f->control);
    }
    control_free(f->control);
    return NULL;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    f->arena = arena_new();
    f->path = arena_printf(f->arena, "%s/c", temp_folder(f->arena));
    assert_status(control_new(f->arena,
                              &(struct control_options){
                                  .path = f->path,
                                  .answer = answer,
                                  .context = f,
                              },
                              &f->control),
                  STATUS_OK);
    assert_int_equal(pthread_create(&f->thread, NULL, serve, f), 0);
    *state = f;
    return 0;
}

/* Every test ends by asking it to stop, which also shows that it still answers. */
static int tear_down(void **state)
{
    struct fixture *f = *state;
    const char *said;

    assert_status(control_ask(f->arena, f->path, ASK("stop", NULL), &said), STATUS_OK);
    assert_string_equal(said, "");
    assert_int_equal(pthread_join(f->thread, NULL), 0);
    assert_int_not_equal(access(f->path, F_OK), 0);
    arena_free(f->arena);
    free(f);
    return 0;
}

static const char *raw(struct fixture *f, const char *request)
{
    char *reply = arena_alloc(f->arena, 1000);
    int fd = -1;

    assert_status(unix_socket_connect(f->arena, f->path, SOCK_STREAM, &fd), STATUS_OK);
    assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), (ssize_t)strlen(request));
    (void)recv(fd, reply, 999, MSG_WAITALL);
    (void)close(fd);
    return reply;
}

static void a_request_is_answered(void **state)
{
    struct fixture *f = *state;
    const char *said;

    assert_status(control_ask(f->arena, f->path, ASK("restart", "tenant"), &said), STATUS_OK);
    assert_string_equal(said, "restart of 'tenant'\n");
}

static void what_is_no_request_is_answered_too(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(raw(f, "\n"), "nothing of ''\n");
    assert_string_equal(raw(f, "[1]\n"), "nothing of ''\n");
    assert_string_equal(raw(f, "{\"do\":1,\"name\":{}}\n"), "nothing of ''\n");
}

static void a_request_that_is_too_long_ends_the_connection(void **state)
{
    struct fixture *f = *state;
    char *request = arena_alloc(f->arena, CONTROL_MAX_REQUEST_BYTES + 1);

    memset(request, ' ', CONTROL_MAX_REQUEST_BYTES);
    assert_string_equal(raw(f, request), "");
}

static void clients_that_say_nothing_do_not_keep_others_out_for_ever(void **state)
{
    struct fixture *f = *state;
    int silent[CONTROL_MAX_CLIENTS];
    const char *said = "";
    int turned_away = -1;
    char byte;
    status s;

    for (size_t i = 0; i < CONTROL_MAX_CLIENTS; i++) {
        assert_status(unix_socket_connect(f->arena, f->path, SOCK_STREAM, &silent[i]), STATUS_OK);
    }
    assert_status(unix_socket_connect(f->arena, f->path, SOCK_STREAM, &turned_away), STATUS_OK);
    assert_int_equal(recv(turned_away, &byte, 1, 0), 0);
    (void)close(turned_away);
    for (size_t i = 0; i < CONTROL_MAX_CLIENTS; i++) {
        (void)close(silent[i]);
    }
    /* Their places are free as soon as the server has seen them go; until then a client is turned
     * away, before it has asked or after. */
    do {
        s = control_ask(f->arena, f->path, ASK("status", NULL), &said);
    } while (s.code == STATUS_UNAVAILABLE || (status_is_ok(s) && said[0] == '\0'));
    assert_status(s, STATUS_OK);
    assert_string_equal(said, "status of ''\n");
}

static void only_the_owner_may_connect(void **state)
{
    struct fixture *f = *state;
    struct stat info;

    assert_int_equal(stat(f->path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
}

static void nobody_there_is_not_found(void **state)
{
    struct fixture *f = *state;
    const char *said;

    assert_status(control_ask(f->arena, arena_printf(f->arena, "%s.none", f->path),
                              ASK("status", NULL), &said),
                  STATUS_NOT_FOUND);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_request_is_answered),
        TEST(what_is_no_request_is_answered_too),
        TEST(a_request_that_is_too_long_ends_the_connection),
        TEST(clients_that_say_nothing_do_not_keep_others_out_for_ever),
        TEST(only_the_owner_may_connect),
        TEST(nobody_there_is_not_found),
    };

    return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}
