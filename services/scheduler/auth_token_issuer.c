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

static status issue(struct token_issuer *issuer, struct arena *arena,
                    const struct token_request *wanted, const char **ret_token)
{
    const struct auth_token_issuer *self = (const struct auth_token_issuer *)issuer;
    struct call call = call_of_process(arena);
    Weft__Auth__V1__IssueJobTokenRequest request;
    const Weft__Auth__V1__IssueJobTokenResponse *response;

    call.deadline_us = clock_monotonic_us(self->clock) + timeout_us;
    weft__auth__v1__issue_job_token_request__init(&request);
    request.tenant_id = message_text(wanted->tenant_id);
    request.subject = message_text(wanted->principal);
    request.job_id = message_text(wanted->job_id);
    request.attempt = (int32_t)wanted->attempt;
    request.lifetime_s = (int32_t)(wanted->lifetime_ms / 1000);
    split_permissions(arena, wanted->permissions, &request);
    TRY(auth_peer_issue_job_token(self->auth, &call, &request, &response));
    *ret_token = response->token;
    return status_ok();
}

static const struct token_issuer_ops ops = { .issue = issue };

void auth_token_issuer_init(struct auth_token_issuer *self, struct peer *auth,
                            const struct clock *clock)
{
    *self = (struct auth_token_issuer){ .issuer = { .ops = &ops }, .auth = auth, .clock = clock };
}
