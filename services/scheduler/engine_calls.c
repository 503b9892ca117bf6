/* What callers ask. */

#include "services/scheduler/engine_internal.h"

#include "libs/base/status_details.h"
#include "libs/obs/metrics.h"

#include <stdlib.h>
#include <string.h>

enum { TRIES = 5 }; /* of a change that somebody else's change keeps getting in the way of */

/* A commit that was cut off may have happened.  Then job is as it should have become, and the
 * caller is told so; where nobody can tell, the error stands, and the store is looked through
 * again. */
static status settle(struct engine *self, struct arena *arena, status s,
                     const struct job_record *job)
{
    struct job_record row;

    if (s.code != STATUS_UNAVAILABLE && s.code != STATUS_INTERNAL && s.code != STATUS_UNKNOWN) {
        return s;
    }
    status read = job_store_get(self->options.store, arena, job->tenant_id, job->job_id, &row);
    if (status_is_ok(read) && row.attempt == job->attempt && row.state == job->state) {
        return status_ok();
    }
    if (!status_is_ok(read) && read.code != STATUS_NOT_FOUND) {
        pthread_mutex_lock(&self->lock);
        self->has_missed_lanes = true;
        pthread_mutex_unlock(&self->lock);
    }
    return s;
}

/* What `with` holds, into another write. */
static void add_all(struct store_write *write, const struct store_write *with)
{
    const struct store_write_item *item = with != NULL ? with->first : NULL;

    for (; item != NULL; item = item->next) {
        store_write_add(write, item->statement);
    }
}

/* ---- Enqueueing ---- */

/* Jobs that are enqueued together. */
struct batch {
    struct engine *engine;
    struct arena *arena;
    struct job_record *jobs;
    size_t n_jobs;
    bool *is_known; /* an earlier call's job, by its key */
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
        add_all(write, with);
        status s = settle(batch->engine, batch->arena,
                          store_commit(batch->engine->options.store, batch->arena, write),
                          first_new(batch));
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
        } else {
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

/* ---- Asking and changing ---- */

/* What only memory knows of a job that runs. */
static void add_live(struct engine *self, struct arena *arena, struct job_record *record)
{
    pthread_mutex_lock(&self->lock);
    const struct job *job = dispatcher_find(self->dispatcher, record->tenant_id, record->job_id);
    if (job != NULL && record->state == JOB_RUNNING && job->attempt == record->attempt) {
        uint8_t *result = arena_alloc(arena, job->result_size);
        if (job->result_size > 0) {
            memcpy(result, job->result, job->result_size);
        }
        record->result = (bytes){ result, job->result_size };
        record->progress = job->progress;
        record->progress.message = arena_strdup(arena, job->progress.message);
    }
    pthread_mutex_unlock(&self->lock);
}

status engine_get(struct engine *self, struct arena *arena, const char *tenant_id,
                  const char *job_id, struct job_record *ret_job)
{
    struct job_record job;

    TRY(job_store_get(self->options.store, arena, tenant_id, job_id, &job));
    add_live(self, arena, &job);
    *ret_job = job;
    return status_ok();
}

/* The store has it cancelled: so has memory. */
static void cancelled(struct engine *self, const struct job_record *record)
{
    pthread_mutex_lock(&self->lock);
    struct job *job = dispatcher_find(self->dispatcher, record->tenant_id, record->job_id);
    if (job != NULL) {
        attempt_cancelled(self, job);
    }
    counter_add(COUNTER_jobs_cancelled, 1);
    (void)engine_count_open(self, record->tenant_id, -1);
    watches_wake(self, record->tenant_id, record->job_id);
    errands_load_low(self);
    pthread_mutex_unlock(&self->lock);
}

status engine_cancel(struct engine *self, struct arena *arena, const char *tenant_id,
                     const char *job_id, const struct store_write *with, struct job_record *ret_job)
{
    status s = status_ok();

    for (int i = 0; i < TRIES; i++) {
        struct store_write *write = store_write_new(arena);
        struct job_record job;
        TRY(engine_get(self, arena, tenant_id, job_id, &job));
        if (job_has_ended(job.state)) {
            return status_error(arena, STATUS_FAILED_PRECONDITION, "job '%s' has ended: %s", job_id,
                                job_state_name(job.state));
        }
        job.end_ms = engine_wall_ms(self);
        job_change_cancel(write, job_seen(&job), job.end_ms);
        add_all(write, with);
        job.state = JOB_CANCELLED;
        s = settle(self, arena, store_commit(self->options.store, arena, write), &job);
        if (status_is_ok(s)) {
            cancelled(self, &job);
            *ret_job = job;
            return s;
        }
        if (s.code != STATUS_ABORTED) {
            return s;
        }
    }
    return s;
}

static void redriven(struct engine *self, const struct job_record *job)
{
    pthread_mutex_lock(&self->lock);
    engine_offer(self, job);
    watches_wake(self, job->tenant_id, job->job_id);
    errands_load_low(self);
    pthread_mutex_unlock(&self->lock);
}

/* Counted before it is open again, like a new one. */
static status commit_redrive(struct engine *self, struct arena *arena, const struct job_record *job,
                             const struct store_write *write)
{
    const char *tenant_id = job->tenant_id;

    pthread_mutex_lock(&self->lock);
    bool has_room = engine_count_open(self, tenant_id, 1);
    pthread_mutex_unlock(&self->lock);
    if (!has_room) {
        return status_error(arena, STATUS_RESOURCE_EXHAUSTED,
                            "tenant '%s' has too many jobs that have not ended", tenant_id);
    }
    status s = settle(self, arena, store_commit(self->options.store, arena, write), job);
    if (!status_is_ok(s)) {
        pthread_mutex_lock(&self->lock);
        (void)engine_count_open(self, tenant_id, -1);
        pthread_mutex_unlock(&self->lock);
    }
    return s;
}

status engine_redrive(struct engine *self, struct arena *arena, const char *tenant_id,
                      const char *job_id, const struct store_write *with,
                      struct job_record *ret_job)
{
    struct store_write *write = store_write_new(arena);
    struct job_record job;

    TRY(job_store_get(self->options.store, arena, tenant_id, job_id, &job));
    if (job.state != JOB_DEAD) {
        return status_error(arena, STATUS_FAILED_PRECONDITION, "job '%s' is not dead: %s", job_id,
                            job_state_name(job.state));
    }
    int64_t now_ms = engine_wall_ms(self);
    job_change_redrive(write, job_seen(&job), now_ms, job.priority);
    add_all(write, with);
    job.state = JOB_READY;
    job.failures = 0;
    job.deadline_ms = 0;
    job.end_ms = 0;
    job.run_at_ms = now_ms;
    TRY(commit_redrive(self, arena, &job, write));
    redriven(self, &job);
    *ret_job = job;
    return status_ok();
}

/* ---- Watching ---- */

struct engine_watch {
    struct engine *engine;
    struct engine_watch *next; /* of the same job */
    void (*wake)(void *data);
    void *data;
    size_t key_size;
    char key[]; /* tenant_id, NUL, job_id */
};

/* Ids that are no job's may be any text; nothing is found under what does not fit. */
enum { MAX_KEY_BYTES = 512 };

static size_t make_key(char key[MAX_KEY_BYTES], const char *tenant_id, const char *job_id)
{
    size_t n = strlen(tenant_id) + 1;
    size_t m = strlen(job_id);

    if (n + m > MAX_KEY_BYTES) {
        return 0;
    }
    memcpy(key, tenant_id, n);
    memcpy(key + n, job_id, m);
    return n + m;
}

static bytes key_of(const char *key, size_t size)
{
    return (bytes){ (const uint8_t *)key, size };
}

void watches_wake(struct engine *self, const char *tenant_id, const char *job_id)
{
    char key[MAX_KEY_BYTES];

    if (self->n_watches == 0) {
        return;
    }
    struct engine_watch *watch =
        map_get_bytes(&self->watches, key_of(key, make_key(key, tenant_id, job_id)));
    for (; watch != NULL; watch = watch->next) {
        watch->wake(watch->data);
    }
}

static struct engine_watch *add_watch(struct engine *self, bytes key, void (*wake)(void *data),
                                      void *data)
{
    struct engine_watch *watch = calloc(1, sizeof *watch + key.size);

    if (watch == NULL) {
        abort();
    }
    watch->engine = self;
    watch->wake = wake;
    watch->data = data;
    watch->key_size = key.size;
    memcpy(watch->key, key.data, key.size);
    watch->next = map_get_bytes(&self->watches, key);
    (void)map_put_bytes(&self->watches, key, watch);
    self->n_watches++;
    return watch;
}

status engine_watch_open(struct engine *self, struct arena *arena, const char *tenant_id,
                         const char *job_id, void (*wake)(void *data), void *data,
                         struct engine_watch **ret_watch)
{
    char key[MAX_KEY_BYTES];
    size_t size = make_key(key, tenant_id, job_id);
    struct engine_watch *watch = NULL;

    if (size == 0) {
        return status_error(arena, STATUS_NOT_FOUND, "there is no such job");
    }
    pthread_mutex_lock(&self->lock);
    if (self->n_watches < ENGINE_MAX_WATCHES) {
        watch = add_watch(self, key_of(key, size), wake, data);
    }
    pthread_mutex_unlock(&self->lock);
    if (watch == NULL) {
        return status_error(arena, STATUS_RESOURCE_EXHAUSTED, "%d jobs are watched already",
                            ENGINE_MAX_WATCHES);
    }
    *ret_watch = watch;
    return status_ok();
}

void engine_watch_close(struct engine_watch *watch)
{
    struct engine *self = watch->engine;
    bytes key = key_of(watch->key, watch->key_size);

    pthread_mutex_lock(&self->lock);
    struct engine_watch *first = map_get_bytes(&self->watches, key);
    if (first == watch) {
        (void)map_remove_bytes(&self->watches, key);
        if (watch->next != NULL) {
            (void)map_put_bytes(&self->watches, key, watch->next);
        }
    } else {
        while (first->next != watch) {
            first = first->next;
        }
        first->next = watch->next;
    }
    self->n_watches--;
    pthread_mutex_unlock(&self->lock);
    free(watch);
}
