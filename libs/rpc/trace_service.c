#include "libs/rpc/trace_service.h"

#include "libs/base/encoding.h"
#include "libs/base/status_details.h"
#include "libs/base/text.h"
#include "libs/obs/trace.h"
#include "libs/rpc/message.h"
#include "weft/trace/v1/trace_service.pb-c.h"

#include <string.h>

enum { DEFAULT_PAGE_SIZE = 100, MAX_PAGE_SIZE = 1000 };

static Weft__Trace__V1__Span *span_message(struct arena *arena, const char *service,
                                           const struct span *span)
{
    static const uint8_t none[SPAN_ID_BYTES] = { 0 };
    Weft__Trace__V1__Span *message = ARENA_NEW(arena, Weft__Trace__V1__Span);
    bool is_root = memcmp(span->parent_id, none, sizeof none) == 0;

    weft__trace__v1__span__init(message);
    message->trace_id = message_text(hex_encode(arena, (bytes){ span->trace_id, TRACE_ID_BYTES }));
    message->span_id = message_text(hex_encode(arena, (bytes){ span->span_id, SPAN_ID_BYTES }));
    message->parent_span_id =
        message_text(is_root ? "" : hex_encode(arena, (bytes){ span->parent_id, SPAN_ID_BYTES }));
    message->name = arena_strdup(arena, span->name);
    message->service = message_text(service);
    message->start_us = span->start_us;
    message->duration_us = span->end_us - span->start_us;
    message->code = (int32_t)span->code;
    message->client = span->kind == SPAN_CLIENT;
    return message;
}

static status list_spans(struct call *call, const Weft__Trace__V1__ListSpansRequest *request,
                         Weft__Trace__V1__ListSpansResponse *response)
{
    struct tracer *tracer = call->service;
    bytes id = { .data = NULL };
    struct spans spans;
    int32_t limit = request->page_size == 0              ? DEFAULT_PAGE_SIZE
                    : request->page_size > MAX_PAGE_SIZE ? MAX_PAGE_SIZE
                                                         : request->page_size;

    if (limit < 0) {
        return status_bad_field(call->arena, "page_size", "%d is negative", limit);
    }
    if (request->trace_id[0] == '\0') {
        spans = tracer_latest(tracer, call->arena, (size_t)limit);
    } else if (hex_decode(call->arena, bytes_of(request->trace_id), &id) &&
               id.size == TRACE_ID_BYTES) {
        spans = tracer_find(tracer, call->arena, id.data);
    } else {
        return status_bad_field(call->arena, "trace_id", "'%s' is not 32 hex digits",
                                request->trace_id);
    }
    size_t n = spans.n_spans < (size_t)limit ? spans.n_spans : (size_t)limit;
    response->spans = ARENA_NEW_ARRAY(call->arena, Weft__Trace__V1__Span *, n);
    for (size_t i = 0; i < n; i++) {
        response->spans[i] = span_message(call->arena, tracer_service(tracer), &spans.spans[i]);
    }
    response->n_spans = n;
    return status_ok();
}

#define METHODS(X) X(Weft__Trace__V1__, ListSpans, WORKER, list_spans)
SERVICE_DEFINE(trace_service_methods, weft__trace__v1__trace_service__descriptor, METHODS);
