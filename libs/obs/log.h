/* log - one JSON object a line, for people with jq and for machines.
 *
 *     LOG(log, LEVEL_WARN, &trace, "peer is slow", log_text("peer", name), log_int("ms", 812));
 *
 *     {"time":"2026-11-21T12:59:01.204Z","level":"warn","service":"tenant","msg":"peer is slow",
 *      "trace_id":"4bf9...","span_id":"00f0...","peer":"audit","ms":812}          (in one line)
 *
 * The message is a constant sentence and what varies goes into fields, so that lines of one kind
 * can be counted.  When the level is off, a LOG costs a call and a load, and evaluates no field.
 *
 * A secret (a key, a token, a password, a cookie) is never a text field.  log_secret() shows
 * eight hex digits of a hash of it, keyed anew in each process: enough to see that two lines of
 * one log speak of the same, and nothing that could be tried against a list of guesses.
 *
 * Each line is one write(2) to a descriptor that others may append to as well: lines to a file
 * opened with O_APPEND never mix; in a pipe, those of up to PIPE_BUF (4096) bytes.  A line that
 * could not be written whole, because a disk is full, is counted (weft_log_lines_lost_total) and
 * not tried again: a service does not stand still for its log.
 */

#ifndef LIBS_OBS_LOG_H_
#define LIBS_OBS_LOG_H_

#include "libs/base/attributes.h"
#include "libs/base/bytes.h"
#include "libs/base/clock.h"
#include "libs/obs/traceparent.h"

#include <stdbool.h>
#include <stdint.h>

/* The longest line, its newline included.  What does not fit is cut, and "cut":true ends the
 * line.  Two of libs/base/status.h's longest messages, escaped, and their fields fit. */
enum { LOG_LINE_BYTES = 8192 };

enum log_level {
    LEVEL_DEBUG, /* for who works on the code */
    LEVEL_INFO,  /* what happened: started, stopped, connected */
    LEVEL_WARN,  /* went on, but somebody may want to look */
    LEVEL_ERROR, /* something did not work, and somebody should look */
};

struct log;

struct log_options {
    const char *service;       /* required; borrowed: "tenant" */
    const struct clock *clock; /* required; borrowed */
    enum log_level level;      /* the least that is written; 0 is LEVEL_DEBUG */
    int fd;                    /* 0 means 2, standard error; never closed */
};

/* The caller owns the log: log_free(), last of all. */
struct log *log_new(const struct log_options *options) NONNULL RETURNS_NONNULL;
/* NULL is allowed. */
void log_free(struct log *log);

/* While others write, too. */
void log_set_level(struct log *log, enum log_level level) NONNULL;
/* "debug", "info", "warn" or "error"; false for anything else. */
bool log_level_parse(const char *name, enum log_level *ret_level) NONNULL;
/* Whether a line of this level is written.  A NULL log writes none. */
bool log_wants(const struct log *log, enum log_level level);

/* ---- Fields: name is a constant identifier ---- */

enum log_type { LOG_TEXT, LOG_INT, LOG_REAL, LOG_BOOL, LOG_SECRET };

struct log_field {
    const char *name; /* NULL ends a list */
    enum log_type type;
    union {
        bytes text; /* data NULL: null */
        int64_t integer;
        double real;
        bool boolean;
    };
};

/* value may be NULL. */
struct log_field log_text(const char *name, const char *value) NONNULL_ARGS(1);
/* UTF-8; what is not becomes U+FFFD. */
struct log_field log_bytes(const char *name, bytes value) NONNULL;
struct log_field log_int(const char *name, int64_t value) NONNULL;
/* Six digits; what is no number is null. */
struct log_field log_real(const char *name, double value) NONNULL;
struct log_field log_bool(const char *name, bool value) NONNULL;
struct log_field log_secret(const char *name, bytes value) NONNULL;

/* LOG(log, level, trace, message, fields...): trace is NULL where there is no call. */
#define LOG(log, level, trace, message, ...)                                                    \
    do {                                                                                        \
        if (log_wants((log), (level))) {                                                        \
            log_line((log), (level), (trace), (message),                                        \
                     (const struct log_field[]){ __VA_ARGS__ __VA_OPT__(, ){ .name = NULL } }); \
        }                                                                                       \
    } while (0)

/* What LOG calls, once it knows that the line is wanted.  Any thread. */
void log_line(struct log *log, enum log_level level, const struct trace_context *trace,
              const char *message, const struct log_field *fields) NONNULL_ARGS(4, 5);

#endif
