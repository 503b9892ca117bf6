#include "tests/e2e/platform.h"

#include "libs/base/files.h"
#include "libs/peers/auth_peer.h"
#include "libs/peers/tenant_peer.h"
#include "libs/rpc/message.h"
#include "libs/testing/assert_status.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

enum { CALL_TIMEOUT_MS = 10000, MAX_KEY_BYTES = 1024 };

static const char *const programs[] = { "registry", "agent",  "auth",     "tenant",
                                        "audit",    "search", "scheduler" };
enum { N_PROGRAMS = sizeof programs / sizeof programs[0] };

/* ---- Life ---- */

static void start_programs(struct platform *self)
{
    struct arena *arena = arena_new();
    struct host_entry entries[N_PROGRAMS + 1];

    for (size_t i = 0; i < N_PROGRAMS; i++) {
        entries[i] = (struct host_entry){
            .name = programs[i],
            .program = arena_printf(arena, "services/%s/%s", programs[i], programs[i]),
        };
    }
    entries[N_PROGRAMS] = (struct host_entry){ .name = "cli", .program = host_this_program(arena) };
    host_init(&self->host, entries, N_PROGRAMS + 1);
    for (size_t i = 0; i < N_PROGRAMS; i++) {
        host_start(&self->host, programs[i]);
    }
    for (size_t i = 0; i < N_PROGRAMS; i++) {
        host_wait_ready(&self->host, programs[i]);
    }
    arena_free(arena);
}

static void read_admin_token(struct platform *self)
{
    struct disk_files folder;
    bytes key;

    assert_status(disk_files_init(&folder, self->host.arena, host_path(&self->host, "auth")),
                  STATUS_OK);
    assert_status(
        files_read(&folder.files, self->host.arena, "administrator.key", MAX_KEY_BYTES, &key),
        STATUS_OK);
    disk_files_reset(&folder);
    const char *text =
        arena_printf(self->host.arena, "%.*s", (int)key.size, (const char *)key.data);
    const char *secret = arena_printf(self->host.arena, "%.*s", (int)strcspn(text, " \n"), text);
    assert_status(platform_exchange(self, secret, &self->admin_token), STATUS_OK);
}

void platform_init(struct platform *self)
{
    *self = (struct platform){ .mesh = NULL };
    start_programs(self);
    self->mesh = host_join(&self->host);
    read_admin_token(self);
}

void platform_reset(struct platform *self)
{
    host_stop_all(&self->host);
    mesh_free(self->mesh);
    host_reset(&self->host);
}

/* ---- Calls ---- */

struct peer *platform_peer(struct platform *self, const char *service)
{
    return mesh_peer(self->mesh, service);
}

struct call platform_call(struct platform *self, const char *token)
{
    struct call call = call_of_process(self->host.arena);

    call.token = token;
    call.deadline_us = clock_monotonic_us(&system_clock) + CALL_TIMEOUT_MS * INT64_C(1000);
    return call;
}

void platform_make_tenant(struct platform *self, const char *tenant_id,
                          struct platform_limits limits)
{
    struct call call = platform_call(self, self->admin_token);
    Weft__Tenant__V1__CreateTenantRequest request;
    const Weft__Tenant__V1__CreateTenantResponse *response;
    Weft__Tenant__V1__Plan plan;

    weft__tenant__v1__plan__init(&plan);
    plan.max_projects = limits.max_projects;
    plan.max_records = limits.max_records;
    plan.requests_per_minute = limits.requests_per_minute;
    weft__tenant__v1__create_tenant_request__init(&request);
    request.tenant_id = message_text(tenant_id);
    request.plan = &plan;
    assert_status(
        tenant_peer_create_tenant(platform_peer(self, "tenant"), &call, &request, &response),
        STATUS_OK);
}

struct platform_key platform_make_key(struct platform *self, const char *tenant_id,
                                      const char *account_id, const char *role)
{
    struct call call = platform_call(self, self->admin_token);
    char *roles[] = { message_text(role) };
    Weft__Auth__V1__CreateServiceAccountRequest account;
    Weft__Auth__V1__CreateApiKeyRequest key;
    const Weft__Auth__V1__CreateServiceAccountResponse *account_made;
    const Weft__Auth__V1__CreateApiKeyResponse *key_made;

    weft__auth__v1__create_service_account_request__init(&account);
    account.tenant_id = message_text(tenant_id);
    account.service_account_id = message_text(account_id);
    account.roles = roles;
    account.n_roles = 1;
    assert_status(auth_peer_create_service_account(platform_peer(self, "auth"), &call, &account,
                                                   &account_made),
                  STATUS_OK);
    weft__auth__v1__create_api_key_request__init(&key);
    key.tenant_id = message_text(tenant_id);
    key.service_account_id = message_text(account_id);
    assert_status(auth_peer_create_api_key(platform_peer(self, "auth"), &call, &key, &key_made),
                  STATUS_OK);
    return (struct platform_key){ .key_id = key_made->api_key->key_id, .secret = key_made->secret };
}

status platform_exchange(struct platform *self, const char *secret, const char **ret_token)
{
    struct call call = platform_call(self, "");
    Weft__Auth__V1__ExchangeApiKeyRequest request;
    const Weft__Auth__V1__ExchangeApiKeyResponse *response;

    weft__auth__v1__exchange_api_key_request__init(&request);
    request.secret = message_text(secret);
    TRY(auth_peer_exchange_api_key(platform_peer(self, "auth"), &call, &request, &response));
    *ret_token = response->token;
    return status_ok();
}

const char *platform_make_account(struct platform *self, const char *tenant_id,
                                  const char *account_id, const char *role)
{
    const char *token = "";

    assert_status(platform_exchange(
                      self, platform_make_key(self, tenant_id, account_id, role).secret, &token),
                  STATUS_OK);
    return token;
}
