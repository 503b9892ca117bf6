#include "libs/rpc/accept.h"

#include <errno.h>
#include <fcntl.h>
#include <grpc/grpc_posix.h>
#include <grpc/grpc_security.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct accept {
    grpc_server *server;
    int listen_fd;
    char *path;
    pthread_t thread;
    bool started;
    pthread_mutex_t lock; /* over peers */
    struct peer_process peers[ACCEPT_MAX_FD];
};

/* Field 22 of /proc/PID/stat, counted after the last ')', since a program's name may hold any. */
static uint64_t start_time(int64_t pid)
{
    char path[64], line[1024];
    (void)snprintf(path, sizeof path, "/proc/%" PRId64 "/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, line, sizeof line - 1);
    if (fd >= 0) {
        (void)close(fd);
    }
    if (n <= 0) {
        return 0;
    }
    line[n] = '\0';
    char *at = strrchr(line, ')');
    for (int field = 2; at != NULL && field < 22; field++) {
        at = strchr(at + 1, ' ');
    }
    return at == NULL ? 0 : strtoull(at + 1, NULL, 10);
}

bool peer_process_is_alive(const struct peer_process *process)
{
    return process->start_time != 0 && start_time(process->pid) == process->start_time;
}

static void give(struct accept *self, int fd)
{
    struct ucred peer;
    socklen_t size = sizeof peer;

    /* Pid 0 is a process of another pid namespace: nobody that we could look at. */
    if (fd >= ACCEPT_MAX_FD || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 ||
        peer.pid == 0) {
        (void)close(fd);
        return;
    }
    pthread_mutex_lock(&self->lock);
    self->peers[fd] = (struct peer_process){
        .pid = peer.pid,
        .uid = peer.uid,
        .gid = peer.gid,
        .start_time = start_time(peer.pid),
    };
    pthread_mutex_unlock(&self->lock);
    grpc_server_credentials *plain = grpc_insecure_server_credentials_create();
    grpc_server_add_channel_from_fd(self->server, fd, plain); /* gRPC owns fd from here */
    grpc_server_credentials_release(plain);
}

static void *accept_all(void *data)
{
    struct accept *self = data;

    for (;;) {
        int fd = accept4(self->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            give(self, fd);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) {
            (void)usleep(10000); /* until somebody hangs up */
        } else if (errno != EINTR && errno != ECONNABORTED) {
            return NULL; /* shut down by accept_stop() */
        }
    }
}

static status listen_at(struct arena *arena, const char *path, int *ret_fd)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    struct stat info;

    if (strlen(path) >= sizeof address.sun_path) {
        return status_error(arena, STATUS_UNAVAILABLE, "'%s' is longer than a socket's name may be",
                            path);
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    if (lstat(path, &info) == 0 && S_ISSOCK(info.st_mode)) {
        (void)unlink(path);
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        chmod(path, 0666) != 0 || listen(fd, SOMAXCONN) != 0) {
        status s =
            status_error(arena, STATUS_UNAVAILABLE, "listen at '%s': %s", path, strerror(errno));
        if (fd >= 0) {
            (void)close(fd);
        }
        return s;
    }
    *ret_fd = fd;
    return status_ok();
}

status accept_new(struct arena *arena, const char *path, grpc_server *server,
                  struct accept **ret_accept)
{
    int fd = -1;

    TRY(listen_at(arena, path, &fd));
    struct accept *self = calloc(1, sizeof *self);
    if (self == NULL) {
        abort();
    }
    self->server = server;
    self->listen_fd = fd;
    self->path = strdup(path);
    pthread_mutex_init(&self->lock, NULL);
    if (self->path == NULL) {
        abort();
    }
    *ret_accept = self;
    return status_ok();
}

void accept_start(struct accept *self)
{
    if (pthread_create(&self->thread, NULL, accept_all, self) != 0) {
        abort();
    }
    self->started = true;
}

void accept_stop(struct accept *self)
{
    if (self == NULL) {
        return;
    }
    (void)shutdown(self->listen_fd, SHUT_RDWR);
    if (self->started) {
        pthread_join(self->thread, NULL);
    }
    (void)close(self->listen_fd);
    (void)unlink(self->path);
}

void accept_free(struct accept *self)
{
    if (self == NULL) {
        return;
    }
    pthread_mutex_destroy(&self->lock);
    free(self->path);
    free(self);
}

const struct peer_process *accept_peer(struct accept *self, struct arena *arena,
                                       const char *peer_name)
{
    char *end = NULL;

    if (strncmp(peer_name, "fd:", 3) != 0) {
        return NULL;
    }
    long fd = strtol(peer_name + 3, &end, 10);
    if (*end != '\0' || fd < 0 || fd >= ACCEPT_MAX_FD) {
        return NULL;
    }
    struct peer_process *process = ARENA_NEW(arena, struct peer_process);
    pthread_mutex_lock(&self->lock);
    *process = self->peers[fd];
    pthread_mutex_unlock(&self->lock);
    return process->pid == 0 ? NULL : process;
}
