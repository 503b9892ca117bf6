#include "libs/testing/relay.h"

#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { MAX_ENDS = 16, BUFFER_BYTES = 64 * 1024 };

/* ends[i] and ends[i ^ 1] are the two of one connection. */
struct relay {
    struct sockaddr_un path, target;
    int listener;
    int ends[MAX_ENDS]; /* -1: none; of the thread */
    int commands[2], answers[2];
    pthread_t thread;
};

static struct sockaddr_un address_of(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    if (strlen(path) >= sizeof address.sun_path) {
        abort();
    }
    (void)strcpy(address.sun_path, path); /* NOLINT: its length was checked */
    return address;
}

static void close_pair(struct relay *self, int end)
{
    for (int i = 0; i < 2; i++) {
        (void)close(self->ends[end ^ i]);
        self->ends[end ^ i] = -1;
    }
}

static void accept_one(struct relay *self)
{
    int caller = accept(self->listener, NULL, NULL);
    int target = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int end = 0;

    while (end < MAX_ENDS && self->ends[end] >= 0) {
        end += 2;
    }
    if (caller < 0 || target < 0 || end == MAX_ENDS ||
        connect(target, (const struct sockaddr *)&self->target, sizeof self->target) != 0) {
        (void)close(caller);
        (void)close(target);
        return;
    }
    self->ends[end] = caller;
    self->ends[end + 1] = target;
}

static bool write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = send(fd, data, size, MSG_NOSIGNAL);
        if (n <= 0) {
            return false;
        }
        data += n;
        size -= (size_t)n;
    }
    return true;
}

static void carry(struct relay *self, int from)
{
    char data[BUFFER_BYTES];
    ssize_t n = read(self->ends[from], data, sizeof data);

    if (n <= 0 || !write_all(self->ends[from ^ 1], data, (size_t)n)) {
        close_pair(self, from);
    }
}

/* False: the relay is to end. */
static bool obey(struct relay *self)
{
    char command = '\0';

    (void)!read(self->commands[0], &command, 1);
    for (int i = 0; i < MAX_ENDS; i += 2) {
        if (self->ends[i] >= 0) {
            close_pair(self, i);
        }
    }
    (void)!write(self->answers[1], "", 1);
    return command == 'c';
}

static void *run(void *data)
{
    struct relay *self = data;
    struct pollfd waits[MAX_ENDS + 2];

    for (;;) {
        for (int i = 0; i < MAX_ENDS; i++) {
            waits[i] = (struct pollfd){ .fd = self->ends[i], .events = POLLIN };
        }
        waits[MAX_ENDS] = (struct pollfd){ .fd = self->listener, .events = POLLIN };
        waits[MAX_ENDS + 1] = (struct pollfd){ .fd = self->commands[0], .events = POLLIN };
        (void)poll(waits, MAX_ENDS + 2, -1);
        if (waits[MAX_ENDS + 1].revents != 0) {
            if (!obey(self)) {
                return NULL;
            }
            continue;
        }
        for (int i = 0; i < MAX_ENDS; i++) {
            if (waits[i].revents != 0 && self->ends[i] == waits[i].fd) {
                carry(self, i);
            }
        }
        if (waits[MAX_ENDS].revents != 0) {
            accept_one(self);
        }
    }
}

struct relay *relay_new(const char *path, const char *target)
{
    struct relay *self = calloc(1, sizeof *self);

    if (self == NULL) {
        abort();
    }
    self->path = address_of(path);
    self->target = address_of(target);
    memset(self->ends, -1, sizeof self->ends);
    self->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (self->listener < 0 ||
        bind(self->listener, (const struct sockaddr *)&self->path, sizeof self->path) != 0 ||
        listen(self->listener, MAX_ENDS) != 0 || pipe(self->commands) != 0 ||
        pipe(self->answers) != 0 || pthread_create(&self->thread, NULL, run, self) != 0) {
        abort();
    }
    return self;
}

static void tell(struct relay *self, const char *command)
{
    char byte;

    (void)!write(self->commands[1], command, 1);
    (void)!read(self->answers[0], &byte, 1);
}

void relay_cut(struct relay *self)
{
    tell(self, "c");
}

void relay_free(struct relay *self)
{
    tell(self, "e");
    pthread_join(self->thread, NULL);
    (void)close(self->listener);
    (void)unlink(self->path.sun_path);
    for (int i = 0; i < 2; i++) {
        (void)close(self->commands[i]);
        (void)close(self->answers[i]);
    }
    free(self);
}
