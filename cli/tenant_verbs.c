/* tenant: who is a customer. */

#include "cli/api.h"
#include "cli/verbs.h"
#include "libs/peers/tenant_peer.h"

static const char columns[] = "tenant_id display_name state plan.name plan.max_projects "
                              "plan.max_records plan.requests_per_minute create_time etag";

/* ---- Plans ---- */

/* NULL and -1: not said. */
struct plan_said {
    const char *name;
    int64_t projects;
    int64_t records;
    int64_t requests;
};

static struct plan_said read_plan(struct arguments *arguments)
{
    return (struct plan_said){
        .name = arguments_text(arguments, "--plan", NULL),
        .projects = arguments_number(arguments, "--max-projects", -1, 0, INT64_MAX),
        .records = arguments_number(arguments, "--max-records", -1, 0, INT64_MAX),
        .requests = arguments_number(arguments, "--requests-per-minute", -1, 0, INT64_MAX),
    };
}

/* The options' plan over the one before; NULL when the options say nothing. */
static Weft__Tenant__V1__Plan *plan_over(struct invocation *invocation,
                                         const struct plan_said *said,
                                         const Weft__Tenant__V1__Plan *before)
{
    Weft__Tenant__V1__Plan *plan = ARENA_NEW(invocation->arena, Weft__Tenant__V1__Plan);

    if (said->name == NULL && said->projects < 0 && said->records < 0 && said->requests < 0) {
        return NULL;
    }
    weft__tenant__v1__plan__init(plan);
    if (before != NULL) {
        *plan = *before;
    }
    plan->name = said->name != NULL ? message_text(said->name) : plan->name;
    plan->max_projects = said->projects >= 0 ? said->projects : plan->max_projects;
    plan->max_records = said->records >= 0 ? said->records : plan->max_records;
    plan->requests_per_minute = said->requests >= 0 ? said->requests : plan->requests_per_minute;
    return plan;
}

/* ---- Verbs ---- */

static status create(struct invocation *invocation)
{
    const Weft__Tenant__V1__CreateTenantResponse *response;
    Weft__Tenant__V1__CreateTenantRequest request;
    struct call call;

    weft__tenant__v1__create_tenant_request__init(&request);
    request.display_name =
        message_text(arguments_text(invocation->arguments, "--display-name", ""));
    struct plan_said plan = read_plan(invocation->arguments);
    request.plan = plan_over(invocation, &plan, NULL);
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

static status read_tenant(struct invocation *invocation, struct call *call, char *tenant_id,
                          const Weft__Tenant__V1__Tenant **ret_tenant)
{
    const Weft__Tenant__V1__GetTenantResponse *response;
    Weft__Tenant__V1__GetTenantRequest request;

    weft__tenant__v1__get_tenant_request__init(&request);
    request.tenant_id = tenant_id;
    TRY(tenant_peer_get_tenant(api_peer(invocation, "tenant"), call, &request, &response));
    *ret_tenant = response->tenant;
    return status_ok();
}

/* What is not said stays as it is; and who changes it meanwhile is not overwritten, since the etag
 * is that of what we read. */
static status update(struct invocation *invocation)
{
    const Weft__Tenant__V1__UpdateTenantResponse *response;
    const Weft__Tenant__V1__Tenant *before = NULL;
    Weft__Tenant__V1__UpdateTenantRequest request;
    struct call call;

    weft__tenant__v1__update_tenant_request__init(&request);
    const char *name = arguments_text(invocation->arguments, "--display-name", NULL);
    const char *etag = arguments_text(invocation->arguments, "--etag", NULL);
    struct plan_said plan = read_plan(invocation->arguments);
    request.tenant_id = api_next(invocation, "TENANT_ID");
    TRY(api_begin(invocation, &call));
    TRY(read_tenant(invocation, &call, request.tenant_id, &before));
    request.display_name = name != NULL ? message_text(name) : before->display_name;
    request.etag = etag != NULL ? message_text(etag) : before->etag;
    request.plan = plan_over(invocation, &plan, before->plan);
    TRY(tenant_peer_update_tenant(api_peer(invocation, "tenant"), &call, &request, &response));
    api_show(invocation, &response->tenant->base, columns);
    return status_ok();
}

static status suspend(struct invocation *invocation)
{
    const Weft__Tenant__V1__SuspendTenantResponse *response;
    Weft__Tenant__V1__SuspendTenantRequest request;
    struct call call;

    weft__tenant__v1__suspend_tenant_request__init(&request);
    request.reason = message_text(arguments_text(invocation->arguments, "--reason", ""));
    request.tenant_id = api_next(invocation, "TENANT_ID");
    TRY(api_begin(invocation, &call));
    TRY(tenant_peer_suspend_tenant(api_peer(invocation, "tenant"), &call, &request, &response));
    api_show(invocation, &response->tenant->base, columns);
    return status_ok();
}

static status resume(struct invocation *invocation)
{
    const Weft__Tenant__V1__ResumeTenantResponse *response;
    Weft__Tenant__V1__ResumeTenantRequest request;
    struct call call;

    weft__tenant__v1__resume_tenant_request__init(&request);
    request.tenant_id = api_next(invocation, "TENANT_ID");
    TRY(api_begin(invocation, &call));
    TRY(tenant_peer_resume_tenant(api_peer(invocation, "tenant"), &call, &request, &response));
    api_show(invocation, &response->tenant->base, columns);
    return status_ok();
}

static status delete_tenant(struct invocation *invocation)
{
    const Weft__Tenant__V1__DeleteTenantResponse *response;
    Weft__Tenant__V1__DeleteTenantRequest request;
    struct call call;

    weft__tenant__v1__delete_tenant_request__init(&request);
    request.etag = message_text(arguments_text(invocation->arguments, "--etag", ""));
    request.tenant_id = api_next(invocation, "TENANT_ID");
    TRY(api_begin(invocation, &call));
    TRY(tenant_peer_delete_tenant(api_peer(invocation, "tenant"), &call, &request, &response));
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

#define PLAN_OPTIONS "[--plan NAME] [--max-projects N] [--max-records N] [--requests-per-minute N]"

const struct verb tenant_verbs[] = {
    { "tenant", "create", "TENANT_ID [--display-name NAME] " PLAN_OPTIONS, "add a tenant", create },
    { "tenant", "get", "TENANT_ID", "show one tenant", get },
    { "tenant", "update", "TENANT_ID [--display-name NAME] " PLAN_OPTIONS " [--etag ETAG]",
      "change what is said of a tenant", update },
    { "tenant", "suspend", "TENANT_ID [--reason TEXT]",
      "refuse a tenant's calls until it is resumed", suspend },
    { "tenant", "resume", "TENANT_ID", "end a suspension", resume },
    { "tenant", "delete", "TENANT_ID [--etag ETAG]", "end a tenant for good", delete_tenant },
    { "tenant", "list", "[--limit N]", "show all tenants", list },
    { 0 },
};
