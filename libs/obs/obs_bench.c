/* obs_bench - what log, metrics and trace cost a call, in nanoseconds.
 *
 *     bazel run -c opt //libs/obs:obs_bench
 *
 * Each row runs on one thread and then on four at once; what one thread waits is shown.
 */

#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/obs/log.h"
#include "libs/obs/metrics.h"
#include "libs/obs/trace.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREADS = 4, ROUNDS = 1000000 };

struct bench {
    const char *name;
    void (*once)(struct bench *bench);
    struct tracer *tracer;
    struct log *log;
    struct labels labels;
    struct trace_context trace;
};

static void count(struct bench *bench)
{
    counter_add_of(COUNTER_server_call_started, bench->labels, 1);
}

static void name(struct bench *bench)
{
    (void)bench;
    (void)metric_label_of("weft.v1.Bench/Bench");
}

static void measure(struct bench *bench)
{
    histogram_record_of(HISTOGRAM_server_call_duration, bench->labels, 812);
}

static void trace(struct bench *bench)
{
    struct span span = span_start(bench->tracer, NULL, SPAN_SERVER, "weft.v1.Bench/Bench");

    span_end(&span, STATUS_OK);
}

static void carry(struct bench *bench)
{
    char text[TRACEPARENT_TEXT];

    traceparent_format(&bench->trace, text);
    (void)traceparent_parse((bytes){ (const uint8_t *)text, TRACEPARENT_TEXT - 1 },
                            &(struct trace_context){ .flags = 0 });
}

static void log_nothing(struct bench *bench)
{
    LOG(bench->log, LEVEL_DEBUG, &bench->trace, "quiet", log_int("n", 1));
}

static void log_something(struct bench *bench)
{
    LOG(bench->log, LEVEL_INFO, &bench->trace, "served", log_text("method", "Bench/Bench"),
        log_int("us", 812));
}

static void *repeat(void *data)
{
    struct bench *bench = data;

    for (int i = 0; i < ROUNDS; i++) {
        bench->once(bench);
    }
    return NULL;
}

static double nanoseconds(struct bench *bench, int n_threads)
{
    pthread_t threads[THREADS];
    int64_t start_us = clock_monotonic_us(&system_clock);

    for (int i = 0; i < n_threads; i++) {
        if (pthread_create(&threads[i], NULL, repeat, bench) != 0) {
            exit(EXIT_FAILURE);
        }
    }
    for (int i = 0; i < n_threads; i++) {
        pthread_join(threads[i], NULL);
    }
    return (double)(clock_monotonic_us(&system_clock) - start_us) * 1000 / ROUNDS;
}

int main(void)
{
    struct bench benches[] = {
        { .name = "counter_add_of", .once = count },
        { .name = "metric_label_of, known", .once = name },
        { .name = "histogram_record_of", .once = measure },
        { .name = "span_start, span_end", .once = trace },
        { .name = "traceparent, there and back", .once = carry },
        { .name = "LOG, level off", .once = log_nothing },
        { .name = "LOG to /dev/null", .once = log_something },
    };
    struct tracer *tracer = tracer_new(&(struct tracer_options){
        .service = "bench",
        .clock = &system_clock,
        .random = &system_random,
    });
    struct log *log = log_new(&(struct log_options){
        .service = "bench",
        .clock = &system_clock,
        .level = LEVEL_INFO,
        .fd = open("/dev/null", O_WRONLY | O_CLOEXEC),
    });

    printf("%-30s %10s %10s\n", "ns", "1 thread", "4 threads");
    for (size_t i = 0; i < sizeof benches / sizeof *benches; i++) {
        benches[i].tracer = tracer;
        benches[i].log = log;
        benches[i].labels.method = metric_label_of("weft.v1.Bench/Bench");
        printf("%-30s %10.1f %10.1f\n", benches[i].name, nanoseconds(&benches[i], 1),
               nanoseconds(&benches[i], THREADS));
    }
    log_free(log);
    tracer_free(tracer);
    return EXIT_SUCCESS;
}
