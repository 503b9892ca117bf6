/* worker: a process that does jobs. */

#include "cli/api.h"
#include "cli/apt_source.h"
#include "cli/ingest.h"
#include "cli/package_job.h"
#include "cli/traces.h"
#include "cli/verbs.h"
#include "cli/worker.h"
#include "libs/base/encoding.h"
#include "libs/base/text.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

struct apt_worker {
    struct invocation *invocation;
    struct apt_reader *records;
    struct worker *worker; /* while a job runs */
    struct call *call;     /* the same: in which it publishes */
    size_t n_records;      /* of the job at hand */
    uint8_t trace_id[TRACE_ID_BYTES];
};

/* Set by a signal handler, which takes no data along. */
static _Atomic bool stopping;

static void on_signal(int number)
{
    (void)number;
    atomic_store(&stopping, true);
}

static Weft__Search__V1__Document *record(void *data, struct arena *arena, size_t n)
{
    const struct apt_worker *self = data;

    return package_document(arena, apt_reader_record(self->records, n));
}

static bool progress(void *data, size_t n_done)
{
    const struct apt_worker *self = data;
    bool is_ours = worker_progress(self->worker, (int64_t)n_done, (int64_t)self->n_records,
                                   "packages published");

    self->call->token = worker_token(self->worker);
    return is_ours && !atomic_load(&stopping);
}

/* In the name of who enqueued the job, and on the trace it was enqueued in. */
static status publish(struct apt_worker *self, struct arena *arena,
                      const Weft__Scheduler__V1__Assignment *job, const struct package_job *what,
                      struct ingest_result *ret)
{
    struct session *session = self->invocation->session;
    struct call call = session_call(session, arena, API_TIMEOUT_MS);
    struct trace_context parent;
    bool is_traced = traceparent_parse(bytes_of(job->traceparent), &parent);
    struct span span = span_start(session_tracer(session), is_traced ? &parent : NULL,
                                  SPAN_INTERNAL, "job " PACKAGE_CAPABILITY);

    self->call = &call;
    call.token = worker_token(self->worker);
    call.deadline_us = INT64_MAX;
    call.span = &span;
    status s = ingest(&call,
                      &(struct ingest_options){
                          .search = session_peer(session, "search"),
                          .project_id = job->project_id,
                          .collection_id = what->collection_id,
                          .n_records = self->n_records,
                          .record = record,
                          .progress = progress,
                          .data = self,
                      },
                      ret);
    span_end(&span, s.code);
    memcpy(self->trace_id, span.trace_id, TRACE_ID_BYTES);
    return s;
}

static status run_job(void *data, struct worker *worker, struct arena *arena,
                      const Weft__Scheduler__V1__Assignment *job, const char **ret_result)
{
    struct apt_worker *self = data;
    int64_t begin_us = clock_monotonic_us(&system_clock);
    size_t n_all = apt_reader_count(self->records);
    struct ingest_result result = { 0 };
    struct package_job what;

    TRY(package_job_parse(arena, (bytes){ job->payload.data, job->payload.len }, &what));
    self->worker = worker;
    self->n_records = what.limit > 0 && what.limit < n_all ? what.limit : n_all;
    TRY(publish(self, arena, job, &what, &result));
    if (result.n_refused > 0) {
        return status_error(arena, STATUS_INVALID_ARGUMENT, "search refused %zu of %zu packages",
                            result.n_refused, result.n_done);
    }
    double seconds = (double)(clock_monotonic_us(&system_clock) - begin_us) / 1e6;
    *ret_result = arena_printf(arena, "{\"records\":%zu,\"seconds\":%.3f,\"restarts\":%zu}",
                               result.n_done, seconds, result.n_restarts);
    return status_ok();
}

static void tell(void *data, const char *what, const char *job_id)
{
    const struct apt_worker *self = data;
    struct arena *arena = arena_new();

    output_row(self->invocation->output,
               FIELDS(field_text("job_id", job_id), field_text("event", what)));
    output_end(self->invocation->output);
    /* Only when the report is answered have all spans of the job ended. */
    if (strcmp(what, "reported") == 0) {
        const bytes id = { .data = self->trace_id, .size = TRACE_ID_BYTES };
        traces_keep(self->invocation->session, arena, hex_encode(arena, id));
    }
    arena_free(arena);
}

static status work(struct invocation *invocation, struct apt_worker *self, int64_t max_jobs)
{
    struct call call = session_call(invocation->session, invocation->arena, API_TIMEOUT_MS);

    call.deadline_us = INT64_MAX;
    (void)signal(SIGTERM, on_signal);
    (void)signal(SIGINT, on_signal);
    return worker_run(&call,
                      &(struct worker_options){
                          .scheduler = api_peer(invocation, "scheduler"),
                          .worker_id = arena_printf(invocation->arena, "apt-%d", (int)getpid()),
                          .capability = PACKAGE_CAPABILITY,
                          .run = run_job,
                          .tell = tell,
                          .data = self,
                          .max_jobs = max_jobs,
                          .stopping = &stopping,
                      });
}

static status apt(struct invocation *invocation)
{
    int64_t max_jobs = arguments_number(invocation->arguments, "--jobs", 0, 0, 1000000);
    struct apt_worker self = { .invocation = invocation };
    const char *where = "";

    TRY(arguments_end(invocation->arguments));
    TRY(session_open(invocation));
    TRY(advise(invocation,
               apt_source_open(invocation->arena,
                               arena_printf(invocation->arena, "%s/cli/apt", invocation->root),
                               &self.records, &where),
               "apt-get update"));
    output_say(invocation->output, TONE_DIM, "%zu packages from '%s'",
               apt_reader_count(self.records), where);
    status s = work(invocation, &self, max_jobs);
    apt_reader_free(self.records);
    return s;
}

const struct verb worker_verbs[] = {
    { "worker", "apt", "[--jobs N]",
      "do jobs of " PACKAGE_CAPABILITY ": read this Debian's packages and publish them", apt },
    { 0 },
};
