#include "libs/obs/traceparent.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is sent on is read by the next as the same, and of version 00 it is the same text but for
 * flags that nobody knows. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct trace_context context;
    struct trace_context again;
    char text[TRACEPARENT_TEXT];

    if (!traceparent_parse((bytes){ data, size }, &context)) {
        return 0;
    }
    traceparent_format(&context, text);
    assert(strlen(text) == TRACEPARENT_TEXT - 1);
    assert(memcmp(text + 2, data + 2, 51) == 0);
    assert(traceparent_parse((bytes){ (const uint8_t *)text, strlen(text) }, &again));
    assert(memcmp(again.trace_id, context.trace_id, TRACE_ID_BYTES) == 0);
    assert(memcmp(again.span_id, context.span_id, SPAN_ID_BYTES) == 0);
    assert(again.flags == context.flags);
    return 0;
}
