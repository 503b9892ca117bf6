#include "cli/probe.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum {
    PATIENCE_MS = 500,
    MAX_ANSWER_BYTES = 8 * 1024,
};

static bool address_of(struct arena *arena, const char *text, struct sockaddr_in *ret)
{
    const char *colon = strrchr(text, ':');

    if (colon == NULL) {
        return false;
    }
    const char *host = arena_printf(arena, "%.*s", (int)(colon - text), text);
    long port = strtol(colon + 1, NULL, 10);
    *ret = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    return port > 0 && port < 65536 && inet_pton(AF_INET, host, &ret->sin_addr) == 1;
}

/* HTTP/1.0, so that the answer ends where the connection does. */
static bool exchange(int fd, const struct sockaddr_in *address, const char *request, char *answer)
{
    const struct timeval patience = { .tv_usec = PATIENCE_MS * 1000L };
    size_t size = 0;
    ssize_t n;

    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (connect(fd, (const struct sockaddr *)address, sizeof *address) != 0 ||
        send(fd, request, strlen(request), MSG_NOSIGNAL) < 0) {
        return false;
    }
    while (size < MAX_ANSWER_BYTES &&
           (n = recv(fd, answer + size, MAX_ANSWER_BYTES - size, 0)) > 0) {
        size += (size_t)n;
    }
    return size > 0;
}

const char *probe(struct arena *arena, const char *address, const char *path, int *ret_code)
{
    char *answer = arena_alloc(arena, MAX_ANSWER_BYTES + 1);
    const char *request = arena_printf(arena, "GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n", path);
    struct sockaddr_in to;

    if (!address_of(arena, address, &to)) {
        return NULL;
    }
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return NULL;
    }
    bool ok = exchange(fd, &to, request, answer);
    (void)close(fd);
    const char *code = ok ? strchr(answer, ' ') : NULL;
    const char *body = ok ? strstr(answer, "\r\n\r\n") : NULL;
    if (strncmp(answer, "HTTP/1.", 7) != 0 || code == NULL || body == NULL) {
        return NULL;
    }
    *ret_code = (int)strtol(code, NULL, 10);
    return body + 4;
}

long probe_memory_kb(struct arena *arena, int pid)
{
    FILE *file = fopen(arena_printf(arena, "/proc/%d/smaps_rollup", pid), "re");
    char line[256];
    long kb = -1;

    if (file == NULL) {
        return -1;
    }
    while (kb < 0 && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "Pss:", 4) == 0) {
            kb = strtol(line + 4, NULL, 10);
        }
    }
    (void)fclose(file);
    return kb;
}
