/* tenant: who is a customer. */

#include "cli/api.h"
#include "cli/verbs.h"
#include "libs/peers/tenant_peer.h"

static const char columns[] = "tenant_id display_name state create_time etag";

static status create(struct invocation *invocation)
{
    const Weft__Tenant__V1__CreateTenantResponse *response;
    Weft__Tenant__V1__CreateTenantRequest request;
    struct call call;

    weft__tenant__v1__create_tenant_request__init(&request);
    request.display_name =
        message_text(arguments_text(invocation->arguments, "--display-name", ""));
    request.tenant_id = api_next(invocation, "TENANT_ID");
    TRY(api_begin(invocation, &call));
    TRY(tenant_peer_create_tenant(api_peer(invocation, "tenant"), &call, &request, &response));
    api_show(invocation, &response->tenant->base, columns);
    return status_ok();
}

static status get(struct invocation *invocation)
{
    const Weft__Tenant__V1__GetTenantResponse *response;
    Weft__Tenant__V1__GetTenantRequest request;
    struct call call;

    weft__tenant__v1__get_tenant_request__init(&request);
    request.tenant_id = api_next(invocation, "TENANT_ID");
    TRY(api_begin(invocation, &call));
    TRY(tenant_peer_get_tenant(api_peer(invocation, "tenant"), &call, &request, &response));
    api_show(invocation, &response->tenant->base, columns);
    return status_ok();
}

static status update(struct invocation *invocation)
{
    const Weft__Tenant__V1__UpdateTenantResponse *response;
    Weft__Tenant__V1__UpdateTenantRequest request;
    struct call call;

    weft__tenant__v1__update_tenant_request__init(&request);
    request.display_name =
        message_text(arguments_text(invocation->arguments, "--display-name", ""));
    request.etag = message_text(arguments_text(invocation->arguments, "--etag", ""));
    request.tenant_id = api_next(invocation, "TENANT_ID");
    TRY(api_begin(invocation, &call));
    TRY(tenant_peer_update_tenant(api_peer(invocation, "tenant"), &call, &request, &response));
    api_show(invocation, &response->tenant->base, columns);
    return status_ok();
}

static status list(struct invocation *invocation)
{
    const Weft__Tenant__V1__ListTenantsResponse *page;
    Weft__Tenant__V1__ListTenantsRequest request;
    int64_t left = api_limit(invocation);
    struct call call;

    weft__tenant__v1__list_tenants_request__init(&request);
    TRY(api_begin(invocation, &call));
    do {
        request.page_size = api_page_size(left);
        TRY(tenant_peer_list_tenants(api_peer(invocation, "tenant"), &call, &request, &page));
        for (size_t i = 0; i < page->n_tenants; i++, left--) {
            api_show(invocation, &page->tenants[i]->base, columns);
        }
        request.page_token = page->next_page_token;
    } while (left > 0 && page->next_page_token[0] != '\0');
    api_end_list(invocation, page->next_page_token);
    return status_ok();
}

const struct verb tenant_verbs[] = {
    { "tenant", "create", "TENANT_ID [--display-name NAME]", "add a tenant", create },
    { "tenant", "get", "TENANT_ID", "show one tenant", get },
    { "tenant", "update", "TENANT_ID --display-name NAME [--etag ETAG]", "change a tenant",
      update },
    { "tenant", "list", "[--limit N]", "show all tenants", list },
    { 0 },
};
