#include "libs/mesh/link.h"

#include "libs/base/random.h"
#include "libs/rpc/channel.h"
#include "libs/rpc/message.h"
#include "libs/rpc/server.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/echo_service.h"
#include "libs/testing/temp_folder.h"
#include "weft/testing/v1/echo_service.pb-c.h"
#include "weft/testing/v1/echo_service_descriptors.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { PATIENCE_MS = 120 * 1000 };

struct fixture {
    struct arena *arena;
    const char *address; /* "unix:..." */
    struct runtime *runtime;
    struct channel *channel;
    struct echo_service echo;
    struct server *server; /* NULL: nobody answers */
    struct link link;
    _Atomic int n_messages, n_down;
};

static const ProtobufCMessage *first(void *state, struct arena *arena)
{
    Weft__Testing__V1__EchoStreamRequest *request =
        ARENA_NEW(arena, Weft__Testing__V1__EchoStreamRequest);

    (void)state;
    weft__testing__v1__echo_stream_request__init(request);
    request->name = message_text("ada");
    return &request->base;
}

static status on_message(struct stream *stream, void *state, const ProtobufCMessage *message)
{
    struct fixture *f = state;

    (void)stream;
    assert_non_null(message);
    atomic_fetch_add(&f->n_messages, 1);
    return status_ok();
}

static void on_down(void *state, status why)
{
    struct fixture *f = state;

    (void)why;
    atomic_fetch_add(&f->n_down, 1);
}

static void set_up_link(struct fixture *f, int64_t goodbye_ms)
{
    f->channel = channel_new(f->runtime, &(struct channel_options){ .target = f->address });
    link_init(&f->link, &(struct link_options){
                            .peer = channel_peer(f->channel),
                            .service = &weft__testing__v1__echo_service__descriptor,
                            .method = "EchoStream",
                            .name = "echo",
                            .clock = &system_clock,
                            .random = &system_random,
                            .first = first,
                            .message = on_message,
                            .down = on_down,
                            .state = f,
                            .goodbye_ms = goodbye_ms,
                        });
}

static void set_up(struct fixture *f)
{
    *f = (struct fixture){
        .arena = arena_new(),
        .runtime = runtime_start(&(struct runtime_options){ 0 }),
    };
    f->address = arena_printf(f->arena, "unix:%s/echo", temp_folder(f->arena));
}

static void start_server(struct fixture *f)
{
    f->server = server_new(&(struct server_options){ .address = f->address, .n_queues = 1 });
    server_register(f->server, &echo_service_methods, &f->echo, echo_service_descriptors);
    assert_status(server_start(f->server, f->arena), STATUS_OK);
}

static void tear_down(struct fixture *f)
{
    channel_free(f->channel);
    if (f->server != NULL) {
        server_stop(f->server, 1000);
        server_free(f->server);
    }
    runtime_stop(f->runtime);
    arena_free(f->arena);
}

static void await(const _Atomic int *number, int want)
{
    for (int ms = 0; ms < PATIENCE_MS && atomic_load(number) != want; ms++) {
        (void)usleep(1000);
    }
    assert_int_equal(atomic_load(number), want);
}

static void open_link(struct fixture *f, int64_t goodbye_ms)
{
    set_up(f);
    start_server(f);
    set_up_link(f, goodbye_ms);
    link_tick(&f->link);
    await(&f->n_messages, 1);
}

static void who_says_goodbye_has_sent_its_last(void **state)
{
    struct fixture f;

    (void)state;
    open_link(&f, PATIENCE_MS);
    link_reset(&f.link);
    assert_int_equal(f.n_down, 1);
    await(&f.echo.closed, 1);
    assert_int_equal(f.echo.half_closed, 1);
    tear_down(&f);
}

static void who_does_not_is_only_gone(void **state)
{
    struct fixture f;

    (void)state;
    open_link(&f, 0);
    link_reset(&f.link);
    assert_int_equal(f.n_down, 1);
    await(&f.echo.closed, 1);
    assert_int_equal(f.echo.half_closed, 0);
    tear_down(&f);
}

/* Connections are taken by the kernel, and nothing is ever said. */
static int listen_and_stand_still(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(strlen(path) < sizeof address.sun_path);
    (void)strcpy(address.sun_path, path); /* NOLINT: its length was checked */
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 8), 0);
    return fd;
}

static void a_goodbye_to_one_that_stands_still_ends_all_the_same(void **state)
{
    struct fixture f;

    (void)state;
    set_up(&f);
    int fd = listen_and_stand_still(f.address + strlen("unix:"));
    set_up_link(&f, 20);
    link_tick(&f.link);
    link_reset(&f.link);
    assert_int_equal(f.n_down, 1);
    assert_int_equal(f.n_messages, 0);
    tear_down(&f);
    (void)close(fd);
}

static void a_link_that_was_never_up_says_nothing(void **state)
{
    struct fixture f;

    (void)state;
    set_up(&f);
    set_up_link(&f, 20);
    link_reset(&f.link);
    assert_int_equal(f.n_down, 0);
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_says_goodbye_has_sent_its_last),
        cmocka_unit_test(who_does_not_is_only_gone),
        cmocka_unit_test(a_goodbye_to_one_that_stands_still_ends_all_the_same),
        cmocka_unit_test(a_link_that_was_never_up_says_nothing),
    };

    return cmocka_run_group_tests_name("link", tests, NULL, NULL);
}
