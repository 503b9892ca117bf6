#include "services/auth/token_handlers.h"

#include "libs/base/status_details.h"
#include "libs/base/text.h"
#include "libs/rpc/message.h"
#include "services/auth/fields.h"
#include "services/auth/grants.h"
#include "services/auth/tokens.h"

#include <string.h>

/* Each costs a signature of some 30 us: 2 ms of a worker's time. */
enum { MAX_JOB_TOKENS = 64 };

/* ---- ExchangeApiKey ---- */

/* One sentence for all that may be wrong with a key: nobody learns which keys there are. */
static status not_good(struct call *call)
{
    return status_error(call->arena, STATUS_UNAUTHENTICATED,
                        "the key is not one, or unknown, revoked or expired");
}

static status check_key(struct call *call, const char *secret, int64_t now_ms,
                        struct api_key *ret_key, struct directory_key *ret_found)
{
    const struct auth_service_options *options = options_of(call);
    struct sha256 hash = api_key_hash(options->pepper, bytes_of(secret));

    if (!status_is_ok(api_key_parse(call->arena, bytes_of(secret), ret_key)) ||
        strcmp(ret_key->purpose, KEY_PURPOSE) != 0 ||
        !directory_find_key(options->directory, call->arena, ret_key->id, ret_found) ||
        !sha256_equal(&hash, &ret_found->hash)) {
        return not_good(call);
    }
    if (ret_found->expire_time_ms != 0 && ret_found->expire_time_ms <= now_ms) {
        return not_good(call);
    }
    return status_ok();
}

/* What cannot be told fails in another way. */
static status tell_denial(struct call *call, status why)
{
    static const struct rpc rpc = {
        .service = &weft__auth__v1__auth_service__descriptor,
        .method = "ExchangeApiKey",
    };
    const struct auth_service_options *options = options_of(call);

    if (options->denied != NULL) {
        TRY(options->denied(options->denied_data, call, &rpc, why));
    }
    return why;
}

static status check_standing(struct call *call, const char *tenant_id)
{
    const struct auth_service_options *options = options_of(call);
    struct feed_tenant tenant;

    if (strcmp(tenant_id, PLATFORM_TENANT) == 0) {
        return status_ok();
    }
    if (!feed_find_tenant(options->feed, tenant_id, &tenant)) {
        return status_error(call->arena, STATUS_UNAVAILABLE, "tenant '%s' is not known yet",
                            tenant_id);
    }
    if (tenant.standing == WEFT__AUTH__V1__TENANT_STANDING__TENANT_STANDING_DELETED) {
        return status_error_info(
            call->arena,
            status_error(call->arena, STATUS_FAILED_PRECONDITION, "tenant '%s' is deleted",
                         tenant_id),
            (struct error_info){ .reason = "TENANT_DELETED", .domain = "tenant.weft" });
    }
    return status_ok();
}

status exchange_api_key(struct call *call, const Weft__Auth__V1__ExchangeApiKeyRequest *request,
                        Weft__Auth__V1__ExchangeApiKeyResponse *response)
{
    const struct auth_service_options *options = options_of(call);
    int64_t now_ms = clock_wall_ms(options->clock); /* before the look-up: token_wish */
    struct directory_key found;
    struct api_key key;
    int64_t lifetime_s;
    const char *token;

    TRY(field_lifetime(call->arena, request->lifetime_s, &lifetime_s));
    status s = check_key(call, request->secret, now_ms, &key, &found);
    if (!status_is_ok(s)) {
        return tell_denial(call, s);
    }
    TRY(check_standing(call, found.account.tenant_id));
    int64_t expire_ms = now_ms + lifetime_s * 1000;
    if (found.expire_time_ms != 0 && found.expire_time_ms < expire_ms) {
        expire_ms = found.expire_time_ms; /* a token outlives no key */
    }
    TRY(token_make(options->signing_keys, call->arena, options->random,
                   &(struct token_wish){
                       .account = &found.account,
                       .roles = found.account.roles,
                       .permissions = found.account.permissions,
                       .credential = arena_printf(call->arena, "key:%s", key.id),
                       .now_ms = now_ms,
                       .expire_ms = expire_ms,
                   },
                   &token));
    response->token = message_text(token);
    response->expire_time = timestamp_message(call->arena, expire_ms / 1000 * 1000);
    return status_ok();
}

/* ---- IssueJobToken ---- */

static status check_job(struct call *call, const Weft__Auth__V1__IssueJobTokenRequest *request,
                        const char **ret_account_id)
{
    int64_t lifetime_s;

    TRY(field_id(call->arena, "tenant_id", request->tenant_id));
    TRY(field_subject(call->arena, request->subject, ret_account_id));
    TRY(field_permissions(call->arena, request->permissions, request->n_permissions));
    TRY(field_job(call->arena, request->job_id, request->attempt));
    TRY(field_lifetime(call->arena, request->lifetime_s, &lifetime_s));
    return request->lifetime_s != 0 ? status_ok()
                                    : status_bad_field(call->arena, "lifetime_s", "must be 1 to %d",
                                                       FIELDS_MAX_LIFETIME_S);
}

/* With no permissions asked for, all that the account has; else these, if it has them. */
static status choose_grants(struct call *call, const Weft__Auth__V1__IssueJobTokenRequest *request,
                            struct token_wish *wish)
{
    const struct account_record *account = wish->account;
    const struct text_list has = grants_of(call->arena, &account->roles, &account->permissions);

    if (request->n_permissions == 0) {
        wish->roles = account->roles;
        wish->permissions = account->permissions;
        return status_ok();
    }
    wish->permissions =
        (struct text_list){ (const char *const *)request->permissions, request->n_permissions };
    return grants_check(call->arena, request->subject, &has, &wish->permissions);
}

static status check_principal(struct call *call, const char *tenant_id, const char *account_id,
                              struct account_record *ret_account)
{
    status s = check_standing(call, tenant_id);

    if (s.code == STATUS_FAILED_PRECONDITION ||
        !directory_find_account(options_of(call)->directory, call->arena, tenant_id, account_id,
                                ret_account)) {
        return status_error(call->arena, STATUS_PERMISSION_DENIED,
                            "'sa:%s' of tenant '%s' has been revoked", account_id, tenant_id);
    }
    return s;
}

status issue_job_token(struct call *call, const Weft__Auth__V1__IssueJobTokenRequest *request,
                       Weft__Auth__V1__IssueJobTokenResponse *response)
{
    const struct auth_service_options *options = options_of(call);
    struct account_record account;
    struct token_wish wish = { .account = &account, .now_ms = clock_wall_ms(options->clock) };
    const char *account_id;
    const char *token;

    TRY(check_job(call, request, &account_id));
    TRY(check_principal(call, request->tenant_id, account_id, &account));
    TRY(choose_grants(call, request, &wish));
    wish.credential =
        arena_printf(call->arena, "job:%s:%d", request->job_id, (int)request->attempt);
    wish.expire_ms = wish.now_ms + (int64_t)request->lifetime_s * 1000;
    TRY(token_make(options->signing_keys, call->arena, options->random, &wish, &token));
    response->token = message_text(token);
    response->expire_time = timestamp_message(call->arena, wish.expire_ms / 1000 * 1000);
    return status_ok();
}

static Weft__Auth__V1__JobTokenResult *
result_for(struct call *call, const Weft__Auth__V1__IssueJobTokenRequest *request)
{
    Weft__Auth__V1__JobTokenResult *result = ARENA_NEW(call->arena, Weft__Auth__V1__JobTokenResult);
    Weft__Auth__V1__IssueJobTokenResponse one;

    weft__auth__v1__issue_job_token_response__init(&one);
    weft__auth__v1__job_token_result__init(result);
    status s = issue_job_token(call, request, &one);
    result->code = (int32_t)s.code;
    result->message = message_text(s.message);
    result->token = one.token;
    result->expire_time = one.expire_time;
    return result;
}

status issue_job_tokens(struct call *call, const Weft__Auth__V1__IssueJobTokensRequest *request,
                        Weft__Auth__V1__IssueJobTokensResponse *response)
{
    if (request->n_requests > MAX_JOB_TOKENS) {
        return status_bad_field(call->arena, "requests", "%zu are more than %d",
                                request->n_requests, MAX_JOB_TOKENS);
    }
    response->results =
        ARENA_NEW_ARRAY(call->arena, Weft__Auth__V1__JobTokenResult *, request->n_requests);
    for (; response->n_results < request->n_requests; response->n_results++) {
        response->results[response->n_results] =
            result_for(call, request->requests[response->n_results]);
    }
    return status_ok();
}

/* ---- What is known to everybody, and of oneself ---- */

status get_jwks(struct call *call, const Weft__Auth__V1__GetJwksRequest *request,
                Weft__Auth__V1__GetJwksResponse *response)
{
    (void)request;
    response->jwks = message_text(signing_keys_jwks(options_of(call)->signing_keys, call->arena));
    return status_ok();
}

static char **texts_of(struct arena *arena, const char *const *texts, size_t n)
{
    char **list = ARENA_NEW_ARRAY(arena, char *, n);

    for (size_t i = 0; i < n; i++) {
        list[i] = message_text(texts[i]);
    }
    return list;
}

status who_am_i(struct call *call, const Weft__Auth__V1__WhoAmIRequest *request,
                Weft__Auth__V1__WhoAmIResponse *response)
{
    const struct principal *principal = call->principal;

    (void)request;
    response->tenant_id = message_text(principal->tenant_id);
    response->subject = message_text(principal->subject);
    response->n_roles = principal->n_roles;
    response->roles = texts_of(call->arena, principal->roles, principal->n_roles);
    response->n_permissions = principal->n_permissions;
    response->permissions = texts_of(call->arena, principal->permissions, principal->n_permissions);
    response->expire_time = timestamp_message(call->arena, principal->expire_ms);
    return status_ok();
}
