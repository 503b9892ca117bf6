#include "libs/http/admin.h"

#include "libs/base/clock.h"
#include "libs/base/text.h"
#include "libs/http/http_server.h"
#include "libs/obs/metrics_page.h"
#include "libs/obs/process_metrics.h"
#include "libs/obs/trace_otlp.h"

#include <stdlib.h>
#include <string.h>

struct admin {
    struct readiness *readiness;
    struct tracer *tracer;
    struct http_server *server;
};

static void index_page(const struct http_request *request, struct http_response *response)
{
    (void)request;
    response->body = bytes_of("/metrics\n/healthz\n/readyz\n/traces?n=20\n/traces/<trace id>\n");
}

static void metrics(const struct http_request *request, struct http_response *response)
{
    struct text page = text_new(request->arena);

    process_metrics(&page);
    metrics_page(&page);
    response->content_type = METRICS_PAGE_TYPE;
    response->body = text_bytes(&page);
}

static void healthz(const struct http_request *request, struct http_response *response)
{
    (void)request;
    response->body = bytes_of("ok\n");
}

static void add_dependency(struct text *json, const struct dependency_state *dependency)
{
    char since[CLOCK_TEXT];

    clock_format(dependency->since_ms, since);
    text_add(json, "{\"name\":");
    text_add_json(json, bytes_of(dependency->name));
    text_add(json, ",\"ready\":%s,\"reason\":", dependency->ready ? "true" : "false");
    text_add_json(json, bytes_of(dependency->reason));
    text_add(json, ",\"since\":\"%s\"}", since);
}

static void readyz(const struct http_request *request, struct http_response *response)
{
    const struct admin *self = request->object;
    struct readiness_state state = readiness_state(self->readiness, request->arena);
    struct text json = text_new(request->arena);

    text_add(&json, "{\"service\":");
    text_add_json(&json, bytes_of(tracer_service(self->tracer)));
    text_add(&json, ",\"ready\":%s,\"dependencies\":[", state.ready ? "true" : "false");
    for (size_t i = 0; i < state.n_dependencies; i++) {
        text_add(&json, "%s", i == 0 ? "" : ",");
        add_dependency(&json, &state.dependencies[i]);
    }
    text_add(&json, "]}\n");
    response->status = state.ready ? 200 : 503;
    response->content_type = "application/json";
    response->body = text_bytes(&json);
}

static void answer_spans(const struct http_request *request, struct http_response *response,
                         struct spans spans)
{
    const struct admin *self = request->object;
    struct text json = text_new(request->arena);

    trace_otlp(&json, tracer_service(self->tracer), spans);
    response->content_type = "application/json";
    response->body = text_bytes(&json);
}

static void latest_traces(const struct http_request *request, struct http_response *response)
{
    enum { STANDARD = 20, MOST = 1000 }; /* some 400 bytes each */
    const struct admin *self = request->object;
    const char *asked = http_query(request, "n");
    long n = asked == NULL ? STANDARD : strtol(asked, NULL, 10);

    if (n < 1 || n > MOST) {
        response->status = 400;
        response->body = bytes_of("n is a number from 1 to 1000\n");
        return;
    }
    answer_spans(request, response, tracer_latest(self->tracer, request->arena, (size_t)n));
}

static void one_trace(const struct http_request *request, struct http_response *response)
{
    const struct admin *self = request->object;
    uint8_t id[TRACE_ID_BYTES];

    if (!trace_id_parse(bytes_of(request->rest), id)) {
        response->status = 400;
        response->body = bytes_of("a trace id is 32 lower-case hex digits, not all 0\n");
        return;
    }
    answer_spans(request, response, tracer_find(self->tracer, request->arena, id));
}

static const struct http_route routes[] = {
    { "/", index_page },   { "/metrics", metrics },      { "/healthz", healthz },
    { "/readyz", readyz }, { "/traces", latest_traces }, { "/traces/", one_trace },
};

status admin_new(struct arena *arena, const struct admin_options *options, struct admin **ret_admin)
{
    struct admin *self = calloc(1, sizeof *self);
    const char *listen = options->listen != NULL ? options->listen : "127.0.0.1:0";
    const char *colon = strrchr(listen, ':');
    size_t host_size = colon != NULL ? (size_t)(colon - listen) : strlen(listen);

    if (self == NULL) {
        abort(); /* out of memory, when the process starts */
    }
    self->readiness = options->readiness;
    self->tracer = options->tracer;
    status s =
        http_server_new(arena,
                        &(struct http_server_options){
                            .address = arena_printf(arena, "%.*s", (int)host_size, listen),
                            .port = colon != NULL ? (uint16_t)strtoul(colon + 1, NULL, 10) : 0,
                            .routes = routes,
                            .n_routes = sizeof routes / sizeof *routes,
                            .object = self,
                        },
                        &self->server);
    if (!status_is_ok(s)) {
        free(self);
        return s;
    }
    *ret_admin = self;
    return status_ok();
}

void admin_free(struct admin *self)
{
    if (self == NULL) {
        return;
    }
    http_server_free(self->server);
    free(self);
}

uint16_t admin_port(const struct admin *self)
{
    return http_server_port(self->server);
}
