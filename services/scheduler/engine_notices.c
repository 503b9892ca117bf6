/* What workers are told. */

#include "services/scheduler/engine_internal.h"

#include <stdlib.h>
#include <string.h>

static char *pack(char **at, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = memcpy(*at, text, size);

    *at += size;
    return copy;
}

void worker_queue(struct engine_worker *self, const struct queued_notice *notice)
{
    size_t size = strlen(notice->tenant_id) + strlen(notice->job_id) + strlen(notice->text) + 3;

    if (self->n_notices >= ENGINE_MAX_NOTICES) {
        return; /* it is cut off for that: engine_worker_next() */
    }
    struct queued_notice *copy = malloc(sizeof *copy + size);
    if (copy == NULL) {
        abort();
    }
    char *at = copy->data;
    *copy = *notice;
    copy->next = NULL;
    copy->tenant_id = pack(&at, notice->tenant_id);
    copy->job_id = pack(&at, notice->job_id);
    copy->text = pack(&at, notice->text);
    *self->last = copy;
    self->last = &copy->next;
    /* Who was woken takes all there are; and who does not, must hear that it is cut off. */
    if (++self->n_notices == 1 || self->n_notices == ENGINE_MAX_NOTICES) {
        self->wake(self->data);
    }
}

void worker_tell(struct engine_worker *self, enum notice_type type, const struct job *job,
                 status settled)
{
    worker_queue(self, &(struct queued_notice){
                           .type = type,
                           .code = settled.code,
                           .attempt = job->attempt,
                           .tenant_id = job->tenant_id,
                           .job_id = job->job_id,
                           .text = settled.message,
                       });
}

struct queued_notice *worker_take(struct engine_worker *self)
{
    struct queued_notice *notice = self->first;

    if (notice != NULL) {
        self->first = notice->next;
        if (self->first == NULL) {
            self->last = &self->first;
        }
        self->n_notices--;
    }
    return notice;
}

/* What the worker needs to do the job, in arena: it may be gone from memory the next moment. */
static void describe(const struct engine *self, struct arena *arena, const struct job *job,
                     struct notice *notice)
{
    uint8_t *payload = arena_alloc(arena, job->payload.size);

    if (job->payload.size > 0) {
        memcpy(payload, job->payload.data, job->payload.size);
    }
    notice->text = arena_strdup(arena, job->token != NULL ? job->token : "");
    notice->lease_expire_ms = engine_wall_ms(self) + self->options.lease_ms;
    notice->job = (struct job_record){
        .tenant_id = notice->tenant_id,
        .job_id = notice->job_id,
        .project_id = arena_strdup(arena, job->project_id),
        .capability = arena_strdup(arena, job->lane->pool->capability),
        .principal = arena_strdup(arena, job->principal),
        .permissions = arena_strdup(arena, job->permissions),
        .trace = arena_strdup(arena, job->trace),
        .payload = { payload, job->payload.size },
        .priority = job->priority,
        .attempt = job->attempt,
        .max_attempts = job->max_attempts,
        .enqueue_ms = job->enqueue_ms,
        .deadline_ms = job->deadline_ms,
    };
}

/* False: what the notice tells of is over. */
static bool make_notice(struct engine_worker *self, struct arena *arena,
                        const struct queued_notice *queued, struct notice *ret_notice)
{
    *ret_notice = (struct notice){
        .type = queued->type,
        .tenant_id = arena_strdup(arena, queued->tenant_id),
        .job_id = arena_strdup(arena, queued->job_id),
        .attempt = queued->attempt,
        .code = queued->code,
        .text = arena_strdup(arena, queued->text),
    };
    if (queued->type != NOTICE_JOB && queued->type != NOTICE_TOKEN) {
        return true;
    }
    const struct job *job =
        dispatcher_find(self->engine->dispatcher, queued->tenant_id, queued->job_id);
    if (job == NULL || job->attempt != queued->attempt || job->worker != self->worker) {
        return false;
    }
    describe(self->engine, arena, job, ret_notice);
    return true;
}

status engine_worker_next(struct engine_worker *self, struct arena *arena, bool *ret_found,
                          struct notice *ret_notice)
{
    struct engine *engine = self->engine;
    struct queued_notice *queued;

    *ret_found = false;
    pthread_mutex_lock(&engine->lock);
    bool is_lost = self->is_lost;
    bool is_overrun = self->n_notices >= ENGINE_MAX_NOTICES;
    while (!is_lost && !is_overrun && !*ret_found && (queued = worker_take(self)) != NULL) {
        *ret_found = make_notice(self, arena, queued, ret_notice);
        free(queued);
    }
    pthread_mutex_unlock(&engine->lock);
    if (is_lost) {
        return status_error(arena, STATUS_DEADLINE_EXCEEDED, "the worker was silent for %d s",
                            (int)(engine->options.lease_ms / 1000));
    }
    if (is_overrun) {
        return status_error(arena, STATUS_RESOURCE_EXHAUSTED,
                            "the worker has not listened while %d notices gathered",
                            ENGINE_MAX_NOTICES);
    }
    return status_ok();
}
