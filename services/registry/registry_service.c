#include "services/registry/registry_service.h"

#include "libs/audit/outbox.h"
#include "libs/base/status_details.h"
#include "libs/rpc/message.h"
#include "services/registry/instance_message.h"
#include "services/registry/policy_rules.h"
#include "services/registry/registry_store.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    DEFAULT_PAGE_SIZE = 100,
    MAX_PAGE_SIZE = 1000,
    DEFAULT_RECEIPT_TIMEOUT_MS = 5000,
    MAX_RECEIPT_TIMEOUT_MS = 60000,
};

struct registry_service {
    struct registry_service_options options;
};

struct registry_service *registry_service_new(const struct registry_service_options *options)
{
    assert(options->catalogue != NULL && options->ads != NULL && options->leases != NULL &&
           options->board != NULL && options->store != NULL && options->clock != NULL);
    struct registry_service *self = malloc(sizeof *self);
    if (self == NULL) {
        abort();
    }
    *self = (struct registry_service){ .options = *options };
    return self;
}

void registry_service_free(struct registry_service *service)
{
    free(service);
}

/* The store blocks, so only a WORKER comes by it. */
static struct store *store_of(const struct call *call)
{
    const struct registry_service *self = call->service;

    assert(call->thread == HANDLER_WORKER);
    return self->options.store;
}

static status check_page_size(const struct call *call, int32_t page_size, size_t *ret_limit)
{
    int32_t wanted = page_size != 0 ? page_size : DEFAULT_PAGE_SIZE;

    if (page_size < 0) {
        return status_bad_field(call->arena, "page_size", "%d is negative", page_size);
    }
    *ret_limit = (size_t)(wanted < MAX_PAGE_SIZE ? wanted : MAX_PAGE_SIZE);
    return status_ok();
}

/* ---- Instances ---- */

/* A page's token is the last instance before it, "service/instance". */
static status parse_instance_token(const struct call *call, const char *token,
                                   const char **ret_service, const char **ret_id)
{
    const char *slash = strchr(token, '/');

    *ret_service = "";
    *ret_id = "";
    if (token[0] == '\0') {
        return status_ok();
    }
    if (slash != NULL) {
        *ret_service = arena_printf(call->arena, "%.*s", (int)(slash - token), token);
        *ret_id = slash + 1;
    }
    if (!service_name_is_valid(*ret_service) || !instance_id_is_valid(*ret_id)) {
        return status_bad_field(call->arena, "page_token",
                                "'%.130s' did not come from ListInstances", token);
    }
    return status_ok();
}

struct instance_page {
    const char *after_service;
    const char *after_id;
    size_t limit;
    Weft__Registry__V1__ListInstancesResponse *response;
};

/* Adds what of the service belongs on the page; false when it is full and something is left. */
static bool add_instances(struct arena *arena, struct instance_page *page,
                          const struct catalogue_service *service)
{
    int order = strcmp(service->name, page->after_service);
    Weft__Registry__V1__ListInstancesResponse *response = page->response;

    for (size_t i = 0; i < service->n_instances && order >= 0; i++) {
        const struct instance *instance = &service->instances[i];
        if (order == 0 && strcmp(instance->id, page->after_id) <= 0) {
            continue;
        }
        if (response->n_instances == page->limit) {
            const Weft__Registry__V1__Instance *last =
                response->instances[response->n_instances - 1];
            response->next_page_token =
                message_text(arena_printf(arena, "%s/%s", last->service, last->instance_id));
            return false;
        }
        response->instances[response->n_instances++] = instance_to_message(arena, instance);
    }
    return true;
}

static status list_instances(struct call *call,
                             const Weft__Registry__V1__ListInstancesRequest *request,
                             Weft__Registry__V1__ListInstancesResponse *response)
{
    const struct registry_service *self = call->service;
    struct instance_page page = { .response = response };
    const struct catalogue_service *services;
    struct catalogue_service one;
    size_t n_services = 1;
    uint64_t revision;

    TRY(check_page_size(call, request->page_size, &page.limit));
    TRY(parse_instance_token(call, request->page_token, &page.after_service, &page.after_id));
    if (request->service[0] != '\0') {
        one = catalogue_get(self->options.catalogue, call->arena, request->service);
        services = &one;
    } else {
        TRY(catalogue_changes(self->options.catalogue, call->arena, 0, &services, &n_services,
                              &revision));
    }
    response->instances =
        ARENA_NEW_ARRAY(call->arena, Weft__Registry__V1__Instance *, page.limit + 1);
    for (size_t i = 0; i < n_services && add_instances(call->arena, &page, &services[i]); i++) {
    }
    return status_ok();
}

/* ---- xDS clients ---- */

static Weft__Registry__V1__XdsState xds_state(enum ads_state state)
{
    switch (state) {
    case ADS_STATE_SYNCED:
        return WEFT__REGISTRY__V1__XDS_STATE__XDS_STATE_SYNCED;
    case ADS_STATE_NACKED:
        return WEFT__REGISTRY__V1__XDS_STATE__XDS_STATE_NACKED;
    case ADS_STATE_STALE:
        break;
    }
    return WEFT__REGISTRY__V1__XDS_STATE__XDS_STATE_STALE;
}

static char *version_text(struct arena *arena, uint64_t version)
{
    return message_text(version == 0 ? "" : arena_printf(arena, "%" PRIu64, version));
}

static Weft__Registry__V1__XdsSubscription *
subscription_message(struct arena *arena, const struct ads_subscription *subscription)
{
    Weft__Registry__V1__XdsSubscription *message =
        ARENA_NEW(arena, Weft__Registry__V1__XdsSubscription);

    weft__registry__v1__xds_subscription__init(message);
    message->type_url = message_text(xds_type_url(subscription->type));
    message->resource_names = ARENA_NEW_ARRAY(arena, char *, subscription->n_names + 1);
    for (size_t i = 0; i < subscription->n_names; i++) {
        message->resource_names[i] = message_text(subscription->names[i]);
    }
    message->n_resource_names = subscription->n_names;
    message->sent_version = version_text(arena, subscription->sent_version);
    message->accepted_version = version_text(arena, subscription->accepted_version);
    message->state = xds_state(subscription->state);
    message->error = message_text(subscription->error);
    return message;
}

static Weft__Registry__V1__XdsClient *client_message(struct arena *arena,
                                                     const struct ads_listed *listed)
{
    Weft__Registry__V1__XdsClient *message = ARENA_NEW(arena, Weft__Registry__V1__XdsClient);
    const struct ads_client *client = &listed->client;

    weft__registry__v1__xds_client__init(message);
    message->node_id = message_text(client->node_id);
    message->spiffe_id = message_text(listed->spiffe_id);
    message->user_agent = message_text(client->user_agent);
    message->subscriptions =
        ARENA_NEW_ARRAY(arena, Weft__Registry__V1__XdsSubscription *, client->n_subscriptions + 1);
    for (size_t i = 0; i < client->n_subscriptions; i++) {
        message->subscriptions[i] = subscription_message(arena, &client->subscriptions[i]);
    }
    message->n_subscriptions = client->n_subscriptions;
    return message;
}

/* A page's token is the serial number of the last client before it. */
static status parse_serial(const struct call *call, const char *token, uint64_t *ret_serial)
{
    char *end = NULL;

    *ret_serial = strtoull(token, &end, 10);
    if (token[0] != '\0' && (token[0] < '0' || token[0] > '9' || *end != '\0')) {
        return status_bad_field(call->arena, "page_token",
                                "'%.30s' did not come from ListXdsClients", token);
    }
    return status_ok();
}

static status list_xds_clients(struct call *call,
                               const Weft__Registry__V1__ListXdsClientsRequest *request,
                               Weft__Registry__V1__ListXdsClientsResponse *response)
{
    const struct registry_service *self = call->service;
    const struct ads_listed *clients;
    uint64_t after = 0;
    size_t limit = 0;

    TRY(check_page_size(call, request->page_size, &limit));
    TRY(parse_serial(call, request->page_token, &after));
    size_t n = ads_service_list(self->options.ads, call->arena, after, limit + 1, &clients);
    if (n > limit) {
        n = limit;
        response->next_page_token = version_text(call->arena, clients[n - 1].serial);
    }
    response->clients = ARENA_NEW_ARRAY(call->arena, Weft__Registry__V1__XdsClient *, n + 1);
    for (size_t i = 0; i < n; i++) {
        response->clients[i] = client_message(call->arena, &clients[i]);
    }
    response->n_clients = n;
    return status_ok();
}

/* ---- Policy ---- */

static status get_policy(struct call *call, const Weft__Registry__V1__GetPolicyRequest *request,
                         Weft__Registry__V1__GetPolicyResponse *response)
{
    const struct registry_service *self = call->service;
    bytes packed;

    (void)request;
    (void)policy_board_get(self->options.board, call->arena, &packed);
    return policy_unpack(call->arena, packed, &response->policy);
}

static Weft__Registry__V1__Receipt *receipt_message(struct arena *arena,
                                                    const struct policy_receipt *receipt)
{
    Weft__Registry__V1__Receipt *message = ARENA_NEW(arena, Weft__Registry__V1__Receipt);

    weft__registry__v1__receipt__init(message);
    message->revision = receipt->revision;
    message->enforcement_points = (int32_t)receipt->n_points;
    message->acknowledged = (int32_t)receipt->n_obeyed;
    message->fenced = ARENA_NEW_ARRAY(arena, char *, receipt->n_fenced + 1);
    for (size_t i = 0; i < receipt->n_fenced; i++) {
        message->fenced[i] = message_text(receipt->fenced[i]);
    }
    message->n_fenced = receipt->n_fenced;
    message->elapsed_us = receipt->elapsed_us;
    return message;
}

static status check_update(struct call *call,
                           const Weft__Registry__V1__UpdatePolicyRequest *request,
                           uint64_t *ret_revision)
{
    const struct registry_service *self = call->service;
    uint64_t revision = policy_board_revision(self->options.board);

    if (request->policy == NULL) {
        return status_bad_field(call->arena, "policy", "is missing");
    }
    if (request->timeout_ms < 0 || request->timeout_ms > MAX_RECEIPT_TIMEOUT_MS) {
        return status_bad_field(call->arena, "timeout_ms", "%" PRId64 " is not from 0 to %d",
                                request->timeout_ms, MAX_RECEIPT_TIMEOUT_MS);
    }
    TRY(policy_check(call->arena, request->policy));
    if (request->policy->revision != 0 && request->policy->revision != revision) {
        return status_error(call->arena, STATUS_ABORTED,
                            "the policy is at revision %" PRIu64 ", not %" PRIu64, revision,
                            request->policy->revision);
    }
    *ret_revision = revision + 1;
    return status_ok();
}

/* Here first, then by everybody else. */
static status put_in_force(const struct registry_service *self, struct arena *arena,
                           uint64_t revision, bytes packed)
{
    Weft__Registry__V1__Policy *policy;

    TRY(policy_unpack(arena, packed, &policy));
    if (self->options.enforce != NULL) {
        self->options.enforce(self->options.enforce_object, policy);
    }
    policy_board_publish(self->options.board, revision, packed);
    return status_ok();
}

static status update_policy(struct call *call,
                            const Weft__Registry__V1__UpdatePolicyRequest *request,
                            Weft__Registry__V1__UpdatePolicyResponse *response)
{
    const struct registry_service *self = call->service;
    struct store_write *write = store_write_new(call->arena);
    int64_t timeout_ms =
        request->timeout_ms != 0 ? request->timeout_ms : DEFAULT_RECEIPT_TIMEOUT_MS;
    uint64_t revision = 0;

    TRY(check_update(call, request, &revision));
    bytes packed = policy_pack(call->arena, request->policy, revision);
    registry_store_put_policy(write, call->arena, revision, packed);
    write_audit(write, call, "policy.update",
                arena_printf(call->arena, "policy:mesh@%" PRIu64, revision),
                clock_wall_ms(self->options.clock));
    TRY(store_commit(store_of(call), call->arena, write));
    TRY(put_in_force(self, call->arena, revision, packed));
    struct policy_receipt receipt =
        policy_board_wait(self->options.board, call->arena, revision, timeout_ms);
    response->receipt = receipt_message(call->arena, &receipt);
    return status_ok();
}

status registry_service_load_policy(struct registry_service *service, struct arena *arena)
{
    struct store_write *write = store_write_new(arena);
    uint64_t revision;
    bytes packed;

    TRY(registry_store_get_policy(service->options.store, arena, &revision, &packed));
    if (revision == 0) {
        revision = 1;
        packed = policy_open_to_members(arena, revision);
        registry_store_put_policy(write, arena, revision, packed);
        TRY(store_commit(service->options.store, arena, write));
    }
    return put_in_force(service, arena, revision, packed);
}

/* ---- Leases ---- */

static status lease_open(struct stream *stream, void *service, void **ret_state)
{
    const struct registry_service *self = service;

    return leases_open(self->options.leases, stream, ret_state);
}

#define METHODS(X)                                                    \
    X(Weft__Registry__V1__, ListInstances, WORKER, list_instances)    \
    X(Weft__Registry__V1__, ListXdsClients, WORKER, list_xds_clients) \
    X(Weft__Registry__V1__, GetPolicy, INLINE, get_policy)            \
    X(Weft__Registry__V1__, UpdatePolicy, WORKER, update_policy)
#define STREAMS(X) X(Weft__Registry__V1__, Lease, INLINE, lease)
SERVICE_DEFINE_STREAMS(registry_service_methods, weft__registry__v1__registry_service__descriptor,
                       METHODS, STREAMS);
