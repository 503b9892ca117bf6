#include "services/scheduler/auth_token_issuer.h"

#include "libs/peers/auth_peer.h"
#include "libs/rpc/message.h"

#include <string.h>

/* A job waits meanwhile, and so does one of the engine's few errand threads. */
static const int64_t timeout_us = INT64_C(5000000);

/* One a line, as the store has them. */
static void split_permissions(struct arena *arena, const char *permissions,
                              Weft__Auth__V1__IssueJobTokenRequest *request)
{
    char *rest = arena_strdup(arena, permissions);
    size_t most = strlen(permissions) / 2 + 1; /* each has a character and a newline */
    char *line;

    request->permissions = ARENA_NEW_ARRAY(arena, char *, most);
    while ((line = strsep(&rest, "\n")) != NULL) {
        if (line[0] != '\0') {
            request->permissions[request->n_permissions++] = line;
        }
    }
}

static Weft__Auth__V1__IssueJobTokenRequest *request_of(struct arena *arena,
                                                        const struct token_request *wanted)
{
    Weft__Auth__V1__IssueJobTokenRequest *request =
        ARENA_NEW(arena, Weft__Auth__V1__IssueJobTokenRequest);

    weft__auth__v1__issue_job_token_request__init(request);
    request->tenant_id = message_text(wanted->tenant_id);
    request->subject = message_text(wanted->principal);
    request->job_id = message_text(wanted->job_id);
    request->attempt = (int32_t)wanted->attempt;
    request->lifetime_s = (int32_t)(wanted->lifetime_ms / 1000);
    split_permissions(arena, wanted->permissions, request);
    return request;
}

static status ask(const struct auth_token_issuer *self, struct arena *arena,
                  const struct token_request *const *requests, size_t n,
                  const Weft__Auth__V1__IssueJobTokensResponse **ret_response)
{
    struct call call = call_of_process(arena);
    Weft__Auth__V1__IssueJobTokensRequest request;

    call.deadline_us = clock_monotonic_us(self->clock) + timeout_us;
    weft__auth__v1__issue_job_tokens_request__init(&request);
    request.requests = ARENA_NEW_ARRAY(arena, Weft__Auth__V1__IssueJobTokenRequest *, n);
    for (; request.n_requests < n; request.n_requests++) {
        request.requests[request.n_requests] = request_of(arena, requests[request.n_requests]);
    }
    TRY(auth_peer_issue_job_tokens(self->auth, &call, &request, ret_response));
    if ((*ret_response)->n_results != n) {
        return status_error(arena, STATUS_INTERNAL, "auth answered %zu requests for tokens of %zu",
                            (*ret_response)->n_results, n);
    }
    return status_ok();
}

static struct token_answer answer_of(struct arena *arena,
                                     const Weft__Auth__V1__JobTokenResult *result)
{
    if (result->code != STATUS_OK) {
        return (struct token_answer){ .result = status_error(arena, (enum status_code)result->code,
                                                             "%s", result->message) };
    }
    return (struct token_answer){ .result = status_ok(), .token = result->token };
}

static void issue(struct token_issuer *issuer, struct arena *arena,
                  const struct token_request *const *requests, size_t n,
                  struct token_answer *ret_answers)
{
    const struct auth_token_issuer *self = (const struct auth_token_issuer *)issuer;
    const Weft__Auth__V1__IssueJobTokensResponse *response;

    status s = ask(self, arena, requests, n, &response);
    for (size_t i = 0; i < n; i++) {
        ret_answers[i] = status_is_ok(s) ? answer_of(arena, response->results[i])
                                         : (struct token_answer){ .result = s };
    }
}

static const struct token_issuer_ops ops = { .issue = issue };

void auth_token_issuer_init(struct auth_token_issuer *self, struct peer *auth,
                            const struct clock *clock)
{
    *self = (struct auth_token_issuer){ .issuer = { .ops = &ops }, .auth = auth, .clock = clock };
}
