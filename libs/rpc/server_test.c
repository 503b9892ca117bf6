#include "libs/rpc/server.h"

#include "libs/base/status_details.h"
#include "libs/obs/metrics.h"
#include "libs/rpc/channel.h"
#include "libs/rpc/message.h"
#include "libs/rpc/pipe.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/echo_service.h"
#include "libs/testing/temp_folder.h"
#include "libs/testing/test_call.h"
#include "weft/testing/v1/echo_service.pb-c.h"
#include "weft/testing/v1/echo_service_descriptors.h"

#include "grpc/health/v1/health.pb-c.h"
#include "grpc/reflection/v1alpha/reflection.pb-c.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ECHO_PEER_METHODS(X)                \
    X(Weft__Testing__V1__, Echo, peer_echo) \
    X(Weft__Testing__V1__, EchoSlowly, peer_echo_slowly)
PEER_DECLARE(ECHO_PEER_METHODS);
PEER_DEFINE(weft__testing__v1__echo_service__descriptor, PEER_NO_OPTIONS, ECHO_PEER_METHODS);

/* Lets everybody in but for what a test says. */
struct test_guard {
    struct guard guard;
    _Atomic enum status_code authenticate_code, authorise_code; /* set while the server runs */
    char permission[64];
    _Atomic int refused;
    _Atomic uint64_t epoch;
    _Atomic enum status_code stream_code; /* of streams that were let in, at a new epoch */
};

static status guard_authenticate(struct guard *guard, struct call *call)
{
    const struct test_guard *self = (const struct test_guard *)guard;

    return self->authenticate_code == STATUS_OK
               ? status_ok()
               : status_error(call->arena, self->authenticate_code, "not you");
}

static status guard_authorise(struct guard *guard, struct call *call, const struct rpc *rpc,
                              const ProtobufCMessage *request)
{
    struct test_guard *self = (struct test_guard *)guard;

    (void)request;
    (void)snprintf(self->permission, sizeof self->permission, "%s", rpc->options->permission);
    return self->authorise_code == STATUS_OK
               ? status_ok()
               : status_error_info(
                     call->arena, status_error(call->arena, self->authorise_code, "not that"),
                     (struct error_info){ .reason = "PERMISSION_MISSING", .domain = "test.weft" });
}

static status guard_refused(struct guard *guard, struct call *call, const struct rpc *rpc,
                            status why)
{
    struct test_guard *self = (struct test_guard *)guard;

    (void)call;
    (void)rpc;
    (void)why;
    atomic_fetch_add(&self->refused, 1);
    return status_ok();
}

static uint64_t guard_epoch(struct guard *guard)
{
    struct test_guard *self = (struct test_guard *)guard;

    return atomic_load(&self->epoch);
}

static status guard_still_authorised(struct guard *guard, struct call *call, const struct rpc *rpc)
{
    const struct test_guard *self = (const struct test_guard *)guard;

    (void)rpc;
    return self->stream_code == STATUS_OK
               ? status_ok()
               : status_error(call->arena, self->stream_code, "not any more");
}

static const struct guard_ops test_guard_ops = {
    .authenticate = guard_authenticate,
    .authorise = guard_authorise,
    .epoch = guard_epoch,
    .still_authorised = guard_still_authorised,
    .refused = guard_refused,
};

struct fixture {
    struct runtime *runtime;
    struct tracer *tracer;
    struct test_guard guard;
    struct echo_service echo;
    struct server *server;
    struct channel *channel;
    struct peer *peer;
    struct call call;
    bool stopped;
};

static int set_up_with(struct fixture *f, struct server_options options)
{
    *f = (struct fixture){ .call = test_call(), .guard = { .guard = { &test_guard_ops } } };
    f->tracer = tracer_new(&(struct tracer_options){
        .service = "echo", .clock = &system_clock, .random = &system_random });
    f->runtime = runtime_start(&(struct runtime_options){ .tracer = f->tracer });
    const char *address = arena_printf(f->call.arena, "unix:%s/echo", temp_folder(f->call.arena));
    options.address = address;
    options.guard = &f->guard.guard;
    options.tracer = f->tracer;
    f->server = server_new(&options);
    server_register(f->server, &echo_service_methods, &f->echo, echo_service_descriptors);
    assert_status(server_start(f->server, f->call.arena), STATUS_OK);
    server_set_serving(f->server, true);
    f->channel = channel_new(f->runtime, &(struct channel_options){ .target = address });
    f->peer = channel_peer(f->channel);
    return 0;
}

static int set_up(void **state)
{
    static struct fixture f;

    *state = &f;
    return set_up_with(&f, (struct server_options){ .n_queues = 2, .n_workers = 4 });
}

static int set_up_attested(void **state)
{
    static struct fixture f;

    *state = &f;
    return set_up_with(&f, (struct server_options){ .n_queues = 1, .attest = true });
}

static int set_up_narrow(void **state)
{
    static struct fixture f;

    *state = &f;
    return set_up_with(&f, (struct server_options){
                               .n_queues = 1, .n_workers = 1, .max_waiting = 1, .max_calls = 3 });
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    server_stop(f->server, 1000);
    channel_free(f->channel);
    server_free(f->server);
    runtime_stop(f->runtime);
    tracer_free(f->tracer);
    arena_free(f->call.arena);
    return 0;
}

static status echo_code(struct fixture *f, const char *payload, int code,
                        const Weft__Testing__V1__EchoResponse **ret_response)
{
    Weft__Testing__V1__EchoRequest request;

    weft__testing__v1__echo_request__init(&request);
    request.name = message_text("ada");
    request.payload = (ProtobufCBinaryData){ strlen(payload), (uint8_t *)message_text(payload) };
    request.code = code;
    return peer_echo(f->peer, &f->call, &request, ret_response);
}

static status slowly(struct fixture *f, struct call *call, int ms)
{
    Weft__Testing__V1__EchoSlowlyRequest request;
    const Weft__Testing__V1__EchoSlowlyResponse *response;

    weft__testing__v1__echo_slowly_request__init(&request);
    request.name = message_text("ada");
    request.sleep_ms = ms;
    return peer_echo_slowly(f->peer, call, &request, &response);
}

enum {
    FOR_EVER_MS = 600000,
    /* What comes at once on any machine that is not busy. */
    PATIENCE_MS = 120000,
};

/* So often that what it takes mostly is learnt to be short. */
static void be_quick(struct fixture *f)
{
    for (int i = 0; i < 60; i++) {
        assert_status(slowly(f, &f->call, 0), STATUS_OK);
    }
}

static void what_goes_in_comes_out(void **state)
{
    struct fixture *f = *state;
    const Weft__Testing__V1__EchoResponse *response;

    assert_status(echo_code(f, "hello", 0, &response), STATUS_OK);
    assert_int_equal(response->payload.len, 5);
    assert_memory_equal(response->payload.data, "hello", 5);
    assert_status(slowly(f, &f->call, 1), STATUS_OK);
    assert_string_equal(f->guard.permission, "echo:{name}:call");
}

static void an_error_keeps_its_code_and_words_unless_it_tells_of_the_inside(void **state)
{
    struct fixture *f = *state;
    const Weft__Testing__V1__EchoResponse *response;

    status s = echo_code(f, "", STATUS_NOT_FOUND, &response);
    assert_status(s, STATUS_NOT_FOUND);
    assert_string_equal(s.message, "as 'ada' asked");
    s = echo_code(f, "", STATUS_INTERNAL, &response);
    assert_status(s, STATUS_INTERNAL);
    assert_string_equal(s.message, "INTERNAL");
}

static void who_is_not_let_in_is_told_so_with_details_and_counted(void **state)
{
    struct fixture *f = *state;
    const Weft__Testing__V1__EchoResponse *response;

    f->guard.authorise_code = STATUS_PERMISSION_DENIED;
    status s = echo_code(f, "", 0, &response);
    assert_status(s, STATUS_PERMISSION_DENIED);
    assert_non_null(s.details);
    assert_string_equal(s.details->info.reason, "PERMISSION_MISSING");
    f->guard.authenticate_code = STATUS_UNAUTHENTICATED;
    assert_status(echo_code(f, "", 0, &response), STATUS_UNAUTHENTICATED);
    assert_int_equal(f->guard.refused, 2);
}

static void a_deadline_ends_the_call_and_the_handler_sees_it(void **state)
{
    struct fixture *f = *state;
    struct call call = f->call;

    /* By the pool, and then, as a method that is mostly quick, on the queue's own thread. */
    for (int i = 1; i <= 2; i++) {
        /* On a busy machine the time may be over before the handler has begun; so it gets more. */
        for (int64_t us = 50000; f->echo.cancelled < i; us *= 2) {
            call.deadline_us = clock_monotonic_us(&system_clock) + us;
            assert_status(slowly(f, &call, FOR_EVER_MS), STATUS_DEADLINE_EXCEEDED);
            while (f->echo.asleep > 0) {
                (void)usleep(1000);
            }
        }
        be_quick(f);
    }
}

static void a_call_and_its_child_are_one_trace(void **state)
{
    struct fixture *f = *state;
    const Weft__Testing__V1__EchoResponse *response;

    assert_status(echo_code(f, "", 0, &response), STATUS_OK);
    struct spans roots = tracer_latest(f->tracer, f->call.arena, 10);
    assert_true(roots.n_spans >= 1);
    struct spans spans = tracer_find(f->tracer, f->call.arena, roots.spans[0].trace_id);
    assert_int_equal(spans.n_spans, 2); /* the client's and the server's */
    assert_memory_equal(spans.spans[0].span_id, spans.spans[1].parent_id, SPAN_ID_BYTES);
}

static void a_call_is_measured_on_both_sides(void **state)
{
    struct fixture *f = *state;
    const Weft__Testing__V1__EchoResponse *response;
    struct labels labels = { .method = metric_label_of("weft.testing.v1.EchoService/Echo"),
                             .code = STATUS_OUT_OF_RANGE };
    struct histogram_values before, server, client;

    histogram_read(HISTOGRAM_client_attempt_sent, NULL, &before);
    assert_status(echo_code(f, "", STATUS_OUT_OF_RANGE, &response), STATUS_OUT_OF_RANGE);
    assert_true(counter_value(COUNTER_server_call_started, &labels) >= 1);
    assert_true(counter_value(COUNTER_client_attempt_started, NULL) >= 1);
    assert_int_equal(gauge_value(GAUGE_calls_in_flight, NULL), 0);
    assert_int_equal(gauge_value(GAUGE_worker_queue, NULL), 0);
    histogram_read(HISTOGRAM_server_call_duration, &labels, &server);
    assert_int_equal(server.count, 1);
    histogram_read(HISTOGRAM_server_call_rcvd, &labels, &server);
    histogram_read(HISTOGRAM_client_attempt_sent, NULL, &client);
    assert_int_equal(client.count, before.count + 1);
    assert_true(server.sum > 0);
    assert_int_equal(server.sum, client.sum - before.sum);
}

static status unknown(struct fixture *f, const ProtobufCServiceDescriptor *service)
{
    const struct rpc rpc = { .service = service, .method = service->methods[0].name };
    bytes response;

    return f->peer->ops->exchange(f->peer, &f->call, &rpc, (bytes){ .data = NULL }, &response);
}

static void an_unknown_method_is_said_to_be_one_at_once(void **state)
{
    struct fixture *f = *state;
    static const ProtobufCMethodDescriptor methods[] = { { .name = "NoSuchMethod" } };
    static const ProtobufCServiceDescriptor service = { .name = "no.such.Service",
                                                        .methods = methods };
    status s = unknown(f, &service);

    assert_status(s, STATUS_UNIMPLEMENTED);
    assert_string_equal(s.message, "no method '/no.such.Service/NoSuchMethod'");
    struct labels labels = { .method = metric_label_of("other") };
    assert_int_equal(counter_value(COUNTER_server_call_started, &labels), 1);
}

static void garbage_is_refused(void **state)
{
    struct fixture *f = *state;
    const struct rpc rpc = { .service = &weft__testing__v1__echo_service__descriptor,
                             .method = "Echo" };
    bytes response;

    status s = f->peer->ops->exchange(f->peer, &f->call, &rpc,
                                      (bytes){ (const uint8_t *)"\xff\xff", 2 }, &response);
    assert_status(s, STATUS_INVALID_ARGUMENT);
}

/* ---- Streams ---- */

static status open_echoes(struct fixture *f, struct pipe **ret_pipe)
{
    return pipe_open(f->peer, &f->call, &weft__testing__v1__echo_service__descriptor, "EchoStream",
                     ret_pipe);
}

static status send_echo(struct fixture *f, struct pipe *pipe, const char *name, int times, int code)
{
    Weft__Testing__V1__EchoStreamRequest request;
    static uint8_t payload[1000];

    weft__testing__v1__echo_stream_request__init(&request);
    request.name = message_text(name);
    request.payload = (ProtobufCBinaryData){ sizeof payload, payload };
    request.times = times;
    request.code = code;
    return pipe_send(pipe, f->call.arena, &request.base);
}

static void a_stream_carries_both_ways_and_ends_well(void **state)
{
    struct fixture *f = *state;
    const ProtobufCMessage *message;
    struct pipe *pipe;

    assert_status(open_echoes(f, &pipe), STATUS_OK);
    for (int i = 0; i < 100; i++) {
        assert_status(send_echo(f, pipe, i % 2 ? "" : "ada", 1, 0), STATUS_OK);
    }
    pipe_finish(pipe);
    for (int i = 0; i < 100; i++) {
        assert_status(pipe_receive(pipe, f->call.arena, PATIENCE_MS, &message), STATUS_OK);
        assert_non_null(message);
    }
    assert_status(pipe_receive(pipe, f->call.arena, PATIENCE_MS, &message), STATUS_OK);
    assert_null(message);
    pipe_free(pipe);
}

static void a_reader_that_is_slow_gets_all_in_the_end(void **state)
{
    struct fixture *f = *state;
    const ProtobufCMessage *message;
    struct pipe *pipe;

    assert_status(open_echoes(f, &pipe), STATUS_OK);
    assert_status(send_echo(f, pipe, "ada", 20000, 0), STATUS_OK);
    pipe_finish(pipe);
    (void)usleep(50000); /* the sender fills every buffer on the way and waits */
    for (int i = 0; i < 20000; i++) {
        struct arena *arena = arena_new();
        assert_status(pipe_receive(pipe, arena, PATIENCE_MS, &message), STATUS_OK);
        assert_non_null(message);
        arena_free(arena);
    }
    assert_status(pipe_receive(pipe, f->call.arena, PATIENCE_MS, &message), STATUS_OK);
    assert_null(message);
    pipe_free(pipe);
}

static void a_stream_ends_with_its_handlers_error(void **state)
{
    struct fixture *f = *state;
    const ProtobufCMessage *message;
    struct pipe *pipe;

    assert_status(open_echoes(f, &pipe), STATUS_OK);
    assert_status(send_echo(f, pipe, "ada", 1, STATUS_ABORTED), STATUS_OK);
    status s = pipe_receive(pipe, f->call.arena, PATIENCE_MS, &message);
    assert_status(s, STATUS_ABORTED);
    assert_string_equal(s.message, "as 'ada' asked");
    pipe_free(pipe);
}

static void what_a_stream_is_about_may_not_change(void **state)
{
    struct fixture *f = *state;
    const ProtobufCMessage *message;
    struct pipe *pipe;
    status s;

    assert_status(open_echoes(f, &pipe), STATUS_OK);
    assert_status(send_echo(f, pipe, "ada", 1, 0), STATUS_OK);
    assert_status(send_echo(f, pipe, "bob", 1, 0), STATUS_OK);
    do {
        s = pipe_receive(pipe, f->call.arena, PATIENCE_MS, &message);
    } while (status_is_ok(s) && message != NULL);
    assert_status(s, STATUS_INVALID_ARGUMENT);
    assert_string_equal(s.details->field.field, "name");
    pipe_free(pipe);
}

static void a_stream_that_is_not_permitted_never_reaches_its_handler(void **state)
{
    struct fixture *f = *state;
    const ProtobufCMessage *message;
    struct pipe *pipe;

    f->guard.authorise_code = STATUS_PERMISSION_DENIED;
    assert_status(open_echoes(f, &pipe), STATUS_OK);
    (void)send_echo(f, pipe, "ada", 1, 0);
    assert_status(pipe_receive(pipe, f->call.arena, PATIENCE_MS, &message),
                  STATUS_PERMISSION_DENIED);
    pipe_free(pipe);
    assert_int_equal(f->echo.closed, 0);
}

static void a_stream_is_asked_about_again_when_decisions_have_changed(void **state)
{
    struct fixture *f = *state;
    const ProtobufCMessage *message;
    struct pipe *pipe;

    assert_status(open_echoes(f, &pipe), STATUS_OK);
    assert_status(send_echo(f, pipe, "ada", 1, 0), STATUS_OK);
    assert_status(pipe_receive(pipe, f->call.arena, PATIENCE_MS, &message), STATUS_OK);
    f->guard.stream_code = STATUS_UNAUTHENTICATED;
    assert_status(send_echo(f, pipe, "ada", 1, 0), STATUS_OK); /* nothing has changed */
    assert_status(pipe_receive(pipe, f->call.arena, PATIENCE_MS, &message), STATUS_OK);
    atomic_store(&f->guard.epoch, 1);
    (void)send_echo(f, pipe, "ada", 1, 0);
    assert_status(pipe_receive(pipe, f->call.arena, PATIENCE_MS, &message), STATUS_UNAUTHENTICATED);
    assert_int_equal(atomic_load(&f->guard.refused), 1);
    pipe_free(pipe);
}

static void a_stream_given_up_is_closed_at_the_other_end(void **state)
{
    struct fixture *f = *state;
    const ProtobufCMessage *message;
    struct pipe *pipe;

    assert_status(open_echoes(f, &pipe), STATUS_OK);
    assert_status(send_echo(f, pipe, "ada", 1, 0), STATUS_OK);
    assert_status(pipe_receive(pipe, f->call.arena, PATIENCE_MS, &message), STATUS_OK);
    pipe_free(pipe);
    for (int i = 0; i < PATIENCE_MS && f->echo.closed == 0; i++) {
        (void)usleep(1000);
    }
    assert_int_equal(f->echo.closed, 1);
}

/* ---- Limits ---- */

struct slow_caller {
    struct fixture *f;
    status result;
    pthread_t thread;
    struct call call;
    _Atomic bool is_back;
};

static void *call_slowly(void *data)
{
    struct slow_caller *self = data;

    self->result = slowly(self->f, &self->call, FOR_EVER_MS);
    self->is_back = true;
    return NULL;
}

static void start_calling(struct fixture *f, struct slow_caller *caller)
{
    *caller = (struct slow_caller){ .f = f, .call = f->call, .result = status_ok() };
    caller->call.arena = arena_new();
    assert_int_equal(pthread_create(&caller->thread, NULL, call_slowly, caller), 0);
}

static void a_server_that_is_full_says_so_at_once(void **state)
{
    struct fixture *f = *state;
    struct slow_caller callers[8];
    int ok = 0, exhausted = 0;

    for (int i = 0; i < 8; i++) {
        start_calling(f, &callers[i]);
    }
    for (int n_back = 0; n_back < 6;) { /* one works, one waits */
        n_back = 0;
        for (int i = 0; i < 8; i++) {
            n_back += callers[i].is_back;
        }
        (void)usleep(1000);
    }
    f->echo.is_let_go = true;
    for (int i = 0; i < 8; i++) {
        assert_int_equal(pthread_join(callers[i].thread, NULL), 0);
        ok += callers[i].result.code == STATUS_OK;
        exhausted += callers[i].result.code == STATUS_RESOURCE_EXHAUSTED;
        arena_free(callers[i].call.arena);
    }
    assert_true(ok >= 1 && ok <= 2);
    assert_int_equal(ok + exhausted, 8);
}

static void a_call_that_is_seldom_slow_holds_up_no_other(void **state)
{
    struct fixture *f = *state; /* with one queue */
    const Weft__Testing__V1__EchoResponse *response;
    struct slow_caller caller;

    be_quick(f);
    start_calling(f, &caller);
    while (f->echo.asleep == 0) {
        (void)usleep(1000);
    }
    assert_status(echo_code(f, "hello", 0, &response), STATUS_OK);
    assert_false(caller.is_back);
    f->echo.is_let_go = true;
    assert_int_equal(pthread_join(caller.thread, NULL), 0);
    assert_status(caller.result, STATUS_OK);
    arena_free(caller.call.arena);
}

static void an_attested_caller_is_known_by_its_process(void **state)
{
    struct fixture *f = *state;
    const Weft__Testing__V1__EchoResponse *response;

    /* The guard sees it; here it is enough that calls come through the accepting thread. */
    assert_status(echo_code(f, "hello", 0, &response), STATUS_OK);
    assert_memory_equal(response->payload.data, "hello", 5);
}

/* ---- The end ---- */

struct stuck_log {
    int ends[2];
    pthread_t thread;
};

/* Whoever writes into it waits until let_go(). */
static struct log *stuck_log_new(struct stuck_log *self)
{
    static const char filler[4096];

    assert_int_equal(pipe2(self->ends, O_CLOEXEC | O_NONBLOCK), 0);
    while (write(self->ends[1], filler, sizeof filler) > 0) {
    }
    assert_int_equal(fcntl(self->ends[1], F_SETFL, 0), 0);
    assert_int_equal(fcntl(self->ends[0], F_SETFL, 0), 0);
    return log_new(
        &(struct log_options){ .service = "echo", .clock = &system_clock, .fd = self->ends[1] });
}

static void *let_go(void *data)
{
    const struct stuck_log *self = data;
    char taken[4096];

    (void)usleep(100000); /* so long the server would have to stop in the middle of a call */
    while (read(self->ends[0], taken, sizeof taken) > 0) {
    }
    return NULL;
}

static void a_server_does_not_stop_in_the_middle_of_a_call(void **state)
{
    struct stuck_log stuck;
    struct log *log = stuck_log_new(&stuck);
    struct fixture f;
    const Weft__Testing__V1__EchoResponse *response;

    (void)state;
    (void)set_up_with(&f, (struct server_options){ .n_queues = 1, .log = log });
    f.call.deadline_us = clock_monotonic_us(&system_clock) + 100000;
    assert_status(echo_code(&f, "", 0, &response), STATUS_DEADLINE_EXCEEDED);
    assert_int_equal(pthread_create(&stuck.thread, NULL, let_go, &stuck), 0);
    channel_free(f.channel); /* to gRPC all is over then */
    f.channel = NULL;
    (void)tear_down(&(void *){ &f });
    (void)close(stuck.ends[1]);
    assert_int_equal(pthread_join(stuck.thread, NULL), 0);
    (void)close(stuck.ends[0]);
    log_free(log);
}

/* ---- Reflection ---- */

static status reflect(struct fixture *f, struct pipe *pipe, const char *symbol,
                      const Grpc__Reflection__V1alpha__ServerReflectionResponse **ret_response)
{
    Grpc__Reflection__V1alpha__ServerReflectionRequest request;
    const ProtobufCMessage *message;

    grpc__reflection__v1alpha__server_reflection_request__init(&request);
    if (symbol == NULL) {
        request.message_request_case =
            GRPC__REFLECTION__V1ALPHA__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_LIST_SERVICES;
        request.list_services = message_text("*");
    } else {
        request.message_request_case =
            GRPC__REFLECTION__V1ALPHA__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL;
        request.file_containing_symbol = message_text(symbol);
    }
    TRY(pipe_send(pipe, f->call.arena, &request.base));
    TRY(pipe_receive(pipe, f->call.arena, PATIENCE_MS, &message));
    *ret_response = (const Grpc__Reflection__V1alpha__ServerReflectionResponse *)message;
    return status_ok();
}

static void reflection_tells_what_is_served(void **state)
{
    struct fixture *f = *state;
    const Grpc__Reflection__V1alpha__ServerReflectionResponse *response;
    struct pipe *pipe;

    assert_status(pipe_open(f->peer, &f->call,
                            &grpc__reflection__v1alpha__server_reflection__descriptor,
                            "ServerReflectionInfo", &pipe),
                  STATUS_OK);
    assert_status(reflect(f, pipe, NULL, &response), STATUS_OK);
    assert_int_equal(response->list_services_response->n_service, 5);
    assert_string_equal(response->list_services_response->service[0]->name,
                        "weft.testing.v1.EchoService");
    assert_status(reflect(f, pipe, "weft.testing.v1.EchoService.Echo", &response), STATUS_OK);
    assert_true(response->file_descriptor_response->n_file_descriptor_proto >= 2);
    assert_status(reflect(f, pipe, "google.rpc.ErrorInfo", &response), STATUS_OK);
    assert_true(response->file_descriptor_response->n_file_descriptor_proto >= 1);
    assert_status(reflect(f, pipe, "no.such.Thing", &response), STATUS_OK);
    assert_int_equal(response->error_response->error_code, STATUS_NOT_FOUND);
    pipe_finish(pipe);
    pipe_free(pipe);
}

#define TEST(name)          cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define TEST_WITH(name, up) cmocka_unit_test_setup_teardown(name, up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_goes_in_comes_out),
        TEST(an_error_keeps_its_code_and_words_unless_it_tells_of_the_inside),
        TEST(who_is_not_let_in_is_told_so_with_details_and_counted),
        TEST(a_deadline_ends_the_call_and_the_handler_sees_it),
        TEST(a_call_and_its_child_are_one_trace),
        TEST(a_call_is_measured_on_both_sides),
        TEST(an_unknown_method_is_said_to_be_one_at_once),
        TEST(garbage_is_refused),
        TEST(a_stream_carries_both_ways_and_ends_well),
        TEST(a_reader_that_is_slow_gets_all_in_the_end),
        TEST(a_stream_ends_with_its_handlers_error),
        TEST(what_a_stream_is_about_may_not_change),
        TEST(a_stream_that_is_not_permitted_never_reaches_its_handler),
        TEST(a_stream_is_asked_about_again_when_decisions_have_changed),
        TEST(a_stream_given_up_is_closed_at_the_other_end),
        TEST_WITH(a_server_that_is_full_says_so_at_once, set_up_narrow),
        TEST_WITH(a_call_that_is_seldom_slow_holds_up_no_other, set_up_narrow),
        TEST_WITH(an_attested_caller_is_known_by_its_process, set_up_attested),
        cmocka_unit_test(a_server_does_not_stop_in_the_middle_of_a_call),
        TEST(reflection_tells_what_is_served),
    };

    return cmocka_run_group_tests_name("server", tests, NULL, NULL);
}
