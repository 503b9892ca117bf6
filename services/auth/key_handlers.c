#include "services/auth/key_handlers.h"

#include "libs/base/status_details.h"
#include "libs/base/text.h"
#include "libs/rpc/message.h"
#include "services/auth/commit.h"
#include "services/auth/fields.h"
#include "services/auth/grants.h"
#include "services/auth/tokens.h"

enum {
    MAX_KEYS = 100,   /* of one account, that live: enough for a rotation on many hosts */
    KEPT_KEYS = 1000, /* of one account, in lists: a page of the largest size */
};

static Weft__Auth__V1__ApiKey *key_message(struct arena *arena, const struct key_record *record)
{
    Weft__Auth__V1__ApiKey *key = ARENA_NEW(arena, Weft__Auth__V1__ApiKey);

    weft__auth__v1__api_key__init(key);
    key->key_id = message_text(record->key_id);
    key->tenant_id = message_text(record->tenant_id);
    key->service_account_id = message_text(record->account_id);
    key->display_name = message_text(record->display_name);
    key->create_time = timestamp_message(arena, record->create_time_ms);
    key->expire_time = timestamp_message(arena, record->expire_time_ms);
    key->revoke_time = timestamp_message(arena, record->revoke_time_ms);
    return key;
}

static const char *target_of(struct arena *arena, const struct key_record *record)
{
    return arena_printf(arena, "tenant:%s:key:%s", record->tenant_id, record->key_id);
}

/* ---- Create ---- */

/* In milliseconds; 0 when it is not set. */
static status read_expiry(struct call *call, const Google__Protobuf__Timestamp *time,
                          int64_t now_ms, int64_t *ret_expire_ms)
{
    /* The last second of the year 9999, where RFC 3339 and Timestamp end. */
    static const int64_t last_s = 253402300799;

    if (time == NULL) {
        *ret_expire_ms = 0;
        return status_ok();
    }
    if (time->seconds < 0 || time->seconds > last_s || time->nanos < 0 || time->nanos > 999999999) {
        return status_bad_field(call->arena, "expire_time", "is no time");
    }
    int64_t ms = time->seconds * 1000 + time->nanos / 1000000;
    if (ms <= now_ms) {
        return status_bad_field(call->arena, "expire_time", "is in the past");
    }
    *ret_expire_ms = ms;
    return status_ok();
}

static void apply_create(struct change *change)
{
    directory_put_key(change->options->directory, change->key);
}

status create_api_key(struct call *call, const Weft__Auth__V1__CreateApiKeyRequest *request,
                      Weft__Auth__V1__CreateApiKeyResponse *response)
{
    const struct auth_service_options *options = options_of(call);
    struct store_write *write = store_write_new(call->arena);
    int64_t now_ms = clock_wall_ms(options->clock);
    struct key_record record = { .create_time_ms = now_ms, .display_name = request->display_name };
    struct account_record account;
    struct api_key key;

    TRY(field_id(call->arena, "tenant_id", request->tenant_id));
    TRY(field_id(call->arena, "service_account_id", request->service_account_id));
    TRY(field_display_name(call->arena, request->display_name));
    TRY(read_expiry(call, request->expire_time, now_ms, &record.expire_time_ms));
    TRY(auth_store_get_account(store_of(call), call->arena, request->tenant_id,
                               request->service_account_id, &account));
    const struct text_list gives = grants_of(call->arena, &account.roles, &account.permissions);
    TRY(check_may_grant(call, &gives));
    const char *secret = api_key_generate(call->arena, options->random, KEY_PURPOSE, &key);
    record.tenant_id = account.tenant_id;
    record.key_id = key.id;
    record.account_id = account.account_id;
    record.account_uid = account.uid;
    record.hash = api_key_hash(options->pepper, bytes_of(secret));
    auth_store_insert_key(write, &record, MAX_KEYS);
    auth_store_forget_keys(write, &record, KEPT_KEYS);
    auth_store_limit_revocations(write, record.tenant_id, record.account_id, now_ms,
                                 MAX_REVOCATIONS);
    struct change change = { .apply = apply_create, .key = &record };
    TRY(commit_audited(call, write, &change, record.tenant_id, "api-key.create",
                       target_of(call->arena, &record)));
    response->api_key = key_message(call->arena, &record);
    response->secret = message_text(secret);
    return status_ok();
}

/* ---- List ---- */

status list_api_keys(struct call *call, const Weft__Auth__V1__ListApiKeysRequest *request,
                     Weft__Auth__V1__ListApiKeysResponse *response)
{
    const char *after = request->page_token; /* the last id of the page before */
    struct key_page page;
    size_t limit;

    TRY(field_id(call->arena, "tenant_id", request->tenant_id));
    if (request->service_account_id[0] != '\0') {
        TRY(field_id(call->arena, "service_account_id", request->service_account_id));
    }
    TRY(field_page_size(call->arena, request->page_size, &limit));
    if (after[0] != '\0') {
        TRY(field_key_id(call->arena, "page_token", after));
    }
    TRY(auth_store_list_keys(store_of(call), call->arena, request->tenant_id,
                             request->service_account_id, after, limit, &page));
    response->n_api_keys = page.n_records;
    response->api_keys = ARENA_NEW_ARRAY(call->arena, Weft__Auth__V1__ApiKey *, page.n_records);
    for (size_t i = 0; i < page.n_records; i++) {
        response->api_keys[i] = key_message(call->arena, &page.records[i]);
    }
    if (page.more) {
        response->next_page_token = message_text(page.records[page.n_records - 1].key_id);
    }
    return status_ok();
}

/* ---- Revoke ---- */

static void apply_revoke(struct change *change)
{
    directory_remove_key(change->options->directory, change->key->key_id);
}

static status revoke(struct call *call, struct key_record *record, struct change *change)
{
    struct store_write *write = store_write_new(call->arena);
    int64_t now_ms = clock_wall_ms(options_of(call)->clock);
    struct revocation_record *revocation = ARENA_NEW(call->arena, struct revocation_record);

    *revocation = (struct revocation_record){
        .tenant_id = record->tenant_id,
        .subject = arena_printf(call->arena, "key:%s", record->key_id),
        .epoch_ms = now_ms,
        .forget_ms = now_ms + TOKENS_FORGET_MS,
    };
    record->revoke_time_ms = now_ms;
    *change = (struct change){ .apply = apply_revoke, .key = record, .revocation = revocation };
    auth_store_revoke_key(write, record);
    auth_store_put_revocation(write, revocation);
    return commit_audited(call, write, change, record->tenant_id, "api-key.revoke",
                          target_of(call->arena, record));
}

/* Somebody has revoked it before: the newest revision has that, too. */
static status find_change_of_another(struct call *call, struct change *ret_change)
{
    const struct auth_service_options *options = options_of(call);

    TRY(commit_settle(store_of(call), call->arena));
    *ret_change = (struct change){
        .revision = feed_revision(options->feed),
        .committed_us = clock_monotonic_us(options->clock),
    };
    return status_ok();
}

/* Revokes the key unless that was done before, or is by somebody else meanwhile. */
static status revoke_once(struct call *call, struct key_record *record, struct change *ret_change)
{
    if (record->revoke_time_ms == 0) {
        status s = revoke(call, record, ret_change);
        if (s.code != STATUS_ABORTED) {
            return s;
        }
        TRY(auth_store_get_key(store_of(call), call->arena, record->tenant_id, record->key_id,
                               record));
    }
    return find_change_of_another(call, ret_change);
}

status revoke_api_key(struct call *call, const Weft__Auth__V1__RevokeApiKeyRequest *request,
                      Weft__Auth__V1__RevokeApiKeyResponse *response)
{
    struct change change;
    struct key_record record;
    int64_t timeout_ms;

    TRY(field_id(call->arena, "tenant_id", request->tenant_id));
    TRY(field_key_id(call->arena, "key_id", request->key_id));
    TRY(field_timeout(call->arena, request->timeout_ms, &timeout_ms));
    TRY(auth_store_get_key(store_of(call), call->arena, request->tenant_id, request->key_id,
                           &record));
    TRY(revoke_once(call, &record, &change));
    response->api_key = key_message(call->arena, &record);
    response->receipt = await_receipt(call, &change, timeout_ms);
    return status_ok();
}
