#include "loadtests/open_loop.h"

#include "libs/testing/assert_status.h"
#include "libs/testing/fake_clock.h"

/* A service that needs so long for each question, and one more than that for one of them. */
struct slow_service {
    struct fake_clock clock;
    int64_t answer_ms;
    size_t stalls_at;
    int64_t stall_ms;
    size_t n_asked;
};

static status answer(void *data, struct arena *scratch, size_t n)
{
    struct slow_service *self = data;

    (void)scratch;
    self->n_asked++;
    fake_clock_advance_ms(&self->clock, self->answer_ms);
    if (n == self->stalls_at) {
        fake_clock_advance_ms(&self->clock, self->stall_ms);
    }
    return status_ok();
}

static status refuse(void *data, struct arena *scratch, size_t n)
{
    struct slow_service *self = data;

    self->n_asked++;
    return status_error(scratch, STATUS_UNAVAILABLE, "question %zu", n);
}

static void pause_fake(const struct clock *clock, int64_t us)
{
    union {
        const struct clock *in;
        struct fake_clock *out;
    } same = { .in = clock };

    same.out->monotonic_us += us;
}

static struct open_loop_options options_of(struct slow_service *service)
{
    fake_clock_init(&service->clock, 0);
    return (struct open_loop_options){
        .ask = answer,
        .data = service,
        .rate = 100, /* one each 10 ms */
        .n = 10,
        .n_askers = 1,
        .clock = &service->clock.clock,
        .pause = pause_fake,
    };
}

static void a_service_that_keeps_up_shows_its_own_latency(void **state)
{
    struct slow_service service = { .answer_ms = 3, .stalls_at = SIZE_MAX };
    const struct open_loop_options options = options_of(&service);
    struct arena *arena = arena_new();
    double ms[10];

    (void)state;
    assert_status(open_loop_run(&options, arena, ms), STATUS_OK);
    assert_float_equal(ms[0], 3, 0.001);
    assert_float_equal(ms[9], 3, 0.001);
    arena_free(arena);
}

static void a_stall_counts_for_all_who_were_due_during_it(void **state)
{
    struct slow_service service = { .answer_ms = 0, .stalls_at = 2, .stall_ms = 35 };
    const struct open_loop_options options = options_of(&service);
    struct arena *arena = arena_new();
    double ms[10];

    (void)state;
    assert_status(open_loop_run(&options, arena, ms), STATUS_OK);
    /* Asked at 20, 30, 40, 50: answered at 55 all four. */
    assert_float_equal(ms[9], 35, 0.001);
    assert_float_equal(ms[8], 25, 0.001);
    assert_float_equal(ms[7], 15, 0.001);
    assert_float_equal(ms[6], 5, 0.001);
    assert_float_equal(ms[5], 0, 0.001);
    arena_free(arena);
}

static void the_first_error_ends_it(void **state)
{
    struct slow_service service = { 0 };
    struct open_loop_options options = options_of(&service);
    struct arena *arena = arena_new();
    double ms[10];

    (void)state;
    options.ask = refuse;
    status s = open_loop_run(&options, arena, ms);
    assert_status(s, STATUS_UNAVAILABLE);
    assert_string_equal(s.message, "question 0");
    assert_int_equal(service.n_asked, 1);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_service_that_keeps_up_shows_its_own_latency),
        cmocka_unit_test(a_stall_counts_for_all_who_were_due_during_it),
        cmocka_unit_test(the_first_error_ends_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
