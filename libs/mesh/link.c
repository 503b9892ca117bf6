#include "libs/mesh/link.h"

#include "libs/base/wait.h"

#include <stdatomic.h>
#include <time.h>

enum { MIN_BACKOFF_MS = 50, MAX_BACKOFF_MS = 2000 };

/* ---- Events, on the pool ---- */

static status send_first(struct link *self, struct stream *stream)
{
    const ProtobufCMessage *first =
        self->options.first(self->options.state, stream_event_arena(stream));

    self->sent_first = true;
    return stream_send(stream, first);
}

static status on_message(struct stream *stream, void *state, const ProtobufCMessage *message)
{
    struct link *self = state;

    self->worked = true;
    return self->options.message(stream, self->options.state, message);
}

static status on_writable(struct stream *stream, void *state)
{
    struct link *self = state;

    if (atomic_load(&self->stopping)) {
        stream_end(stream);
        return status_ok();
    }
    if (!self->sent_first) {
        TRY(send_first(self, stream));
    }
    return self->options.writable == NULL ? status_ok()
                                          : self->options.writable(stream, self->options.state);
}

static void on_closed(struct stream *stream, void *state, status why)
{
    struct link *self = state;

    if (self->options.down != NULL) {
        self->options.down(self->options.state, why);
    }
    pthread_mutex_lock(&self->lock);
    /* Not when we wanted it to: an agent's streams end with every client that goes. */
    LOG(self->options.log, self->worked && !self->stopping ? LEVEL_INFO : LEVEL_DEBUG, NULL,
        "stream ended", log_text("stream", self->options.name),
        log_text("code", status_code_name(why.code)), log_text("error", why.message));
    if (self->worked) {
        backoff_reset(&self->backoff);
    }
    self->due_us = clock_monotonic_us(self->options.clock) + backoff_next_ms(&self->backoff) * 1000;
    self->stream = NULL;
    pthread_cond_broadcast(&self->closed);
    pthread_mutex_unlock(&self->lock);
    stream_unref(stream);
}

static const struct stream_events link_events = {
    .message = on_message,
    .writable = on_writable,
    .closed = on_closed,
};

/* ---- Its keeper's side ---- */

void link_init(struct link *self, const struct link_options *options)
{
    *self = (struct link){
        .options = *options,
        .backoff = { .random = options->random,
                     .min_ms = MIN_BACKOFF_MS,
                     .max_ms = MAX_BACKOFF_MS },
    };
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->closed, NULL);
}

/* The lock is held. */
static void say_goodbye(struct link *self)
{
    const struct timespec end = wait_end(self->options.goodbye_ms);

    stream_wake(self->stream); /* writable ends our half */
    while (self->stream != NULL && wait_until(&self->closed, &self->lock, &end)) {
    }
}

void link_reset(struct link *self)
{
    pthread_mutex_lock(&self->lock);
    atomic_store(&self->stopping, true);
    if (self->stream != NULL && self->options.goodbye_ms > 0) {
        say_goodbye(self);
    }
    if (self->stream != NULL) {
        stream_cancel(self->stream);
    }
    while (self->stream != NULL) {
        pthread_cond_wait(&self->closed, &self->lock);
    }
    pthread_mutex_unlock(&self->lock);
    pthread_cond_destroy(&self->closed);
    pthread_mutex_destroy(&self->lock);
}

/* The lock is held: closed, which comes on another thread, waits for it. */
static void open_stream(struct link *self)
{
    struct arena *arena = arena_new();
    struct call call = call_of_process(arena);

    self->sent_first = false;
    self->worked = false;
    status s = peer_open_stream(self->options.peer, &call,
                                &(struct peer_stream_options){ .service = self->options.service,
                                                               .method = self->options.method,
                                                               .events = &link_events,
                                                               .state = self,
                                                               .thread = HANDLER_WORKER },
                                &self->stream);
    if (status_is_ok(s)) {
        stream_wake(self->stream); /* writable sends the first message */
    } else {
        self->due_us =
            clock_monotonic_us(self->options.clock) + backoff_next_ms(&self->backoff) * 1000;
    }
    arena_free(arena);
}

void link_tick(struct link *self)
{
    pthread_mutex_lock(&self->lock);
    if (self->stream == NULL && !self->stopping &&
        clock_monotonic_us(self->options.clock) >= self->due_us) {
        open_stream(self);
    }
    pthread_mutex_unlock(&self->lock);
}

void link_wake(struct link *self)
{
    pthread_mutex_lock(&self->lock);
    if (self->stream != NULL) {
        stream_wake(self->stream);
    }
    pthread_mutex_unlock(&self->lock);
}
