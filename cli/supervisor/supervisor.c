#include "cli/supervisor/supervisor.h"

#include "cli/supervisor/child.h"
#include "cli/supervisor/control.h"
#include "cli/supervisor/log_file.h"
#include "cli/supervisor/notify_socket.h"
#include "libs/obs/log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

/* What an event is about; a program's log is its index. */
enum source {
    SOURCE_SIGNAL = PLAN_MAX_PROGRAMS,
    SOURCE_NOTIFY,
    SOURCE_CONTROL,
};

struct supervisor {
    const struct plan *plan;
    const struct clock *clock;
    struct log *log;
    struct log_file *log_file;
    int log_read; /* what log writes, on its way into log_file */
    int log_write;
    struct control *control;
    char *notify_path;
    int events;
    int signals;
    int notify;
    bool stopping;
    struct child *children; /* one for each of the plan's programs, in its order */
    size_t n_children;
};

/* ---- What it says of itself ---- */

static struct log_field program(const struct child *child)
{
    return log_text("program", child->program->name);
}

/* What we log goes through a pipe, as what the programs log does, into a file that is rotated.  It
 * is emptied after each turn of the loop, in which we say far less than the 64 KiB it holds. */
static void drain_own_log(struct supervisor *self)
{
    uint8_t data[4096];
    ssize_t n;

    while ((n = read(self->log_read, data, sizeof data)) > 0) {
        log_file_write(self->log_file, (bytes){ .data = data, .size = (size_t)n });
    }
}

static status open_log(struct supervisor *self, struct arena *arena)
{
    int pipe[2];

    if (pipe2(pipe, O_CLOEXEC | O_NONBLOCK) != 0) {
        return status_error(arena, STATUS_UNAVAILABLE, "supervisor: pipe: %s", strerror(errno));
    }
    self->log_read = pipe[0];
    self->log_write = pipe[1];
    self->log = log_new(&(struct log_options){
        .service = "supervisor",
        .clock = self->clock,
        .level = LEVEL_INFO,
        .fd = self->log_write,
    });
    return status_ok();
}

/* ---- Starting and stopping ---- */

static void start(struct supervisor *self, struct child *child)
{
    struct arena *arena = arena_new();
    status s = child_start(child, arena, self->clock);

    if (status_is_ok(s)) {
        LOG(self->log, LEVEL_INFO, NULL, "started", program(child), log_int("pid", child->pid));
    } else {
        LOG(self->log, LEVEL_ERROR, NULL, "not started, will be tried again", program(child),
            log_text("why", s.message), log_int("again_ms", child->life.delay_ms));
    }
    arena_free(arena);
}

/* The first stage of which some program has not been ready yet, or INT_MAX. */
static int stage_reached(const struct supervisor *self)
{
    int stage = INT_MAX;

    for (size_t i = 0; i < self->n_children; i++) {
        const struct child *child = &self->children[i];
        if (!child->life.was_ready && child->program->stage < stage) {
            stage = child->program->stage;
        }
    }
    return stage;
}

static void start_what_is_due(struct supervisor *self)
{
    int64_t now_ms = clock_monotonic_ms(self->clock);
    int stage = stage_reached(self);

    for (size_t i = 0; i < self->n_children; i++) {
        struct child *child = &self->children[i];
        if (child->program->stage <= stage && lifecycle_should_start(&child->life, now_ms)) {
            start(self, child);
        }
    }
}

static void stop(struct supervisor *self, struct child *child)
{
    if (lifecycle_stop(&child->life, clock_monotonic_ms(self->clock))) {
        LOG(self->log, LEVEL_INFO, NULL, "stopping", program(child));
        (void)kill(child->pid, SIGTERM);
    }
}

/* The last stage of which some program has not stopped, or -1. */
static int stage_to_stop(const struct supervisor *self)
{
    int stage = -1;

    for (size_t i = 0; i < self->n_children; i++) {
        const struct child *child = &self->children[i];
        if (child->life.state != LIFECYCLE_STOPPED && child->program->stage > stage) {
            stage = child->program->stage;
        }
    }
    return stage;
}

static void stop_stage(struct supervisor *self, int stage)
{
    for (size_t i = 0; i < self->n_children; i++) {
        struct child *child = &self->children[i];
        if (child->program->stage == stage) {
            stop(self, child);
        }
    }
}

/* Returns whether all have stopped.  A stage of which nothing runs has stopped at once. */
static bool stop_in_order(struct supervisor *self)
{
    int stage;

    do {
        stage = stage_to_stop(self);
        stop_stage(self, stage);
    } while (stage_to_stop(self) != stage);
    return stage < 0;
}

static void kill_what_does_not_stop(struct supervisor *self)
{
    int64_t now_ms = clock_monotonic_ms(self->clock);

    for (size_t i = 0; i < self->n_children; i++) {
        struct child *child = &self->children[i];
        if (lifecycle_should_kill(&child->life, now_ms)) {
            LOG(self->log, LEVEL_WARN, NULL, "did not stop in time, killed", program(child));
            (void)kill(child->pid, SIGKILL);
        }
    }
}

/* ---- Events ---- */

static struct child *child_of_pid(const struct supervisor *self, pid_t pid)
{
    for (size_t i = 0; i < self->n_children; i++) {
        struct child *child = &self->children[i];
        if (child->pid == pid && lifecycle_has_process(&child->life)) {
            return child;
        }
    }
    return NULL;
}

static void hear(struct supervisor *self)
{
    struct arena *arena = arena_new();
    struct notification said;
    pid_t pid = 0;

    while (notify_socket_receive(self->notify, arena, &pid, &said)) {
        struct child *child = child_of_pid(self, pid);
        if (child != NULL && child_said(child, &said, clock_monotonic_ms(self->clock))) {
            LOG(self->log, LEVEL_INFO, NULL, "ready", program(child),
                log_text("address", child->address),
                log_int("ready_ms", child->life.ready_ms - child->life.started_ms));
        }
        arena_reset(arena);
    }
    arena_free(arena);
}

static void bury(struct supervisor *self, struct child *child, int wait_status)
{
    bool was_stopping = child->life.state == LIFECYCLE_STOPPING;

    child_ended(child, wait_status, clock_monotonic_ms(self->clock));
    if (was_stopping || child->life.delay_ms == 0) {
        LOG(self->log, LEVEL_INFO, NULL, "stopped", program(child),
            log_text("how", child->last_end));
    } else {
        LOG(self->log, LEVEL_ERROR, NULL, "died, will be started again", program(child),
            log_text("how", child->last_end), log_int("again_ms", child->life.delay_ms),
            log_int("deaths_in_a_row", child->life.n_failures));
    }
}

static void take_signals(struct supervisor *self)
{
    struct signalfd_siginfo signal;
    int wait_status;
    pid_t pid;

    while (read(self->signals, &signal, sizeof signal) == (ssize_t)sizeof signal) {
        if (signal.ssi_signo != SIGCHLD && !self->stopping) {
            LOG(self->log, LEVEL_INFO, NULL, "stopping all on a signal",
                log_int("signal", signal.ssi_signo));
            self->stopping = true;
        }
    }
    hear(self); /* what they said before they died is said first */
    while ((pid = waitpid(-1, &wait_status, WNOHANG)) > 0) {
        struct child *child = child_of_pid(self, pid);
        if (child != NULL) {
            bury(self, child, wait_status);
        }
    }
}

static void restart(struct supervisor *self, const char *name, struct text *into)
{
    for (size_t i = 0; i < self->n_children; i++) {
        struct child *child = &self->children[i];
        if (strcmp(child->program->name, name) == 0) {
            if (lifecycle_restart(&child->life)) {
                LOG(self->log, LEVEL_INFO, NULL, "restart was asked for", program(child));
                (void)kill(child->pid, SIGTERM);
            }
            text_add(into, "{}\n");
            return;
        }
    }
    text_add(into, "{\"error\":\"there is no such program\"}\n");
}

static bool answer(void *context, const char *command, const char *name, struct text *into)
{
    struct supervisor *self = context;

    if (strcmp(command, "status") == 0) {
        for (size_t i = 0; i < self->n_children; i++) {
            child_describe(&self->children[i], clock_monotonic_ms(self->clock), into);
        }
    } else if (strcmp(command, "restart") == 0) {
        restart(self, name, into);
    } else if (strcmp(command, "stop") == 0) {
        LOG(self->log, LEVEL_INFO, NULL, "stopping all, as asked");
        self->stopping = true;
        return false;
    } else {
        text_add(into, "{\"error\":\"unknown request\"}\n");
    }
    return true;
}

static void take_event(struct supervisor *self, uint32_t source)
{
    if (source == SOURCE_SIGNAL) {
        take_signals(self);
    } else if (source == SOURCE_NOTIFY) {
        hear(self);
    } else if (source == SOURCE_CONTROL) {
        control_work(self->control);
    } else {
        child_drain_log(&self->children[source]);
    }
}

static int timeout_ms(const struct supervisor *self)
{
    int64_t next = INT64_MAX;

    for (size_t i = 0; i < self->n_children; i++) {
        int64_t due = lifecycle_next_ms(&self->children[i].life);
        next = due < next ? due : next;
    }
    if (next == INT64_MAX) {
        return -1;
    }
    int64_t wait = next - clock_monotonic_ms(self->clock);
    return wait < 0 ? 0 : (int)(wait + 1);
}

void supervisor_run(struct supervisor *self)
{
    struct epoll_event events[16];

    LOG(self->log, LEVEL_INFO, NULL, "supervising", log_int("programs", (int64_t)self->n_children),
        log_int("pid", getpid()));
    while (!self->stopping || !stop_in_order(self)) {
        if (!self->stopping) {
            start_what_is_due(self);
        }
        kill_what_does_not_stop(self);
        drain_own_log(self);
        int n =
            epoll_wait(self->events, events, sizeof events / sizeof events[0], timeout_ms(self));
        for (int i = 0; i < n; i++) {
            take_event(self, events[i].data.u32);
        }
    }
    LOG(self->log, LEVEL_INFO, NULL, "all have ended");
    drain_own_log(self);
}

/* ---- Its own life ---- */

static bool watch(struct supervisor *self, int fd, uint32_t source)
{
    struct epoll_event event = { .events = EPOLLIN, .data.u32 = source };

    return fd >= 0 && epoll_ctl(self->events, EPOLL_CTL_ADD, fd, &event) == 0;
}

static status open_events(struct supervisor *self, struct arena *arena)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGCHLD);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    self->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    self->events = epoll_create1(EPOLL_CLOEXEC);
    if (!watch(self, self->signals, SOURCE_SIGNAL) || !watch(self, self->notify, SOURCE_NOTIFY) ||
        !watch(self, control_fd(self->control), SOURCE_CONTROL)) {
        return status_error(arena, STATUS_UNAVAILABLE, "supervisor: %s", strerror(errno));
    }
    return status_ok();
}

static status open_children(struct supervisor *self, struct arena *arena, struct files *logs)
{
    for (size_t i = 0; i < self->plan->n_programs; i++) {
        struct child *child = &self->children[i];
        self->n_children++; /* before it may fail, so that it is reset */
        TRY(child_init(child, arena, &self->plan->programs[i], logs));
        if (!watch(self, child->log_read, (uint32_t)i)) {
            return status_error(arena, STATUS_UNAVAILABLE, "supervisor: %s", strerror(errno));
        }
    }
    return status_ok();
}

static status open_all(struct supervisor *self, struct arena *arena, struct files *logs)
{
    TRY(open_log(self, arena));
    TRY(notify_socket_open(arena, self->notify_path, &self->notify));
    TRY(control_new(arena,
                    &(struct control_options){
                        .path = arena_printf(arena, "%s/control.sock", self->plan->runtime),
                        .answer = answer,
                        .context = self,
                    },
                    &self->control));
    TRY(open_events(self, arena));
    return open_children(self, arena, logs);
}

status supervisor_new(struct arena *arena, const struct supervisor_options *options,
                      struct supervisor **ret_supervisor)
{
    assert(options->plan->n_programs <= PLAN_MAX_PROGRAMS);

    struct supervisor *self = calloc(1, sizeof *self);
    if (self == NULL) {
        abort();
    }
    *self = (struct supervisor){
        .plan = options->plan,
        .clock = options->clock,
        .log_file = log_file_new(&(struct log_file_options){
            .files = options->logs,
            .name = "supervisor.log",
        }),
        .notify_path = strdup(arena_printf(arena, "%s/notify.sock", options->plan->runtime)),
        .children = calloc(options->plan->n_programs + 1, sizeof *self->children),
        .log_read = -1,
        .log_write = -1,
        .events = -1,
        .signals = -1,
        .notify = -1,
    };
    if (self->notify_path == NULL || self->children == NULL) {
        abort();
    }
    status s = open_all(self, arena, options->logs);
    if (!status_is_ok(s)) {
        supervisor_free(self);
        return s;
    }
    *ret_supervisor = self;
    return status_ok();
}

static void close_fd(int fd)
{
    if (fd >= 0) {
        (void)close(fd);
    }
}

void supervisor_free(struct supervisor *self)
{
    if (self == NULL) {
        return;
    }
    for (size_t i = 0; i < self->n_children; i++) {
        child_reset(&self->children[i]);
    }
    if (self->notify >= 0) {
        (void)unlink(self->notify_path);
    }
    control_free(self->control);
    log_free(self->log);
    log_file_free(self->log_file);
    close_fd(self->log_read);
    close_fd(self->log_write);
    close_fd(self->notify);
    close_fd(self->signals);
    close_fd(self->events);
    free(self->children);
    free(self->notify_path);
    free(self);
}
