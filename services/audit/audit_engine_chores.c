#include "services/audit/audit_engine_internal.h"

#include "libs/base/wait.h"

#include <stdlib.h>
#include <time.h>

enum {
    /* Between two rounds: each of the index commits and syncs, and readers do it themselves. */
    ROUND_MS = 200,
    RETRY_MS = 1000, /* after a failure, which takes somebody to mend */
};

status audit_engine_integrate_step(struct audit_engine *engine, struct arena *arena,
                                   int64_t *ret_wait_ms)
{
    return audit_log_step(engine->log, arena, ret_wait_ms);
}

status audit_engine_step(struct audit_engine *engine, struct arena *arena, int64_t *ret_wait_ms)
{
    TRY(audit_engine_index_step(engine, arena, ret_wait_ms));
    return audit_engine_integrate_step(engine, arena, ret_wait_ms);
}

/* The lock is held.  Whatever is appended meanwhile waits for the next round. */
static void wait_ms(struct audit_chore *chore, int64_t ms)
{
    const struct timespec end = wait_end(ms);

    while (!chore->engine->stopping && wait_until(&chore->wake, &chore->engine->lock, &end)) {
    }
}

/* Sleeps for ms; when it is negative, until something was appended, and then a round.  Returns
 * false when the engine stops. */
static bool sleep_until_due(struct audit_chore *chore, int64_t ms)
{
    struct audit_engine *engine = chore->engine;

    pthread_mutex_lock(&engine->lock);
    while (ms < 0 && !engine->stopping && !chore->appended) {
        pthread_cond_wait(&chore->wake, &engine->lock);
    }
    chore->appended = false;
    wait_ms(chore, ms < 0 ? ROUND_MS : ms);
    bool go_on = !engine->stopping;
    pthread_mutex_unlock(&engine->lock);
    return go_on;
}

static void *work(void *data)
{
    struct audit_chore *chore = data;
    const struct audit_engine_options *options = &chore->engine->options;
    struct arena *arena = arena_new();
    int64_t ms = 0;

    do {
        arena_reset(arena);
        status s = chore->step(chore->engine, arena, &ms);
        ms = ms < ROUND_MS ? ms : ROUND_MS;
        if (!status_is_ok(s)) {
            ms = RETRY_MS;
            if (options->failed != NULL) {
                options->failed(options->failed_data, s);
            }
        }
    } while (sleep_until_due(chore, ms));
    arena_free(arena);
    return NULL;
}

static void start(struct audit_engine *engine, struct audit_chore *chore,
                  status (*step)(struct audit_engine *engine, struct arena *arena,
                                 int64_t *ret_wait_ms))
{
    chore->engine = engine;
    chore->step = step;
    pthread_cond_init(&chore->wake, NULL);
    if (pthread_create(&chore->thread, NULL, work, chore) != 0) {
        abort(); /* no memory for a thread, when the service starts */
    }
}

void audit_engine_start(struct audit_engine *engine)
{
    if (engine->options.threaded) {
        start(engine, &engine->chores[AUDIT_INDEXER], audit_engine_index_step);
        start(engine, &engine->chores[AUDIT_INTEGRATOR], audit_engine_integrate_step);
        engine->running = true;
    }
}

void audit_engine_stop(struct audit_engine *engine)
{
    if (!engine->running) {
        return;
    }
    pthread_mutex_lock(&engine->lock);
    engine->stopping = true;
    for (int i = 0; i < AUDIT_CHORES; i++) {
        pthread_cond_signal(&engine->chores[i].wake);
    }
    pthread_mutex_unlock(&engine->lock);
    for (int i = 0; i < AUDIT_CHORES; i++) {
        (void)pthread_join(engine->chores[i].thread, NULL);
        pthread_cond_destroy(&engine->chores[i].wake);
    }
    engine->running = false;
}

void audit_engine_wake(struct audit_engine *engine)
{
    pthread_mutex_lock(&engine->lock);
    for (int i = 0; engine->running && i < AUDIT_CHORES; i++) {
        if (!engine->chores[i].appended) {
            engine->chores[i].appended = true;
            pthread_cond_signal(&engine->chores[i].wake);
        }
    }
    pthread_mutex_unlock(&engine->lock);
}
