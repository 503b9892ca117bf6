#include "libs/obs/trace_otlp.h"

#include <inttypes.h>
#include <string.h>

static void add_attribute(struct text *json, const char *name, const char *value)
{
    text_add(json, ",{\"key\":");
    text_add_json(json, bytes_of(name));
    text_add(json, ",\"value\":{\"stringValue\":");
    text_add_json(json, bytes_of(value));
    text_add(json, "}}");
}

/* The conventions: for a client every code but OK is an error; for a server only those that say
 * that something is wrong with the server itself. */
static bool is_error(const struct span *span)
{
    if (span->kind != SPAN_SERVER) {
        return span->code != STATUS_OK;
    }
    switch (span->code) {
    case STATUS_UNKNOWN:
    case STATUS_DEADLINE_EXCEEDED:
    case STATUS_UNIMPLEMENTED:
    case STATUS_INTERNAL:
    case STATUS_UNAVAILABLE:
    case STATUS_DATA_LOSS:
        return true;
    default:
        return false;
    }
}

static void add_ids(struct text *json, const struct span *span)
{
    static const uint8_t nobody[SPAN_ID_BYTES];
    char trace_id[TRACE_ID_TEXT];
    char span_id[SPAN_ID_TEXT];
    char parent_id[SPAN_ID_TEXT] = "";

    trace_id_format(span->trace_id, trace_id);
    span_id_format(span->span_id, span_id);
    if (memcmp(span->parent_id, nobody, sizeof nobody) != 0) {
        span_id_format(span->parent_id, parent_id);
    }
    text_add(json, "{\"traceId\":\"%s\",\"spanId\":\"%s\",\"parentSpanId\":\"%s\"", trace_id,
             span_id, parent_id);
}

static void add_span(struct text *json, const struct span *span)
{
    enum { OTLP_ERROR = 2 };

    add_ids(json, span);
    text_add(json, ",\"name\":");
    text_add_json(json, bytes_of(span->name));
    text_add(
        json,
        ",\"kind\":%d,\"startTimeUnixNano\":\"%" PRId64 "\",\"endTimeUnixNano\":\"%" PRId64
        "\",\"attributes\":[{\"key\":\"rpc.grpc.status_code\",\"value\":{\"intValue\":\"%d\"}}",
        (int)span->kind, span->start_us * 1000, span->end_us * 1000, (int)span->code);
    for (unsigned i = 0; i < span->n_attributes; i++) {
        add_attribute(json, span->attributes[i].name, span->attributes[i].value);
    }
    text_add(json, "],\"status\":{");
    if (is_error(span)) {
        text_add(json, "\"code\":%d,\"message\":\"%s\"", OTLP_ERROR, status_code_name(span->code));
    }
    text_add(json, "}}");
}

void trace_otlp(struct text *json, const char *service, struct spans spans)
{
    text_add(json, "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\","
                   "\"value\":{\"stringValue\":");
    text_add_json(json, bytes_of(service));
    text_add(json, "}}]},\"scopeSpans\":[{\"scope\":{\"name\":\"weft\"},\"spans\":[");
    for (size_t i = 0; i < spans.n_spans; i++) {
        text_add(json, "%s", i == 0 ? "" : ",");
        add_span(json, &spans.spans[i]);
    }
    text_add(json, "]}]}]}\n");
}
