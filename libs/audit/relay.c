#include "libs/audit/relay.h"

#include "libs/audit/outbox.h"
#include "libs/base/wait.h"
#include "libs/obs/metrics.h"
#include "libs/retry/backoff.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    MIN_BACKOFF_MS = 100,
    MAX_BACKOFF_MS = 10000,
    SYNC_LINGER_MS = 50,  /* appends meanwhile share an fsync; and it has 50 ms for itself */
    SYNC_RETRY_MS = 1000, /* after a failure: each writes a new file */
};

enum source { SOURCE_OUTBOX, SOURCE_SPOOL };

struct batch {
    enum source source;
    const struct audit_event *events;
    size_t n_events;
};

struct relay {
    struct store *store;
    struct spool *spool;
    struct audit_sink *sink;
    const struct clock *clock;
    struct log *log;
    struct backoff backoff;
    enum source last_source;
    int64_t retry_at_ms; /* monotonic; before it nothing is sent */
    size_t max_batch;    /* halves around an event that is refused */
    struct store_watch watch;
    pthread_t sender;
    pthread_t syncer;
    pthread_mutex_t lock; /* over all below */
    pthread_cond_t changed;
    bool is_running;
    bool has_news;    /* for the sender */
    bool has_spooled; /* for the syncer */
    bool stopping;
    struct relay_report report;
};

/* ---- One batch ---- */

static status read_batch(struct relay *self, struct arena *arena, enum source source,
                         struct batch *ret_batch)
{
    struct batch batch = { .source = source };

    if (source == SOURCE_OUTBOX && self->store != NULL) {
        TRY(outbox_read(self->store, arena, self->max_batch, &batch.events, &batch.n_events));
    } else if (source == SOURCE_SPOOL && self->spool != NULL) {
        TRY(spool_read(self->spool, arena, self->max_batch, &batch.events, &batch.n_events));
    }
    *ret_batch = batch;
    return status_ok();
}

/* They take turns, so that a busy one does not fill the other up. */
static status read_next(struct relay *self, struct arena *arena, struct batch *ret_batch)
{
    enum source turn = self->last_source == SOURCE_OUTBOX ? SOURCE_SPOOL : SOURCE_OUTBOX;

    TRY(read_batch(self, arena, turn, ret_batch));
    if (ret_batch->n_events == 0) {
        TRY(read_batch(self, arena, self->last_source, ret_batch));
    }
    self->last_source = ret_batch->source;
    return status_ok();
}

static status forget(struct relay *self, struct arena *arena, const struct batch *batch)
{
    if (batch->source == SOURCE_OUTBOX) {
        return outbox_delete(self->store, arena, batch->events, batch->n_events);
    }
    spool_acknowledge(self->spool, arena, batch->n_events);
    return status_ok();
}

/* The one event of batch will never be taken.  Without a store there is no place to keep it, and
 * the log of whoever calls relay_step() has its last word. */
static status refuse(struct relay *self, struct arena *arena, const struct batch *batch, status why)
{
    if (self->store != NULL) {
        TRY(outbox_refuse(self->store, arena, batch->events, why));
    }
    if (batch->source == SOURCE_SPOOL) {
        spool_acknowledge(self->spool, arena, 1);
    }
    pthread_mutex_lock(&self->lock);
    self->report.n_refused++;
    pthread_mutex_unlock(&self->lock);
    counter_add(COUNTER_audit_events_refused, 1);
    return why;
}

static status settle(struct relay *self, struct arena *arena, const struct batch *batch,
                     status sent)
{
    if (sent.code == STATUS_INVALID_ARGUMENT && batch->n_events == 1) {
        self->max_batch = RELAY_MAX_BATCH;
        return refuse(self, arena, batch, sent);
    }
    if (sent.code == STATUS_INVALID_ARGUMENT) {
        self->max_batch = batch->n_events / 2;
        return status_ok();
    }
    TRY(sent);
    TRY(forget(self, arena, batch));
    self->max_batch = self->max_batch * 2 < RELAY_MAX_BATCH ? self->max_batch * 2 : RELAY_MAX_BATCH;
    pthread_mutex_lock(&self->lock);
    self->report.n_sent += batch->n_events;
    pthread_mutex_unlock(&self->lock);
    counter_add(COUNTER_audit_events_sent, batch->n_events);
    return status_ok();
}

static status send_next(struct relay *self, struct arena *arena, bool *ret_is_drained)
{
    struct batch batch;

    TRY(read_next(self, arena, &batch));
    *ret_is_drained = batch.n_events == 0;
    if (batch.n_events == 0) {
        return status_ok();
    }
    return settle(self, arena, &batch,
                  self->sink->ops->send(self->sink, arena, batch.events, batch.n_events));
}

/* ---- A step ---- */

/* Once when it begins to fail and once when it works again, not at each attempt; but each event
 * that will never be delivered. */
static void log_change(const struct relay *self, status s, bool was_failing)
{
    if (s.code == STATUS_INVALID_ARGUMENT) {
        LOG(self->log, LEVEL_ERROR, NULL, "an audit event was refused and is kept in audit_refused",
            log_text("error", s.message));
    } else if (!status_is_ok(s) && !was_failing) {
        LOG(self->log, LEVEL_WARN, NULL, "audit events are kept here for now",
            log_text("error", s.message));
    } else if (status_is_ok(s) && was_failing) {
        LOG(self->log, LEVEL_INFO, NULL, "audit events are delivered again");
    }
}

static void note(struct relay *self, status s)
{
    pthread_mutex_lock(&self->lock);
    bool was_failing = self->report.is_failing;
    self->report.is_failing = !status_is_ok(s);
    self->report.n_failures += !status_is_ok(s);
    (void)snprintf(self->report.why, sizeof self->report.why, "%s", s.message);
    pthread_mutex_unlock(&self->lock);
    log_change(self, s, was_failing);
}

status relay_step(struct relay *self, struct arena *arena, int64_t *ret_wait_ms)
{
    int64_t now_ms = clock_monotonic_ms(self->clock);
    bool is_drained = false;

    if (now_ms < self->retry_at_ms) {
        *ret_wait_ms = self->retry_at_ms - now_ms;
        return status_ok();
    }
    status s = send_next(self, arena, &is_drained);
    note(self, s);
    if (status_is_ok(s) || s.code == STATUS_INVALID_ARGUMENT) { /* one refused; the others go on */
        backoff_reset(&self->backoff);
        *ret_wait_ms = is_drained ? RELAY_UNTIL_WOKEN : 0;
    } else {
        *ret_wait_ms = backoff_next_ms(&self->backoff);
        self->retry_at_ms = now_ms + *ret_wait_ms;
    }
    return s;
}

/* ---- Threads ---- */

/* Until *flag or stopping, at most timeout_ms; RELAY_UNTIL_WOKEN: as long as it takes.  The lock is
 * held. */
static void wait_for(struct relay *self, const bool *flag, int64_t timeout_ms)
{
    const struct timespec end = wait_end(timeout_ms);
    bool goes_on = true;

    while (!*flag && !self->stopping && goes_on) {
        if (timeout_ms == RELAY_UNTIL_WOKEN) {
            pthread_cond_wait(&self->changed, &self->lock);
        } else {
            goes_on = wait_until(&self->changed, &self->lock, &end);
        }
    }
}

/* After a step that said wait_ms.  False: it is over. */
static bool wait_for_news(struct relay *self, int64_t wait_ms)
{
    static const bool never = false;

    pthread_mutex_lock(&self->lock);
    if (wait_ms == RELAY_UNTIL_WOKEN) {
        wait_for(self, &self->has_news, RELAY_UNTIL_WOKEN);
        wait_for(self, &never, RELAY_LINGER_MS);
    } else {
        wait_for(self, &never, wait_ms);
    }
    self->has_news = false;
    bool goes_on = !self->stopping;
    pthread_mutex_unlock(&self->lock);
    return goes_on;
}

/* relay_step() keeps what failed in the report, and logs it. */
static void *run_sender(void *data)
{
    struct relay *self = data;
    struct arena *arena = arena_new();
    int64_t wait_ms = 0;

    do {
        (void)relay_step(self, arena, &wait_ms);
        arena_reset(arena);
    } while (wait_for_news(self, wait_ms));
    arena_free(arena);
    return NULL;
}

static bool wait_for_spooled(struct relay *self, int64_t wait_ms)
{
    static const bool never = false;

    pthread_mutex_lock(&self->lock);
    wait_for(self, &self->has_spooled, RELAY_UNTIL_WOKEN);
    wait_for(self, &never, wait_ms);
    self->has_spooled = false;
    bool goes_on = !self->stopping;
    pthread_mutex_unlock(&self->lock);
    return goes_on;
}

static void *run_syncer(void *data)
{
    struct relay *self = data;
    struct arena *arena = arena_new();
    int64_t wait_ms = SYNC_LINGER_MS;

    while (wait_for_spooled(self, wait_ms)) {
        bool is_synced = status_is_ok(spool_sync(self->spool, arena));
        wait_ms = is_synced ? SYNC_LINGER_MS : SYNC_RETRY_MS;
        pthread_mutex_lock(&self->lock);
        self->has_spooled = self->has_spooled || !is_synced;
        pthread_mutex_unlock(&self->lock);
        arena_reset(arena);
    }
    arena_free(arena);
    return NULL;
}

void relay_wake(struct relay *self)
{
    pthread_mutex_lock(&self->lock);
    self->has_news = true;
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->lock);
}

static void wake_after_commit(void *data)
{
    relay_wake(data);
}

static void wake_after_append(void *data)
{
    struct relay *self = data;

    pthread_mutex_lock(&self->lock);
    self->has_news = true;
    self->has_spooled = true;
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->lock);
}

/* ---- All of it ---- */

struct relay *relay_new(const struct relay_options *options)
{
    assert(options->sink != NULL && options->clock != NULL && options->random != NULL);

    struct relay *self = calloc(1, sizeof *self);
    if (self == NULL) {
        abort();
    }
    self->store = options->store;
    self->spool = options->spool;
    self->sink = options->sink;
    self->clock = options->clock;
    self->log = options->log;
    self->backoff = (struct backoff){
        .random = options->random,
        .min_ms = MIN_BACKOFF_MS,
        .max_ms = MAX_BACKOFF_MS,
    };
    self->max_batch = RELAY_MAX_BATCH;
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->changed, NULL);
    self->watch = (struct store_watch){ .function = wake_after_commit, .data = self };
    if (self->store != NULL) {
        store_watch_commits(self->store, &self->watch);
    }
    if (self->spool != NULL) {
        spool_watch(self->spool, wake_after_append, self);
    }
    return self;
}

static void start_thread(pthread_t *thread, void *(*run)(void *), struct relay *self)
{
    if (pthread_create(thread, NULL, run, self) != 0) {
        abort(); /* no memory for a thread, when the service starts */
    }
}

void relay_start(struct relay *self)
{
    self->is_running = true;
    self->has_spooled =
        self->spool != NULL && !spool_is_synced(self->spool); /* an earlier life's */
    start_thread(&self->sender, run_sender, self);
    if (self->spool != NULL) {
        start_thread(&self->syncer, run_syncer, self);
    }
}

static void stop_threads(struct relay *self)
{
    pthread_mutex_lock(&self->lock);
    self->stopping = true;
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->lock);
    (void)pthread_join(self->sender, NULL);
    if (self->spool != NULL) {
        (void)pthread_join(self->syncer, NULL);
    }
}

void relay_free(struct relay *self)
{
    if (self == NULL) {
        return;
    }
    if (self->is_running) {
        stop_threads(self);
    }
    if (self->store != NULL) {
        store_unwatch_commits(self->store, &self->watch);
    }
    if (self->spool != NULL) {
        spool_watch(self->spool, NULL, NULL);
    }
    pthread_cond_destroy(&self->changed);
    pthread_mutex_destroy(&self->lock);
    free(self);
}

void relay_read_report(struct relay *self, struct relay_report *ret_report)
{
    pthread_mutex_lock(&self->lock);
    *ret_report = self->report;
    pthread_mutex_unlock(&self->lock);
}
