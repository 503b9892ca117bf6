#include "libs/obs/traceparent.h"

#include "libs/base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN  "00f067aa0ba902b7"

static void a_header_is_read_as_the_standard_has_it(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        int want_flags; /* -1: no traceparent */
    } cases[] = {
        { "00-" TRACE "-" SPAN "-01", TRACE_SAMPLED },
        { "00-" TRACE "-" SPAN "-00", 0 },
        { "00-" TRACE "-" SPAN "-03", TRACE_SAMPLED | TRACE_RANDOM },
        { "00-" TRACE "-" SPAN "-ff", TRACE_SAMPLED | TRACE_RANDOM },
        { "cc-" TRACE "-" SPAN "-01", TRACE_SAMPLED },
        { "cc-" TRACE "-" SPAN "-01-what-the-future-brings", TRACE_SAMPLED },
        { "cc-" TRACE "-" SPAN "-01.what-the-future-brings", -1 },
        { "00-" TRACE "-" SPAN "-01-what-the-future-brings", -1 },
        { "00-" TRACE "-" SPAN "-01-", -1 },
        { "ff-" TRACE "-" SPAN "-01", -1 },
        { "0F-" TRACE "-" SPAN "-01", -1 },
        { "", -1 },
        { "00", -1 },
        { "00-" TRACE "-" SPAN "-0", -1 },
        { "00-" TRACE "-" SPAN "-0g", -1 },
        { "00-" TRACE "_" SPAN "-01", -1 },
        { "00_" TRACE "-" SPAN "-01", -1 },
        { "00-" TRACE "-" SPAN "_01", -1 },
        { "00-00000000000000000000000000000000-" SPAN "-01", -1 },
        { "00-" TRACE "-0000000000000000-01", -1 },
        { "00-4BF92F3577B34DA6A3CE929D0E0E4736-" SPAN "-01", -1 },
        { "00-" TRACE "-00f067aa0ba902bG-01", -1 },
        { " 00-" TRACE "-" SPAN "-01", -1 },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct trace_context context = { .flags = 0xee };
        bool is_one = traceparent_parse(bytes_of(cases[i].header), &context);
        if (is_one != (cases[i].want_flags >= 0)) {
            fail_msg("'%s': got %s", cases[i].header, is_one ? "a traceparent" : "none");
        }
        assert_int_equal(context.flags, is_one ? cases[i].want_flags : 0xee);
        assert_int_equal(context.remote, is_one);
    }
}

static void what_was_parsed_is_formatted_again(void **state)
{
    (void)state;
    struct trace_context context;
    char text[TRACEPARENT_TEXT];

    assert_true(traceparent_parse(bytes_of("00-" TRACE "-" SPAN "-01"), &context));
    traceparent_format(&context, text);
    assert_string_equal(text, "00-" TRACE "-" SPAN "-01");
}

static void a_later_version_is_sent_on_as_ours(void **state)
{
    (void)state;
    struct trace_context context;
    char text[TRACEPARENT_TEXT];

    assert_true(traceparent_parse(bytes_of("0a-" TRACE "-" SPAN "-f0-more"), &context));
    traceparent_format(&context, text);
    assert_string_equal(text, "00-" TRACE "-" SPAN "-00");
}

static void ids_are_typed_in_hex(void **state)
{
    (void)state;
    uint8_t id[TRACE_ID_BYTES] = { 0 };
    char text[TRACE_ID_TEXT];

    assert_true(trace_id_parse(bytes_of(TRACE), id));
    trace_id_format(id, text);
    assert_string_equal(text, TRACE);
    assert_false(trace_id_parse(bytes_of(SPAN), id));
    assert_false(trace_id_parse(bytes_of(TRACE "00"), id));
    assert_false(trace_id_parse(bytes_of("00000000000000000000000000000000"), id));
    assert_false(trace_id_parse(bytes_of("4bf92f3577b34da6a3ce929d0e0e473x"), id));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_is_read_as_the_standard_has_it),
        cmocka_unit_test(what_was_parsed_is_formatted_again),
        cmocka_unit_test(a_later_version_is_sent_on_as_ours),
        cmocka_unit_test(ids_are_typed_in_hex),
    };

    return cmocka_run_group_tests_name("traceparent", tests, NULL, NULL);
}
