#include "libs/rpc/channel.h"

#include "libs/rpc/message.h"
#include "libs/rpc/server.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/echo_service.h"
#include "libs/testing/temp_folder.h"
#include "libs/testing/test_call.h"
#include "weft/testing/v1/echo_service.pb-c.h"
#include "weft/testing/v1/echo_service_descriptors.h"

#include <stdatomic.h>

#define ECHO_PEER_METHODS(X)                \
    X(Weft__Testing__V1__, Echo, peer_echo) \
    X(Weft__Testing__V1__, EchoSlowly, peer_echo_slowly)
PEER_DECLARE(ECHO_PEER_METHODS);
PEER_DEFINE(weft__testing__v1__echo_service__descriptor, echo_service_descriptors,
            ECHO_PEER_METHODS);

/* Is away for the first calls. */
struct moody_guard {
    struct guard guard;
    atomic_int n_away, n_calls;
};

static status authenticate(struct guard *guard, struct call *call)
{
    struct moody_guard *self = (struct moody_guard *)guard;

    atomic_fetch_add(&self->n_calls, 1);
    return atomic_fetch_sub(&self->n_away, 1) > 0
               ? status_error(call->arena, STATUS_UNAVAILABLE, "not now")
               : status_ok();
}

static const struct guard_ops moody_guard_ops = {
    .authenticate = authenticate,
    .authorise = guard_permit_all,
};

struct fixture {
    struct call call;
    struct moody_guard guard;
    struct echo_service echo;
    struct runtime *runtime;
    struct server *server;
    struct channel *channel;
};

static int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){ .call = test_call(), .guard = { .guard = { &moody_guard_ops } } };
    const char *address = arena_printf(f.call.arena, "unix:%s/echo", temp_folder(f.call.arena));
    f.runtime = runtime_start(&(struct runtime_options){ .n_workers = 1 });
    f.server = server_new(&(struct server_options){
        .address = address, .guard = &f.guard.guard, .n_queues = 1, .n_workers = 1 });
    server_register(f.server, &echo_service_methods, &f.echo, echo_service_descriptors);
    assert_status(server_start(f.server, f.call.arena), STATUS_OK);
    f.channel = channel_new(f.runtime, &(struct channel_options){ .target = address });
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    channel_free(f->channel);
    server_stop(f->server, 1000);
    server_free(f->server);
    runtime_stop(f->runtime);
    arena_free(f->call.arena);
    return 0;
}

static void a_peer_that_was_away_for_a_moment_is_asked_again(void **state)
{
    struct fixture *f = *state;
    const Weft__Testing__V1__EchoResponse *response;
    Weft__Testing__V1__EchoRequest request;

    weft__testing__v1__echo_request__init(&request);
    request.name = message_text("ada");
    f->guard.n_away = 2;
    assert_status(peer_echo(channel_peer(f->channel), &f->call, &request, &response), STATUS_OK);
    assert_int_equal(f->guard.n_calls, 3);
}

static void what_must_not_be_done_twice_is_not(void **state)
{
    struct fixture *f = *state;
    const Weft__Testing__V1__EchoSlowlyResponse *response;
    Weft__Testing__V1__EchoSlowlyRequest request;

    weft__testing__v1__echo_slowly_request__init(&request);
    request.name = message_text("ada");
    f->guard.n_away = 1;
    assert_status(peer_echo_slowly(channel_peer(f->channel), &f->call, &request, &response),
                  STATUS_UNAVAILABLE);
    assert_int_equal(f->guard.n_calls, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_peer_that_was_away_for_a_moment_is_asked_again),
        TEST(what_must_not_be_done_twice_is_not),
    };

    return cmocka_run_group_tests_name("channel", tests, NULL, NULL);
}
