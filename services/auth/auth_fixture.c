#include "services/auth/auth_fixture.h"

#include "libs/audit/outbox.h"
#include "libs/authz/guard.h"
#include "libs/base/text.h"

#include <string.h>

static const char *const everything[] = { "**" };

static const struct principal administrator = {
    .tenant_id = PLATFORM_TENANT,
    .subject = "sa:administrator",
    .credential = CREDENTIAL_TOKEN,
    .permissions = everything,
    .n_permissions = 1,
};

static void wake_points(void *points)
{
    points_wake(points);
}

void auth_fixture_start(struct auth_fixture *f, uint32_t epoch)
{
    struct arena *arena = f->call.arena;
    const struct founding founding = {
        .files = &f->files.files,
        .store = &f->store.store,
        .clock = &f->clock.clock,
        .random = &f->random.source,
    };

    assert_status(founding_read_pepper(&founding, arena, &f->pepper), STATUS_OK);
    assert_status(signing_keys_open(arena,
                                    &(struct signing_keys_options){ .files = &f->files.files,
                                                                    .random = &f->random.source,
                                                                    .clock = &f->clock.clock },
                                    &f->keys),
                  STATUS_OK);
    f->points = points_new(&f->clock.clock);
    f->feed = feed_new(&(struct feed_options){
        .clock = &f->clock.clock, .epoch = epoch, .changed = wake_points, .data = f->points });
    f->directory = directory_new();
    (void)feed_set_keys(f->feed, signing_keys_jwks(f->keys, arena));
    assert_status(founding_load(&founding, arena, f->feed, f->directory), STATUS_OK);
    f->service = auth_service_new(&(struct auth_service_options){
        .store = &f->store.store,
        .clock = &f->clock.clock,
        .random = &f->random.source,
        .directory = f->directory,
        .feed = f->feed,
        .points = f->points,
        .signing_keys = f->keys,
        .pepper = &f->pepper,
        .new_tenant_ms = 1,
    });
    loopback_peer_init(&f->loopback, &auth_service_methods, f->service);
    f->peer = &f->loopback.peer;
    put_tenant(f, "acme", WEFT__AUTH__V1__TENANT_STANDING__TENANT_STANDING_ACTIVE);
    put_tenant(f, "bravo", WEFT__AUTH__V1__TENANT_STANDING__TENANT_STANDING_ACTIVE);
    feed_open(f->feed);
}

void auth_fixture_stop(struct auth_fixture *f)
{
    auth_service_free(f->service);
    directory_free(f->directory);
    feed_free(f->feed);
    points_free(f->points);
    signing_keys_free(f->keys);
}

int auth_fixture_set_up(void **state)
{
    static struct auth_fixture f;
    struct store *store;

    f = (struct auth_fixture){ .call = test_call() };
    f.call.principal = &administrator;
    assert_status(store_open(f.call.arena, ":memory:", &store), STATUS_OK);
    assert_status(auth_store_migrate(store, f.call.arena), STATUS_OK);
    assert_status(outbox_migrate(store, f.call.arena), STATUS_OK);
    failing_store_init(&f.store, store);
    fake_clock_init(&f.clock, (int64_t)NOW_S * 1000);
    seeded_random_init(&f.random, 1);
    crash_files_init(&f.files);
    auth_fixture_start(&f, 1);
    *state = &f;
    return 0;
}

int auth_fixture_tear_down(void **state)
{
    struct auth_fixture *f = *state;

    auth_fixture_stop(f);
    store_close(&f->store.store);
    crash_files_reset(&f->files);
    arena_free(f->call.arena);
    return 0;
}

void auth_fixture_changed(void *data)
{
    (void)data;
}

void put_tenant(struct auth_fixture *f, const char *tenant_id,
                Weft__Auth__V1__TenantStanding standing)
{
    Weft__Auth__V1__TenantState tenant, *tenants[] = { &tenant };

    weft__auth__v1__tenant_state__init(&tenant);
    tenant.tenant_id = message_text(tenant_id);
    tenant.standing = standing;
    (void)feed_put_tenants(f->feed, tenants, 1);
}

/* ---- Rpcs ---- */

status create_account(struct auth_fixture *f, const char *tenant_id, const char *id,
                      const char *role, const char *permission)
{
    char *roles_[] = { message_text(role) };
    char *permissions[] = { message_text(permission) };
    Weft__Auth__V1__CreateServiceAccountRequest request;
    const Weft__Auth__V1__CreateServiceAccountResponse *response;

    weft__auth__v1__create_service_account_request__init(&request);
    request.tenant_id = message_text(tenant_id);
    request.service_account_id = message_text(id);
    request.n_roles = role[0] != '\0';
    request.roles = roles_;
    request.n_permissions = permission[0] != '\0';
    request.permissions = permissions;
    return auth_peer_create_service_account(f->peer, &f->call, &request, &response);
}

status create_key(struct auth_fixture *f, const char *tenant_id, const char *account_id,
                  const Weft__Auth__V1__CreateApiKeyResponse **ret_response)
{
    Weft__Auth__V1__CreateApiKeyRequest request;

    weft__auth__v1__create_api_key_request__init(&request);
    request.tenant_id = message_text(tenant_id);
    request.service_account_id = message_text(account_id);
    return auth_peer_create_api_key(f->peer, &f->call, &request, ret_response);
}

const Weft__Auth__V1__CreateApiKeyResponse *a_key(struct auth_fixture *f, const char *tenant_id,
                                                  const char *account_id)
{
    const Weft__Auth__V1__CreateApiKeyResponse *response = NULL;

    assert_status(create_key(f, tenant_id, account_id, &response), STATUS_OK);
    return response;
}

status exchange(struct auth_fixture *f, const char *secret, const char **ret_token)
{
    Weft__Auth__V1__ExchangeApiKeyRequest request;
    const Weft__Auth__V1__ExchangeApiKeyResponse *response;

    weft__auth__v1__exchange_api_key_request__init(&request);
    request.secret = message_text(secret);
    TRY(auth_peer_exchange_api_key(f->peer, &f->call, &request, &response));
    *ret_token = response->token;
    return status_ok();
}

status revoke(struct auth_fixture *f, const char *tenant_id, const char *key_id,
              const Weft__Auth__V1__RevokeApiKeyResponse **ret_response)
{
    Weft__Auth__V1__RevokeApiKeyRequest request;

    weft__auth__v1__revoke_api_key_request__init(&request);
    request.tenant_id = message_text(tenant_id);
    request.key_id = message_text(key_id);
    request.timeout_ms = 1;
    return auth_peer_revoke_api_key(f->peer, &f->call, &request, ret_response);
}

status delete_account(struct auth_fixture *f, const char *tenant_id, const char *id,
                      const Weft__Auth__V1__DeleteServiceAccountResponse **ret_response)
{
    Weft__Auth__V1__DeleteServiceAccountRequest request;

    weft__auth__v1__delete_service_account_request__init(&request);
    request.tenant_id = message_text(tenant_id);
    request.service_account_id = message_text(id);
    request.timeout_ms = 1;
    return auth_peer_delete_service_account(f->peer, &f->call, &request, ret_response);
}

status job_token(struct auth_fixture *f, const char *tenant_id, const char *subject,
                 const char *permission, const char **ret_token)
{
    char *permissions[] = { message_text(permission) };
    Weft__Auth__V1__IssueJobTokenRequest request;
    const Weft__Auth__V1__IssueJobTokenResponse *response;

    weft__auth__v1__issue_job_token_request__init(&request);
    request.tenant_id = message_text(tenant_id);
    request.subject = message_text(subject);
    request.n_permissions = permission[0] != '\0';
    request.permissions = permissions;
    request.job_id = message_text("j1");
    request.attempt = 2;
    request.lifetime_s = 60;
    TRY(auth_peer_issue_job_token(f->peer, &f->call, &request, &response));
    *ret_token = response->token;
    return status_ok();
}

int64_t n_events(struct auth_fixture *f, const char *action, const char **ret_last)
{
    const struct store_statement query = {
        .sql = "SELECT count(*), max(tenant_id || ' ' || subject || ' ' || target)"
               " FROM audit_outbox WHERE action = $1",
        .params = PARAMS(store_text(action)),
    };
    struct store_rows rows;

    assert_status(store_query(&f->store.store, f->call.arena, &query, &rows), STATUS_OK);
    *ret_last = store_text_at(&rows, 0, 1);
    return store_int_at(&rows, 0, 0);
}

/* ---- An enforcement point ---- */

static void send_up(struct point_double *self, uint64_t revision, const char *instance)
{
    Weft__Auth__V1__SubscribeRequest request;

    weft__auth__v1__subscribe_request__init(&request);
    request.acknowledged_revision = revision;
    request.instance = message_text(instance);
    (void)test_stream_message(&self->stream, &request.base);
}

void point_double_init(struct point_double *self, struct auth_fixture *f, const char *instance)
{
    *self = (struct point_double){ .snapshot = snapshot_new(&f->clock.clock) };
    test_stream_init(&self->stream, &auth_service_methods, "Subscribe", f->service, &f->call);
    self->stream.call.peer_id = "spiffe://weft.local/search";
    send_up(self, 0, instance);
}

static void take_one(struct point_double *self, const Weft__Auth__V1__SubscribeResponse *response)
{
    if (response->snapshot == NULL) {
        self->n_beats++;
        return;
    }
    assert_status(snapshot_apply(self->snapshot, self->stream.call.arena, response->snapshot),
                  STATUS_OK);
    if (!response->snapshot->partial) {
        self->to_acknowledge = response->snapshot->revision;
    }
}

void point_double_take(struct point_double *self, bool acknowledge)
{
    const ProtobufCMessage *message;

    (void)test_stream_wake(&self->stream);
    while ((message = test_stream_take(&self->stream)) != NULL) {
        take_one(self, (const Weft__Auth__V1__SubscribeResponse *)message);
    }
    if (acknowledge && self->to_acknowledge != 0) {
        send_up(self, self->to_acknowledge, "");
        self->to_acknowledge = 0;
    }
}

void point_double_reset(struct point_double *self)
{
    test_stream_close(&self->stream);
    snapshot_free(self->snapshot);
}

bool point_double_accepts(struct point_double *self, struct auth_fixture *f, const char *token)
{
    const struct jose_expectation expectation = {
        .type = JOSE_ACCESS_TOKEN,
        .issuer = AUTHZ_ISSUER,
        .audience = AUTHZ_AUDIENCE,
        .now_ms = f->clock.wall_ms,
        .leeway_ms = 30000,
    };
    struct jose_claims claims;
    status s =
        snapshot_verify(self->snapshot, f->call.arena, bytes_of(token), &expectation, &claims);

    return status_is_ok(s) && !snapshot_is_revoked(self->snapshot, claims.credential, INT64_MIN) &&
           !snapshot_is_revoked(
               self->snapshot,
               arena_printf(f->call.arena, "tenant:%s:%s", claims.tenant, claims.subject),
               claims.issued_s * 1000);
}
