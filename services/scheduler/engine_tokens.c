/* Tokens: the first before a job starts, the next while it runs. */

#include "services/scheduler/engine_internal.h"

#include <stdlib.h>
#include <string.h>

/* A job that starts is given its token, or is told why not. */
static void give_first_token(struct engine *self, struct job *job, status s, const char *token)
{
    if (!status_is_ok(s)) {
        attempt_refuse(self, job, s);
        return;
    }
    job->token = strdup(token);
    if (job->token == NULL) {
        abort();
    }
    attempt_start(self, job);
}

/* A job that runs is given its next one; or fails, when its principal may no more. */
static void give_next_token(struct engine *self, struct job *job, status s, const char *token)
{
    if (status_is_ok(s)) {
        free(job->token);
        job->token = strdup(token);
        if (job->token == NULL) {
            abort();
        }
        job->token_due_ms = engine_now_ms(self) + self->options.lease_ms * 2 / 3;
        if (job->worker != NULL) {
            worker_tell(job->worker->owner, NOTICE_TOKEN, job, status_ok());
        }
    } else if (token_is_refused(s)) {
        const struct attempt_failure failure = { .code = s.code,
                                                 .message = s.message,
                                                 .is_permanent = true };
        if (job->worker != NULL) {
            worker_tell(job->worker->owner, NOTICE_WITHDRAW, job, status_ok());
        }
        attempt_fail(self, job, &failure, false);
        return;
    } else {
        job->token_due_ms = engine_now_ms(self) + PAUSE_MS;
    }
    engine_arm(self, job);
}

static void get_token(struct engine *self, struct errand *errand)
{
    const struct token_request *request = &errand->token;
    const char *token = "";
    status s = token_issue(self->options.issuer, errand->arena, request, &token);

    pthread_mutex_lock(&self->lock);
    struct job *job = dispatcher_find(self->dispatcher, request->tenant_id, request->job_id);
    if (job != NULL && job->phase == PHASE_STARTING && job->attempt + 1 == request->attempt) {
        give_first_token(self, job, s, token);
    } else if (job != NULL && job->phase == PHASE_RUNNING && job->attempt == request->attempt) {
        give_next_token(self, job, s, token);
    }
    errands_load_low(self);
    pthread_mutex_unlock(&self->lock);
}

void errand_token(struct engine *self, const struct job *job)
{
    struct errand *errand = errand_new(get_token);

    errand->token = (struct token_request){
        .tenant_id = arena_strdup(errand->arena, job->tenant_id),
        .principal = arena_strdup(errand->arena, job->principal),
        .permissions = arena_strdup(errand->arena, job->permissions),
        .job_id = arena_strdup(errand->arena, job->job_id),
        .attempt = job->phase == PHASE_STARTING ? job->attempt + 1 : job->attempt,
        .lifetime_ms = self->options.lease_ms,
    };
    errand_add(&self->tokens, errand);
}
