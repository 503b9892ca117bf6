#include "libs/obs/trace.h"

#include "libs/base/text.h"
#include "libs/testing/fake_clock.h"
#include "libs/testing/seeded_random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { CAPACITY = 8, NOON = 1700000000 };

struct fixture {
    struct arena *arena;
    struct fake_clock clock;
    struct seeded_random random;
    struct tracer *tracer;
};

static struct tracer *make_tracer(struct fixture *f, unsigned sample_one_in)
{
    return tracer_new(&(struct tracer_options){
        .service = "tenant",
        .clock = &f->clock.clock,
        .random = &f->random.source,
        .capacity = CAPACITY,
        .sample_one_in = sample_one_in,
    });
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    f->arena = arena_new();
    fake_clock_init(&f->clock, NOON * INT64_C(1000));
    seeded_random_init(&f->random, 1);
    f->tracer = make_tracer(f, 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    tracer_free(f->tracer);
    arena_free(f->arena);
    free(f);
    return 0;
}

static struct trace_context parse(const char *header)
{
    struct trace_context context;

    assert_true(traceparent_parse(bytes_of(header), &context));
    return context;
}

#define CALLER "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-"

static void a_call_hangs_under_its_caller_and_its_children_under_it(void **state)
{
    struct fixture *f = *state;
    struct trace_context caller = parse(CALLER "01");

    struct span server = span_start(f->tracer, &caller, SPAN_SERVER, "weft.v1.T/Get");
    struct trace_context here = span_context(&server);
    fake_clock_advance_ms(&f->clock, 2);
    struct span client = span_start(f->tracer, &here, SPAN_CLIENT, "weft.v1.A/Ask");
    fake_clock_advance_ms(&f->clock, 3);
    span_end(&client, STATUS_UNAVAILABLE);
    span_end(&server, STATUS_OK);

    struct spans found = tracer_find(f->tracer, f->arena, caller.trace_id);
    assert_int_equal(found.n_spans, 2);
    assert_string_equal(found.spans[0].name, "weft.v1.T/Get");
    assert_memory_equal(found.spans[0].parent_id, caller.span_id, SPAN_ID_BYTES);
    assert_true(found.spans[0].is_entry);
    assert_int_equal(found.spans[0].end_us - found.spans[0].start_us, 5000);
    assert_memory_equal(found.spans[1].parent_id, server.span_id, SPAN_ID_BYTES);
    assert_false(found.spans[1].is_entry);
    assert_int_equal(found.spans[1].code, STATUS_UNAVAILABLE);
    assert_int_equal(found.spans[1].start_us - found.spans[0].start_us, 2000);
    assert_false(here.remote);
}

static void a_call_without_a_traceparent_begins_a_trace(void **state)
{
    struct fixture *f = *state;
    struct span one = span_start(f->tracer, NULL, SPAN_INTERNAL, "one");
    struct span two = span_start(f->tracer, NULL, SPAN_INTERNAL, "two");
    static const uint8_t zeros[SPAN_ID_BYTES];
    struct trace_context context = span_context(&one);
    char text[TRACEPARENT_TEXT];

    assert_memory_equal(one.parent_id, zeros, SPAN_ID_BYTES);
    assert_memory_not_equal(one.span_id, two.span_id, SPAN_ID_BYTES);
    assert_memory_not_equal(one.trace_id, two.trace_id, TRACE_ID_BYTES);
    traceparent_format(&context, text);
    assert_true(traceparent_parse(bytes_of(text), &context)); /* and is one that others can read */
    assert_int_equal(context.flags, TRACE_SAMPLED | TRACE_RANDOM);
}

static void a_trace_that_is_not_sampled_is_passed_on_and_not_kept(void **state)
{
    struct fixture *f = *state;
    struct trace_context caller = parse(CALLER "00");
    struct span span = span_start(f->tracer, &caller, SPAN_SERVER, "quiet");
    struct trace_context here = span_context(&span);

    span_end(&span, STATUS_OK);
    assert_int_equal(here.flags & TRACE_SAMPLED, 0);
    assert_memory_equal(here.trace_id, caller.trace_id, TRACE_ID_BYTES);
    assert_int_equal(tracer_find(f->tracer, f->arena, caller.trace_id).n_spans, 0);
    assert_int_equal(tracer_latest(f->tracer, f->arena, 10).n_spans, 0);
}

static void one_in_n_of_our_own_traces_is_sampled(void **state)
{
    struct fixture *f = *state;
    struct tracer *tracer = make_tracer(f, 10);
    struct trace_context caller = parse(CALLER "01");
    int n_sampled = 0;

    for (int i = 0; i < 1000; i++) {
        n_sampled += span_start(tracer, NULL, SPAN_INTERNAL, "x").flags & TRACE_SAMPLED;
        /* What another process has decided stays. */
        assert_true(span_start(tracer, &caller, SPAN_SERVER, "x").flags & TRACE_SAMPLED);
    }
    assert_in_range(n_sampled, 60, 140);
    tracer_free(tracer);
}

static void the_newest_push_out_the_oldest(void **state)
{
    struct fixture *f = *state;
    struct span spans[CAPACITY + 1];

    for (int i = 0; i <= CAPACITY; i++) {
        spans[i] = span_start(f->tracer, NULL, SPAN_SERVER, i == 0 ? "first" : "later");
        span_end(&spans[i], STATUS_OK);
    }
    assert_int_equal(tracer_find(f->tracer, f->arena, spans[0].trace_id).n_spans, 0);
    assert_int_equal(tracer_find(f->tracer, f->arena, spans[1].trace_id).n_spans, 1);
    struct spans latest = tracer_latest(f->tracer, f->arena, 100);
    assert_int_equal(latest.n_spans, CAPACITY);
    assert_memory_equal(latest.spans[0].span_id, spans[CAPACITY].span_id, SPAN_ID_BYTES);
    latest = tracer_latest(f->tracer, f->arena, 3);
    assert_int_equal(latest.n_spans, 3);
    assert_memory_equal(latest.spans[2].span_id, spans[CAPACITY - 2].span_id, SPAN_ID_BYTES);
}

static void the_latest_are_entries_and_not_what_hangs_under_them(void **state)
{
    struct fixture *f = *state;
    struct span entry = span_start(f->tracer, NULL, SPAN_SERVER, "entry");
    struct trace_context here = span_context(&entry);
    struct span inner = span_start(f->tracer, &here, SPAN_INTERNAL, "inner");

    span_end(&inner, STATUS_OK);
    span_end(&entry, STATUS_OK);
    struct spans latest = tracer_latest(f->tracer, f->arena, 10);
    assert_int_equal(latest.n_spans, 1);
    assert_string_equal(latest.spans[0].name, "entry");
}

static void names_and_values_are_cut_between_characters(void **state)
{
    struct fixture *f = *state;
    char name[SPAN_NAME_SIZE + 10];

    memset(name, 'a', sizeof name);
    memcpy(name + SPAN_NAME_SIZE - 2, "\xc3\xa9", 2); /* its second byte would not fit */
    name[sizeof name - 1] = '\0';
    struct span span = span_start(f->tracer, NULL, SPAN_SERVER, name);
    assert_int_equal(strlen(span.name), SPAN_NAME_SIZE - 2);
    for (int i = 0; i < SPAN_MAX_ATTRIBUTES + 1; i++) {
        span_attribute(&span, "tenant_id", name);
    }
    assert_int_equal(span.n_attributes, SPAN_MAX_ATTRIBUTES);
    assert_int_equal(strlen(span.attributes[0].value), SPAN_VALUE_SIZE - 1);
    span_end(&span, STATUS_OK);
}

static void a_wall_that_is_set_back_moves_no_span_backwards(void **state)
{
    struct fixture *f = *state;
    struct span span = span_start(f->tracer, NULL, SPAN_SERVER, "long");

    assert_int_equal(span.start_us, NOON * INT64_C(1000000));
    fake_clock_advance_ms(&f->clock, 7);
    f->clock.wall_ms -= INT64_C(3600000);
    span_end(&span, STATUS_OK);
    assert_int_equal(span.end_us - span.start_us, 7000);
    struct span next = span_start(f->tracer, NULL, SPAN_SERVER, "next");
    assert_in_range(next.start_us - f->clock.wall_ms * 1000, 0, 999);
    span_end(&next, STATUS_OK);
}

static void spans_within_a_millisecond_keep_their_order(void **state)
{
    struct fixture *f = *state;
    int64_t before = 0;

    for (int i = 0; i < 50; i++) { /* 7.9 ms, of which the wall tells whole ones */
        struct span span = span_start(f->tracer, NULL, SPAN_SERVER, "short");
        assert_true(span.start_us > before);
        before = span.start_us;
        f->clock.monotonic_us += 157;
        f->clock.wall_ms = NOON * INT64_C(1000) + (f->clock.monotonic_us - 1000000) / 1000;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_call_hangs_under_its_caller_and_its_children_under_it,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_call_without_a_traceparent_begins_a_trace, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_trace_that_is_not_sampled_is_passed_on_and_not_kept,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_in_n_of_our_own_traces_is_sampled, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_newest_push_out_the_oldest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_latest_are_entries_and_not_what_hangs_under_them,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_and_values_are_cut_between_characters, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_wall_that_is_set_back_moves_no_span_backwards, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(spans_within_a_millisecond_keep_their_order, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests_name("trace", tests, NULL, NULL);
}
