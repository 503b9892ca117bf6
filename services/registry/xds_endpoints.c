#include "services/registry/xds_endpoints.h"

#include "envoy/config/endpoint/v3/endpoint.pb-c.h"
#include "libs/rpc/message.h"

#include <stdlib.h>
#include <string.h>

typedef Envoy__Config__Core__V3__Address Address;
typedef Envoy__Config__Core__V3__SocketAddress SocketAddress;
typedef Envoy__Config__Endpoint__V3__ClusterLoadAssignment ClusterLoadAssignment;
typedef Envoy__Config__Endpoint__V3__LbEndpoint LbEndpoint;
typedef Envoy__Config__Endpoint__V3__LocalityLbEndpoints LocalityLbEndpoints;

enum {
    N_TIERS = 3,
    HEALTHY_ENOUGH_PERCENT = 70, /* Envoy's overprovisioning factor of 1.4 */
    WEIGHT_SCALE = 10000,        /* of a tier that is shared: 1,000 instances get 10 each */
};

/* The instances of one locality. */
struct group {
    struct locality locality;
    unsigned tier;
    uint32_t priority;
    uint32_t weight;
    size_t n_usable;
    size_t n_instances;
    const struct instance **instances;
};

struct groups {
    struct group *at;
    size_t n;
};

/* ---- Grouping ---- */

static unsigned tier_of(const struct locality *client, const struct locality *locality)
{
    if (client->region[0] == '\0' || locality_equal(client, locality)) {
        return 0;
    }
    return strcmp(client->region, locality->region) == 0 ? 1 : 2;
}

static int by_tier_and_name(const void *a, const void *b)
{
    const struct group *left = a;
    const struct group *right = b;

    if (left->tier != right->tier) {
        return left->tier < right->tier ? -1 : 1;
    }
    int regions = strcmp(left->locality.region, right->locality.region);
    return regions != 0 ? regions : strcmp(left->locality.zone, right->locality.zone);
}

static struct group *group_of(struct groups *groups, const struct locality *locality)
{
    for (size_t i = 0; i < groups->n; i++) {
        if (locality_equal(&groups->at[i].locality, locality)) {
            return &groups->at[i];
        }
    }
    struct group *added = &groups->at[groups->n++];
    added->locality = *locality;
    return added;
}

/* A service that is known and has nobody has one locality, the client's own. */
static void add_empty(struct arena *arena, struct groups *groups, const struct locality *client)
{
    struct group *group = group_of(groups, client);

    group->instances = ARENA_NEW_ARRAY(arena, const struct instance *, 1);
}

static struct groups group_by_locality(struct arena *arena, const struct catalogue_service *service,
                                       const struct locality *client)
{
    struct groups groups = { .at = ARENA_NEW_ARRAY(arena, struct group, service->n_instances + 1) };

    for (size_t i = 0; i < service->n_instances; i++) {
        group_of(&groups, &service->instances[i].locality)->n_instances++;
    }
    for (size_t i = 0; i < groups.n; i++) {
        struct group *group = &groups.at[i];
        group->tier = tier_of(client, &group->locality);
        group->instances = ARENA_NEW_ARRAY(arena, const struct instance *, group->n_instances);
        group->n_instances = 0;
    }
    for (size_t i = 0; i < service->n_instances; i++) {
        struct group *group = group_of(&groups, &service->instances[i].locality);
        group->instances[group->n_instances++] = &service->instances[i];
        group->n_usable += instance_is_usable(&service->instances[i]) ? 1 : 0;
    }
    qsort(groups.at, groups.n, sizeof groups.at[0], by_tier_and_name);
    return groups;
}

/* ---- Priorities and weights ---- */

struct tier {
    size_t n_usable;
    size_t n_instances;
};

static void weigh(struct groups *groups, unsigned tier, size_t n_usable, size_t share)
{
    for (size_t i = 0; i < groups->n; i++) {
        struct group *group = &groups->at[i];
        if (group->tier == tier && n_usable > 0) {
            group->weight = (uint32_t)(group->n_usable * share / n_usable);
        }
    }
}

/* The tier that relieves the nearest; N_TIERS when it needs no relief, or there is none. */
static unsigned relief(const struct tier tiers[N_TIERS], unsigned nearest)
{
    if (tiers[nearest].n_usable * 100 >= tiers[nearest].n_instances * HEALTHY_ENOUGH_PERCENT) {
        return N_TIERS;
    }
    unsigned next = nearest + 1;
    while (next < N_TIERS && tiers[next].n_usable == 0) {
        next++;
    }
    return next;
}

static void share_out(struct groups *groups, const struct tier tiers[N_TIERS], unsigned nearest,
                      unsigned helper)
{
    size_t kept = tiers[nearest].n_usable * 100 * WEIGHT_SCALE /
                  (tiers[nearest].n_instances * HEALTHY_ENOUGH_PERCENT);

    weigh(groups, nearest, tiers[nearest].n_usable, kept);
    weigh(groups, helper, tiers[helper].n_usable, WEIGHT_SCALE - kept);
}

static void assign_priorities(struct groups *groups)
{
    struct tier tiers[N_TIERS] = { 0 };
    uint32_t priority_of[N_TIERS] = { 0 };
    uint32_t next_priority = 0;

    for (size_t i = 0; i < groups->n; i++) {
        tiers[groups->at[i].tier].n_usable += groups->at[i].n_usable;
        tiers[groups->at[i].tier].n_instances += groups->at[i].n_instances;
        groups->at[i].weight = (uint32_t)groups->at[i].n_usable;
    }
    unsigned nearest = groups->n > 0 ? groups->at[0].tier : 0;
    unsigned helper = groups->n > 0 ? relief(tiers, nearest) : N_TIERS;
    if (helper != N_TIERS) {
        share_out(groups, tiers, nearest, helper);
    }
    for (unsigned tier = 0; tier < N_TIERS; tier++) {
        bool joins = tier == helper;
        if (tiers[tier].n_instances > 0) {
            priority_of[tier] = joins ? priority_of[nearest] : next_priority++;
        }
    }
    for (size_t i = 0; i < groups->n; i++) {
        groups->at[i].priority = priority_of[groups->at[i].tier];
        /* 0 would make clients drop the locality, and leave a gap in the priorities. */
        groups->at[i].weight = groups->at[i].weight > 0 ? groups->at[i].weight : 1;
    }
}

/* ---- Messages ---- */

static Envoy__Config__Core__V3__HealthStatus health_of(const struct instance *instance)
{
    switch (instance->health) {
    case INSTANCE_HEALTHY:
        return ENVOY__CONFIG__CORE__V3__HEALTH_STATUS__HEALTHY;
    case INSTANCE_DRAINING:
        return ENVOY__CONFIG__CORE__V3__HEALTH_STATUS__DRAINING;
    case INSTANCE_UNHEALTHY:
        break;
    }
    return ENVOY__CONFIG__CORE__V3__HEALTH_STATUS__UNHEALTHY;
}

static Address *address_message(struct arena *arena, const struct endpoint *endpoint)
{
    Address *address = ARENA_NEW(arena, Address);
    SocketAddress *socket = ARENA_NEW(arena, SocketAddress);

    envoy__config__core__v3__socket_address__init(socket);
    socket->address = message_text(endpoint->address);
    socket->port_specifier_case =
        ENVOY__CONFIG__CORE__V3__SOCKET_ADDRESS__PORT_SPECIFIER_PORT_VALUE;
    socket->port_value = endpoint->port;
    envoy__config__core__v3__address__init(address);
    address->address_case = ENVOY__CONFIG__CORE__V3__ADDRESS__ADDRESS_SOCKET_ADDRESS;
    address->socket_address = socket;
    return address;
}

static LbEndpoint *endpoint_message(struct arena *arena, const struct instance *instance)
{
    LbEndpoint *message = ARENA_NEW(arena, LbEndpoint);

    envoy__config__endpoint__v3__lb_endpoint__init(message);
    message->host_identifier_case =
        ENVOY__CONFIG__ENDPOINT__V3__LB_ENDPOINT__HOST_IDENTIFIER_ENDPOINT;
    message->endpoint = ARENA_NEW(arena, Envoy__Config__Endpoint__V3__Endpoint);
    envoy__config__endpoint__v3__endpoint__init(message->endpoint);
    message->endpoint->address = address_message(arena, &instance->endpoint);
    message->health_status = health_of(instance);
    return message;
}

/* Where nobody can listen. */
static const struct instance nobody = {
    .health = INSTANCE_HEALTHY,
    .endpoint = { .address = "127.0.0.1", .port = 0 },
};

/* A client is never left without an address that it may use: in C core 1.51, when an assignment has
 * become empty, weighted_target keeps what it had, makes a picker of nothing when that changes its
 * state, as it does when the last instance goes, and crashes at the next call.  With one it fails
 * its calls at once, as connections are refused. */
static LocalityLbEndpoints *group_message(struct arena *arena, const struct group *group)
{
    LocalityLbEndpoints *message = ARENA_NEW(arena, LocalityLbEndpoints);

    envoy__config__endpoint__v3__locality_lb_endpoints__init(message);
    message->locality = ARENA_NEW(arena, Envoy__Config__Core__V3__Locality);
    envoy__config__core__v3__locality__init(message->locality);
    message->locality->region = message_text(group->locality.region);
    message->locality->zone = message_text(group->locality.zone);
    message->load_balancing_weight = ARENA_NEW(arena, Google__Protobuf__UInt32Value);
    google__protobuf__uint32_value__init(message->load_balancing_weight);
    message->load_balancing_weight->value = group->weight;
    message->priority = group->priority;
    message->lb_endpoints = ARENA_NEW_ARRAY(arena, LbEndpoint *, group->n_instances + 1);
    for (; message->n_lb_endpoints < group->n_instances; message->n_lb_endpoints++) {
        size_t i = message->n_lb_endpoints;
        message->lb_endpoints[i] = endpoint_message(arena, group->instances[i]);
    }
    if (group->n_usable == 0) {
        message->lb_endpoints[message->n_lb_endpoints++] = endpoint_message(arena, &nobody);
    }
    return message;
}

bytes xds_endpoints(struct arena *arena, const char *name, const struct catalogue_service *service,
                    const struct locality *client)
{
    struct groups groups = group_by_locality(arena, service, client);
    ClusterLoadAssignment assignment;

    if (groups.n == 0 && service->revision != 0) {
        add_empty(arena, &groups, client);
    }
    assign_priorities(&groups);
    envoy__config__endpoint__v3__cluster_load_assignment__init(&assignment);
    assignment.cluster_name = message_text(name);
    assignment.endpoints = ARENA_NEW_ARRAY(arena, LocalityLbEndpoints *, groups.n + 1);
    for (size_t i = 0; i < groups.n; i++) {
        assignment.endpoints[i] = group_message(arena, &groups.at[i]);
    }
    assignment.n_endpoints = groups.n;
    return message_pack(arena, &assignment.base);
}
