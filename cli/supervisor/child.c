#include "cli/supervisor/child.h"

#include "cli/supervisor/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void set_text(char **slot, const char *value)
{
    free(*slot);
    *slot = NULL;
    if (value != NULL) {
        *slot = strdup(value);
        if (*slot == NULL) {
            abort();
        }
    }
}

static status open_pipe(struct child *self, struct arena *arena)
{
    int pipe[2];

    if (pipe2(pipe, O_CLOEXEC) != 0) {
        return status_error(arena, STATUS_UNAVAILABLE, "pipe for '%s': %s", self->program->name,
                            strerror(errno));
    }
    self->log_read = pipe[0];
    self->log_write = pipe[1];
    /* Only our end: the program is to wait when the pipe is full, not to lose lines. */
    if (fcntl(pipe[0], F_SETFL, O_NONBLOCK) != 0) {
        return status_error(arena, STATUS_UNAVAILABLE, "pipe for '%s': %s", self->program->name,
                            strerror(errno));
    }
    return status_ok();
}

status child_init(struct child *self, struct arena *arena, const struct program *program,
                  struct files *logs)
{
    *self = (struct child){
        .program = program,
        .executable = -1,
        .log_read = -1,
        .log_write = -1,
        .log = log_file_new(&(struct log_file_options){
            .files = logs,
            .name = arena_printf(arena, "%s.log", program->name),
        }),
    };
    self->executable = open(program->path, O_RDONLY | O_CLOEXEC);
    if (self->executable < 0) {
        return status_error(arena, STATUS_UNAVAILABLE, "open '%s': %s", program->path,
                            strerror(errno));
    }
    return open_pipe(self, arena);
}

static void close_fd(int fd)
{
    if (fd >= 0) {
        (void)close(fd);
    }
}

void child_reset(struct child *self)
{
    log_file_free(self->log);
    close_fd(self->executable);
    close_fd(self->log_read);
    close_fd(self->log_write);
    free(self->last_end);
#define X(field, name) free(self->field);
    NOTIFICATION_TEXTS(X)
#undef X
}

/* What the life before said of itself may no longer be true. */
static void forget_said(struct child *self)
{
#define X(field, name) set_text(&self->field, NULL);
    NOTIFICATION_TEXTS(X)
#undef X
}

status child_start(struct child *self, struct arena *arena, const struct clock *clock)
{
    int64_t now_ms = clock_monotonic_ms(clock);

    forget_said(self);
    lifecycle_start(&self->life, now_ms);
    self->started_wall_ms = clock_wall_ms(clock);
    status s = spawn(arena, self->program, self->executable, self->log_write, &self->pid);
    if (!status_is_ok(s)) {
        set_text(&self->last_end, s.message);
        lifecycle_exit(&self->life, now_ms);
    }
    return s;
}

bool child_said(struct child *self, const struct notification *said, int64_t now_ms)
{
    bool was_starting = self->life.state == LIFECYCLE_STARTING;

#define X(field, name)                       \
    if (said->field != NULL) {               \
        set_text(&self->field, said->field); \
    }
    NOTIFICATION_TEXTS(X)
#undef X
    if (!said->ready || !was_starting) {
        return false;
    }
    if (self->program->opens != NULL) {
        /* Everyone may knock; who it is, the program asks the kernel. */
        (void)chmod(self->program->opens, 0666);
    }
    lifecycle_ready(&self->life, now_ms);
    return true;
}

void child_ended(struct child *self, int wait_status, int64_t now_ms)
{
    char end[100];

    if (WIFSIGNALED(wait_status)) {
        (void)snprintf(end, sizeof end, "killed by signal %d (%s)", WTERMSIG(wait_status),
                       strsignal(WTERMSIG(wait_status)));
    } else {
        (void)snprintf(end, sizeof end, "ended with code %d", WEXITSTATUS(wait_status));
    }
    set_text(&self->last_end, end);
    lifecycle_exit(&self->life, now_ms);
    child_drain_log(self);
}

void child_drain_log(struct child *self)
{
    uint8_t data[16384];
    ssize_t n;

    while ((n = read(self->log_read, data, sizeof data)) > 0) {
        log_file_write(self->log, (bytes){ .data = data, .size = (size_t)n });
    }
}

static void add_text(struct text *into, const char *name, const char *value)
{
    text_add(into, ",\"%s\":", name);
    if (value != NULL) {
        text_add_json(into, bytes_of(value));
    } else {
        text_add(into, "null");
    }
}

void child_describe(const struct child *self, int64_t now_ms, struct text *into)
{
    const struct lifecycle *life = &self->life;

    text_add(into, "{\"name\":\"%s\",\"state\":\"%s\"", self->program->name,
             lifecycle_word(life->state));
    text_add(into, ",\"pid\":%d", lifecycle_has_process(life) ? (int)self->pid : 0);
    text_add(into, ",\"uid\":%u",
             (unsigned)(self->program->uid != 0 ? self->program->uid : geteuid()));
    text_add(into, ",\"restarts\":%d", life->n_restarts);
    text_add(into, ",\"start_time_ms\":%" PRId64, self->started_wall_ms);
    if (life->state == LIFECYCLE_READY) {
        text_add(into, ",\"ready_ms\":%" PRId64, life->ready_ms - life->started_ms);
    }
    if (life->state == LIFECYCLE_BACKOFF) {
        text_add(into, ",\"retry_in_ms\":%" PRId64,
                 life->due_ms > now_ms ? life->due_ms - now_ms : 0);
    }
#define X(field, name) add_text(into, #field, self->field);
    NOTIFICATION_TEXTS(X)
#undef X
    add_text(into, "last_end", self->last_end);
    text_add(into, "}\n");
}
