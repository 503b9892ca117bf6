#include "cli/supervisor/control.h"

#include "cli/supervisor/unix_socket.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct client {
    int fd; /* -1 when the place is free */
    bool held;
    size_t size;
    char request[CONTROL_MAX_REQUEST_BYTES];
};

struct control {
    struct control_options options;
    char *path;
    int listener;
    int events; /* an epoll of the listener and the clients */
    struct client clients[CONTROL_MAX_CLIENTS];
};

/* The listener is CONTROL_MAX_CLIENTS, a client its place. */
static bool watch(struct control *self, int fd, unsigned place)
{
    struct epoll_event event = { .events = EPOLLIN, .data.u32 = place };

    return epoll_ctl(self->events, EPOLL_CTL_ADD, fd, &event) == 0;
}

static status open_sockets(struct control *self, struct arena *arena)
{
    TRY(unix_socket_bind(arena, self->path, SOCK_STREAM, 0600, &self->listener));
    self->events = epoll_create1(EPOLL_CLOEXEC);
    if (self->events < 0 || listen(self->listener, CONTROL_MAX_CLIENTS) != 0 ||
        !watch(self, self->listener, CONTROL_MAX_CLIENTS)) {
        return status_error(arena, STATUS_UNAVAILABLE, "listen on '%s': %s", self->path,
                            strerror(errno));
    }
    return status_ok();
}

status control_new(struct arena *arena, const struct control_options *options,
                   struct control **ret_control)
{
    struct control *self = calloc(1, sizeof *self);

    if (self == NULL) {
        abort();
    }
    self->options = *options;
    self->listener = -1;
    self->events = -1;
    for (size_t i = 0; i < CONTROL_MAX_CLIENTS; i++) {
        self->clients[i].fd = -1;
    }
    self->path = strdup(options->path);
    if (self->path == NULL) {
        abort();
    }
    status s = open_sockets(self, arena);
    if (!status_is_ok(s)) {
        control_free(self);
        return s;
    }
    *ret_control = self;
    return status_ok();
}

static void drop(struct client *client)
{
    if (client->fd >= 0) {
        (void)close(client->fd); /* which takes it out of the epoll */
    }
    *client = (struct client){ .fd = -1 };
}

void control_free(struct control *self)
{
    if (self == NULL) {
        return;
    }
    for (size_t i = 0; i < CONTROL_MAX_CLIENTS; i++) {
        drop(&self->clients[i]);
    }
    if (self->listener >= 0) {
        (void)close(self->listener);
        (void)unlink(self->path);
    }
    if (self->events >= 0) {
        (void)close(self->events);
    }
    free(self->path);
    free(self);
}

int control_fd(const struct control *self)
{
    return self->events;
}

static struct client *free_place(struct control *self)
{
    for (size_t i = 0; i < CONTROL_MAX_CLIENTS; i++) {
        if (self->clients[i].fd < 0) {
            return &self->clients[i];
        }
    }
    return NULL;
}

static void accept_client(struct control *self)
{
    int fd = accept4(self->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct client *place = free_place(self);

    if (fd < 0) {
        return;
    }
    if (place == NULL) {
        (void)close(fd);
        return;
    }
    place->fd = fd;
    if (!watch(self, fd, (unsigned)(place - self->clients))) {
        drop(place);
    }
}

static const char *string_of(const json_t *object, const char *name)
{
    const char *value = json_string_value(json_object_get(object, name));

    return value != NULL ? value : "";
}

/* Returns whether the connection is done with. */
static bool answer(struct control *self, const struct client *client, size_t size)
{
    struct arena *arena = arena_new();
    struct text reply = text_new(arena);
    json_t *request = json_loadb(client->request, size, 0, NULL);

    bool done = self->options.answer(self->options.context, string_of(request, "do"),
                                     string_of(request, "name"), &reply);
    if (reply.size > 0) {
        /* What 64 programs have to say fits into a socket's buffer; who does not get all of it
         * sees a line that is cut. */
        (void)send(client->fd, reply.data, reply.size, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    json_decref(request);
    arena_free(arena);
    return done;
}

static void read_client(struct control *self, struct client *client)
{
    size_t room = sizeof client->request - client->size;
    ssize_t n = recv(client->fd, client->request + client->size, room, MSG_DONTWAIT);

    if (n <= 0) {
        drop(client);
        return;
    }
    client->size += (size_t)n;
    const char *end = memchr(client->request, '\n', client->size);
    if (client->held || (end == NULL && client->size == sizeof client->request)) {
        drop(client); /* it says too much */
    } else if (end != NULL) {
        client->held = !answer(self, client, (size_t)(end - client->request));
        if (!client->held) {
            drop(client);
        }
    }
}

void control_work(struct control *self)
{
    struct epoll_event events[CONTROL_MAX_CLIENTS + 1];
    int n = epoll_wait(self->events, events, CONTROL_MAX_CLIENTS + 1, 0);

    for (int i = 0; i < n; i++) {
        uint32_t place = events[i].data.u32;
        if (place == CONTROL_MAX_CLIENTS) {
            accept_client(self);
        } else {
            read_client(self, &self->clients[place]);
        }
    }
}
