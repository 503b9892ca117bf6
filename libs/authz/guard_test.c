#include "libs/authz/guard.h"

#include "libs/base/status_details.h"
#include "libs/base/text.h"
#include "libs/crypto/p256.h"
#include "libs/rpc/message.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/fake_clock.h"
#include "libs/testing/test_call.h"
#include "weft/testing/v1/echo_service.pb-c.h"

#include <string.h>

enum { NOW_S = 1700000000 };

struct fixture {
    struct fake_clock clock;
    struct guard_authz *authz;
    struct guard *guard;
    struct p256_key *key;
    struct call call;
    struct method_options options;
    int denied;
};

static status count_denial(void *data, struct call *call, const struct rpc *rpc, status why)
{
    struct fixture *f = data;

    (void)call;
    (void)rpc;
    (void)why;
    f->denied++;
    return status_ok();
}

static void apply(struct fixture *f, Weft__Auth__V1__Snapshot *change)
{
    assert_status(snapshot_apply(guard_authz_snapshot(f->authz), f->call.arena, change), STATUS_OK);
}

static void apply_whole(struct fixture *f)
{
    char *publish[] = { message_text("project:*:data:publish"),
                        message_text("project:*:data:read") };
    char *all[] = { message_text("**") };
    const struct p256_public *keys[] = { p256_key_public(f->key) };
    Weft__Auth__V1__Role publisher, admin, *roles[] = { &publisher, &admin };
    Weft__Auth__V1__TenantState acme, *tenants[] = { &acme };
    Weft__Auth__V1__Snapshot change;

    weft__auth__v1__role__init(&publisher);
    publisher.role_id = message_text("publisher");
    publisher.n_permissions = 2;
    publisher.permissions = publish;
    weft__auth__v1__role__init(&admin);
    admin.role_id = message_text("admin");
    admin.n_permissions = 1;
    admin.permissions = all;
    weft__auth__v1__tenant_state__init(&acme);
    acme.tenant_id = message_text("acme");
    acme.standing = WEFT__AUTH__V1__TENANT_STANDING__TENANT_STANDING_ACTIVE;
    acme.requests_per_minute = 60;
    weft__auth__v1__snapshot__init(&change);
    change.revision = 1;
    change.whole = true;
    change.jwks = message_text(jose_jwks(f->call.arena, keys, 1, "sig"));
    change.n_roles = 2;
    change.roles = roles;
    change.n_tenants = 1;
    change.tenants = tenants;
    apply(f, &change);
}

static int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){ .call = test_call(), .key = p256_key_generate(&system_random) };
    fake_clock_init(&f.clock, (int64_t)NOW_S * 1000);
    f.authz = guard_authz_new(&(struct guard_authz_options){
        .service = "search", .trust_domain = "weft.local", .clock = &f.clock.clock });
    f.guard = guard_authz_guard(f.authz);
    guard_authz_set_denied(f.authz, count_denial, &f);
    f.call.principal = &principal_anonymous;
    f.call.peer_id = "spiffe://weft.local/cli";
    f.options = (struct method_options){ .permission = "project:{name}:data:publish" };
    apply_whole(&f);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    arena_free(f->call.arena);
    guard_authz_free(f->authz);
    p256_key_free(f->key);
    return 0;
}

static const char *token(struct fixture *f, const char *tenant, const char *role)
{
    static const char *const audience[] = { AUTHZ_AUDIENCE };
    const struct jose_claims claims = {
        .issuer = AUTHZ_ISSUER,
        .subject = "sa:robot",
        .audiences = { audience, 1 },
        .issued_s = f->clock.wall_ms / 1000,
        .expires_s = f->clock.wall_ms / 1000 + 900,
        .tenant = tenant,
        .credential = "key:k1",
        .roles = { &role, 1 },
    };
    const char *text = NULL;

    assert_status(jose_sign(f->call.arena, f->key, JOSE_ACCESS_TOKEN, &claims, &text), STATUS_OK);
    return text;
}

/* As the server does it: authenticate, then authorise a request about a project. */
static status ask(struct fixture *f, const char *project)
{
    Weft__Testing__V1__EchoRequest request;
    const struct rpc rpc = { .method = "Echo", .options = &f->options };

    weft__testing__v1__echo_request__init(&request);
    request.name = message_text(project);
    f->call.principal = &principal_anonymous;
    status s = f->guard->ops->authenticate(f->guard, &f->call);
    if (status_is_ok(s)) {
        s = f->guard->ops->authorise(f->guard, &f->call, &rpc, &request.base);
    }
    if (!status_is_ok(s)) {
        assert_status(f->guard->ops->refused(f->guard, &f->call, &rpc, s), STATUS_OK);
    }
    return s;
}

static void a_role_lets_its_holder_do_what_it_says(void **state)
{
    struct fixture *f = *state;

    f->call.token = token(f, "acme", "publisher");
    assert_status(ask(f, "apollo"), STATUS_OK);
    assert_string_equal(f->call.principal->tenant_id, "acme");
    assert_status(ask(f, "apollo"), STATUS_OK); /* from the cache */
    f->options.permission = "project:{name}:collections:create";
    status s = ask(f, "apollo");
    assert_status(s, STATUS_PERMISSION_DENIED);
    assert_string_equal(s.details->info.reason, "PERMISSION_MISSING");
    assert_string_equal(s.details->info.metadata[0][1], "project:apollo:collections:create");
    assert_int_equal(f->denied, 1);
}

static void nobody_gets_in_without_a_token_unless_his_certificate_is_named(void **state)
{
    static const char *const peers[] = { "scheduler" };
    struct fixture *f = *state;

    assert_status(ask(f, "apollo"), STATUS_PERMISSION_DENIED);
    f->options.peers = peers;
    f->options.n_peers = 1;
    assert_status(ask(f, "apollo"), STATUS_PERMISSION_DENIED);
    f->call.peer_id = "spiffe://weft.local/scheduler";
    assert_status(ask(f, "apollo"), STATUS_OK);
    f->call.peer_id = "spiffe://other.domain/scheduler";
    assert_status(ask(f, "apollo"), STATUS_UNAUTHENTICATED);
    f->call.peer_id = "";
    assert_status(ask(f, "apollo"), STATUS_UNAUTHENTICATED);
}

static void an_admin_of_a_tenant_is_none_of_the_platform_nor_of_another(void **state)
{
    struct fixture *f = *state;

    f->call.token = token(f, "acme", "admin");
    f->options.permission = "platform:tenants:create";
    assert_status(ask(f, "x"), STATUS_PERMISSION_DENIED);
    f->options.permission = "tenant:{name}:keys:create";
    assert_status(ask(f, "bravo"), STATUS_PERMISSION_DENIED);
    assert_status(ask(f, "acme"), STATUS_OK);
    assert_status(ask(f, "acmes"), STATUS_PERMISSION_DENIED);
    f->call.token = token(f, PLATFORM_TENANT, "admin");
    assert_status(ask(f, "bravo"), STATUS_OK);
}

static void revoke_key(struct fixture *f, uint64_t revision)
{
    Weft__Auth__V1__Revocation revocation, *revocations[] = { &revocation };
    Weft__Auth__V1__Snapshot change;

    weft__auth__v1__revocation__init(&revocation);
    revocation.subject = message_text("key:k1");
    revocation.epoch_ms = f->clock.wall_ms;
    revocation.forget_ms = f->clock.wall_ms + 3600000;
    weft__auth__v1__snapshot__init(&change);
    change.revision = revision;
    change.n_revocations = 1;
    change.revocations = revocations;
    apply(f, &change);
}

static void suspend_acme(struct fixture *f, uint64_t revision)
{
    Weft__Auth__V1__TenantState acme, *tenants[] = { &acme };
    Weft__Auth__V1__Snapshot change;

    weft__auth__v1__tenant_state__init(&acme);
    acme.tenant_id = message_text("acme");
    acme.standing = WEFT__AUTH__V1__TENANT_STANDING__TENANT_STANDING_SUSPENDED;
    weft__auth__v1__snapshot__init(&change);
    change.revision = revision;
    change.n_tenants = 1;
    change.tenants = tenants;
    apply(f, &change);
}

/* Source may call service, and nobody anything else. */
static void set_policy(struct fixture *f, const char *source, const char *service)
{
    Weft__Registry__V1__PolicyRule rule, *rules[] = { &rule };
    Weft__Registry__V1__Policy policy;

    weft__registry__v1__policy_rule__init(&rule);
    rule.source = message_text(source);
    rule.service = message_text(service);
    weft__registry__v1__policy__init(&policy);
    policy.revision = 1;
    policy.n_rules = 1;
    policy.rules = rules;
    guard_authz_set_policy(f->authz, &policy);
}

static void a_revoked_key_stops_at_once_and_for_ever(void **state)
{
    struct fixture *f = *state;

    f->call.token = token(f, "acme", "publisher");
    assert_status(ask(f, "apollo"), STATUS_OK);
    revoke_key(f, 2);
    assert_status(ask(f, "apollo"), STATUS_UNAUTHENTICATED);
    f->clock.wall_ms += 5000;
    f->call.token = token(f, "acme", "publisher");
    assert_status(ask(f, "apollo"), STATUS_UNAUTHENTICATED);
}

static void a_token_ends_with_its_time_and_with_its_tenant(void **state)
{
    struct fixture *f = *state;

    f->call.token = token(f, "nobody", "publisher");
    assert_status(ask(f, "apollo"), STATUS_UNAUTHENTICATED);
    f->call.token = token(f, "acme", "publisher");
    assert_status(ask(f, "apollo"), STATUS_OK);
    f->clock.wall_ms += 1000000;
    assert_status(ask(f, "apollo"), STATUS_UNAUTHENTICATED);
    f->call.token = "not.a.token";
    assert_status(ask(f, "apollo"), STATUS_UNAUTHENTICATED);
}

static void a_suspended_tenant_reads_and_does_not_write(void **state)
{
    struct fixture *f = *state;

    suspend_acme(f, 2);
    f->call.token = token(f, "acme", "publisher");
    status s = ask(f, "apollo");
    assert_status(s, STATUS_FAILED_PRECONDITION);
    assert_string_equal(s.details->info.reason, "TENANT_SUSPENDED");
    f->options.permission = "project:{name}:data:read";
    assert_status(ask(f, "apollo"), STATUS_OK);
}

static void a_tenants_rate_is_kept_and_says_when_to_come_back(void **state)
{
    struct fixture *f = *state;
    status s = status_ok();
    int n = 0;

    f->call.token = token(f, "acme", "publisher");
    for (; n < 100 && status_is_ok(s); n++) {
        s = ask(f, "apollo");
    }
    assert_int_equal(n, 11); /* 60 a minute: ten seconds' worth at once */
    assert_status(s, STATUS_RESOURCE_EXHAUSTED);
    assert_string_equal(s.details->quota_subject, "tenant:acme");
    assert_in_range(s.details->retry_after_ms, 900, 1001);
    fake_clock_advance_ms(&f->clock, 1001);
    assert_status(ask(f, "apollo"), STATUS_OK);
}

static void without_word_from_auth_tokens_are_denied_in_the_end(void **state)
{
    struct fixture *f = *state;

    f->call.token = token(f, "acme", "publisher");
    f->clock.monotonic_us += (int64_t)SNAPSHOT_LEASE_MS * 1000;
    assert_status(ask(f, "apollo"), STATUS_OK);
    f->clock.monotonic_us += 1000;
    assert_status(ask(f, "apollo"), STATUS_UNAVAILABLE);
    snapshot_beat(guard_authz_snapshot(f->authz));
    assert_status(ask(f, "apollo"), STATUS_OK);
}

static void the_mesh_policy_is_the_first_lock(void **state)
{
    struct fixture *f = *state;

    f->call.token = token(f, "acme", "publisher");
    set_policy(f, "gateway", "search");
    status s = ask(f, "apollo");
    assert_status(s, STATUS_PERMISSION_DENIED);
    assert_string_equal(s.details->info.reason, "MESH_POLICY");
    f->call.peer_id = "spiffe://weft.local/gateway";
    assert_status(ask(f, "apollo"), STATUS_OK);
    set_policy(f, "gateway", "tenant");
    assert_status(ask(f, "apollo"), STATUS_PERMISSION_DENIED);
}

/* Of a stream that ask() has let in: as before its next event, when the epoch has changed since. */
static status goes_on(struct fixture *f, uint64_t *epoch)
{
    const struct rpc rpc = { .method = "EchoStream", .options = &f->options };
    uint64_t now = f->guard->ops->epoch(f->guard);

    if (now == *epoch) {
        return status_ok();
    }
    *epoch = now;
    return f->guard->ops->still_authorised(f->guard, &f->call, &rpc);
}

static void let_in(struct fixture *f, uint64_t *ret_epoch)
{
    *ret_epoch = f->guard->ops->epoch(f->guard);
    f->call.token = token(f, "acme", "publisher");
    assert_status(ask(f, "apollo"), STATUS_OK);
}

static void a_stream_ends_with_its_key(void **state)
{
    struct fixture *f = *state;
    uint64_t epoch;

    let_in(f, &epoch);
    assert_status(goes_on(f, &epoch), STATUS_OK);
    revoke_key(f, 2);
    assert_status(goes_on(f, &epoch), STATUS_UNAUTHENTICATED);
}

static void a_stream_ends_with_its_token_and_not_with_a_certificate(void **state)
{
    struct fixture *f = *state;
    uint64_t epoch;

    let_in(f, &epoch);
    f->clock.wall_ms = f->call.principal->expire_ms + 30000; /* clocks may differ by so much */
    epoch = 0;
    assert_status(goes_on(f, &epoch), STATUS_OK);
    f->clock.wall_ms++;
    epoch = 0;
    status s = goes_on(f, &epoch);
    assert_status(s, STATUS_UNAUTHENTICATED);
    assert_string_equal(s.message, "the token has expired");
    f->call.token = "";
    f->call.peer_id = "spiffe://weft.local/search";
    assert_status(f->guard->ops->authenticate(f->guard, &f->call), STATUS_OK);
    assert_int_equal(f->call.principal->expire_ms, 0);
    epoch = 0;
    assert_status(goes_on(f, &epoch), STATUS_OK);
}

static void a_stream_that_writes_ends_when_its_tenant_is_suspended(void **state)
{
    struct fixture *f = *state;
    uint64_t epoch;

    let_in(f, &epoch);
    suspend_acme(f, 2);
    assert_status(goes_on(f, &epoch), STATUS_FAILED_PRECONDITION);
    epoch = 0;
    f->options.permission = "project:{name}:data:read";
    assert_status(goes_on(f, &epoch), STATUS_OK);
}

static void a_stream_ends_when_the_policy_lets_its_peer_in_no_more(void **state)
{
    struct fixture *f = *state;
    uint64_t epoch;

    let_in(f, &epoch);
    set_policy(f, "cli", "search");
    assert_status(goes_on(f, &epoch), STATUS_OK);
    set_policy(f, "gateway", "search");
    assert_status(goes_on(f, &epoch), STATUS_PERMISSION_DENIED);
}

static void a_stream_ends_when_auth_has_been_silent_too_long(void **state)
{
    struct fixture *f = *state;
    uint64_t epoch;

    let_in(f, &epoch);
    f->clock.monotonic_us += (int64_t)(SNAPSHOT_LEASE_MS + 1) * 1000;
    assert_status(goes_on(f, &epoch), STATUS_UNAVAILABLE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_role_lets_its_holder_do_what_it_says),
        TEST(nobody_gets_in_without_a_token_unless_his_certificate_is_named),
        TEST(an_admin_of_a_tenant_is_none_of_the_platform_nor_of_another),
        TEST(a_revoked_key_stops_at_once_and_for_ever),
        TEST(a_token_ends_with_its_time_and_with_its_tenant),
        TEST(a_suspended_tenant_reads_and_does_not_write),
        TEST(a_tenants_rate_is_kept_and_says_when_to_come_back),
        TEST(without_word_from_auth_tokens_are_denied_in_the_end),
        TEST(the_mesh_policy_is_the_first_lock),
        TEST(a_stream_ends_with_its_key),
        TEST(a_stream_ends_with_its_token_and_not_with_a_certificate),
        TEST(a_stream_that_writes_ends_when_its_tenant_is_suspended),
        TEST(a_stream_ends_when_the_policy_lets_its_peer_in_no_more),
        TEST(a_stream_ends_when_auth_has_been_silent_too_long),
    };

    return cmocka_run_group_tests_name("guard", tests, NULL, NULL);
}
