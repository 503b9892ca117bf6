/* instance, xds: who is in the mesh, and what each client of the control plane really has. */

#include "cli/api.h"
#include "cli/verbs.h"
#include "libs/peers/registry_peer.h"

#include <string.h>

static status list_instances(struct invocation *invocation)
{
    const Weft__Registry__V1__ListInstancesResponse *page;
    Weft__Registry__V1__ListInstancesRequest request;
    int64_t left = api_limit(invocation);
    struct call call;

    weft__registry__v1__list_instances_request__init(&request);
    request.service = message_text(arguments_next_or(invocation->arguments, ""));
    TRY(api_begin_without_token(invocation, &call));
    do {
        request.page_size = api_page_size(left);
        TRY(registry_peer_list_instances(api_peer(invocation, "registry"), &call, &request, &page));
        for (size_t i = 0; i < page->n_instances; i++, left--) {
            api_show(invocation, &page->instances[i]->base,
                     "service instance_id address state version policy_revision start_time");
        }
        request.page_token = page->next_page_token;
    } while (left > 0 && page->next_page_token[0] != '\0');
    api_end_list(invocation, page->next_page_token);
    return status_ok();
}

static void show_client(struct invocation *invocation, const Weft__Registry__V1__XdsClient *client)
{
    if (output_is_json(invocation->output)) {
        api_show(invocation, &client->base, "node_id");
        return;
    }
    for (size_t i = 0; i < client->n_subscriptions; i++) {
        const Weft__Registry__V1__XdsSubscription *each = client->subscriptions[i];
        const char *dot = strrchr(each->type_url, '.');
        output_row(invocation->output,
                   FIELDS(field_text("node_id", client->node_id),
                          /* "type.googleapis.com/envoy.config.cluster.v3.Cluster" */
                          field_shown(dot != NULL ? dot + 1 : each->type_url,
                                      field_text("type", each->type_url)),
                          field_number("resources", (int64_t)each->n_resource_names),
                          field_text("sent", each->sent_version),
                          field_text("accepted", each->accepted_version),
                          field_text("error", each->error)));
    }
}

static status list_clients(struct invocation *invocation)
{
    const Weft__Registry__V1__ListXdsClientsResponse *page;
    Weft__Registry__V1__ListXdsClientsRequest request;
    int64_t left = api_limit(invocation);
    struct call call;

    weft__registry__v1__list_xds_clients_request__init(&request);
    TRY(api_begin_without_token(invocation, &call));
    do {
        request.page_size = api_page_size(left);
        TRY(registry_peer_list_xds_clients(api_peer(invocation, "registry"), &call, &request,
                                           &page));
        for (size_t i = 0; i < page->n_clients; i++, left--) {
            show_client(invocation, page->clients[i]);
        }
        request.page_token = page->next_page_token;
    } while (left > 0 && page->next_page_token[0] != '\0');
    api_end_list(invocation, page->next_page_token);
    return status_ok();
}

const struct verb registry_verbs[] = {
    { "instance", "list", "[SERVICE] [--limit N]", "show who is in the mesh", list_instances },
    { "xds", "list", "[--limit N]", "show what each client of the control plane has",
      list_clients },
    { 0 },
};
