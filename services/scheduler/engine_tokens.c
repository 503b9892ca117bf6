/* Tokens: the first before a job starts, or while its start is written; the next while it runs. */

#include "services/scheduler/engine_internal.h"

#include <stdlib.h>
#include <string.h>

static void set_token(struct job *job, const char *token)
{
    free(job->token);
    job->token = strdup(token);
    if (job->token == NULL) {
        abort();
    }
}

/* A job that starts is given its token, or is told why not. */
static void give_first_token(struct engine *self, struct job *job, status s, const char *token)
{
    if (!status_is_ok(s)) {
        attempt_refuse(self, job, s);
        return;
    }
    set_token(job, token);
    attempt_start(self, job);
}

/* Its start is on its way, or durable.  Without a token it goes back, uncounted, and begins anew as
 * one that waits does; then the answer decides what becomes of it. */
static void give_token_to_new(struct engine *self, struct job *job, status s, const char *token)
{
    job->lacks_token = !status_is_ok(s);
    if (status_is_ok(s)) {
        set_token(job, token);
    }
    if (job->attempt > 0) {
        attempt_go_on(self, job);
    }
}

/* A job that runs is given its next one; or fails, when its principal may no more. */
static void give_next_token(struct engine *self, struct job *job, status s, const char *token)
{
    if (status_is_ok(s)) {
        set_token(job, token);
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

static void give_token(struct engine *self, const struct token_request *request,
                       const struct token_answer *answer)
{
    struct job *job = dispatcher_find(self->dispatcher, request->tenant_id, request->job_id);

    if (job == NULL || !job->awaits_token) {
        return; /* it has come to an end meanwhile */
    }
    if (job->phase == PHASE_STARTING && job->is_new) {
        job->awaits_token = false;
        give_token_to_new(self, job, answer->result, answer->token);
    } else if (job->phase == PHASE_STARTING && job->attempt + 1 == request->attempt) {
        job->awaits_token = false;
        give_first_token(self, job, answer->result, answer->token);
    } else if (job->phase == PHASE_RUNNING && job->attempt == request->attempt) {
        job->awaits_token = false;
        give_next_token(self, job, answer->result, answer->token);
    }
}

/* All that wait are asked for together: a call costs several times what a signature does. */
static void get_tokens(struct engine *self, struct errand *first)
{
    const struct token_request *requests[TOKENS_AT_ONCE] = { &first->token };
    struct errand *others[TOKENS_AT_ONCE - 1];
    struct token_answer answers[TOKENS_AT_ONCE];
    size_t n = 1;

    pthread_mutex_lock(&self->lock);
    for (; n < TOKENS_AT_ONCE && self->tokens.first != NULL; n++) {
        others[n - 1] = errand_take(&self->tokens);
        requests[n] = &others[n - 1]->token;
    }
    pthread_mutex_unlock(&self->lock);
    tokens_issue(self->options.issuer, first->arena, requests, n, answers);
    pthread_mutex_lock(&self->lock);
    for (size_t i = 0; i < n; i++) {
        give_token(self, requests[i], &answers[i]);
    }
    errands_load_low(self);
    pthread_mutex_unlock(&self->lock);
    for (size_t i = 1; i < n; i++) {
        arena_free(others[i - 1]->arena);
    }
}

void errand_token(struct engine *self, struct job *job)
{
    struct errand *errand = errand_new(get_tokens);

    job->awaits_token = true;
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
