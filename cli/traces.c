#include "cli/traces.h"

#include "cli/programs.h"
#include "cli/span_file.h"
#include "libs/base/encoding.h"
#include "libs/base/text.h"
#include "libs/peers/trace_peer.h"
#include "libs/rpc/message.h"

#include <string.h>

enum {
    MAX_SPANS = 8000, /* seven services with a thousand each, and our own */
    SPANS_OF_ONE = 1000,
    PATIENCE_MS = 2000,
};

static void add(struct trace_spans *into, const struct trace_span *span)
{
    for (size_t i = 0; i < into->n_spans; i++) {
        if (strcmp(into->spans[i].span_id, span->span_id) == 0) {
            return; /* with several instances one may be asked twice */
        }
    }
    if (into->n_spans < MAX_SPANS) {
        into->spans[into->n_spans++] = *span;
    }
}

static status ask(struct session *session, struct arena *arena, const char *service,
                  const char *trace_id, struct trace_spans *into)
{
    const Weft__Trace__V1__ListSpansResponse *response;
    Weft__Trace__V1__ListSpansRequest request;
    struct call call = session_call(session, arena, PATIENCE_MS);

    weft__trace__v1__list_spans_request__init(&request);
    request.trace_id = message_text(trace_id);
    request.page_size = SPANS_OF_ONE;
    call.span = NULL; /* to look is not part of what is looked at */
    TRY(trace_peer_list_spans(session_peer(session, service), &call, &request, &response));
    for (size_t i = 0; i < response->n_spans; i++) {
        const Weft__Trace__V1__Span *span = response->spans[i];
        add(into, &(struct trace_span){
                      .span_id = span->span_id,
                      .parent_span_id = span->parent_span_id,
                      .name = span->name,
                      .service = span->service,
                      .start_us = span->start_us,
                      .duration_us = span->duration_us,
                      .code = span->code,
                  });
    }
    return status_ok();
}

static const char *hex(struct arena *arena, const uint8_t id[SPAN_ID_BYTES])
{
    static const uint8_t none[SPAN_ID_BYTES];

    return memcmp(id, none, SPAN_ID_BYTES) == 0
               ? ""
               : hex_encode(arena, (bytes){ .data = id, .size = SPAN_ID_BYTES });
}

/* What this process remembers of it. */
static void own_spans(struct session *session, struct arena *arena, const char *trace_id,
                      const struct trace_span **ret_spans, size_t *ret_n)
{
    struct tracer *tracer = session_tracer(session);
    bytes id = { 0 };

    *ret_n = 0;
    if (tracer == NULL || !hex_decode(arena, bytes_of(trace_id), &id) ||
        id.size != TRACE_ID_BYTES) {
        return;
    }
    struct spans own = tracer_find(tracer, arena, id.data);
    struct trace_span *spans = ARENA_NEW_ARRAY(arena, struct trace_span, own.n_spans + 1);
    for (size_t i = 0; i < own.n_spans; i++) {
        const struct span *span = &own.spans[i];
        spans[i] = (struct trace_span){
            .span_id = hex(arena, span->span_id),
            .parent_span_id = hex(arena, span->parent_id),
            .name = arena_strdup(arena, span->name),
            .service = tracer_service(tracer),
            .start_us = span->start_us,
            .duration_us = span->end_us - span->start_us,
            .code = (int)span->code,
        };
    }
    *ret_spans = spans;
    *ret_n = own.n_spans;
}

/* The client's working folder is HOME/cli. */
static const char folder[] = ".";

void traces_keep(struct session *session, struct arena *arena, const char *trace_id)
{
    const struct trace_span *spans = NULL;
    size_t n = 0;

    own_spans(session, arena, trace_id, &spans, &n);
    if (n > 0) {
        span_file_append(arena, folder, trace_id, spans, n);
    }
}

static void add_all(struct trace_spans *into, const struct trace_span *spans, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        add(into, &spans[i]);
    }
}

void traces_collect(struct session *session, struct arena *arena, const char *trace_id,
                    struct trace_spans *ret)
{
    struct text silent = text_new(arena);
    const struct trace_span *spans = NULL;
    size_t n = 0;

    *ret = (struct trace_spans){ .spans = ARENA_NEW_ARRAY(arena, struct trace_span, MAX_SPANS) };
    own_spans(session, arena, trace_id, &spans, &n);
    add_all(ret, spans, n);
    span_file_find(arena, folder, trace_id, &spans, &n);
    add_all(ret, spans, n);
    for (size_t i = 0; i < N_PROGRAMS; i++) {
        const char *service = program_entries[i].name;
        /* The agent is a member of the host, not of the mesh. */
        if (strcmp(service, "agent") != 0 &&
            !status_is_ok(ask(session, arena, service, trace_id, ret))) {
            text_add(&silent, "%s%s", silent.size > 0 ? ", " : "", service);
        }
    }
    ret->silent = text_string(&silent);
}
