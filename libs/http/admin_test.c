#include "libs/http/admin.h"

#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/http/http_ask.h"
#include "libs/obs/metrics.h"
#include "libs/testing/assert_status.h"

#include <jansson.h>
#include <string.h>

struct fixture {
    struct arena *arena;
    struct readiness *readiness;
    struct tracer *tracer;
    struct admin *admin;
    uint16_t port;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    f->arena = arena_new();
    f->readiness = readiness_new(&(struct readiness_options){ .clock = &system_clock });
    f->tracer = tracer_new(&(struct tracer_options){
        .service = "tenant",
        .clock = &system_clock,
        .random = &system_random,
    });
    assert_status(admin_new(f->arena,
                            &(struct admin_options){
                                .readiness = f->readiness,
                                .tracer = f->tracer,
                            },
                            &f->admin),
                  STATUS_OK);
    f->port = admin_port(f->admin);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    admin_free(f->admin);
    tracer_free(f->tracer);
    readiness_free(f->readiness);
    arena_free(f->arena);
    free(f);
    return 0;
}

static json_t *parse(const char *body)
{
    json_error_t error;
    json_t *json = json_loads(body, JSON_REJECT_DUPLICATES, &error);

    if (json == NULL) {
        fail_msg("'%s': %s", body, error.text);
        abort();
    }
    return json;
}

static void the_metrics_are_the_process_and_ours(void **state)
{
    struct fixture *f = *state;

    counter_add(COUNTER_log_lines_lost, 1);
    struct http_answer answer = http_get(f->arena, f->port, "/metrics");
    assert_int_equal(answer.status, 200);
    assert_non_null(strstr(answer.head, "text/plain; version=0.0.4; charset=utf-8"));
    assert_non_null(strstr(answer.body, "\nweft_log_lines_lost_total 1\n"));
    assert_non_null(strstr(answer.body, "\nprocess_open_fds "));
}

static void a_service_that_waits_is_alive_and_not_ready_and_says_for_what(void **state)
{
    struct fixture *f = *state;
    struct dependency *store = readiness_add(f->readiness, "store", "opening");
    struct dependency *lease = readiness_add(f->readiness, "lease", "the \"registry\" is away");

    readiness_set(store, true, "open");
    assert_string_equal(http_get(f->arena, f->port, "/healthz").body, "ok\n");
    struct http_answer answer = http_get(f->arena, f->port, "/readyz");
    assert_int_equal(answer.status, 503);
    json_t *json = parse(answer.body);
    assert_string_equal(json_string_value(json_object_get(json, "service")), "tenant");
    assert_true(json_is_false(json_object_get(json, "ready")));
    json_t *second = json_array_get(json_object_get(json, "dependencies"), 1);
    assert_string_equal(json_string_value(json_object_get(second, "name")), "lease");
    assert_string_equal(json_string_value(json_object_get(second, "reason")),
                        "the \"registry\" is away");
    assert_int_equal(json_string_length(json_object_get(second, "since")), 24);
    json_decref(json);
    readiness_set(lease, true, "held");
    assert_int_equal(http_get(f->arena, f->port, "/readyz").status, 200);
}

/* The names of the spans of an answer, one a line. */
static const char *names_in(struct arena *arena, const struct http_answer *answer)
{
    json_t *json = parse(answer->body);
    const char *names = "";
    json_t *resource = json_array_get(json_object_get(json, "resourceSpans"), 0);
    json_t *scope = json_array_get(json_object_get(resource, "scopeSpans"), 0);
    json_t *spans = json_object_get(scope, "spans");

    for (size_t i = 0; i < json_array_size(spans); i++) {
        json_t *span = json_array_get(spans, i);
        names =
            arena_printf(arena, "%s%s\n", names, json_string_value(json_object_get(span, "name")));
    }
    json_decref(json);
    return names;
}

static void a_trace_is_found_among_the_latest_and_by_its_id(void **state)
{
    struct fixture *f = *state;
    struct span first = span_start(f->tracer, NULL, SPAN_SERVER, "first");
    struct trace_context here = span_context(&first);
    struct span inner = span_start(f->tracer, &here, SPAN_CLIENT, "inner");
    struct span second = span_start(f->tracer, NULL, SPAN_SERVER, "second");
    char id[TRACE_ID_TEXT];

    span_end(&inner, STATUS_OK);
    span_end(&first, STATUS_OK);
    span_end(&second, STATUS_OK);
    struct http_answer latest = http_get(f->arena, f->port, "/traces");
    assert_string_equal(names_in(f->arena, &latest), "second\nfirst\n");
    latest = http_get(f->arena, f->port, "/traces?n=1");
    assert_string_equal(names_in(f->arena, &latest), "second\n");
    trace_id_format(first.trace_id, id);
    struct http_answer one = http_get(f->arena, f->port, arena_printf(f->arena, "/traces/%s", id));
    assert_string_equal(names_in(f->arena, &one), "first\ninner\n");
}

static void what_is_asked_wrongly_is_said(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *path;
        int want;
    } cases[] = {
        { "/", 200 },
        { "/traces?n=0", 400 },
        { "/traces?n=1001", 400 },
        { "/traces?n=", 400 },
        { "/traces?n=x", 400 },
        { "/traces/", 400 },
        { "/traces/abc", 400 },
        { "/traces?n=-1", 400 },
        { "/nowhere", 404 },
        { "/traces/00000000000000000000000000000000", 400 },
        { "/traces/000000000000000000000000000000ff", 200 },
        { "/traces?n=99999999999999999999999", 400 },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int got = http_get(f->arena, f->port, cases[i].path).status;
        if (got != cases[i].want) {
            fail_msg("'%s': got %d", cases[i].path, got);
        }
    }
}

static void a_port_that_is_taken_is_said(void **state)
{
    struct fixture *f = *state;
    struct admin *admin = NULL;
    struct admin_options options = {
        .listen = arena_printf(f->arena, "127.0.0.1:%d", f->port),
        .readiness = f->readiness,
        .tracer = f->tracer,
    };

    assert_status(admin_new(f->arena, &options, &admin), STATUS_UNAVAILABLE);
    assert_null(admin);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_metrics_are_the_process_and_ours, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_service_that_waits_is_alive_and_not_ready_and_says_for_what, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_trace_is_found_among_the_latest_and_by_its_id, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_is_asked_wrongly_is_said, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_port_that_is_taken_is_said, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("admin", tests, NULL, NULL);
}
