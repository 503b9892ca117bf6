/* Jobs in memory: taken in, kept in order of rank, let go. */

#include "services/scheduler/dispatcher_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void *must(void *memory)
{
    if (memory == NULL) {
        abort();
    }
    return memory;
}

bytes pair_of(struct pair *pair, const char *first, const char *second)
{
    size_t n = strlen(first) + 1;
    size_t m = strlen(second);

    assert(n + m <= sizeof pair->data);
    memcpy(pair->data, first, n);
    memcpy(pair->data + n, second, m);
    return (bytes){ (const uint8_t *)pair->data, n + m };
}

static char *pack(char **at, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = memcpy(*at, text, size);

    *at += size;
    return copy;
}

static struct job *job_new(struct lane *lane, const struct job_record *record)
{
    size_t n_bytes = sizeof(struct job) + strlen(record->tenant_id) + strlen(record->job_id) +
                     strlen(record->project_id) + strlen(record->principal) +
                     strlen(record->permissions) + strlen(record->trace) +
                     strlen(record->worker_id) + 7 + record->payload.size;
    struct job *job = must(calloc(1, n_bytes));
    char *at = job->text;

    job->lane = lane;
    job->tenant_id = pack(&at, record->tenant_id);
    job->job_id = pack(&at, record->job_id);
    job->project_id = pack(&at, record->project_id);
    job->principal = pack(&at, record->principal);
    job->permissions = pack(&at, record->permissions);
    job->trace = pack(&at, record->trace);
    job->worker_id = pack(&at, record->worker_id);
    if (record->payload.size > 0) {
        memcpy(at, record->payload.data, record->payload.size);
    }
    job->payload = (bytes){ (const uint8_t *)at, record->payload.size };
    job->priority = record->priority;
    job->rank_ms = job_rank_ms(record->run_at_ms, record->priority);
    job->attempt = record->attempt;
    job->failures = record->failures;
    job->max_attempts = record->max_attempts;
    job->deadline_ms = record->deadline_ms;
    job->enqueue_ms = record->enqueue_ms;
    job->progress.message = "";
    job->n_bytes = n_bytes;
    return job;
}

void job_free(struct job *job)
{
    free(job->message);
    free(job->token);
    free(job->result);
    free(job);
}

static struct job *add_job(struct dispatcher *self, struct lane *lane,
                           const struct job_record *record)
{
    struct job *job = job_new(lane, record);
    struct pair key;

    (void)map_put_bytes(&self->jobs, pair_of(&key, job->tenant_id, job->job_id), job);
    self->n_bytes += job->n_bytes;
    lane->n_jobs++;
    return job;
}

struct job *dispatcher_find(const struct dispatcher *self, const char *tenant_id,
                            const char *job_id)
{
    struct pair key;

    return map_get_bytes(&self->jobs, pair_of(&key, tenant_id, job_id));
}

size_t dispatcher_waiting(const struct dispatcher *self)
{
    return self->n_waiting;
}

/* A lane that was empty neither saved up turns nor owes any. */
static void take_turn(struct lane *lane)
{
    if (!heap_has(&lane->turn)) {
        lane->pass = lane->pass > lane->pool->pass ? lane->pass : lane->pool->pass;
        heap_put(&lane->pool->turns, &lane->turn, lane->pass, lane);
    }
}

static void wait_in_lane(struct dispatcher *self, struct job *job)
{
    heap_put(&job->lane->jobs, &job->place, job->rank_ms, job);
    self->n_waiting++;
    take_turn(job->lane);
}

void job_leave_lane(struct dispatcher *self, struct job *job)
{
    struct lane *lane = job->lane;

    heap_remove(&lane->jobs, &job->place);
    self->n_waiting--;
    if (lane->jobs.n_nodes == 0) {
        heap_remove(&lane->pool->turns, &lane->turn);
    }
    lane_check_low(self, lane);
}

void dispatcher_hand_over(struct job *job, struct worker *worker)
{
    struct worker *before = job->worker;

    if (before != NULL) {
        *(job->previous_of_worker != NULL ? &job->previous_of_worker->next_of_worker
                                          : &before->jobs) = job->next_of_worker;
        if (job->next_of_worker != NULL) {
            job->next_of_worker->previous_of_worker = job->previous_of_worker;
        }
        before->n_jobs--;
    }
    job->worker = worker;
    job->previous_of_worker = NULL;
    job->next_of_worker = NULL;
    if (worker != NULL) {
        job->next_of_worker = worker->jobs;
        if (worker->jobs != NULL) {
            worker->jobs->previous_of_worker = job;
        }
        worker->jobs = job;
        worker->n_jobs++;
    }
}

void dispatcher_forget(struct dispatcher *self, struct job *job)
{
    struct pair key;

    assert(!heap_has(&job->timer));
    if (job->phase == PHASE_WAITING) {
        job_leave_lane(self, job);
    }
    dispatcher_hand_over(job, NULL);
    (void)map_remove_bytes(&self->jobs, pair_of(&key, job->tenant_id, job->job_id));
    self->n_bytes -= job->n_bytes;
    job->lane->n_jobs--;
    job_free(job);
}

static int by_rank(const void *a, const void *b)
{
    const struct heap_node *const *left = a;
    const struct heap_node *const *right = b;

    if ((*left)->key != (*right)->key) {
        return (*left)->key < (*right)->key ? -1 : 1;
    }
    return (*left)->turn < (*right)->turn ? -1 : 1;
}

void lane_trim(struct dispatcher *self, struct lane *lane, size_t n)
{
    size_t n_jobs = lane->jobs.n_nodes;

    if (n_jobs <= n) {
        return;
    }
    /* A sorted array is a heap; each node is told its new place. */
    qsort(lane->jobs.nodes, n_jobs, sizeof(struct heap_node *), by_rank);
    for (size_t i = 0; i < n_jobs; i++) {
        lane->jobs.nodes[i]->place = i + 1;
    }
    lane_miss(self, lane, lane->jobs.nodes[n]->key);
    for (size_t i = n_jobs; i > n; i--) { /* from the end, which moves no other */
        dispatcher_forget(self, lane->jobs.nodes[i - 1]->owner);
    }
}

void dispatcher_offer(struct dispatcher *self, struct lane *lane, const struct job_record *record)
{
    int64_t rank_ms = job_rank_ms(record->run_at_ms, record->priority);

    if (dispatcher_find(self, record->tenant_id, record->job_id) != NULL) {
        return;
    }
    if (lane->jobs.n_nodes >= self->limits.window && rank_ms < lane->horizon_ms) {
        lane_trim(self, lane, self->limits.window / 2);
    }
    if (rank_ms < lane->horizon_ms && lane_has_workers(lane) && lane_has_room(self, lane)) {
        wait_in_lane(self, add_job(self, lane, record));
    } else {
        lane_miss(self, lane, rank_ms);
    }
}

void dispatcher_load(struct dispatcher *self, struct lane *lane, const struct job_record *record)
{
    if (dispatcher_find(self, record->tenant_id, record->job_id) != NULL) {
        return;
    }
    if (lane_has_workers(lane) && lane_has_room(self, lane)) {
        wait_in_lane(self, add_job(self, lane, record));
    } else {
        lane_miss(self, lane, job_rank_ms(record->run_at_ms, record->priority));
    }
}

struct job *dispatcher_adopt(struct dispatcher *self, struct lane *lane,
                             const struct job_record *record, struct worker *worker)
{
    struct job *job = add_job(self, lane, record);

    job->phase = PHASE_RUNNING;
    dispatcher_hand_over(job, worker);
    return job;
}

/* Adjusts what memory job is counted with. */
static void grow_job(struct dispatcher *self, struct job *job, size_t before, size_t after)
{
    job->n_bytes += after - before; /* modulo 2^64, and so right when it shrinks */
    self->n_bytes += after - before;
}

void dispatcher_set_progress(struct dispatcher *self, struct job *job, struct job_progress progress)
{
    char *message = must(strdup(progress.message));

    grow_job(self, job, strlen(job->progress.message), strlen(message));
    free(job->message);
    job->message = message;
    job->progress = progress;
    job->progress.message = message;
}

bool dispatcher_add_result(struct dispatcher *self, struct job *job, bytes chunk)
{
    if (chunk.size > JOB_MAX_RESULT_BYTES - job->result_size ||
        self->n_bytes + chunk.size > self->limits.max_bytes) {
        return false;
    }
    if (chunk.size > 0) {
        job->result = must(realloc(job->result, job->result_size + chunk.size));
        memcpy(job->result + job->result_size, chunk.data, chunk.size);
        job->result_size += chunk.size;
        grow_job(self, job, 0, chunk.size);
    }
    return true;
}
