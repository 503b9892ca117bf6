/* What becomes of streams whose callers die, cancel, or lose what let them in. */

#include "libs/obs/metrics.h"
#include "libs/rpc/channel.h"
#include "libs/rpc/message.h"
#include "libs/rpc/pipe.h"
#include "libs/rpc/server.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/echo_service.h"
#include "libs/testing/relay.h"
#include "libs/testing/temp_folder.h"
#include "libs/testing/test_call.h"
#include "weft/testing/v1/echo_service.pb-c.h"
#include "weft/testing/v1/echo_service_descriptors.h"

#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

enum { N_STREAMS = 30, ROUNDS = 20, PATIENCE_MS = 120 * 1000 };

/* Lets everybody in; a test says who has to go again. */
struct test_guard {
    struct guard guard;
    _Atomic int64_t expire_ms; /* of whoever is let in */
    _Atomic uint64_t epoch;
    _Atomic enum status_code stream_code; /* of streams that were let in */
    _Atomic int refused;
};

static status guard_authenticate(struct guard *guard, struct call *call)
{
    const struct test_guard *self = (const struct test_guard *)guard;
    struct principal *principal = ARENA_NEW(call->arena, struct principal);

    *principal = principal_anonymous;
    principal->expire_ms = atomic_load(&self->expire_ms);
    call->principal = principal;
    return status_ok();
}

static uint64_t guard_epoch(struct guard *guard)
{
    return atomic_load(&((struct test_guard *)guard)->epoch);
}

static status guard_still_authorised(struct guard *guard, struct call *call, const struct rpc *rpc)
{
    enum status_code code = atomic_load(&((struct test_guard *)guard)->stream_code);

    (void)rpc;
    return code == STATUS_OK ? status_ok() : status_error(call->arena, code, "not any more");
}

static status guard_refused(struct guard *guard, struct call *call, const struct rpc *rpc,
                            status why)
{
    (void)call;
    (void)rpc;
    (void)why;
    atomic_fetch_add(&((struct test_guard *)guard)->refused, 1);
    return status_ok();
}

static const struct guard_ops test_guard_ops = {
    .authenticate = guard_authenticate,
    .authorise = guard_permit_all,
    .epoch = guard_epoch,
    .still_authorised = guard_still_authorised,
    .refused = guard_refused,
};

struct fixture {
    struct test_guard guard;
    struct runtime *runtime;
    struct echo_service echo;
    struct server *server;
    struct relay *relay;
    const char *relayed; /* the address before the relay */
    struct channel *channel;
    struct call call;
};

static int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){
        .call = test_call(),
        .guard = { .guard = { &test_guard_ops }, .expire_ms = principal_anonymous.expire_ms },
    };
    struct arena *arena = f.call.arena;
    const char *folder = temp_folder(arena);
    const char *address = arena_printf(arena, "unix:%s/echo", folder);
    f.runtime = runtime_start(&(struct runtime_options){ 0 });
    f.server = server_new(
        &(struct server_options){ .address = address, .n_queues = 2, .guard = &f.guard.guard });
    server_register(f.server, &echo_service_methods, &f.echo, echo_service_descriptors);
    assert_status(server_start(f.server, arena), STATUS_OK);
    f.relay = relay_new(arena_printf(arena, "%s/relay", folder), address + strlen("unix:"));
    f.relayed = arena_printf(arena, "unix:%s/relay", folder);
    f.channel = channel_new(f.runtime, &(struct channel_options){ .target = address });
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    channel_free(f->channel);
    relay_free(f->relay);
    server_stop(f->server, 1000);
    server_free(f->server);
    runtime_stop(f->runtime);
    arena_free(f->call.arena);
    return 0;
}

static void await(const _Atomic int *number, int want)
{
    for (int ms = 0; ms < PATIENCE_MS && atomic_load(number) != want; ms++) {
        (void)usleep(1000);
    }
    assert_int_equal(atomic_load(number), want);
}

static struct pipe *begin_stream(struct channel *channel, struct call *call)
{
    struct pipe *pipe = NULL;
    status s = pipe_open(channel_peer(channel), call, &weft__testing__v1__echo_service__descriptor,
                         "EchoStream", &pipe);

    assert_status(s, STATUS_OK);
    return pipe;
}

static status send_echo(struct fixture *f, struct pipe *pipe, int times)
{
    static uint8_t payload[1000];
    Weft__Testing__V1__EchoStreamRequest request;

    weft__testing__v1__echo_stream_request__init(&request);
    request.name = message_text("ada");
    request.payload = (ProtobufCBinaryData){ sizeof payload, payload };
    request.times = times;
    return pipe_send(pipe, f->call.arena, &request.base);
}

static status ask(struct fixture *f, struct pipe *pipe)
{
    const ProtobufCMessage *message = NULL;

    TRY(send_echo(f, pipe, 1));
    TRY(pipe_receive(pipe, f->call.arena, PATIENCE_MS, &message));
    assert_non_null(message);
    return status_ok();
}

/* A stream whose handler has answered once. */
static struct pipe *open_stream(struct fixture *f, struct channel *channel)
{
    struct pipe *pipe = begin_stream(channel, &f->call);

    assert_status(ask(f, pipe), STATUS_OK);
    return pipe;
}

static void open_streams(struct fixture *f, struct channel *channel, struct pipe **pipes)
{
    for (int i = 0; i < N_STREAMS; i++) {
        pipes[i] = open_stream(f, channel);
    }
}

/* ---- A good end and a bad one ---- */

static void a_caller_that_says_so_has_sent_its_last(void **state)
{
    struct fixture *f = *state;
    const ProtobufCMessage *message = NULL;
    struct pipe *pipe = open_stream(f, f->channel);

    pipe_finish(pipe);
    assert_status(pipe_receive(pipe, f->call.arena, PATIENCE_MS, &message), STATUS_OK);
    assert_null(message);
    pipe_free(pipe);
    await(&f->echo.closed, 1);
    assert_int_equal(f->echo.half_closed, 1);
}

static void a_caller_that_cancels_has_not_sent_its_last(void **state)
{
    struct fixture *f = *state;
    struct pipe *pipes[N_STREAMS];

    for (int round = 1; round <= ROUNDS; round++) {
        open_streams(f, f->channel, pipes);
        for (int i = 0; i < N_STREAMS; i++) {
            pipe_free(pipes[i]);
        }
        await(&f->echo.closed, round * N_STREAMS);
    }
    assert_int_equal(f->echo.half_closed, 0);
}

static void a_caller_that_dies_has_not_sent_its_last(void **state)
{
    struct fixture *f = *state;
    struct pipe *pipes[N_STREAMS];

    for (int round = 1; round <= ROUNDS; round++) {
        struct channel *channel =
            channel_new(f->runtime, &(struct channel_options){ .target = f->relayed });
        open_streams(f, channel, pipes);
        relay_cut(f->relay);
        await(&f->echo.closed, round * N_STREAMS);
        for (int i = 0; i < N_STREAMS; i++) {
            pipe_free(pipes[i]);
        }
        channel_free(channel);
    }
    assert_int_equal(f->echo.half_closed, 0);
}

static void a_caller_whose_time_is_over_has_not_sent_its_last(void **state)
{
    struct fixture *f = *state;
    struct call call = f->call;
    status s = status_ok();

    call.deadline_us = clock_monotonic_us(&system_clock) + 100000;
    struct pipe *pipe = begin_stream(f->channel, &call);
    while (status_is_ok(s)) {
        s = ask(f, pipe);
    }
    pipe_free(pipe);
    server_stop(f->server, PATIENCE_MS); /* after the stream's last event */
    assert_int_equal(f->echo.half_closed, 0);
}

/* ---- What let a stream in holds no more ---- */

static void revoke_caller(struct fixture *f)
{
    atomic_store(&f->guard.stream_code, STATUS_UNAUTHENTICATED);
    atomic_fetch_add(&f->guard.epoch, 1);
    server_check_streams(f->server);
}

static void assert_ended(struct fixture *f, struct pipe *pipe)
{
    const ProtobufCMessage *message = NULL;

    assert_status(pipe_receive(pipe, f->call.arena, PATIENCE_MS, &message), STATUS_UNAUTHENTICATED);
    pipe_free(pipe);
    assert_int_equal(f->guard.refused, 1);
}

static void a_stream_on_which_nothing_happens_ends_when_its_caller_is_revoked(void **state)
{
    struct fixture *f = *state;
    struct pipe *pipe = open_stream(f, f->channel);

    revoke_caller(f);
    assert_ended(f, pipe);
    await(&f->echo.closed, 1);
}

static void a_stream_whose_caller_is_as_good_as_before_goes_on(void **state)
{
    struct fixture *f = *state;
    struct pipe *pipe = open_stream(f, f->channel);

    atomic_fetch_add(&f->guard.epoch, 1); /* somebody else was revoked */
    server_check_streams(f->server);
    assert_status(ask(f, pipe), STATUS_OK);
    atomic_store(&f->guard.stream_code, STATUS_UNAUTHENTICATED); /* nobody would notice */
    server_check_streams(f->server);
    assert_status(ask(f, pipe), STATUS_OK);
    pipe_free(pipe);
}

static void a_stream_is_asked_about_again_when_its_credential_has_ended(void **state)
{
    struct fixture *f = *state;

    /* And some leeway, says the guard. */
    atomic_store(&f->guard.expire_ms, clock_wall_ms(&system_clock));
    struct pipe *pipe = open_stream(f, f->channel);
    server_check_streams(f->server);
    assert_status(ask(f, pipe), STATUS_OK);
    atomic_store(&f->guard.stream_code, STATUS_UNAUTHENTICATED); /* the leeway is over */
    server_check_streams(f->server);
    assert_ended(f, pipe);
}

static void a_stream_whose_credential_goes_on_is_not_asked_about(void **state)
{
    struct fixture *f = *state;

    atomic_store(&f->guard.expire_ms, INT64_MAX);
    struct pipe *pipe = open_stream(f, f->channel);
    atomic_store(&f->guard.stream_code, STATUS_UNAUTHENTICATED);
    server_check_streams(f->server);
    assert_status(ask(f, pipe), STATUS_OK);
    pipe_free(pipe);
}

static void who_is_revoked_before_its_first_message_gets_no_further(void **state)
{
    struct fixture *f = *state;
    struct pipe *pipe = begin_stream(f->channel, &f->call);

    for (int ms = 0; ms < PATIENCE_MS && gauge_value(GAUGE_calls_in_flight, NULL) == 0; ms++) {
        (void)usleep(1000); /* until it was let in */
    }
    atomic_store(&f->guard.stream_code, STATUS_UNAUTHENTICATED);
    atomic_fetch_add(&f->guard.epoch, 1);
    assert_status(ask(f, pipe), STATUS_UNAUTHENTICATED);
    pipe_free(pipe);
    assert_int_equal(f->echo.closed, 0); /* it never reached its handler */
}

static void who_is_revoked_has_not_sent_its_last(void **state)
{
    struct fixture *f = *state;
    struct pipe *pipe = open_stream(f, f->channel);

    atomic_store(&f->guard.stream_code, STATUS_UNAUTHENTICATED);
    atomic_fetch_add(&f->guard.epoch, 1);
    pipe_finish(pipe);
    assert_ended(f, pipe);
    await(&f->echo.closed, 1);
    assert_int_equal(f->echo.half_closed, 0);
}

static void who_is_revoked_and_does_not_read_is_not_waited_for(void **state)
{
    struct fixture *f = *state;
    struct pipe *pipe = open_stream(f, f->channel);

    /* More than the network and the pipe hold, so that the server's write waits. */
    assert_status(send_echo(f, pipe, 20000), STATUS_OK);
    revoke_caller(f);
    await(&f->echo.closed, 1);
    pipe_free(pipe);
}

/* ---- A reader that is behind ---- */

static void what_came_before_a_good_end_is_read_after_it(void **state)
{
    struct fixture *f = *state;

    for (int round = 1; round <= ROUNDS; round++) {
        const ProtobufCMessage *message = NULL;
        struct pipe *pipe = begin_stream(f->channel, &f->call);
        /* The last of them fills the pipe. */
        assert_status(send_echo(f, pipe, PIPE_MAX_RECEIVED), STATUS_OK);
        pipe_finish(pipe);
        await(&f->echo.closed, round);
        for (int i = 0; i < PIPE_MAX_RECEIVED; i++) {
            assert_status(pipe_receive(pipe, f->call.arena, PATIENCE_MS, &message), STATUS_OK);
            assert_non_null(message);
        }
        assert_status(pipe_receive(pipe, f->call.arena, PATIENCE_MS, &message), STATUS_OK);
        assert_null(message);
        pipe_free(pipe);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_caller_that_says_so_has_sent_its_last),
        TEST(a_caller_that_cancels_has_not_sent_its_last),
        TEST(a_caller_that_dies_has_not_sent_its_last),
        TEST(a_caller_whose_time_is_over_has_not_sent_its_last),
        TEST(a_stream_on_which_nothing_happens_ends_when_its_caller_is_revoked),
        TEST(a_stream_whose_caller_is_as_good_as_before_goes_on),
        TEST(a_stream_is_asked_about_again_when_its_credential_has_ended),
        TEST(a_stream_whose_credential_goes_on_is_not_asked_about),
        TEST(who_is_revoked_before_its_first_message_gets_no_further),
        TEST(who_is_revoked_has_not_sent_its_last),
        TEST(who_is_revoked_and_does_not_read_is_not_waited_for),
        TEST(what_came_before_a_good_end_is_read_after_it),
    };

    return cmocka_run_group_tests_name("server_stream", tests, NULL, NULL);
}
