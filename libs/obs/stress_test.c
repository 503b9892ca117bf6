/* Many threads at once on log, metrics, trace and readiness: nothing is lost, nothing is torn, and
 * under --config=tsan nothing races. */

#include "libs/base/text.h"
#include "libs/obs/log.h"
#include "libs/obs/metrics.h"
#include "libs/obs/metrics_page.h"
#include "libs/obs/readiness.h"
#include "libs/obs/trace.h"

#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

enum { THREADS = 8, ROUNDS = 2000, METHODS = 100 };

struct stress {
    struct tracer *tracer;
    struct log *log;
    struct readiness *readiness;
    struct dependency *dependency;
    pthread_barrier_t start; /* so that all meet what is new at once */
    _Atomic int n_told;
    _Atomic bool stopping;
};

/* Runs work on THREADS threads and look, again and again meanwhile, on one more. */
static void run(struct stress *stress, void *(*work)(void *), void *(*look)(void *))
{
    pthread_t workers[THREADS];
    pthread_t looker;

    stress->stopping = false;
    assert_int_equal(pthread_barrier_init(&stress->start, NULL, THREADS), 0);
    assert_int_equal(pthread_create(&looker, NULL, look, stress), 0);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&workers[i], NULL, work, stress), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(workers[i], NULL), 0);
    }
    stress->stopping = true;
    assert_int_equal(pthread_join(looker, NULL), 0);
    (void)pthread_barrier_destroy(&stress->start);
}

/* ---- Trace ---- */

/* Each span says in two places who it is, so that one put together of two would show. */
static void *make_spans(void *data)
{
    struct stress *stress = data;

    (void)pthread_barrier_wait(&stress->start);
    for (int i = 0; i < ROUNDS; i++) {
        struct span outer = span_start(stress->tracer, NULL, SPAN_SERVER, "");
        struct trace_context here = span_context(&outer);
        struct span inner = span_start(stress->tracer, &here, SPAN_CLIENT, "");
        span_id_format(outer.span_id, outer.name);
        span_id_format(inner.span_id, inner.name);
        span_attribute(&inner, "name", inner.name);
        span_end(&inner, STATUS_OK);
        span_end(&outer, STATUS_OK);
    }
    return NULL;
}

static void check_span(const struct span *span)
{
    char name[SPAN_ID_TEXT];

    span_id_format(span->span_id, name);
    assert_string_equal(span->name, name);
    assert_true(span->end_us >= span->start_us);
    if (span->n_attributes > 0) {
        assert_string_equal(span->attributes[0].value, name);
    }
}

static void *look_at_spans(void *data)
{
    struct stress *stress = data;
    struct arena *arena = arena_new();

    while (!stress->stopping) {
        struct spans latest = tracer_latest(stress->tracer, arena, 50);
        for (size_t i = 0; i < latest.n_spans; i++) {
            struct spans one = tracer_find(stress->tracer, arena, latest.spans[i].trace_id);
            assert_true(one.n_spans <= 2); /* 0 when it was pushed out meanwhile */
            for (size_t j = 0; j < one.n_spans; j++) {
                check_span(&one.spans[j]);
            }
        }
        arena_reset(arena);
    }
    arena_free(arena);
    return NULL;
}

static void spans_of_many_threads_are_whole_and_the_newest_are_kept(void **state)
{
    enum { CAPACITY = 512 };
    struct stress stress = {
        .tracer = tracer_new(&(struct tracer_options){
            .service = "stress",
            .clock = &system_clock,
            .random = &system_random,
            .capacity = CAPACITY,
        }),
    };
    struct arena *arena = arena_new();

    (void)state;
    run(&stress, make_spans, look_at_spans);
    struct spans all = tracer_latest(stress.tracer, arena, SIZE_MAX);
    assert_in_range(all.n_spans, CAPACITY / 2 - THREADS, CAPACITY / 2 + THREADS);
    for (size_t i = 0; i < all.n_spans; i++) {
        check_span(&all.spans[i]);
    }
    arena_free(arena);
    tracer_free(stress.tracer);
}

/* ---- Metrics ---- */

static struct labels labels_of(int i)
{
    char name[32];

    (void)snprintf(name, sizeof name, "Stress/%d", i % METHODS);
    return (struct labels){
        .method = metric_label_of(name),
        .code = i % 3 == 0 ? STATUS_OK : STATUS_NOT_FOUND,
    };
}

static void *count(void *data)
{
    struct stress *stress = data;

    (void)pthread_barrier_wait(&stress->start);
    for (int i = 0; i < ROUNDS; i++) {
        struct labels labels = labels_of(i);
        counter_add_of(COUNTER_server_call_started, labels, 1);
        histogram_record_of(HISTOGRAM_server_call_duration, labels, i);
        gauge_add(GAUGE_calls_in_flight, i % 2 == 0 ? 1 : -1);
    }
    return NULL;
}

static void *look_at_numbers(void *data)
{
    struct stress *stress = data;
    struct arena *arena = arena_new();
    uint64_t before = 0;

    while (!stress->stopping) {
        struct text page = text_new(arena);
        struct histogram_values values;
        metrics_page(&page);
        histogram_read(HISTOGRAM_server_call_duration, NULL, &values);
        assert_true(values.count >= before);
        before = values.count;
        arena_reset(arena);
    }
    arena_free(arena);
    return NULL;
}

static void no_count_is_lost(void **state)
{
    struct stress stress = { .tracer = NULL };
    struct arena *arena = arena_new();
    struct text page = text_new(arena);
    struct histogram_values values;
    int n_series = 0;

    (void)state;
    run(&stress, count, look_at_numbers);
    assert_int_equal(counter_value(COUNTER_server_call_started, NULL), THREADS * ROUNDS);
    assert_int_equal(gauge_value(GAUGE_calls_in_flight, NULL), 0);
    histogram_read(HISTOGRAM_server_call_duration, NULL, &values);
    assert_int_equal(values.count, THREADS * ROUNDS);
    assert_int_equal(values.sum, (uint64_t)THREADS * ROUNDS * (ROUNDS - 1) / 2);
    metrics_page(&page);
    for (const char *at = text_string(&page); (at = strstr(at, "_started_total{")) != NULL; at++) {
        n_series++;
    }
    assert_int_equal(n_series, METHODS); /* none was made twice */
    arena_free(arena);
}

/* ---- Log ---- */

static void *write_lines(void *data)
{
    struct stress *stress = data;

    (void)pthread_barrier_wait(&stress->start);
    for (int i = 0; i < ROUNDS / 10; i++) {
        LOG(stress->log, LEVEL_WARN, NULL, "from many", log_int("i", i));
        LOG(stress->log, LEVEL_DEBUG, NULL, "sometimes");
    }
    return NULL;
}

static void *change_level(void *data)
{
    struct stress *stress = data;

    while (!stress->stopping) {
        log_set_level(stress->log, LEVEL_DEBUG);
        log_set_level(stress->log, LEVEL_INFO);
    }
    return NULL;
}

static void lines_do_not_mix(void **state)
{
    int fd = memfd_create("log", MFD_CLOEXEC);
    assert_int_equal(fcntl(fd, F_SETFL, O_APPEND), 0); /* as whoever opens a log must */
    struct stress stress = {
        .log = log_new(&(struct log_options){ .service = "s", .clock = &system_clock, .fd = fd }),
    };
    int n_lines = 0;

    (void)state;
    run(&stress, write_lines, change_level);
    FILE *file = fdopen(fd, "r");
    char line[LOG_LINE_BYTES];
    rewind(file);
    while (fgets(line, sizeof line, file) != NULL) {
        json_t *json = json_loads(line, 0, NULL);
        assert_non_null(json);
        n_lines += json_object_get(json, "i") != NULL;
        json_decref(json);
    }
    assert_int_equal(n_lines, THREADS * ROUNDS / 10);
    (void)fclose(file);
    log_free(stress.log);
}

/* ---- Readiness ---- */

static void told(void *data)
{
    struct stress *stress = data;

    stress->n_told++;
}

static void *change_readiness(void *data)
{
    struct stress *stress = data;

    (void)pthread_barrier_wait(&stress->start);
    for (int i = 0; i < ROUNDS; i++) {
        readiness_set(stress->dependency, i % 2 == 0, i % 2 == 0 ? "there" : "away");
    }
    return NULL;
}

static void *look_at_readiness(void *data)
{
    struct stress *stress = data;
    struct arena *arena = arena_new();

    while (!stress->stopping) {
        struct readiness_state now = readiness_state(stress->readiness, arena);
        assert_int_equal(now.n_dependencies, 1);
        assert_int_equal(now.ready, now.dependencies[0].ready);
        assert_string_equal(now.dependencies[0].reason, now.ready ? "there" : "away");
        arena_reset(arena);
    }
    arena_free(arena);
    return NULL;
}

static void a_state_and_its_reason_change_together(void **state)
{
    struct stress stress = { .n_told = 0 };

    (void)state;
    stress.readiness = readiness_new(&(struct readiness_options){
        .clock = &system_clock,
        .changed = told,
        .data = &stress,
    });
    stress.dependency = readiness_add(stress.readiness, "it", "away");
    run(&stress, change_readiness, look_at_readiness);
    assert_true(stress.n_told >= 2);
    readiness_free(stress.readiness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans_of_many_threads_are_whole_and_the_newest_are_kept),
        cmocka_unit_test(no_count_is_lost),
        cmocka_unit_test(lines_do_not_mix),
        cmocka_unit_test(a_state_and_its_reason_change_together),
    };

    return cmocka_run_group_tests_name("obs stress", tests, NULL, NULL);
}
