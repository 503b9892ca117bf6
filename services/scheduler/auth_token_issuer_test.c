#include "services/scheduler/auth_token_issuer.h"

#include "libs/base/clock.h"
#include "libs/peers/auth_peer.h"
#include "libs/rpc/message.h"
#include "libs/rpc/service.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/loopback_peer.h"

#include <string.h>

/* The auth service, as far as it is asked: it gives the request back as the token. */
static status issue_job_token(struct call *call,
                              const Weft__Auth__V1__IssueJobTokenRequest *request,
                              Weft__Auth__V1__IssueJobTokenResponse *response)
{
    if (strcmp(request->subject, "sa:revoked") == 0) {
        return status_error(call->arena, STATUS_PERMISSION_DENIED, "it has been revoked");
    }
    response->token = message_text(arena_printf(
        call->arena, "%s %s %s %d %d s, %zu permissions, the last %s", request->tenant_id,
        request->subject, request->job_id, request->attempt, request->lifetime_s,
        request->n_permissions,
        request->n_permissions > 0 ? request->permissions[request->n_permissions - 1] : "none"));
    return status_ok();
}

#define METHODS(X) X(Weft__Auth__V1__, IssueJobToken, WORKER, issue_job_token)
extern const struct service auth_methods;
SERVICE_DEFINE(auth_methods, weft__auth__v1__auth_service__descriptor, METHODS);

static void a_token_is_asked_for_as_the_job_has_it(void **state)
{
    struct arena *arena = arena_new();
    struct loopback_peer loopback;
    struct auth_token_issuer issuer;
    struct token_request request = { .tenant_id = "acme",
                                     .principal = "sa:publisher",
                                     .permissions = "project:a:data:read\nproject:b:**",
                                     .job_id = "j1",
                                     .attempt = 2,
                                     .lifetime_ms = 30000 };
    const char *token = NULL;

    (void)state;
    loopback_peer_init(&loopback, &auth_methods, &issuer); /* which it does not look at */
    auth_token_issuer_init(&issuer, &loopback.peer, &system_clock);
    assert_status(token_issue(&issuer.issuer, arena, &request, &token), STATUS_OK);
    assert_string_equal(token, "acme sa:publisher j1 2 30 s, 2 permissions, the last project:b:**");
    request.permissions = "";
    assert_status(token_issue(&issuer.issuer, arena, &request, &token), STATUS_OK);
    assert_string_equal(token, "acme sa:publisher j1 2 30 s, 0 permissions, the last none");
    request.principal = "sa:revoked";
    assert_status(token_issue(&issuer.issuer, arena, &request, &token), STATUS_PERMISSION_DENIED);
    loopback.fail_with = STATUS_UNAVAILABLE;
    assert_status(token_issue(&issuer.issuer, arena, &request, &token), STATUS_UNAVAILABLE);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_is_asked_for_as_the_job_has_it),
    };

    return cmocka_run_group_tests_name("auth_token_issuer", tests, NULL, NULL);
}
