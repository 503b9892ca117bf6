/* Steps 2 and 5: the packages are published, and published again while a service is killed. */

#include "cli/demo.h"
#include "cli/mesh_status.h"
#include "cli/package_job.h"
#include "libs/base/text.h"
#include "libs/peers/search_peer.h"
#include "libs/rpc/pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    BAR_WIDTH = 40,
    /* For all packages, on a slow disk, with a service that was killed. */
    JOB_TIMEOUT_MS = 15 * 60 * 1000,
};

/* ---- The worker ---- */

/* A process of its own, as `weft worker apt` in another terminal would be. */
static status start_worker(struct demo *self)
{
    const char *log = home_path(self->invocation->arena, &self->home, "logs/worker.log");
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    if (fd < 0) {
        return status_error(self->invocation->arena, STATUS_UNAVAILABLE, "open '%s': %s", log,
                            strerror(errno));
    }
    pid_t pid = fork();
    if (pid == 0) {
        (void)dup2(fd, STDOUT_FILENO);
        (void)dup2(fd, STDERR_FILENO);
        (void)setenv("WEFT_HOME", self->home.root, 1);
        (void)execl("/proc/self/exe", "weft", "worker", "apt", "-o", "json", (char *)NULL);
        _exit(127);
    }
    (void)close(fd);
    if (pid < 0) {
        return status_error(self->invocation->arena, STATUS_UNAVAILABLE, "fork: %s",
                            strerror(errno));
    }
    self->worker = pid;
    demo_say(self, "worker `weft worker apt` is process %d, its capability '%s'", (int)pid,
             PACKAGE_CAPABILITY);
    return status_ok();
}

static status check_worker(struct demo *self)
{
    int wait_status;

    if (self->worker != 0 && waitpid(self->worker, &wait_status, WNOHANG) == self->worker) {
        self->worker = 0;
        /* Not UNAVAILABLE, after which demo_watch() would try again. */
        return status_error(self->invocation->arena, STATUS_ABORTED,
                            "the worker has ended; see '%s/logs/worker.log'", self->home.root);
    }
    return status_ok();
}

/* ---- Watching ---- */

static void show_bar(struct demo *self, const Weft__Scheduler__V1__Job *job, bool is_last)
{
    int64_t done = job->progress != NULL ? job->progress->done : 0;
    int64_t total = job->progress != NULL ? job->progress->total : 0;
    /* The last report of a job that is done is its completion, which says nothing of progress. */
    bool is_done = job->state == WEFT__SCHEDULER__V1__JOB_STATE__JOB_STATE_SUCCEEDED;
    done = is_done ? total : done;
    int filled = total > 0 ? (int)(done * BAR_WIDTH / total) : 0;
    char bar[BAR_WIDTH + 1];

    for (int i = 0; i < BAR_WIDTH; i++) {
        bar[i] = i < filled ? '#' : '.';
    }
    bar[BAR_WIDTH] = '\0';
    /* On a terminal one line that changes, elsewhere the last one alone. */
    if (output_is_terminal(self->invocation->output)) {
        output_progress(self->invocation->output, "\r   [%s] %lld of %lld, attempt %d%s", bar,
                        (long long)done, (long long)total, job->attempt, is_last ? "\n" : "");
    } else if (is_last) {
        demo_say(self, "[%s] %lld of %lld, attempt %d", bar, (long long)done, (long long)total,
                 job->attempt);
    }
}

static bool has_ended(const Weft__Scheduler__V1__Job *job)
{
    return job->end_time != NULL;
}

/* The scheduler itself may be what was killed, so a stream that breaks is opened again. */
static status watch_once(struct demo *self, const char *job_id,
                         void (*on_progress)(struct demo *, const Weft__Scheduler__V1__Job *),
                         const Weft__Scheduler__V1__Job **ret_job)
{
    Weft__Scheduler__V1__WatchJobRequest request;
    struct call call = demo_call(self, self->publisher.token);
    const ProtobufCMessage *message = NULL;
    struct pipe *pipe = NULL;

    weft__scheduler__v1__watch_job_request__init(&request);
    request.project_id = message_text(DEMO_PROJECT);
    request.job_id = message_text(job_id);
    call.deadline_us = clock_monotonic_us(&system_clock) + JOB_TIMEOUT_MS * INT64_C(1000);
    TRY(pipe_open(api_peer(self->invocation, "scheduler"), &call,
                  &weft__scheduler__v1__scheduler_service__descriptor, "WatchJob", &pipe));
    status s = pipe_send(pipe, call.arena, &request.base);
    pipe_finish(pipe);
    while (status_is_ok(s)) {
        s = pipe_receive(pipe, call.arena, 1000, &message);
        if (s.code == STATUS_DEADLINE_EXCEEDED) {
            s = check_worker(self);
            continue;
        }
        if (!status_is_ok(s) || message == NULL) {
            break;
        }
        *ret_job = ((const Weft__Scheduler__V1__WatchJobResponse *)message)->job;
        show_bar(self, *ret_job, has_ended(*ret_job));
        if (on_progress != NULL) {
            on_progress(self, *ret_job);
        }
    }
    pipe_free(pipe);
    return s;
}

status demo_watch(struct demo *self, const char *job_id,
                  void (*on_progress)(struct demo *self, const Weft__Scheduler__V1__Job *job),
                  const Weft__Scheduler__V1__Job **ret_job)
{
    int64_t end_ms = clock_monotonic_ms(&system_clock) + JOB_TIMEOUT_MS;
    const Weft__Scheduler__V1__Job *job = NULL;

    for (;;) {
        status s = watch_once(self, job_id, on_progress, &job);
        if (job != NULL && has_ended(job)) {
            *ret_job = job;
            return status_ok();
        }
        TRY(check_worker(self));
        if (!status_is_ok(s) && s.code != STATUS_UNAVAILABLE) {
            return s;
        }
        if (clock_monotonic_ms(&system_clock) > end_ms) {
            return status_error(self->invocation->arena, STATUS_DEADLINE_EXCEEDED,
                                "job '%s' does not end", job_id);
        }
        (void)usleep(100 * 1000);
    }
}

/* ---- Results ---- */

static status count_documents(struct demo *self, int64_t *ret_n)
{
    const Weft__Search__V1__GetCollectionResponse *response;
    Weft__Search__V1__GetCollectionRequest request;
    struct call call = demo_call(self, self->publisher.token);

    weft__search__v1__get_collection_request__init(&request);
    request.project_id = message_text(DEMO_PROJECT);
    request.collection_id = message_text(DEMO_COLLECTION);
    TRY(search_peer_get_collection(api_peer(self->invocation, "search"), &call, &request,
                                   &response));
    *ret_n = response->collection->n_documents;
    return status_ok();
}

/* {"records":63600,"seconds":9.1,"restarts":0} */
static void read_result(const Weft__Scheduler__V1__Job *job, int64_t *ret_records,
                        double *ret_seconds, int64_t *ret_restarts)
{
    json_t *json = json_loadb((const char *)job->result.data, job->result.len, 0, NULL);

    *ret_records = json_integer_value(json_object_get(json, "records"));
    *ret_seconds = json_number_value(json_object_get(json, "seconds"));
    *ret_restarts = json_integer_value(json_object_get(json, "restarts"));
    json_decref(json);
}

static status check_result(struct demo *self, const Weft__Scheduler__V1__Job *job)
{
    int64_t records = 0;
    int64_t restarts = 0;
    int64_t documents = 0;
    double seconds = 0;

    demo_check(self, job->state == WEFT__SCHEDULER__V1__JOB_STATE__JOB_STATE_SUCCEEDED,
               "the job succeeded at attempt %d", job->attempt);
    if (job->state != WEFT__SCHEDULER__V1__JOB_STATE__JOB_STATE_SUCCEEDED) {
        return status_error(self->invocation->arena, STATUS_ABORTED, "job '%s' did not succeed: %s",
                            job->job_id,
                            job->n_errors > 0 ? job->errors[job->n_errors - 1]->message : "");
    }
    read_result(job, &records, &seconds, &restarts);
    TRY(count_documents(self, &documents));
    demo_say(self, "%lld packages in %.1f s, %.0f a second, %lld streams broke and were resumed",
             (long long)records, seconds, seconds > 0 ? (double)records / seconds : 0,
             (long long)restarts);
    demo_check(self, documents >= records && records > 0,
               "of %lld acknowledged packages %lld are in the collection", (long long)records,
               (long long)documents);
    self->n_records = records;
    self->records_per_second = seconds > 0 ? (double)records / seconds : 0;
    return status_ok();
}

/* ---- Step 2 ---- */

static status make_collection(struct demo *self)
{
    const Weft__Search__V1__CreateCollectionResponse *response;
    Weft__Search__V1__CreateCollectionRequest request;
    struct call call = demo_call(self, self->publisher.token);

    package_collection(call.arena, DEMO_PROJECT, DEMO_COLLECTION, &request);
    status s = search_peer_create_collection(api_peer(self->invocation, "search"), &call, &request,
                                             &response);
    return s.code == STATUS_ALREADY_EXISTS ? status_ok() : s;
}

status demo_publish(struct demo *self)
{
    const Weft__Scheduler__V1__Job *job = NULL;
    const char *job_id = "";

    demo_step(self, "the descriptions of all packages that this Debian knows");
    TRY(make_collection(self));
    TRY(start_worker(self));
    TRY(demo_enqueue(self, self->publisher.token, 0, &job_id));
    demo_say(self, "job '%s'", job_id);
    TRY(demo_watch(self, job_id, NULL, &job));
    return check_result(self, job);
}

/* ---- Step 5 ---- */

/* kill -9, by the pid that `weft status` shows. */
static void kill_search(struct demo *self, const Weft__Scheduler__V1__Job *job)
{
    struct mesh_status mesh;

    /* Once, and well under way: when a tenth is done. */
    if (self->has_killed || job->progress == NULL ||
        job->progress->done * 10 < job->progress->total ||
        !status_is_ok(mesh_status_get(self->invocation->arena, &self->home, &mesh))) {
        return;
    }
    for (size_t i = 0; i < mesh.n_programs; i++) {
        if (strcmp(mesh.programs[i].name, "search") == 0 && mesh.programs[i].pid > 0) {
            (void)kill(mesh.programs[i].pid, SIGKILL);
            demo_say(self, "kill -9 %d (search) after %lld packages", mesh.programs[i].pid,
                     (long long)job->progress->done);
            self->has_killed = true;
        }
    }
}

status demo_kill(struct demo *self)
{
    const Weft__Scheduler__V1__Job *job = NULL;
    const char *job_id = "";
    int64_t before = self->n_records;

    demo_step(self, "the same again, and one service is killed under way");
    TRY(demo_enqueue(self, self->publisher.token, 0, &job_id));
    TRY(demo_watch(self, job_id, kill_search, &job));
    demo_check(self, self->has_killed, "search was killed under way");
    TRY(check_result(self, job));
    demo_check(self, self->n_records == before, "%lld packages were acknowledged both times",
               (long long)before);
    return status_ok();
}

void demo_clean_up(struct demo *self)
{
    const Weft__Registry__V1__Receipt *receipt = NULL;

    if (self->worker != 0) {
        (void)kill(self->worker, SIGTERM);
        (void)waitpid(self->worker, NULL, 0);
        self->worker = 0;
    }
    if (self->publisher.key_id != NULL) {
        (void)demo_revoke_key(self, DEMO_TENANT, self->publisher.key_id, &receipt);
    }
}
