/* account, key, whoami: who may do what. */

#include "cli/api.h"
#include "cli/verbs.h"
#include "libs/peers/auth_peer.h"

#include <inttypes.h>

static const char account_columns[] =
    "service_account_id tenant_id roles permissions display_name create_time";
static const char key_columns[] =
    "key_id service_account_id display_name create_time expire_time revoke_time";

/* ---- Service accounts ---- */

static char **texts(struct invocation *invocation, const char *option, size_t *ret_n)
{
    const char *const *values = arguments_all(invocation->arguments, option, ret_n);
    char **list = ARENA_NEW_ARRAY(invocation->arena, char *, *ret_n + 1);

    for (size_t i = 0; i < *ret_n; i++) {
        list[i] = message_text(values[i]);
    }
    return list;
}

static status create_account(struct invocation *invocation)
{
    const Weft__Auth__V1__CreateServiceAccountResponse *response;
    Weft__Auth__V1__CreateServiceAccountRequest request;
    struct call call;

    weft__auth__v1__create_service_account_request__init(&request);
    request.display_name =
        message_text(arguments_text(invocation->arguments, "--display-name", ""));
    request.roles = texts(invocation, "--role", &request.n_roles);
    request.permissions = texts(invocation, "--permission", &request.n_permissions);
    request.tenant_id = api_next(invocation, "TENANT_ID");
    request.service_account_id = api_next(invocation, "ACCOUNT_ID");
    TRY(api_begin(invocation, &call));
    TRY(auth_peer_create_service_account(api_peer(invocation, "auth"), &call, &request, &response));
    api_show(invocation, &response->service_account->base, account_columns);
    return status_ok();
}

static status list_accounts(struct invocation *invocation)
{
    const Weft__Auth__V1__ListServiceAccountsResponse *page;
    Weft__Auth__V1__ListServiceAccountsRequest request;
    int64_t left = api_limit(invocation);
    struct call call;

    weft__auth__v1__list_service_accounts_request__init(&request);
    request.tenant_id = api_next(invocation, "TENANT_ID");
    TRY(api_begin(invocation, &call));
    do {
        request.page_size = api_page_size(left);
        TRY(auth_peer_list_service_accounts(api_peer(invocation, "auth"), &call, &request, &page));
        for (size_t i = 0; i < page->n_service_accounts; i++, left--) {
            api_show(invocation, &page->service_accounts[i]->base, account_columns);
        }
        request.page_token = page->next_page_token;
    } while (left > 0 && page->next_page_token[0] != '\0');
    api_end_list(invocation, page->next_page_token);
    return status_ok();
}

/* Every enforcement point, or who did not acknowledge. */
static void show_receipt(struct invocation *invocation, const Weft__Registry__V1__Receipt *receipt)
{
    if (receipt != NULL) {
        output_row(invocation->output,
                   FIELDS(field_number("enforcement_points", receipt->enforcement_points),
                          field_number("acknowledged", receipt->acknowledged),
                          field_number("fenced", (int64_t)receipt->n_fenced),
                          field_real("elapsed_ms", (double)receipt->elapsed_us / 1000)));
    }
}

static status delete_account(struct invocation *invocation)
{
    const Weft__Auth__V1__DeleteServiceAccountResponse *response;
    Weft__Auth__V1__DeleteServiceAccountRequest request;
    struct call call;

    weft__auth__v1__delete_service_account_request__init(&request);
    request.tenant_id = api_next(invocation, "TENANT_ID");
    request.service_account_id = api_next(invocation, "ACCOUNT_ID");
    TRY(api_begin(invocation, &call));
    TRY(auth_peer_delete_service_account(api_peer(invocation, "auth"), &call, &request, &response));
    show_receipt(invocation, response->receipt);
    return status_ok();
}

/* ---- Keys ---- */

static Google__Protobuf__Timestamp *in_days(struct invocation *invocation, int64_t days)
{
    Google__Protobuf__Timestamp *time = ARENA_NEW(invocation->arena, Google__Protobuf__Timestamp);

    google__protobuf__timestamp__init(time);
    time->seconds = clock_wall_ms(&system_clock) / 1000 + days * 86400;
    return time;
}

/* The key is shown this once, or kept under a name and not shown at all. */
static status hand_over(struct invocation *invocation, const char *save,
                        const Weft__Auth__V1__CreateApiKeyResponse *response)
{
    if (save != NULL) {
        TRY(session_save_key(invocation, save, response->secret));
    }
    output_row(invocation->output,
               FIELDS(field_text("key_id", response->api_key->key_id),
                      field_text("service_account_id", response->api_key->service_account_id),
                      save != NULL ? field_text("saved_as", save)
                                   : field_text("secret", response->secret)));
    output_say(invocation->output, TONE_DIM,
               save != NULL ? "use it by --as %s" : "it is not shown again%s",
               save != NULL ? save : "");
    return status_ok();
}

static status create_key(struct invocation *invocation)
{
    const char *save = arguments_text(invocation->arguments, "--save", NULL);
    int64_t days = arguments_number(invocation->arguments, "--days", 0, 0, 3650);
    const Weft__Auth__V1__CreateApiKeyResponse *response;
    Weft__Auth__V1__CreateApiKeyRequest request;
    struct call call;

    weft__auth__v1__create_api_key_request__init(&request);
    request.display_name =
        message_text(arguments_text(invocation->arguments, "--display-name", ""));
    request.expire_time = days > 0 ? in_days(invocation, days) : NULL;
    request.tenant_id = api_next(invocation, "TENANT_ID");
    request.service_account_id = api_next(invocation, "ACCOUNT_ID");
    TRY(api_begin(invocation, &call));
    TRY(auth_peer_create_api_key(api_peer(invocation, "auth"), &call, &request, &response));
    return hand_over(invocation, save, response);
}

static status list_keys(struct invocation *invocation)
{
    const Weft__Auth__V1__ListApiKeysResponse *page;
    Weft__Auth__V1__ListApiKeysRequest request;
    int64_t left = api_limit(invocation);
    struct call call;

    weft__auth__v1__list_api_keys_request__init(&request);
    request.service_account_id =
        message_text(arguments_text(invocation->arguments, "--account", ""));
    request.tenant_id = api_next(invocation, "TENANT_ID");
    TRY(api_begin(invocation, &call));
    do {
        request.page_size = api_page_size(left);
        TRY(auth_peer_list_api_keys(api_peer(invocation, "auth"), &call, &request, &page));
        for (size_t i = 0; i < page->n_api_keys; i++, left--) {
            api_show(invocation, &page->api_keys[i]->base, key_columns);
        }
        request.page_token = page->next_page_token;
    } while (left > 0 && page->next_page_token[0] != '\0');
    api_end_list(invocation, page->next_page_token);
    return status_ok();
}

static status revoke_key(struct invocation *invocation)
{
    const Weft__Auth__V1__RevokeApiKeyResponse *response;
    Weft__Auth__V1__RevokeApiKeyRequest request;
    struct call call;

    weft__auth__v1__revoke_api_key_request__init(&request);
    request.tenant_id = api_next(invocation, "TENANT_ID");
    request.key_id = api_next(invocation, "KEY_ID");
    TRY(api_begin(invocation, &call));
    TRY(auth_peer_revoke_api_key(api_peer(invocation, "auth"), &call, &request, &response));
    show_receipt(invocation, response->receipt);
    return status_ok();
}

static status who_am_i(struct invocation *invocation)
{
    const Weft__Auth__V1__WhoAmIResponse *response;
    Weft__Auth__V1__WhoAmIRequest request;
    struct call call;

    weft__auth__v1__who_am_irequest__init(&request);
    TRY(api_begin(invocation, &call));
    TRY(auth_peer_who_am_i(api_peer(invocation, "auth"), &call, &request, &response));
    api_show(invocation, &response->base, "tenant_id subject roles permissions expire_time");
    return status_ok();
}

const struct verb auth_verbs[] = {
    { "account", "create",
      "TENANT_ID ACCOUNT_ID [--role ROLE]... [--permission PERMISSION]... [--display-name NAME]",
      "add a service account", create_account },
    { "account", "list", "TENANT_ID [--limit N]", "show a tenant's service accounts",
      list_accounts },
    { "account", "delete", "TENANT_ID ACCOUNT_ID", "remove a service account and all its keys",
      delete_account },
    { "key", "create", "TENANT_ID ACCOUNT_ID [--save NAME] [--days N] [--display-name NAME]",
      "make a key; it is shown once, or kept under a name for --as", create_key },
    { "key", "list", "TENANT_ID [--account ACCOUNT_ID] [--limit N]", "show a tenant's keys",
      list_keys },
    { "key", "revoke", "TENANT_ID KEY_ID", "end a key everywhere, with the receipt", revoke_key },
    { NULL, "whoami", "", "show who --as, or the administrator, is and may do", who_am_i },
    { 0 },
};
