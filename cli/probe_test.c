#include "cli/probe.h"

#include "libs/testing/assert_status.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Answers one connection with what it is told, or with nothing at all. */
struct once {
    int listener;
    const char *answer; /* NULL: accepts and is silent */
    char asked[256];
    pthread_t thread;
    char address[32];
};

static void *serve(void *data)
{
    struct once *self = data;
    int fd = accept(self->listener, NULL, NULL);

    (void)!recv(fd, self->asked, sizeof self->asked - 1, 0);
    if (self->answer != NULL) {
        (void)send(fd, self->answer, strlen(self->answer), MSG_NOSIGNAL);
    } else {
        char byte;
        (void)!recv(fd, &byte, 1, 0); /* until the other side has given up */
    }
    (void)close(fd);
    return NULL;
}

static void start(struct once *self, const char *answer)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;

    *self = (struct once){ .listener = socket(AF_INET, SOCK_STREAM, 0), .answer = answer };
    assert_int_equal(bind(self->listener, (const struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(self->listener, 1), 0);
    assert_int_equal(getsockname(self->listener, (struct sockaddr *)&address, &size), 0);
    (void)snprintf(self->address, sizeof self->address, "127.0.0.1:%d", ntohs(address.sin_port));
    assert_int_equal(pthread_create(&self->thread, NULL, serve, self), 0);
}

static void stop(struct once *self)
{
    assert_int_equal(pthread_join(self->thread, NULL), 0);
    (void)close(self->listener);
}

static void an_answer_has_a_code_and_a_body(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct once server;
    int code = 0;

    start(&server, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\nno");
    assert_string_equal(probe(arena, server.address, "/readyz", &code), "no");
    assert_int_equal(code, 503);
    stop(&server);
    assert_non_null(strstr(server.asked, "GET /readyz HTTP/1.0\r\n"));
    arena_free(arena);
}

static void what_does_not_answer_well_is_no_answer(void **state)
{
    (void)state;
    const char *answers[] = { "", "hello", "HTTP/1.1 200", "SSH-2.0 200 \r\n\r\n", NULL };

    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        struct arena *arena = arena_new();
        struct once server;
        int code = 0;
        start(&server, answers[i]);
        assert_null(probe(arena, server.address, "/", &code));
        stop(&server);
        arena_free(arena);
    }
}

static void what_is_no_address_is_not_asked(void **state)
{
    (void)state;
    const char *addresses[] = { "",     "127.0.0.1",  "127.0.0.1:0", "127.0.0.1:99999",
                                "x:80", "127.0.0.1:1" };

    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        struct arena *arena = arena_new();
        int code = 0;
        assert_null(probe(arena, addresses[i], "/", &code));
        arena_free(arena);
    }
}

static void memory_is_of_a_process_that_is_there(void **state)
{
    (void)state;
    struct arena *arena = arena_new();

    assert_true(probe_memory_kb(arena, getpid()) > 0);
    assert_int_equal(probe_memory_kb(arena, 0), -1);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_has_a_code_and_a_body),
        cmocka_unit_test(what_does_not_answer_well_is_no_answer),
        cmocka_unit_test(what_is_no_address_is_not_asked),
        cmocka_unit_test(memory_is_of_a_process_that_is_there),
    };

    return cmocka_run_group_tests_name("probe", tests, NULL, NULL);
}
