/* traceparent - which trace a call belongs to, and the header that carries it on.
 *
 * W3C Trace Context (Recommendation of 2021, level 1; the random flag of level 2):
 *
 *     00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
 *     version  trace id, the whole story   who is calling   flags
 *
 * Every process parses it from the metadata `traceparent`, makes a span of its own under the
 * caller's, and sends it on with that span's id in it (libs/obs/trace.h does the middle part).
 *
 * Parsing is strict: upper case, ids of zeros alone, and a version of ff are no traceparent.  A
 * header that is none is dropped, and a new trace begins, as the standard asks; it never fails
 * a call.
 */

#ifndef LIBS_OBS_TRACEPARENT_H_
#define LIBS_OBS_TRACEPARENT_H_

#include "libs/base/attributes.h"
#include "libs/base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    TRACE_ID_BYTES = 16,
    SPAN_ID_BYTES = 8,
    TRACE_ID_TEXT = 2 * TRACE_ID_BYTES + 1, /* room for the hex digits and a NUL */
    SPAN_ID_TEXT = 2 * SPAN_ID_BYTES + 1,
    TRACEPARENT_TEXT = 55 + 1,
};

enum trace_flag {
    TRACE_SAMPLED = 1, /* somebody will look at this trace: spans are kept */
    TRACE_RANDOM = 2,  /* the trace id's last 7 bytes are random (level 2) */
};

/* A place in a trace: the trace and the span in which we are.  A value; copied freely. */
struct trace_context {
    uint8_t trace_id[TRACE_ID_BYTES];
    uint8_t span_id[SPAN_ID_BYTES];
    uint8_t flags; /* enum trace_flag; no other bits */
    bool remote;   /* the span is another process', as that of a parsed header always is */
};

/* False, with *ret_context untouched, when header is no traceparent.  One of a version later than
 * 00 may go on behind its 55th character, after a '-', and is read as far as 00 goes. */
bool traceparent_parse(bytes header, struct trace_context *ret_context) NONNULL;

/* Version 00.  text has room for TRACEPARENT_TEXT bytes, the NUL included. */
void traceparent_format(const struct trace_context *context, char *text) NONNULL;

/* Ids as people type and read them: lower-case hex. */
void trace_id_format(const uint8_t id[TRACE_ID_BYTES], char text[TRACE_ID_TEXT]) NONNULL;
void span_id_format(const uint8_t id[SPAN_ID_BYTES], char text[SPAN_ID_TEXT]) NONNULL;
/* Exactly 32 digits, not all of them zero. */
bool trace_id_parse(bytes text, uint8_t ret_id[TRACE_ID_BYTES]) NONNULL;

#endif
