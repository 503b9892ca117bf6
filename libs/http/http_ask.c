#include "libs/http/http_ask.h"

#include "libs/base/text.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int connect_to(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        (void)close(fd);
        fd = -1;
    }
    return fd;
}

struct http_answer http_ask(struct arena *arena, uint16_t port, const char *request)
{
    struct http_answer answer = { .head = "", .body = "" };
    struct text text = text_new(arena);
    uint8_t buffer[4096];
    ssize_t n = -1;
    int fd = connect_to(port);

    if (fd < 0) {
        return answer;
    }
    /* A server that has refused us may have closed already: what it said is there all the same. */
    (void)send(fd, request, strlen(request), MSG_NOSIGNAL);
    while ((n = recv(fd, buffer, sizeof buffer, 0)) > 0) {
        text_add_bytes(&text, (bytes){ buffer, (size_t)n });
    }
    (void)close(fd);
    char *head = arena_strdup(arena, text_string(&text));
    char *end = strstr(head, "\r\n\r\n");
    if (end == NULL || strncmp(head, "HTTP/1.", 7) != 0) {
        return answer;
    }
    end[2] = '\0';
    return (struct http_answer){
        .status = atoi(head + strlen("HTTP/1.1 ")),
        .head = head,
        .body = end + strlen("\r\n\r\n"),
    };
}

struct http_answer http_get(struct arena *arena, uint16_t port, const char *path)
{
    return http_ask(arena, port,
                    arena_printf(arena,
                                 "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
                                 path));
}
