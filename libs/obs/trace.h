/* trace - what a process did for each call, and how long it took.
 *
 * A span is one piece of work: a call served, a call made, a commit.  It belongs to a trace and
 * hangs under the span that caused it, here or in another process, so that the spans of all
 * processes together make the tree of one call:
 *
 *     struct trace_context caller;                              from the metadata `traceparent`
 *     bool has = traceparent_parse(header, &caller);
 *     struct span span = span_start(tracer, has ? &caller : NULL, SPAN_SERVER, method);
 *     struct trace_context here = span_context(&span);          for the log and for child calls
 *     ...
 *     span_end(&span, s.code);
 *
 * A span that is started belongs to its starter, on the stack or in its call, and costs no lock
 * and no system call.  Ended, it is copied into the tracer's ring, where the newest push out the
 * oldest: a process remembers its last few thousand spans and nothing more.
 *
 *      oldest                       newest
 *     +------+------+------+- - - -+------+
 *     | span | span | span |       | span |   4096 spans; 1.7 MiB once all were used
 *     +------+------+------+- - - -+------+
 *
 * A trace that is not sampled is passed on (ids and all) and not kept.  All functions are safe on
 * any thread, but for one span, which belongs to one thread at a time.
 *
 * Times are the wall's, in microseconds since 1970, so that the spans of several processes fit
 * beside each other; how long a span took is measured by the monotonic clock.
 */

#ifndef LIBS_OBS_TRACE_H_
#define LIBS_OBS_TRACE_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/obs/traceparent.h"

#include <stddef.h>
#include <stdint.h>

struct tracer;

struct tracer_options {
    const char *service;                /* required; borrowed: "tenant" */
    const struct clock *clock;          /* required; borrowed */
    const struct random_source *random; /* required; used by tracer_new() alone: ids come from a
                                           keyed hash of a counter, not from a system call each */
    size_t capacity;                    /* spans kept; 0 means 4096: at 100 calls/s, 20 s */
    unsigned sample_one_in; /* of the traces that begin here; 0 means 1, every one.  Traces
                               that begin elsewhere are sampled as their traceparent says. */
};

/* The numbers are OTLP's. */
enum span_kind {
    SPAN_INTERNAL = 1, /* work within the process */
    SPAN_SERVER = 2,   /* a call that was served */
    SPAN_CLIENT = 3,   /* a call that was made */
};

enum {
    SPAN_NAME_SIZE = 96, /* the longest method of ours and Envoy's has 82 characters */
    SPAN_MAX_ATTRIBUTES = 4,
    SPAN_VALUE_SIZE = 48, /* a tenant's or a job's name fits */
};

struct span_attribute {
    const char *name; /* a constant: "tenant_id" */
    char value[SPAN_VALUE_SIZE];
};

/* Read it freely; change it through the functions below. */
struct span {
    struct tracer *tracer;
    int64_t start_us;   /* since 1970 */
    int64_t end_us;     /* 0 until span_end() */
    int64_t started_us; /* monotonic */
    enum span_kind kind;
    enum status_code code;
    uint8_t trace_id[TRACE_ID_BYTES];
    uint8_t span_id[SPAN_ID_BYTES];
    uint8_t parent_id[SPAN_ID_BYTES]; /* zeros when the trace begins here */
    char name[SPAN_NAME_SIZE];
    struct span_attribute attributes[SPAN_MAX_ATTRIBUTES];
    unsigned n_attributes;
    uint8_t flags; /* enum trace_flag */
    bool is_entry; /* the trace began, or came into the process, here */
};

/* The caller owns the tracer: tracer_free(), after the last span has ended. */
struct tracer *tracer_new(const struct tracer_options *options) NONNULL RETURNS_NONNULL;
/* NULL is allowed. */
void tracer_free(struct tracer *tracer);
const char *tracer_service(const struct tracer *tracer) NONNULL RETURNS_NONNULL;

/* Under parent, or, when that is NULL, the first of a new trace.  name is copied, and cut. */
struct span span_start(struct tracer *tracer, const struct trace_context *parent,
                       enum span_kind kind, const char *name) NONNULL_ARGS(1, 4);
/* The place in the trace that child calls, child spans and log lines take along. */
struct trace_context span_context(const struct span *span) NONNULL;
/* value is copied, and cut; name is a constant.  Past SPAN_MAX_ATTRIBUTES it does nothing.
 * Never a secret: whoever may read this host's metrics may read spans. */
void span_attribute(struct span *span, const char *name, const char *value) NONNULL;
/* Puts the span into the ring, when its trace is sampled.  Once for each span. */
void span_end(struct span *span, enum status_code code) NONNULL;

struct spans {
    const struct span *spans; /* arena */
    size_t n_spans;
};

/* What is still remembered of one trace, in the order in which they started. */
struct spans tracer_find(struct tracer *tracer, struct arena *arena,
                         const uint8_t trace_id[TRACE_ID_BYTES]) NONNULL;
/* At most n of the spans with which a trace began here or came in, newest first. */
struct spans tracer_latest(struct tracer *tracer, struct arena *arena, size_t n) NONNULL;

#endif
