#include "services/scheduler/auth_token_issuer.h"

#include "libs/base/clock.h"
#include "libs/peers/auth_peer.h"
#include "libs/rpc/message.h"
#include "libs/rpc/service.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/loopback_peer.h"

#include <string.h>

/* The auth service, as far as it is asked: it gives the request back as the token. */
static Weft__Auth__V1__JobTokenResult *
result_for(struct call *call, const Weft__Auth__V1__IssueJobTokenRequest *request)
{
    Weft__Auth__V1__JobTokenResult *result = ARENA_NEW(call->arena, Weft__Auth__V1__JobTokenResult);

    weft__auth__v1__job_token_result__init(result);
    if (strcmp(request->subject, "sa:revoked") == 0) {
        result->code = STATUS_PERMISSION_DENIED;
        result->message = message_text("it has been revoked");
        return result;
    }
    result->token = message_text(arena_printf(
        call->arena, "%s %s %s %d %d s, %zu permissions, the last %s", request->tenant_id,
        request->subject, request->job_id, request->attempt, request->lifetime_s,
        request->n_permissions,
        request->n_permissions > 0 ? request->permissions[request->n_permissions - 1] : "none"));
    return result;
}

static status issue_job_tokens(struct call *call,
                               const Weft__Auth__V1__IssueJobTokensRequest *request,
                               Weft__Auth__V1__IssueJobTokensResponse *response)
{
    response->results = ARENA_NEW_ARRAY(call->arena, Weft__Auth__V1__JobTokenResult *, 2);
    /* One that asks for job "short" is answered with a result too few. */
    for (size_t i = 0;
         i < request->n_requests && strcmp(request->requests[i]->job_id, "short") != 0; i++) {
        response->results[i] = result_for(call, request->requests[i]);
        response->n_results++;
    }
    return status_ok();
}

#define METHODS(X) X(Weft__Auth__V1__, IssueJobTokens, WORKER, issue_job_tokens)
extern const struct service auth_methods;
SERVICE_DEFINE(auth_methods, weft__auth__v1__auth_service__descriptor, METHODS);

struct asked {
    struct arena *arena;
    struct loopback_peer loopback;
    struct auth_token_issuer issuer;
    struct token_answer answers[2];
};

static void set_up(struct asked *self)
{
    self->arena = arena_new();
    loopback_peer_init(&self->loopback, &auth_methods, self); /* which it does not look at */
    auth_token_issuer_init(&self->issuer, &self->loopback.peer, &system_clock);
}

static void issue(struct asked *self, const struct token_request *first,
                  const struct token_request *second)
{
    const struct token_request *const requests[] = { first, second };

    tokens_issue(&self->issuer.issuer, self->arena, requests, second != NULL ? 2 : 1,
                 self->answers);
}

static const struct token_request wanted = { .tenant_id = "acme",
                                             .principal = "sa:publisher",
                                             .permissions = "project:a:data:read\nproject:b:**",
                                             .job_id = "j1",
                                             .attempt = 2,
                                             .lifetime_ms = 30000 };

static void a_token_is_asked_for_as_the_job_has_it(void **state)
{
    struct token_request all = wanted;
    struct asked asked;

    (void)state;
    set_up(&asked);
    all.permissions = "";
    issue(&asked, &wanted, &all);
    assert_status(asked.answers[0].result, STATUS_OK);
    assert_string_equal(asked.answers[0].token,
                        "acme sa:publisher j1 2 30 s, 2 permissions, the last project:b:**");
    assert_status(asked.answers[1].result, STATUS_OK);
    assert_string_equal(asked.answers[1].token,
                        "acme sa:publisher j1 2 30 s, 0 permissions, the last none");
    arena_free(asked.arena);
}

static void one_that_is_refused_does_not_touch_the_other(void **state)
{
    struct token_request revoked = wanted;
    struct asked asked;

    (void)state;
    set_up(&asked);
    revoked.principal = "sa:revoked";
    issue(&asked, &revoked, &wanted);
    assert_status(asked.answers[0].result, STATUS_PERMISSION_DENIED);
    assert_string_equal(asked.answers[0].result.message, "it has been revoked");
    assert_status(asked.answers[1].result, STATUS_OK);
    arena_free(asked.arena);
}

static void when_auth_fails_so_do_all(void **state)
{
    struct token_request cut = wanted;
    struct asked asked;

    (void)state;
    set_up(&asked);
    cut.job_id = "short";
    issue(&asked, &wanted, &cut);
    assert_status(asked.answers[0].result, STATUS_INTERNAL);
    asked.loopback.fail_with = STATUS_UNAVAILABLE;
    issue(&asked, &wanted, &wanted);
    assert_status(asked.answers[0].result, STATUS_UNAVAILABLE);
    assert_status(asked.answers[1].result, STATUS_UNAVAILABLE);
    arena_free(asked.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_is_asked_for_as_the_job_has_it),
        cmocka_unit_test(one_that_is_refused_does_not_touch_the_other),
        cmocka_unit_test(when_auth_fails_so_do_all),
    };

    return cmocka_run_group_tests_name("auth_token_issuer", tests, NULL, NULL);
}
