/* Step 1: a tenant, a key, a token. */

#include "cli/demo.h"
#include "cli/event_proof.h"
#include "libs/peers/tenant_peer.h"

static status make_tenant(struct demo *self, const char *tenant_id, bool *ret_is_new)
{
    const Weft__Tenant__V1__CreateTenantResponse *response;
    Weft__Tenant__V1__CreateTenantRequest request;
    struct call call = demo_call(self, self->admin_token);

    weft__tenant__v1__create_tenant_request__init(&request);
    request.tenant_id = message_text(tenant_id);
    request.display_name = message_text("of the demo");
    status s =
        tenant_peer_create_tenant(api_peer(self->invocation, "tenant"), &call, &request, &response);
    *ret_is_new = status_is_ok(s);
    return s.code == STATUS_ALREADY_EXISTS ? status_ok() : s;
}

/* What the log says now is what it must still begin with in step 6. */
static status remember_checkpoint(struct demo *self)
{
    const Weft__Audit__V1__GetCheckpointResponse *response = NULL;
    struct call call = demo_call(self, self->admin_token);

    TRY(event_proof_checkpoint(api_peer(self->invocation, "audit"), &call, &response));
    self->older_checkpoint = response->checkpoint;
    return status_ok();
}

status demo_tenant_and_key(struct demo *self)
{
    static const char *const permissions[] = { "project:" DEMO_PROJECT ":**", NULL };
    bool is_new = false;
    bool other_is_new = false;

    demo_step(self, "a tenant, a key for one project, and a token for the key");
    TRY(make_tenant(self, DEMO_TENANT, &is_new));
    demo_say(self, "tenant '%s' %s", DEMO_TENANT, is_new ? "was made" : "was there");
    TRY(make_tenant(self, DEMO_OTHER, &other_is_new));
    TRY(remember_checkpoint(self));
    TRY(demo_make_key(self, DEMO_TENANT, "publisher", permissions, &self->publisher));
    demo_check(self, self->publisher.token[0] != '\0',
               "key '%s' may do '%s' and was exchanged for a token", self->publisher.key_id,
               permissions[0]);
    return status_ok();
}
