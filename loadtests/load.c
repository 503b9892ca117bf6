#include "loadtests/load.h"

#include "libs/base/clock.h"
#include "libs/peers/auth_peer.h"
#include "libs/peers/tenant_peer.h"
#include "libs/rpc/message.h"

struct call load_call(struct arena *arena, const char *token)
{
    struct call call = call_of_process(arena);

    call.token = token;
    call.deadline_us = clock_monotonic_us(&system_clock) + (int64_t)LOAD_TIMEOUT_MS * 1000;
    return call;
}

double load_seconds_since(int64_t start_us)
{
    return (double)(clock_monotonic_us(&system_clock) - start_us) / 1e6;
}

status load_keep(struct arena *arena, status s)
{
    return status_is_ok(s) ? s : status_error(arena, s.code, "%s", s.message);
}

static status unless_there(status s)
{
    return s.code == STATUS_ALREADY_EXISTS ? status_ok() : s;
}

/* Quotas are not what is measured. */
static status make_tenant(const struct load *self)
{
    const Weft__Tenant__V1__CreateTenantResponse *response;
    Weft__Tenant__V1__CreateTenantRequest request;
    Weft__Tenant__V1__Plan plan;
    struct call call = load_call(self->arena, self->admin_token);

    weft__tenant__v1__plan__init(&plan);
    plan.max_records = 1000000000;
    plan.requests_per_minute = 100000000;
    weft__tenant__v1__create_tenant_request__init(&request);
    request.tenant_id = message_text(LOAD_TENANT);
    request.plan = &plan;
    return unless_there(
        tenant_peer_create_tenant(load_peer(self, "tenant"), &call, &request, &response));
}

static status make_account(const struct load *self)
{
    char *permissions[] = { message_text("project:" LOAD_PROJECT ":**"),
                            message_text("tenant-jobs:work") };
    const Weft__Auth__V1__CreateServiceAccountResponse *response;
    Weft__Auth__V1__CreateServiceAccountRequest request;
    struct call call = load_call(self->arena, self->admin_token);

    weft__auth__v1__create_service_account_request__init(&request);
    request.tenant_id = message_text(LOAD_TENANT);
    request.service_account_id = message_text(LOAD_ACCOUNT);
    request.permissions = permissions;
    request.n_permissions = sizeof permissions / sizeof permissions[0];
    return unless_there(
        auth_peer_create_service_account(load_peer(self, "auth"), &call, &request, &response));
}

static status make_key(const struct load *self, const char **ret_secret)
{
    const Weft__Auth__V1__CreateApiKeyResponse *response;
    Weft__Auth__V1__CreateApiKeyRequest request;
    Google__Protobuf__Timestamp end;
    struct call call = load_call(self->arena, self->admin_token);

    google__protobuf__timestamp__init(&end);
    end.seconds = clock_wall_ms(&system_clock) / 1000 + 3600;
    weft__auth__v1__create_api_key_request__init(&request);
    request.tenant_id = message_text(LOAD_TENANT);
    request.service_account_id = message_text(LOAD_ACCOUNT);
    request.expire_time = &end;
    TRY(auth_peer_create_api_key(load_peer(self, "auth"), &call, &request, &response));
    *ret_secret = response->secret;
    return status_ok();
}

status load_prepare(struct load *self)
{
    const Weft__Auth__V1__ExchangeApiKeyResponse *response;
    Weft__Auth__V1__ExchangeApiKeyRequest request;
    struct call call = load_call(self->arena, "");
    const char *secret = "";

    TRY(make_tenant(self));
    TRY(make_account(self));
    TRY(make_key(self, &secret));
    weft__auth__v1__exchange_api_key_request__init(&request);
    request.secret = message_text(secret);
    request.lifetime_s = 3600;
    TRY(auth_peer_exchange_api_key(load_peer(self, "auth"), &call, &request, &response));
    self->token = response->token;
    return status_ok();
}
