#include "loadtests/open_loop.h"

#include "loadtests/report.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

struct loop {
    struct open_loop_options options;
    double *ms;
    int64_t start_us;
    _Atomic size_t next;
    _Atomic bool failed;
};

struct asker {
    struct loop *loop;
    pthread_t thread;
    struct arena *scratch;
    status result;
};

static void sleep_us(const struct clock *clock, int64_t us)
{
    const struct timespec time = { .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 };

    (void)clock;
    (void)nanosleep(&time, NULL);
}

static status ask(struct asker *self, size_t n)
{
    struct loop *loop = self->loop;
    const struct clock *clock = loop->options.clock;
    int64_t due_us = loop->start_us + (int64_t)((double)n * 1e6 / loop->options.rate);
    int64_t early_us = due_us - clock_monotonic_us(clock);

    if (early_us > 0) {
        loop->options.pause(clock, early_us);
    }
    TRY(loop->options.ask(loop->options.data, self->scratch, n));
    loop->ms[n] = (double)(clock_monotonic_us(clock) - due_us) / 1e3;
    return status_ok();
}

static void *run(void *data)
{
    struct asker *self = data;
    struct loop *loop = self->loop;
    size_t n;

    while (!loop->failed && (n = loop->next++) < loop->options.n) {
        arena_reset(self->scratch);
        self->result = ask(self, n);
        if (!status_is_ok(self->result)) {
            loop->failed = true;
            break; /* the text of the error is in scratch */
        }
    }
    return NULL;
}

static status join(struct asker *askers, size_t n, struct arena *arena)
{
    status s = status_ok();

    for (size_t i = 0; i < n; i++) {
        (void)pthread_join(askers[i].thread, NULL);
        if (status_is_ok(s) && !status_is_ok(askers[i].result)) {
            s = status_error(arena, askers[i].result.code, "%s", askers[i].result.message);
        }
        arena_free(askers[i].scratch);
    }
    return s;
}

status open_loop_run(const struct open_loop_options *options, struct arena *arena, double *ret_ms)
{
    struct asker askers[OPEN_LOOP_MAX_ASKERS];
    struct loop loop = { .options = *options, .ms = ret_ms };
    size_t n_askers = options->n_askers != 0 ? options->n_askers : OPEN_LOOP_MAX_ASKERS;

    if (options->clock == NULL) {
        loop.options.clock = &system_clock;
    }
    if (options->pause == NULL) {
        loop.options.pause = sleep_us;
    }
    loop.start_us = clock_monotonic_us(loop.options.clock);
    for (size_t i = 0; i < n_askers; i++) {
        askers[i] = (struct asker){ .loop = &loop, .scratch = arena_new(), .result = status_ok() };
        if (pthread_create(&askers[i].thread, NULL, run, &askers[i]) != 0) {
            abort();
        }
    }
    TRY(join(askers, n_askers, arena));
    sort_values(ret_ms, options->n);
    return status_ok();
}
