#include "services/auth/account_handlers.h"

#include "libs/base/status_details.h"
#include "libs/rpc/message.h"
#include "services/auth/fields.h"
#include "services/auth/grants.h"
#include "services/auth/tokens.h"

#include <string.h>

enum {
    /* Of one tenant: each may have 100 keys, and all are in memory. */
    MAX_ACCOUNTS = 1000,
};

static struct text_list list_of(char *const *texts, size_t n)
{
    return (struct text_list){ .texts = (const char *const *)texts, .n_texts = n };
}

static void fill_texts(struct arena *arena, const struct text_list *list, size_t *ret_n,
                       char ***ret_texts)
{
    *ret_n = list->n_texts;
    *ret_texts = ARENA_NEW_ARRAY(arena, char *, list->n_texts);
    for (size_t i = 0; i < list->n_texts; i++) {
        (*ret_texts)[i] = message_text(list->texts[i]);
    }
}

static Weft__Auth__V1__ServiceAccount *account_message(struct arena *arena,
                                                       const struct account_record *record)
{
    Weft__Auth__V1__ServiceAccount *account = ARENA_NEW(arena, Weft__Auth__V1__ServiceAccount);

    weft__auth__v1__service_account__init(account);
    account->service_account_id = message_text(record->account_id);
    account->tenant_id = message_text(record->tenant_id);
    account->display_name = message_text(record->display_name);
    account->create_time = timestamp_message(arena, record->create_time_ms);
    account->etag = message_text(record->uid);
    fill_texts(arena, &record->roles, &account->n_roles, &account->roles);
    fill_texts(arena, &record->permissions, &account->n_permissions, &account->permissions);
    return account;
}

/* ---- Create ---- */

static status no_tenant(struct call *call, const char *tenant_id)
{
    return status_error(call->arena, STATUS_NOT_FOUND, "tenant '%s' does not exist", tenant_id);
}

/* The tenant is there, and enforcement points know it before anybody has a token of it. */
static status check_tenant(struct call *call, const char *tenant_id)
{
    const struct auth_service_options *options = options_of(call);
    struct feed_tenant tenant;

    if (strcmp(tenant_id, PLATFORM_TENANT) == 0) {
        return status_ok();
    }
    if (!feed_await_tenant(options->feed, tenant_id, options->new_tenant_ms, &tenant) ||
        tenant.standing == WEFT__AUTH__V1__TENANT_STANDING__TENANT_STANDING_DELETED) {
        return no_tenant(call, tenant_id);
    }
    if (tenant.standing == WEFT__AUTH__V1__TENANT_STANDING__TENANT_STANDING_SUSPENDED) {
        return status_error_info(
            call->arena,
            status_error(call->arena, STATUS_FAILED_PRECONDITION, "tenant '%s' is suspended",
                         tenant_id),
            (struct error_info){ .reason = "TENANT_SUSPENDED", .domain = "tenant.weft" });
    }
    (void)points_await(options->points, call->arena,
                       &(struct points_wait){ .revision = tenant.revision,
                                              .timeout_ms = options->new_tenant_ms,
                                              .do_not_fence = true,
                                              .call = call });
    return status_ok();
}

static status check_new_account(struct call *call,
                                const Weft__Auth__V1__CreateServiceAccountRequest *request)
{
    TRY(field_id(call->arena, "tenant_id", request->tenant_id));
    TRY(field_id(call->arena, "service_account_id", request->service_account_id));
    TRY(field_display_name(call->arena, request->display_name));
    TRY(field_roles(call->arena, request->roles, request->n_roles));
    return field_permissions(call->arena, request->permissions, request->n_permissions);
}

static void apply_create(struct change *change)
{
    struct account_record record = *change->account;
    struct arena *arena = arena_new();

    record.earliest_ms = feed_revoked_until(
        change->options->feed, directory_subject(arena, record.tenant_id, record.account_id));
    directory_put_account(change->options->directory, &record);
    arena_free(arena);
}

status create_service_account(struct call *call,
                              const Weft__Auth__V1__CreateServiceAccountRequest *request,
                              Weft__Auth__V1__CreateServiceAccountResponse *response)
{
    const struct auth_service_options *options = options_of(call);
    struct store_write *write = store_write_new(call->arena);
    int64_t now_ms = clock_wall_ms(options->clock);

    TRY(check_new_account(call, request));
    const struct account_record record = {
        .tenant_id = request->tenant_id,
        .account_id = request->service_account_id,
        .uid = random_ulid(options->random, call->arena, now_ms),
        .display_name = request->display_name,
        .roles = list_of(request->roles, request->n_roles),
        .permissions = list_of(request->permissions, request->n_permissions),
        .create_time_ms = now_ms,
    };
    struct change change = { .apply = apply_create, .account = &record };
    const struct text_list gives = grants_of(call->arena, &record.roles, &record.permissions);
    TRY(check_may_grant(call, &gives));
    TRY(check_tenant(call, request->tenant_id));
    auth_store_insert_account(write, &record, MAX_ACCOUNTS);
    auth_store_limit_revocations(write, record.tenant_id, record.account_id, now_ms,
                                 MAX_REVOCATIONS);
    TRY(commit_audited(call, write, &change, record.tenant_id, "service-account.create",
                       directory_subject(call->arena, record.tenant_id, record.account_id)));
    response->service_account = account_message(call->arena, &record);
    return status_ok();
}

/* ---- Get, list ---- */

status get_service_account(struct call *call,
                           const Weft__Auth__V1__GetServiceAccountRequest *request,
                           Weft__Auth__V1__GetServiceAccountResponse *response)
{
    struct account_record record;

    TRY(field_id(call->arena, "tenant_id", request->tenant_id));
    TRY(field_id(call->arena, "service_account_id", request->service_account_id));
    TRY(auth_store_get_account(store_of(call), call->arena, request->tenant_id,
                               request->service_account_id, &record));
    response->service_account = account_message(call->arena, &record);
    return status_ok();
}

status list_service_accounts(struct call *call,
                             const Weft__Auth__V1__ListServiceAccountsRequest *request,
                             Weft__Auth__V1__ListServiceAccountsResponse *response)
{
    const char *after = request->page_token; /* the last id of the page before */
    struct account_page page;
    size_t limit;

    TRY(field_id(call->arena, "tenant_id", request->tenant_id));
    TRY(field_page_size(call->arena, request->page_size, &limit));
    if (after[0] != '\0') {
        TRY(field_id(call->arena, "page_token", after));
    }
    TRY(auth_store_list_accounts(store_of(call), call->arena, request->tenant_id, after, limit,
                                 &page));
    response->n_service_accounts = page.n_records;
    response->service_accounts =
        ARENA_NEW_ARRAY(call->arena, Weft__Auth__V1__ServiceAccount *, page.n_records);
    for (size_t i = 0; i < page.n_records; i++) {
        response->service_accounts[i] = account_message(call->arena, &page.records[i]);
    }
    if (page.more) {
        response->next_page_token = message_text(page.records[page.n_records - 1].account_id);
    }
    return status_ok();
}

/* ---- Delete ---- */

static void apply_delete(struct change *change)
{
    directory_remove_account(change->options->directory, change->account->tenant_id,
                             change->account->account_id);
}

status delete_service_account(struct call *call,
                              const Weft__Auth__V1__DeleteServiceAccountRequest *request,
                              Weft__Auth__V1__DeleteServiceAccountResponse *response)
{
    struct store_write *write = store_write_new(call->arena);
    int64_t now_ms = clock_wall_ms(options_of(call)->clock);
    struct account_record record;
    int64_t timeout_ms;

    TRY(field_id(call->arena, "tenant_id", request->tenant_id));
    TRY(field_id(call->arena, "service_account_id", request->service_account_id));
    TRY(field_timeout(call->arena, request->timeout_ms, &timeout_ms));
    TRY(auth_store_get_account(store_of(call), call->arena, request->tenant_id,
                               request->service_account_id, &record));
    const struct revocation_record revocation = {
        .tenant_id = record.tenant_id,
        .subject = directory_subject(call->arena, record.tenant_id, record.account_id),
        .epoch_ms = now_ms + TOKENS_REMOVAL_MS,
        .forget_ms = now_ms + TOKENS_FORGET_MS,
    };
    struct change change = {
        .apply = apply_delete,
        .account = &record,
        .revocation = &revocation,
    };
    auth_store_delete_account(write, &record);
    auth_store_put_revocation(write, &revocation);
    TRY(commit_audited(call, write, &change, record.tenant_id, "service-account.delete",
                       revocation.subject));
    response->receipt = await_receipt(call, &change, timeout_ms);
    return status_ok();
}
