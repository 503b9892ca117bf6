#include "libs/obs/trace_otlp.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static json_t *parse(const struct text *text)
{
    json_error_t error;
    json_t *json = json_loads(text_string(text), JSON_REJECT_DUPLICATES, &error);

    if (json == NULL) {
        fail_msg("'%s': %s", text_string(text), error.text);
        abort();
    }
    return json;
}

static void a_span_is_written_as_otlp_has_it(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct text json = text_new(arena);
    struct span span = {
        .trace_id = { 0xab },
        .span_id = { 0xcd },
        .kind = SPAN_SERVER,
        .code = STATUS_INTERNAL,
        .start_us = INT64_C(1795265941204005),
        .end_us = INT64_C(1795265941204007),
        .n_attributes = 1,
        .attributes = { { .name = "tenant_id", .value = "a\"b" } },
        .name = "T/Get",
    };

    trace_otlp(&json, "tenant", (struct spans){ &span, 1 });
    assert_string_equal(
        text_string(&json),
        "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\","
        "\"value\":{\"stringValue\":\"tenant\"}}]},\"scopeSpans\":[{\"scope\":{\"name\":\"weft\"},"
        "\"spans\":[{\"traceId\":\"ab000000000000000000000000000000\","
        "\"spanId\":\"cd00000000000000\",\"parentSpanId\":\"\",\"name\":\"T/Get\",\"kind\":2,"
        "\"startTimeUnixNano\":\"1795265941204005000\",\"endTimeUnixNano\":\"1795265941204007000\","
        "\"attributes\":[{\"key\":\"rpc.grpc.status_code\",\"value\":{\"intValue\":\"13\"}},"
        "{\"key\":\"tenant_id\",\"value\":{\"stringValue\":\"a\\\"b\"}}],"
        "\"status\":{\"code\":2,\"message\":\"INTERNAL\"}}]}]}]}\n");
    json_decref(parse(&json));
    arena_free(arena);
}

static void a_clients_mistake_is_no_error_of_the_server(void **state)
{
    (void)state;
    static const struct {
        enum span_kind kind;
        enum status_code code;
        bool want_error;
    } cases[] = {
        { SPAN_SERVER, STATUS_OK, false },         { SPAN_SERVER, STATUS_NOT_FOUND, false },
        { SPAN_SERVER, STATUS_UNAVAILABLE, true }, { SPAN_CLIENT, STATUS_OK, false },
        { SPAN_CLIENT, STATUS_NOT_FOUND, true },   { SPAN_INTERNAL, STATUS_ABORTED, true },
    };
    struct arena *arena = arena_new();

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text json = text_new(arena);
        struct span spans[2] = { { .kind = cases[i].kind, .code = cases[i].code },
                                 { .kind = SPAN_INTERNAL } };
        trace_otlp(&json, "tenant", (struct spans){ spans, 2 });
        json_decref(parse(&json));
        bool is_error = strstr(text_string(&json), "\"code\":2") != NULL;
        assert_int_equal(is_error, cases[i].want_error);
    }
    arena_free(arena);
}

static void no_spans_are_a_list_of_none(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct text json = text_new(arena);

    trace_otlp(&json, "tenant", (struct spans){ .n_spans = 0 });
    json_decref(parse(&json));
    assert_non_null(strstr(text_string(&json), "\"spans\":[]"));
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_span_is_written_as_otlp_has_it),
        cmocka_unit_test(a_clients_mistake_is_no_error_of_the_server),
        cmocka_unit_test(no_spans_are_a_list_of_none),
    };

    return cmocka_run_group_tests_name("trace_otlp", tests, NULL, NULL);
}
