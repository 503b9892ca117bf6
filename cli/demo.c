#include "cli/demo.h"

#include "cli/filter.h"
#include "cli/package_job.h"
#include "libs/base/text.h"
#include "libs/peers/auth_peer.h"
#include "libs/peers/scheduler_peer.h"
#include "libs/peers/search_peer.h"

#include <stdarg.h>
#include <stdio.h>

/* ---- Saying ---- */

void demo_step(struct demo *self, const char *what)
{
    self->step++;
    output_say(self->invocation->output, TONE_PLAIN, "%s", "");
    output_say(self->invocation->output, TONE_STRONG, "%d. %s", self->step, what);
}

void demo_say(struct demo *self, const char *format, ...)
{
    char line[1024];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(line, sizeof line, format, args);
    va_end(args);
    output_say(self->invocation->output, TONE_PLAIN, "   %s", line);
}

void demo_check(struct demo *self, bool holds, const char *format, ...)
{
    char line[1024];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(line, sizeof line, format, args);
    va_end(args);
    self->n_failed += !holds;
    if (output_is_json(self->invocation->output)) {
        output_row(self->invocation->output,
                   FIELDS(field_number("step", self->step), field_text("check", line),
                          field_bool("holds", holds)));
    } else {
        output_say(self->invocation->output, holds ? TONE_GOOD : TONE_BAD, "   %s %s",
                   holds ? "ok:" : "NOT SO:", line);
    }
}

/* ---- Calling ---- */

struct call demo_call(struct demo *self, const char *token)
{
    struct call call =
        session_call(self->invocation->session, self->invocation->arena, API_TIMEOUT_MS);

    call.token = token;
    return call;
}

static status make_account(struct demo *self, const char *tenant_id, const char *account_id,
                           const char *const *permissions)
{
    const Weft__Auth__V1__CreateServiceAccountResponse *response;
    Weft__Auth__V1__CreateServiceAccountRequest request;
    struct call call = demo_call(self, self->admin_token);
    char *list[16];

    weft__auth__v1__create_service_account_request__init(&request);
    request.tenant_id = message_text(tenant_id);
    request.service_account_id = message_text(account_id);
    request.permissions = list;
    while (permissions[request.n_permissions] != NULL && request.n_permissions < 16) {
        list[request.n_permissions] = message_text(permissions[request.n_permissions]);
        request.n_permissions++;
    }
    status s = auth_peer_create_service_account(api_peer(self->invocation, "auth"), &call, &request,
                                                &response);
    return s.code == STATUS_ALREADY_EXISTS ? status_ok() : s;
}

/* Keys of the demo end by themselves a day later, should it be interrupted. */
static Google__Protobuf__Timestamp *tomorrow(struct demo *self)
{
    Google__Protobuf__Timestamp *time =
        ARENA_NEW(self->invocation->arena, Google__Protobuf__Timestamp);

    google__protobuf__timestamp__init(time);
    time->seconds = clock_wall_ms(&system_clock) / 1000 + 86400;
    return time;
}

status demo_make_key(struct demo *self, const char *tenant_id, const char *account_id,
                     const char *const *permissions, struct demo_key *ret_key)
{
    const Weft__Auth__V1__CreateApiKeyResponse *response;
    Weft__Auth__V1__CreateApiKeyRequest request;
    struct call call = demo_call(self, self->admin_token);

    TRY(make_account(self, tenant_id, account_id, permissions));
    weft__auth__v1__create_api_key_request__init(&request);
    request.tenant_id = message_text(tenant_id);
    request.service_account_id = message_text(account_id);
    request.display_name = message_text("weft demo");
    request.expire_time = tomorrow(self);
    TRY(auth_peer_create_api_key(api_peer(self->invocation, "auth"), &call, &request, &response));
    *ret_key = (struct demo_key){
        .key_id = response->api_key->key_id,
        .secret = response->secret,
    };
    return session_exchange(self->invocation->session, self->invocation->arena, ret_key->secret,
                            &ret_key->token);
}

status demo_revoke_key(struct demo *self, const char *tenant_id, const char *key_id,
                       const Weft__Registry__V1__Receipt **ret_receipt)
{
    const Weft__Auth__V1__RevokeApiKeyResponse *response;
    Weft__Auth__V1__RevokeApiKeyRequest request;
    struct call call = demo_call(self, self->admin_token);

    weft__auth__v1__revoke_api_key_request__init(&request);
    request.tenant_id = message_text(tenant_id);
    request.key_id = message_text(key_id);
    TRY(auth_peer_revoke_api_key(api_peer(self->invocation, "auth"), &call, &request, &response));
    *ret_receipt = response->receipt;
    return status_ok();
}

status demo_search(struct demo *self, const char *token, const char *query, const char *filter,
                   const Weft__Search__V1__SearchResponse **ret_response)
{
    Weft__Search__V1__SearchRequest request;
    struct call call = demo_call(self, token);
    struct filter steps = { 0 };

    TRY(filter_parse(call.arena, filter, &steps));
    weft__search__v1__search_request__init(&request);
    request.project_id = message_text(DEMO_PROJECT);
    request.collection_id = message_text(DEMO_COLLECTION);
    request.query = message_text(query);
    request.filter = steps.steps;
    request.n_filter = steps.n_steps;
    request.page_size = 5;
    request.highlight = true;
    return search_peer_search(api_peer(self->invocation, "search"), &call, &request, ret_response);
}

status demo_enqueue(struct demo *self, const char *token, size_t limit, const char **ret_job_id)
{
    const Weft__Scheduler__V1__EnqueueJobResponse *response;
    Weft__Scheduler__V1__EnqueueJobRequest request;
    struct call call = demo_call(self, token);
    const struct package_job job = { .collection_id = DEMO_COLLECTION, .limit = limit };

    weft__scheduler__v1__enqueue_job_request__init(&request);
    request.project_id = message_text(DEMO_PROJECT);
    request.capability = message_text(PACKAGE_CAPABILITY);
    request.payload = message_data(bytes_of(package_job_payload(call.arena, &job)));
    TRY(scheduler_peer_enqueue_job(api_peer(self->invocation, "scheduler"), &call, &request,
                                   &response));
    *ret_job_id = response->job->job_id;
    return status_ok();
}
