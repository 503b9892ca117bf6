#include "libs/http/http_server.h"

#include "libs/base/text.h"
#include "libs/http/http_ask.h"
#include "libs/testing/assert_status.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct fixture {
    struct arena *arena;
    struct http_server *server;
    uint16_t port;
    _Atomic int n_handled;
};

static void hello(const struct http_request *request, struct http_response *response)
{
    struct fixture *f = request->object;
    const char *name = http_query(request, "name");

    f->n_handled++;
    response->body =
        bytes_of(arena_printf(request->arena, "hello %s\n", name == NULL ? "you" : name));
}

static void below(const struct http_request *request, struct http_response *response)
{
    response->status = 201;
    response->content_type = "application/json";
    response->body = bytes_of(arena_printf(request->arena, "\"%s\"", request->rest));
}

static void nothing(const struct http_request *request, struct http_response *response)
{
    (void)request;
    (void)response;
}

static void large(const struct http_request *request, struct http_response *response)
{
    size_t size = 3 << 20;

    response->body = (bytes){ memset(arena_alloc(request->arena, size), 'x', size), size };
}

static const struct http_route routes[] = {
    { "/hello", hello },
    { "/below/", below },
    { "/nothing", nothing },
    { "/large", large },
};

static struct http_server_options options_of(struct fixture *f)
{
    return (struct http_server_options){
        .routes = routes,
        .n_routes = sizeof routes / sizeof *routes,
        .object = f,
    };
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct http_server_options options = options_of(f);

    f->arena = arena_new();
    assert_status(http_server_new(f->arena, &options, &f->server), STATUS_OK);
    f->port = http_server_port(f->server);
    assert_int_not_equal(f->port, 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    http_server_free(f->server);
    arena_free(f->arena);
    free(f);
    return 0;
}

#define END "Host: x\r\nConnection: close\r\n\r\n"

static void a_request_is_answered_by_the_route_that_fits(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *request;
        int want;
        const char *want_body;
    } cases[] = {
        { "GET /hello HTTP/1.1\r\n" END, 200, "hello you\n" },
        { "GET /hello?name=ada%20l HTTP/1.1\r\n" END, 200, "hello ada l\n" },
        { "GET /hello?other=1 HTTP/1.1\r\n" END, 200, "hello you\n" },
        { "GET /hello/ HTTP/1.1\r\n" END, 404, "no such page\n" },
        { "GET /hell HTTP/1.1\r\n" END, 404, "no such page\n" },
        { "GET / HTTP/1.1\r\n" END, 404, "no such page\n" },
        { "GET /below/a/b HTTP/1.1\r\n" END, 201, "\"a/b\"" },
        { "GET /below/ HTTP/1.1\r\n" END, 201, "\"\"" },
        { "GET /below HTTP/1.1\r\n" END, 404, "no such page\n" },
        { "GET /nothing HTTP/1.1\r\n" END, 200, "" },
        { "HEAD /hello HTTP/1.1\r\n" END, 200, "" },
        { "GET /hello HTTP/1.0\r\n\r\n", 200, "hello you\n" },
        { "POST /hello HTTP/1.1\r\nContent-Length: 2\r\n" END "hi", 405,
          "only GET and HEAD are answered here\n" },
        { "DELETE /hello HTTP/1.1\r\n" END, 405, "only GET and HEAD are answered here\n" },
        { "GET /hello HTTP/1.1\r\nContent-Length: 1000000000\r\n" END, 413,
          "a request has no body here\n" },
        { "GET /hello HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" END "5\r\nhello\r\n0\r\n\r\n",
          413, "a request has no body here\n" },
        { "GET /hello HTTP/1.1\r\nContent-Length: 0\r\n" END, 200, "hello you\n" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct http_answer answer = http_ask(f->arena, f->port, cases[i].request);
        if (answer.status != cases[i].want || strcmp(answer.body, cases[i].want_body) != 0) {
            fail_msg("'%s': got %d '%s'", cases[i].request, answer.status, answer.body);
        }
    }
}

static void an_answer_says_what_it_is_and_is_not_kept(void **state)
{
    struct fixture *f = *state;
    struct http_answer text = http_get(f->arena, f->port, "/hello");
    struct http_answer json = http_get(f->arena, f->port, "/below/x");
    struct http_answer refused = http_ask(f->arena, f->port, "PUT /hello HTTP/1.1\r\n" END);

    assert_non_null(strstr(text.head, "\r\nContent-Type: text/plain; charset=utf-8\r\n"));
    assert_non_null(strstr(text.head, "\r\nCache-Control: no-store\r\n"));
    assert_non_null(strstr(text.head, "\r\nX-Content-Type-Options: nosniff\r\n"));
    assert_non_null(strstr(text.head, "\r\nContent-Length: 10\r\n"));
    assert_non_null(strstr(json.head, "\r\nContent-Type: application/json\r\n"));
    assert_non_null(strstr(refused.head, "\r\nAllow: GET, HEAD\r\n"));
}

static void a_large_body_arrives_whole(void **state)
{
    struct fixture *f = *state;
    struct http_answer answer = http_get(f->arena, f->port, "/large");

    assert_int_equal(answer.status, 200);
    assert_int_equal(strlen(answer.body), 3 << 20);
}

static void one_connection_may_ask_again_and_again(void **state)
{
    struct fixture *f = *state;
    struct text requests = text_new(f->arena);

    for (int i = 0; i < 9; i++) {
        text_add(&requests, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    text_add(&requests, "GET /hello HTTP/1.1\r\n" END);
    struct http_answer answer = http_ask(f->arena, f->port, text_string(&requests));
    assert_int_equal(answer.status, 200);
    assert_int_equal(f->n_handled, 10);
}

static void what_is_no_http_is_refused_and_harms_nobody(void **state)
{
    struct fixture *f = *state;
    struct text head = text_new(f->arena);

    text_add(&head, "GET /hello HTTP/1.1\r\n");
    for (int i = 0; i < HTTP_MAX_HEAD / 16; i++) {
        text_add(&head, "X-Header-%d: 1234\r\n", i);
    }
    text_add(&head, END);
    assert_int_not_equal(http_ask(f->arena, f->port, text_string(&head)).status, 200);
    assert_int_not_equal(http_ask(f->arena, f->port, "\x16\x03\x01 hello\r\n\r\n").status, 200);
    assert_int_equal(f->n_handled, 0);
    assert_int_equal(http_get(f->arena, f->port, "/hello").status, 200);
}

static int connect_to(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void connections_past_the_limit_wait_or_are_closed_and_the_rest_live(void **state)
{
    struct fixture *f = *state;
    static const char ask[] = "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n";
    int fds[HTTP_MAX_CONNECTIONS];
    char buffer[1024];

    for (int i = 0; i < HTTP_MAX_CONNECTIONS; i++) { /* each holds one, by having asked once */
        fds[i] = connect_to(f->port);
        assert_int_equal(send(fds[i], ask, sizeof ask - 1, MSG_NOSIGNAL), sizeof ask - 1);
        assert_true(recv(fds[i], buffer, sizeof buffer, 0) > 0);
    }
    int late = connect_to(f->port); /* the kernel takes it; the server does not */
    struct timeval wait = { .tv_usec = 50000 };
    assert_int_equal(setsockopt(late, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait), 0);
    (void)send(late, ask, sizeof ask - 1, MSG_NOSIGNAL);
    assert_true(recv(late, buffer, sizeof buffer, 0) <= 0);
    (void)close(late);
    assert_int_equal(send(fds[0], ask, sizeof ask - 1, MSG_NOSIGNAL), sizeof ask - 1);
    assert_true(recv(fds[0], buffer, sizeof buffer, 0) > 0);
    for (int i = 0; i < HTTP_MAX_CONNECTIONS; i++) {
        (void)close(fds[i]);
    }
}

static void who_says_nothing_for_long_is_hung_up_on(void **state)
{
    struct fixture *f = *state;
    struct http_server_options options = options_of(f);
    struct http_server *server;
    char byte;

    options.timeout_s = 1;
    assert_status(http_server_new(f->arena, &options, &server), STATUS_OK);
    int fd = connect_to(http_server_port(server));
    struct timeval patience = { .tv_sec = 9 }; /* so that it fails, and does not hang */
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    assert_int_equal(send(fd, "GET ", 4, MSG_NOSIGNAL), 4);
    while (recv(fd, &byte, 1, 0) > 0) { /* it may say 408 first */
    }
    assert_int_equal(recv(fd, &byte, 1, 0), 0);
    (void)close(fd);
    http_server_free(server);
}

static void *ask_often(void *data)
{
    struct fixture *f = data;
    struct arena *arena = arena_new();
    intptr_t n_good = 0;

    for (int i = 0; i < 50; i++) {
        n_good += http_get(arena, f->port, "/hello?name=x").status == 200;
        arena_reset(arena);
    }
    arena_free(arena);
    return (void *)n_good;
}

static void many_may_ask_at_once(void **state)
{
    struct fixture *f = *state;
    pthread_t threads[4];

    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, ask_often, f), 0);
    }
    for (int i = 0; i < 4; i++) {
        void *n_good;
        assert_int_equal(pthread_join(threads[i], &n_good), 0);
        assert_int_equal((intptr_t)n_good, 50);
    }
}

static void an_address_that_cannot_be_had_is_said(void **state)
{
    struct fixture *f = *state;
    struct http_server_options options = options_of(f);
    struct http_server *server = NULL;

    options.port = f->port;
    status taken = http_server_new(f->arena, &options, &server);
    assert_status(taken, STATUS_UNAVAILABLE);
    assert_non_null(strstr(taken.message, "cannot listen on 127.0.0.1 port"));
    options.address = "localhost"; /* a name is no address: it could be anything */
    assert_status(http_server_new(f->arena, &options, &server), STATUS_INVALID_ARGUMENT);
    assert_null(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_request_is_answered_by_the_route_that_fits, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_answer_says_what_it_is_and_is_not_kept, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_large_body_arrives_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_connection_may_ask_again_and_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_http_is_refused_and_harms_nobody, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            connections_past_the_limit_wait_or_are_closed_and_the_rest_live, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_says_nothing_for_long_is_hung_up_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_may_ask_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_address_that_cannot_be_had_is_said, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("http_server", tests, NULL, NULL);
}
