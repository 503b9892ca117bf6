#include "libs/obs/trace.h"

#include "libs/base/map.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    STANDARD_CAPACITY = 4096,
    CHUNK = 256, /* spans looked at under one hold of the lock, some 20 us */
};

struct tracer {
    const char *service;
    const struct clock *clock;
    uint64_t id_key[2];
    _Atomic uint64_t n_ids;
    unsigned sample_one_in;
    _Atomic int64_t wall_offset_us; /* what to add to the monotonic time */

    pthread_mutex_t lock;
    struct span *ring;
    size_t capacity;
    uint64_t n_ended; /* the next goes to ring[n_ended % capacity] */
};

struct tracer *tracer_new(const struct tracer_options *options)
{
    struct tracer *self = calloc(1, sizeof *self);
    size_t capacity = options->capacity == 0 ? STANDARD_CAPACITY : options->capacity;

    if (self == NULL || (self->ring = calloc(capacity, sizeof *self->ring)) == NULL) {
        abort(); /* out of memory, when the process starts */
    }
    self->service = options->service;
    self->clock = options->clock;
    self->sample_one_in = options->sample_one_in == 0 ? 1 : options->sample_one_in;
    self->capacity = capacity;
    random_fill(options->random, (uint8_t *)self->id_key, sizeof self->id_key);
    pthread_mutex_init(&self->lock, NULL);
    return self;
}

void tracer_free(struct tracer *self)
{
    if (self == NULL) {
        return;
    }
    pthread_mutex_destroy(&self->lock);
    free(self->ring);
    free(self);
}

const char *tracer_service(const struct tracer *self)
{
    return self->service;
}

/* SipHash of a counter under a secret key: unique, not to be guessed, and some 20 ns where
 * getrandom(2) takes 300. */
static uint64_t new_id(struct tracer *self)
{
    uint64_t id;

    do { /* an id of zeros is none */
        uint64_t n = atomic_fetch_add_explicit(&self->n_ids, 1, memory_order_relaxed);
        id = map_hash(self->id_key, (bytes){ (const uint8_t *)&n, sizeof n });
    } while (id == 0);
    return id;
}

/* The wall in microseconds, from a clock that tells it in milliseconds.  What is to be added to
 * the monotonic time is known to lie in [seen, seen + 999], so the last guess is moved into that
 * and no further: it becomes exact within a few spans, and follows a wall that is set. */
static int64_t wall_us(struct tracer *self, int64_t monotonic_us)
{
    int64_t seen = clock_wall_ms(self->clock) * 1000 - monotonic_us;
    int64_t offset = atomic_load_explicit(&self->wall_offset_us, memory_order_relaxed);

    if (offset < seen || offset > seen + 999) {
        offset = offset < seen ? seen : seen + 999;
        atomic_store_explicit(&self->wall_offset_us, offset, memory_order_relaxed);
    }
    return monotonic_us + offset;
}

static void begin_trace(struct tracer *self, struct span *span)
{
    uint64_t id[2] = { new_id(self), new_id(self) };

    memcpy(span->trace_id, id, sizeof id);
    span->flags = TRACE_RANDOM | (id[0] % self->sample_one_in == 0 ? TRACE_SAMPLED : 0);
}

/* As snprintf("%s"), which is slower; never cuts a character of UTF-8 in two. */
static void copy_cut(char *target, size_t size, const char *text)
{
    size_t n = strnlen(text, size);

    if (n == size) {
        n--;
        while (n > 0 && ((uint8_t)text[n] & 0xc0) == 0x80) {
            n--;
        }
    }
    memcpy(target, text, n);
    target[n] = '\0';
}

struct span span_start(struct tracer *self, const struct trace_context *parent, enum span_kind kind,
                       const char *name)
{
    uint64_t id = new_id(self);
    struct span span = {
        .tracer = self,
        .kind = kind,
        .is_entry = parent == NULL || parent->remote,
        .started_us = clock_monotonic_us(self->clock),
    };

    if (parent == NULL) {
        begin_trace(self, &span);
    } else {
        memcpy(span.trace_id, parent->trace_id, sizeof span.trace_id);
        memcpy(span.parent_id, parent->span_id, sizeof span.parent_id);
        span.flags = parent->flags;
    }
    memcpy(span.span_id, &id, sizeof span.span_id);
    span.start_us = wall_us(self, span.started_us);
    copy_cut(span.name, sizeof span.name, name);
    return span;
}

struct trace_context span_context(const struct span *span)
{
    struct trace_context context = { .flags = span->flags };

    memcpy(context.trace_id, span->trace_id, sizeof context.trace_id);
    memcpy(context.span_id, span->span_id, sizeof context.span_id);
    return context;
}

void span_attribute(struct span *span, const char *name, const char *value)
{
    if (span->n_attributes < SPAN_MAX_ATTRIBUTES) {
        struct span_attribute *attribute = &span->attributes[span->n_attributes++];
        attribute->name = name;
        copy_cut(attribute->value, sizeof attribute->value, value);
    }
}

void span_end(struct span *span, enum status_code code)
{
    struct tracer *self = span->tracer;

    if ((span->flags & TRACE_SAMPLED) == 0) {
        return;
    }
    span->code = code;
    span->end_us = span->start_us + clock_monotonic_us(self->clock) - span->started_us;
    pthread_mutex_lock(&self->lock);
    self->ring[self->n_ended++ % self->capacity] = *span;
    pthread_mutex_unlock(&self->lock);
}

/* ---- Reading the ring, newest first, a chunk at a time so that no span_end() waits long ---- */

struct wanted {
    const uint8_t *trace_id; /* NULL: any, but entries alone */
    size_t limit;
    struct arena *arena;
    struct span *found; /* arena */
    size_t n_found;
    size_t capacity;
};

static void add_found(struct wanted *wanted, const struct span *span)
{
    if (wanted->n_found == wanted->capacity) {
        size_t capacity = wanted->capacity * 2 + 16;
        struct span *found = ARENA_NEW_ARRAY(wanted->arena, struct span, capacity);
        if (wanted->n_found > 0) {
            memcpy(found, wanted->found, wanted->n_found * sizeof *found);
        }
        wanted->found = found;
        wanted->capacity = capacity;
    }
    wanted->found[wanted->n_found++] = *span;
}

static bool is_wanted(const struct wanted *wanted, const struct span *span)
{
    return wanted->trace_id == NULL ? span->is_entry
                                    : memcmp(span->trace_id, wanted->trace_id, TRACE_ID_BYTES) == 0;
}

/* Looks at the spans before *at, which moves back; false at the end.  The lock is held. */
static bool search_chunk(const struct tracer *self, uint64_t *at, struct wanted *wanted)
{
    for (int i = 0; i < CHUNK; i++) {
        if (*at == 0 || *at + self->capacity <= self->n_ended || wanted->n_found == wanted->limit) {
            return false;
        }
        const struct span *span = &self->ring[--*at % self->capacity];
        if (is_wanted(wanted, span)) {
            add_found(wanted, span);
        }
    }
    return true;
}

static void search(struct tracer *self, struct wanted *wanted)
{
    bool more = true;

    pthread_mutex_lock(&self->lock);
    uint64_t at = self->n_ended;
    pthread_mutex_unlock(&self->lock);
    while (more) {
        pthread_mutex_lock(&self->lock);
        more = search_chunk(self, &at, wanted);
        pthread_mutex_unlock(&self->lock);
    }
}

static int by_start(const void *a, const void *b)
{
    const struct span *left = a;
    const struct span *right = b;

    return (left->start_us > right->start_us) - (left->start_us < right->start_us);
}

struct spans tracer_find(struct tracer *self, struct arena *arena,
                         const uint8_t trace_id[TRACE_ID_BYTES])
{
    struct wanted wanted = { .trace_id = trace_id, .limit = self->capacity, .arena = arena };

    search(self, &wanted);
    if (wanted.n_found > 0) {
        qsort(wanted.found, wanted.n_found, sizeof *wanted.found, by_start);
    }
    return (struct spans){ .spans = wanted.found, .n_spans = wanted.n_found };
}

struct spans tracer_latest(struct tracer *self, struct arena *arena, size_t n)
{
    struct wanted wanted = { .limit = n, .arena = arena };

    search(self, &wanted);
    return (struct spans){ .spans = wanted.found, .n_spans = wanted.n_found };
}
