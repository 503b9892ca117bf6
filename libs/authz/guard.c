#include "libs/authz/guard.h"

#include "libs/authz/pattern.h"
#include "libs/authz/token_cache.h"
#include "libs/base/map.h"
#include "libs/base/status_details.h"
#include "libs/base/text.h"
#include "libs/rpc/permission.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { CLOCK_LEEWAY_MS = 30000 }; /* between two hosts of one mesh */

struct rule {
    char *source;
    char *service;
};

struct guard_authz {
    struct guard guard;
    struct guard_authz_options options;
    struct snapshot *snapshot;
    struct token_cache *tokens;
    pthread_rwlock_t lock; /* over the policy */
    struct rule *rules;
    size_t n_rules;
    bool has_policy;
    _Atomic uint64_t n_policies; /* that were set so far */
    status (*denied)(void *data, struct call *call, const struct rpc *rpc, status why);
    void *denied_data;
};

/* ---- The first lock: the certificate ---- */

/* The path of a SPIFFE ID of the own trust domain, without its first '/'; NULL for others. */
static const char *own_path(const struct guard_authz *self, const char *id)
{
    static const char scheme[] = "spiffe://";
    size_t length = strlen(self->options.trust_domain);

    if (strncmp(id, scheme, sizeof scheme - 1) != 0) {
        return NULL;
    }
    id += sizeof scheme - 1;
    return strncmp(id, self->options.trust_domain, length) == 0 && id[length] == '/'
               ? id + length + 1
               : NULL;
}

static bool policy_allows(struct guard_authz *self, const char *path)
{
    pthread_rwlock_rdlock(&self->lock);
    bool allowed = !self->has_policy;
    for (size_t i = 0; i < self->n_rules && !allowed; i++) {
        const struct rule *rule = &self->rules[i];
        allowed =
            peer_pattern_matches(rule->source, path) &&
            (strcmp(rule->service, "*") == 0 || strcmp(rule->service, self->options.service) == 0);
    }
    pthread_rwlock_unlock(&self->lock);
    return allowed;
}

static status check_certificate(struct guard_authz *self, struct call *call)
{
    if (call->peer_id[0] == '\0') {
        return status_ok(); /* by a listener that asks for none; options.open decides */
    }
    const char *path = own_path(self, call->peer_id);
    if (path == NULL) {
        return status_error(call->arena, STATUS_UNAUTHENTICATED,
                            "'%s' is not of the trust domain '%s'", call->peer_id,
                            self->options.trust_domain);
    }
    if (!policy_allows(self, path)) {
        return status_error_info(
            call->arena,
            status_error(call->arena, STATUS_PERMISSION_DENIED,
                         "the mesh policy does not let '%s' call '%s'", path,
                         self->options.service),
            (struct error_info){ .reason = "MESH_POLICY", .domain = "registry.weft" });
    }
    return status_ok();
}

/* ---- The second: the token ---- */

static status make_token(struct guard_authz *self, struct call *call, struct cached_token **ret)
{
    const struct jose_expectation expectation = {
        .type = JOSE_ACCESS_TOKEN,
        .issuer = AUTHZ_ISSUER,
        .audience = AUTHZ_AUDIENCE,
        .now_ms = clock_wall_ms(self->options.clock),
        .leeway_ms = CLOCK_LEEWAY_MS,
    };
    struct jose_claims claims;

    TRY(snapshot_verify(self->snapshot, call->arena, bytes_of(call->token), &expectation, &claims));
    *ret = token_cache_put(self->tokens, bytes_of(call->token), self->snapshot, &claims);
    return status_ok();
}

/* Whether a good token still is: its time, and what stands behind it, the key, the account, the
 * tenant. */
static status check_standing(struct call *call, struct guard_authz *self,
                             const struct cached_token *token)
{
    const char *tenant_id = token->principal.tenant_id;
    struct tenant_limits limits;

    if (token->principal.expire_ms + CLOCK_LEEWAY_MS < clock_wall_ms(self->options.clock)) {
        return status_error(call->arena, STATUS_UNAUTHENTICATED, "the token has expired");
    }
    /* A key that is revoked stays so; an account may be made anew after it was removed. */
    if (snapshot_is_revoked(self->snapshot, token->credential, INT64_MIN) ||
        snapshot_is_revoked(self->snapshot, token->account, token->issued_ms)) {
        return status_error(call->arena, STATUS_UNAUTHENTICATED, "the credential was revoked");
    }
    if (strcmp(tenant_id, PLATFORM_TENANT) == 0) {
        return status_ok();
    }
    if (!snapshot_tenant(self->snapshot, tenant_id, &limits) ||
        limits.standing == WEFT__AUTH__V1__TENANT_STANDING__TENANT_STANDING_DELETED) {
        return status_error(call->arena, STATUS_UNAUTHENTICATED, "there is no tenant '%s'",
                            tenant_id);
    }
    return status_ok();
}

static status check_token(struct guard_authz *self, struct call *call)
{
    struct cached_token *token =
        token_cache_get(self->tokens, bytes_of(call->token), snapshot_revision(self->snapshot));

    if (token == NULL) {
        TRY(make_token(self, call, &token));
    }
    arena_defer(call->arena, token_unref, token);
    TRY(check_standing(call, self, token));
    call->principal = &token->principal;
    return status_ok();
}

static status authenticate(struct guard *guard, struct call *call)
{
    struct guard_authz *self = (struct guard_authz *)guard;

    TRY(check_certificate(self, call));
    if (call->token[0] != '\0') {
        return check_token(self, call);
    }
    if (call->peer_id[0] != '\0') {
        struct principal *principal = ARENA_NEW(call->arena, struct principal);
        *principal = (struct principal){
            .tenant_id = PLATFORM_TENANT,
            .subject = call->peer_id,
            .credential = CREDENTIAL_SVID,
        };
        call->principal = principal;
    }
    return status_ok();
}

/* ---- The third: the permission ---- */

/* Whether the permission is one about the principal's tenant, or it is the platform's own. */
static bool is_of_tenant(const struct principal *principal, const char *permission)
{
    static const char tenant[] = "tenant:";
    size_t length = strlen(principal->tenant_id);

    if (strcmp(principal->tenant_id, PLATFORM_TENANT) == 0) {
        return true;
    }
    if (strncmp(permission, tenant, sizeof tenant - 1) == 0) {
        const char *id = permission + sizeof tenant - 1;
        return strncmp(id, principal->tenant_id, length) == 0 && id[length] == ':';
    }
    return strncmp(permission, "platform:", strlen("platform:")) != 0;
}

static bool is_granted(const struct principal *principal, const char *permission)
{
    if (principal->credential != CREDENTIAL_TOKEN || !is_of_tenant(principal, permission)) {
        return false;
    }
    if (strcmp(permission, "self:read") == 0) {
        return true;
    }
    for (size_t i = 0; i < principal->n_permissions; i++) {
        if (pattern_grants(principal->permissions[i], permission)) {
            return true;
        }
    }
    return false;
}

status authz_check(struct call *call, const char *permission)
{
    if (is_granted(call->principal, permission)) {
        return status_ok();
    }
    if (call->principal->credential == CREDENTIAL_NONE) {
        return status_error(call->arena, STATUS_UNAUTHENTICATED,
                            "a token is needed, with the permission '%s'", permission);
    }
    const char *(*metadata)[2] = arena_alloc(call->arena, sizeof *metadata);
    metadata[0][0] = "permission";
    metadata[0][1] = permission;
    return status_error_info(call->arena,
                             status_error(call->arena, STATUS_PERMISSION_DENIED,
                                          "'%s' lacks the permission '%s'",
                                          call->principal->subject, permission),
                             (struct error_info){ .reason = "PERMISSION_MISSING",
                                                  .domain = "auth.weft",
                                                  .metadata = metadata,
                                                  .n_metadata = 1 });
}

static bool is_named_peer(const struct guard_authz *self, const struct call *call,
                          const struct method_options *options)
{
    const char *path = own_path(self, call->peer_id);

    for (size_t i = 0; path != NULL && i < options->n_peers; i++) {
        if (peer_pattern_matches(options->peers[i], path)) {
            return true;
        }
    }
    return false;
}

static bool is_read(const char *permission)
{
    const char *last = strrchr(permission, ':');

    last = last == NULL ? permission : last + 1;
    return strcmp(last, "read") == 0 || strcmp(last, "list") == 0;
}

/* A token is only as good as what we know of revocations. */
static status check_lease(struct guard_authz *self, struct call *call, const char *permission)
{
    if (snapshot_is_fresh(self->snapshot) || (self->options.stale_reads && is_read(permission))) {
        return status_ok();
    }
    return status_error(call->arena, STATUS_UNAVAILABLE, "no word from auth for %d s",
                        SNAPSHOT_LEASE_MS / 1000);
}

static status check_suspended(struct guard_authz *self, struct call *call, const char *permission)
{
    const char *tenant_id = call->principal->tenant_id;
    struct tenant_limits limits;

    if (strcmp(tenant_id, PLATFORM_TENANT) != 0 &&
        snapshot_tenant(self->snapshot, tenant_id, &limits) &&
        limits.standing == WEFT__AUTH__V1__TENANT_STANDING__TENANT_STANDING_SUSPENDED &&
        !is_read(permission)) {
        return status_error_info(
            call->arena,
            status_error(call->arena, STATUS_FAILED_PRECONDITION, "tenant '%s' is suspended",
                         tenant_id),
            (struct error_info){ .reason = "TENANT_SUSPENDED", .domain = "tenant.weft" });
    }
    return status_ok();
}

static status check_rate(struct guard_authz *self, struct call *call)
{
    const char *tenant_id = call->principal->tenant_id;
    int64_t retry_after_ms = 0;

    if (strcmp(tenant_id, PLATFORM_TENANT) == 0 ||
        snapshot_take_request(self->snapshot, tenant_id, &retry_after_ms)) {
        return status_ok();
    }
    status s = status_error(call->arena, STATUS_RESOURCE_EXHAUSTED,
                            "tenant '%s' has used up its requests per minute", tenant_id);
    s = status_quota(call->arena, s, arena_printf(call->arena, "tenant:%s", tenant_id),
                     "requests_per_minute");
    return status_retry_after(call->arena, s, retry_after_ms);
}

static status authorise(struct guard *guard, struct call *call, const struct rpc *rpc,
                        const ProtobufCMessage *request)
{
    struct guard_authz *self = (struct guard_authz *)guard;
    const struct method_options *options = rpc->options;
    const char *permission = NULL;

    if (options->open || is_named_peer(self, call, options)) {
        return status_ok();
    }
    if (options->permission[0] == '\0') {
        /* The standards' own rpcs, health and reflection, are for every member. */
        return options->n_peers == 0 && call->peer_id[0] != '\0'
                   ? status_ok()
                   : status_error(call->arena, STATUS_PERMISSION_DENIED, "'%s' may not call this",
                                  call->principal->subject);
    }
    if (call->principal->credential == CREDENTIAL_TOKEN) {
        TRY(check_lease(self, call, options->permission));
    }
    TRY(permission_fill(call->arena, options->permission, request, &permission));
    TRY(authz_check(call, permission));
    TRY(check_suspended(self, call, permission));
    return check_rate(self, call);
}

/* Both numbers only grow, so their sum is another when either is. */
static uint64_t epoch(struct guard *guard)
{
    struct guard_authz *self = (struct guard_authz *)guard;

    return (snapshot_revision(self->snapshot) + atomic_load(&self->n_policies)) * 2 +
           snapshot_is_fresh(self->snapshot);
}

static status still_authorised(struct guard *guard, struct call *call, const struct rpc *rpc)
{
    struct guard_authz *self = (struct guard_authz *)guard;
    const struct method_options *options = rpc->options;

    TRY(check_certificate(self, call));
    if (call->token[0] == '\0') {
        return status_ok();
    }
    /* authenticate() has made the principal of it. */
    TRY(check_standing(call, self, (const struct cached_token *)call->principal));
    if (options->open || is_named_peer(self, call, options)) {
        return status_ok();
    }
    TRY(check_lease(self, call, options->permission));
    return check_suspended(self, call, options->permission);
}

static status refused(struct guard *guard, struct call *call, const struct rpc *rpc, status why)
{
    struct guard_authz *self = (struct guard_authz *)guard;
    bool is_denial = why.code == STATUS_PERMISSION_DENIED || why.code == STATUS_UNAUTHENTICATED;

    return self->denied == NULL || !is_denial ? status_ok()
                                              : self->denied(self->denied_data, call, rpc, why);
}

static const struct guard_ops guard_authz_ops = {
    .authenticate = authenticate,
    .authorise = authorise,
    .epoch = epoch,
    .still_authorised = still_authorised,
    .refused = refused,
};

/* ---- Life ---- */

struct guard_authz *guard_authz_new(const struct guard_authz_options *options)
{
    struct guard_authz *self = calloc(1, sizeof *self);

    if (self == NULL) {
        abort();
    }
    self->guard.ops = &guard_authz_ops;
    self->options = *options;
    self->snapshot = snapshot_new(options->clock);
    self->tokens = token_cache_new();
    pthread_rwlock_init(&self->lock, NULL);
    return self;
}

static void rules_free(struct rule *rules, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(rules[i].source);
        free(rules[i].service);
    }
    free(rules);
}

void guard_authz_free(struct guard_authz *self)
{
    if (self == NULL) {
        return;
    }
    token_cache_free(self->tokens);
    snapshot_free(self->snapshot);
    rules_free(self->rules, self->n_rules);
    pthread_rwlock_destroy(&self->lock);
    free(self);
}

struct guard *guard_authz_guard(struct guard_authz *self)
{
    return &self->guard;
}

struct snapshot *guard_authz_snapshot(struct guard_authz *self)
{
    return self->snapshot;
}

void guard_authz_set_policy(struct guard_authz *self, const Weft__Registry__V1__Policy *policy)
{
    struct rule *rules = calloc(policy->n_rules + 1, sizeof *rules);

    if (rules == NULL) {
        abort();
    }
    for (size_t i = 0; i < policy->n_rules; i++) {
        rules[i].source = strdup(policy->rules[i]->source);
        rules[i].service = strdup(policy->rules[i]->service);
        if (rules[i].source == NULL || rules[i].service == NULL) {
            abort();
        }
    }
    pthread_rwlock_wrlock(&self->lock);
    struct rule *old = self->rules;
    size_t n_old = self->n_rules;
    self->rules = rules;
    self->n_rules = policy->n_rules;
    self->has_policy = true;
    pthread_rwlock_unlock(&self->lock);
    atomic_fetch_add(&self->n_policies, 1);
    rules_free(old, n_old);
}

void guard_authz_set_denied(struct guard_authz *self,
                            status (*denied)(void *data, struct call *call, const struct rpc *rpc,
                                             status why),
                            void *data)
{
    self->denied = denied;
    self->denied_data = data;
}
