/* Enqueueing: one job or many, in one write. */

#include "services/scheduler/engine_internal.h"

#include "libs/base/status_details.h"
#include "libs/obs/metrics.h"

#include <string.h>

enum { TRIES = 5 }; /* others use the same keys at the same time */

/* Jobs that are enqueued together. */
struct batch {
    struct engine *engine;
    struct arena *arena;
    struct job_record *jobs;
    size_t n_jobs;
    bool *is_known;        /* an earlier call's job, by its key */
    struct change **begun; /* by attempt_begin(); NULL: to be offered when it is durable */
};

static void fill_in(const struct batch *batch, struct job_record *job)
{
    int64_t now_ms = engine_wall_ms(batch->engine);

    if (job->job_id == NULL) {
        job->job_id = random_ulid(batch->engine->options.random, batch->arena, now_ms);
    }
    job->enqueue_ms = now_ms;
    job->max_attempts = job->max_attempts != 0 ? job->max_attempts : JOB_DEFAULT_ATTEMPTS;
    job->state = job->run_at_ms > now_ms ? JOB_SCHEDULED : JOB_READY;
    job->run_at_ms = job->run_at_ms > now_ms ? job->run_at_ms : now_ms;
    job->attempt = 0;
    job->failures = 0;
    job->start_ms = 0;
    job->end_ms = 0;
    job->worker_id = "";
    job->error = "";
    job->progress = (struct job_progress){ .message = "" };
}

static status check_keys(const struct batch *batch)
{
    struct map keys;
    const char *twice = NULL;

    map_init(&keys);
    for (size_t i = 0; i < batch->n_jobs; i++) {
        const char *key = batch->jobs[i].idempotency_key;
        if (key[0] != '\0' && map_put(&keys, key, &batch->jobs[i]) != NULL) {
            twice = key;
        }
    }
    map_reset(&keys, NULL);
    if (twice != NULL) {
        return status_bad_field(batch->arena, "idempotency_key", "'%s' comes twice", twice);
    }
    return status_ok();
}

/* Lanes first: a job whose lane has no room could not be dispatched. */
static status reserve(const struct batch *batch)
{
    struct engine *self = batch->engine;
    const char *tenant_id = batch->jobs[0].tenant_id;
    bool has_lanes = true;

    pthread_mutex_lock(&self->lock);
    for (size_t i = 0; i < batch->n_jobs; i++) {
        has_lanes = has_lanes &&
                    dispatcher_lane(self->dispatcher, tenant_id, batch->jobs[i].capability) != NULL;
    }
    bool has_room = has_lanes && engine_count_open(self, tenant_id, (int64_t)batch->n_jobs);
    pthread_mutex_unlock(&self->lock);
    if (!has_lanes) {
        return status_error(batch->arena, STATUS_RESOURCE_EXHAUSTED,
                            "there are too many capabilities");
    }
    if (!has_room) {
        return status_error(batch->arena, STATUS_RESOURCE_EXHAUSTED,
                            "tenant '%s' has too many jobs that have not ended", tenant_id);
    }
    return status_ok();
}

static bool is_same_request(const struct job_record *a, const struct job_record *b)
{
    return strcmp(a->project_id, b->project_id) == 0 && strcmp(a->capability, b->capability) == 0 &&
           a->payload.size == b->payload.size &&
           (a->payload.size == 0 || memcmp(a->payload.data, b->payload.data, a->payload.size) == 0);
}

/* Some key was used before: takes the jobs that were enqueued with them then. */
static status find_known(const struct batch *batch)
{
    for (size_t i = 0; i < batch->n_jobs; i++) {
        struct job_record *job = &batch->jobs[i];
        struct job_record found;
        if (job->idempotency_key[0] == '\0' || batch->is_known[i]) {
            continue;
        }
        status s = job_store_find(batch->engine->options.store, batch->arena, job->tenant_id,
                                  job->idempotency_key, &found);
        if (s.code == STATUS_NOT_FOUND) {
            continue;
        }
        TRY(s);
        if (!is_same_request(job, &found)) {
            return status_error_info(batch->arena,
                                     status_error(batch->arena, STATUS_ALREADY_EXISTS,
                                                  "key '%s' was used for another job",
                                                  job->idempotency_key),
                                     (struct error_info){ .reason = "IDEMPOTENCY_KEY_REUSED",
                                                          .domain = "scheduler.weft" });
        }
        *job = found;
        batch->is_known[i] = true;
    }
    return status_ok();
}

/* They are one write: what has become of one has become of all. */
static const struct job_record *first_new(const struct batch *batch)
{
    size_t i = 0;

    while (batch->is_known[i]) {
        i++;
    }
    return &batch->jobs[i];
}

/* Jobs that somebody waits for start in the same write, and their tokens are asked for while the
 * disk works.  Nobody is told before it is durable. */
static void begin(const struct batch *batch, struct store_write *write)
{
    struct engine *self = batch->engine;

    pthread_mutex_lock(&self->lock);
    for (size_t i = 0; i < batch->n_jobs; i++) {
        batch->begun[i] = attempt_begin(self, &batch->jobs[i], write);
    }
    pthread_mutex_unlock(&self->lock);
}

static void settle_begun(const struct batch *batch, status s)
{
    struct engine *self = batch->engine;

    pthread_mutex_lock(&self->lock);
    for (size_t i = 0; i < batch->n_jobs; i++) {
        if (batch->begun[i] != NULL) {
            batch->begun[i]->result = s;
            change_settle(self, batch->begun[i]);
        }
    }
    errands_load_low(self);
    pthread_mutex_unlock(&self->lock);
}

static status insert_and_start(const struct batch *batch, struct store_write *write)
{
    begin(batch, write);
    status s = store_commit(batch->engine->options.store, batch->arena, write);
    settle_begun(batch, s);
    return s;
}

/* Some were known, so that the first write has failed, and what was begun with it. */
static status insert(const struct batch *batch, const struct store_write *write)
{
    memset(batch->begun, 0, batch->n_jobs * sizeof(struct change *));
    return store_commit(batch->engine->options.store, batch->arena, write);
}

static status commit(const struct batch *batch, const struct store_write *with)
{
    for (int i = 0; i < TRIES; i++) {
        struct store_write *write = store_write_new(batch->arena);
        for (size_t j = 0; j < batch->n_jobs; j++) {
            if (!batch->is_known[j]) {
                job_change_insert(write, &batch->jobs[j]);
            }
        }
        if (write->first == NULL) {
            return status_ok();
        }
        write_add_all(write, with);
        status s = i == 0 ? insert_and_start(batch, write) : insert(batch, write);
        s = write_settle(batch->engine, batch->arena, s, first_new(batch));
        if (s.code != STATUS_ALREADY_EXISTS) {
            return s;
        }
        TRY(find_known(batch));
    }
    return status_error(batch->arena, STATUS_ABORTED, "the keys keep changing");
}

/* What is in the store now may be dispatched. */
static void offer(const struct batch *batch, bool was_committed)
{
    struct engine *self = batch->engine;

    pthread_mutex_lock(&self->lock);
    for (size_t i = 0; i < batch->n_jobs; i++) {
        const struct job_record *job = &batch->jobs[i];
        if (!was_committed || batch->is_known[i]) {
            (void)engine_count_open(self, batch->jobs[0].tenant_id, -1);
            continue;
        }
        counter_add(COUNTER_jobs_enqueued, 1);
        if (job->state == JOB_SCHEDULED) {
            self->next_due_ms =
                job->run_at_ms < self->next_due_ms ? job->run_at_ms : self->next_due_ms;
            engine_kick(self);
        } else if (batch->begun[i] == NULL) {
            engine_offer(self, job);
        }
    }
    errands_load_low(self);
    pthread_mutex_unlock(&self->lock);
}

status engine_enqueue(struct engine *self, struct arena *arena, struct job_record *jobs,
                      size_t n_jobs, const struct store_write *with)
{
    const struct batch batch = {
        .engine = self,
        .arena = arena,
        .jobs = jobs,
        .n_jobs = n_jobs,
        .is_known = ARENA_NEW_ARRAY(arena, bool, n_jobs),
        .begun = ARENA_NEW_ARRAY(arena, struct change *, n_jobs),
    };

    if (n_jobs == 0) {
        return status_ok();
    }
    for (size_t i = 0; i < n_jobs; i++) {
        fill_in(&batch, &jobs[i]);
        TRY(job_check(arena, &jobs[i]));
    }
    TRY(check_keys(&batch));
    TRY(reserve(&batch));
    status s = commit(&batch, with);
    offer(&batch, status_is_ok(s));
    return s;
}
