#include "cli/ingest.h"

#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/retry/backoff.h"
#include "libs/rpc/message.h"
#include "libs/rpc/pipe.h"

#include <string.h>
#include <time.h>

enum {
    DEFAULT_BATCH = 500,
    DEFAULT_UNDER_WAY = 8,
    DEFAULT_PATIENCE_MS = 60 * 1000,
    ANSWER_TIMEOUT_MS = 30 * 1000,
    PROGRESS_MS = 1000, /* without an answer: whoever watches may have a lease to keep */
    END_TIMEOUT_MS = 1000,
};

struct run {
    struct call *call;
    struct ingest_options options;
    struct ingest_result result;
    struct pipe *pipe;
    const char *token; /* that it was opened with */
    size_t n_sent;     /* records over this stream or answered before */
    int64_t last_answer_us;
};

static size_t or_default(size_t value, size_t standard)
{
    return value != 0 ? value : standard;
}

/* ---- One stream ---- */

static size_t batch_size(const struct run *self, size_t from)
{
    size_t left = self->options.n_records - from;

    return left < self->options.batch ? left : self->options.batch;
}

static status send_batch(struct run *self)
{
    Weft__Search__V1__UpsertDocumentsRequest request;
    struct arena *arena = arena_new();
    size_t n = batch_size(self, self->n_sent);

    weft__search__v1__upsert_documents_request__init(&request);
    request.project_id = message_text(self->options.project_id);
    request.collection_id = message_text(self->options.collection_id);
    request.n_documents = n;
    request.documents = ARENA_NEW_ARRAY(arena, Weft__Search__V1__Document *, n);
    for (size_t i = 0; i < n; i++) {
        request.documents[i] = self->options.record(self->options.data, arena, self->n_sent + i);
    }
    status s = pipe_send(self->pipe, arena, &request.base);
    if (status_is_ok(s)) {
        self->n_sent += n;
    } else {
        s = status_error(self->call->arena, s.code, "%s", s.message);
    }
    arena_free(arena);
    return s;
}

static status tell_progress(const struct run *self)
{
    bool goes_on = self->options.progress == NULL ||
                   self->options.progress(self->options.data, self->result.n_done);

    return goes_on ? status_ok()
                   : status_error(self->call->arena, STATUS_CANCELLED, "it was withdrawn");
}

static status count_answer(struct run *self,
                           const Weft__Search__V1__UpsertDocumentsResponse *answer)
{
    size_t want = batch_size(self, self->result.n_done);

    if (answer->n_results != want) {
        return status_error(self->call->arena, STATUS_INTERNAL,
                            "search answered %zu documents of %zu", answer->n_results, want);
    }
    for (size_t i = 0; i < answer->n_results; i++) {
        self->result.n_refused += answer->results[i]->code != 0;
    }
    self->result.n_done += answer->n_results;
    self->last_answer_us = clock_monotonic_us(&system_clock);
    return tell_progress(self);
}

/* DEADLINE_EXCEEDED: none came for too long. */
static status wait_for_answer(struct run *self, struct arena *arena,
                              const ProtobufCMessage **ret_message)
{
    status s = pipe_receive(self->pipe, arena, PROGRESS_MS, ret_message);

    for (int i = 1; s.code == STATUS_DEADLINE_EXCEEDED && i < ANSWER_TIMEOUT_MS / PROGRESS_MS;
         i++) {
        TRY(tell_progress(self));
        s = pipe_receive(self->pipe, arena, PROGRESS_MS, ret_message);
    }
    return s;
}

static status receive_answer(struct run *self)
{
    struct arena *arena = arena_new();
    const ProtobufCMessage *message = NULL;

    status s = wait_for_answer(self, arena, &message);
    if (!status_is_ok(s)) {
        s = status_error(self->call->arena, s.code, "%s", s.message);
    } else if (message == NULL) {
        s = status_error(self->call->arena, STATUS_UNAVAILABLE, "search ended the stream");
    } else {
        s = count_answer(self, (const Weft__Search__V1__UpsertDocumentsResponse *)message);
    }
    arena_free(arena);
    return s;
}

/* All is answered, so it is no matter how the stream ends; but it is to end, and not to be cut. */
static void end_stream(struct run *self)
{
    struct arena *arena = arena_new();
    const ProtobufCMessage *message = NULL;

    pipe_finish(self->pipe);
    (void)pipe_receive(self->pipe, arena, END_TIMEOUT_MS, &message);
    arena_free(arena);
}

/* From what was answered last to the end, or until the stream breaks. */
static status run_stream(struct run *self)
{
    size_t window = self->options.n_under_way * self->options.batch;

    self->n_sent = self->result.n_done;
    self->token = arena_strdup(self->call->arena, self->call->token);
    TRY(pipe_open(self->options.search, self->call, &weft__search__v1__search_service__descriptor,
                  "UpsertDocuments", &self->pipe));
    status s = status_ok();
    while (status_is_ok(s) && self->result.n_done < self->options.n_records) {
        bool may_send =
            self->n_sent < self->options.n_records && self->n_sent - self->result.n_done < window;
        s = may_send ? send_batch(self) : receive_answer(self);
    }
    if (status_is_ok(s)) {
        end_stream(self);
    }
    pipe_free(self->pipe);
    return s;
}

/* ---- Over many streams ---- */

static bool may_come_back(const struct run *self, status s)
{
    if (s.code == STATUS_UNAUTHENTICATED) {
        return strcmp(self->call->token, self->token) != 0;
    }
    return s.code == STATUS_UNAVAILABLE || s.code == STATUS_DEADLINE_EXCEEDED ||
           s.code == STATUS_RESOURCE_EXHAUSTED;
}

static void wait_ms(int64_t ms)
{
    const struct timespec pause = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

    (void)nanosleep(&pause, NULL);
}

status ingest(struct call *call, const struct ingest_options *options, struct ingest_result *ret)
{
    struct backoff backoff = { .random = &system_random, .min_ms = 50, .max_ms = 1000 };
    struct run self = {
        .call = call,
        .options = *options,
        .last_answer_us = clock_monotonic_us(&system_clock),
    };

    self.options.batch = or_default(options->batch, DEFAULT_BATCH);
    self.options.n_under_way = or_default(options->n_under_way, DEFAULT_UNDER_WAY);
    int64_t patience_ms = options->patience_ms != 0 ? options->patience_ms : DEFAULT_PATIENCE_MS;
    for (;;) {
        size_t before = self.result.n_done;
        status s = self.options.n_records > 0 ? run_stream(&self) : status_ok();
        *ret = self.result;
        int64_t away_ms = (clock_monotonic_us(&system_clock) - self.last_answer_us) / 1000;
        if (status_is_ok(s) || !may_come_back(&self, s) || away_ms > patience_ms ||
            call_is_cancelled(call)) {
            return s;
        }
        if (self.result.n_done > before) {
            backoff_reset(&backoff);
        }
        self.result.n_restarts++;
        wait_ms(backoff_next_ms(&backoff)); /* at most a second */
        TRY(tell_progress(&self));
    }
}
