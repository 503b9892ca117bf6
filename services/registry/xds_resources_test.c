#include "services/registry/xds_resources.h"

#include "envoy/config/cluster/v3/cluster.pb-c.h"
#include "envoy/config/endpoint/v3/endpoint.pb-c.h"
#include "envoy/config/listener/v3/listener.pb-c.h"
#include "envoy/config/route/v3/route.pb-c.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb-c.h"
#include "envoy/extensions/transport_sockets/tls/v3/tls.pb-c.h"
#include "libs/rpc/decode.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/fake_clock.h"

#include <string.h>

typedef Envoy__Config__Cluster__V3__Cluster Cluster;
typedef Envoy__Config__Endpoint__V3__ClusterLoadAssignment ClusterLoadAssignment;
typedef Envoy__Config__Listener__V3__Listener Listener;
typedef Envoy__Config__Route__V3__RouteConfiguration RouteConfiguration;
typedef Envoy__Extensions__Filters__Network__HttpConnectionManager__V3__HttpConnectionManager
    HttpConnectionManager;
typedef Envoy__Extensions__TransportSockets__Tls__V3__CommonTlsContext CommonTlsContext;
typedef Envoy__Extensions__TransportSockets__Tls__V3__UpstreamTlsContext UpstreamTlsContext;

static const struct locality nowhere = { "", "" };

struct fixture {
    struct fake_clock clock;
    struct catalogue *catalogue;
    struct xds_resources *resources;
    struct arena *arena;
};

static int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){ .arena = arena_new() };
    fake_clock_init(&f.clock, 1700000000000);
    f.catalogue = catalogue_new(&(struct catalogue_options){ .clock = &f.clock.clock });
    f.resources = xds_resources_new(&(struct xds_resources_options){
        .catalogue = f.catalogue,
        .clock = &f.clock.clock,
        .trust_domain = "weft",
    });
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    xds_resources_free(f->resources);
    catalogue_free(f->catalogue);
    arena_free(f->arena);
    return 0;
}

static uint64_t add(struct fixture *f, const char *service, const char *id, uint16_t port,
                    const char *region)
{
    const struct instance instance = {
        .service = service,
        .id = id,
        .endpoint = { "127.0.0.1", port },
        .locality = { region, "" },
        .spiffe_id = "",
        .version = "",
        .http_address = "",
    };
    uint64_t token = 0;

    assert_status(catalogue_register(f->catalogue, f->arena, &instance, &token), STATUS_OK);
    return token;
}

static const ProtobufCMessage *decode(struct fixture *f, const ProtobufCMessageDescriptor *type,
                                      bytes data)
{
    const ProtobufCMessage *message;

    assert_status(message_decode(f->arena, type, data, &message), STATUS_OK);
    return message;
}

/* What an Any holds, which must be of that type. */
static const ProtobufCMessage *unwrap(struct fixture *f, const ProtobufCMessageDescriptor *type,
                                      const Google__Protobuf__Any *any)
{
    assert_string_equal(any->type_url,
                        arena_printf(f->arena, "type.googleapis.com/%s", type->name));
    return decode(f, type, (bytes){ any->value.data, any->value.len });
}

static const ProtobufCMessage *get(struct fixture *f, enum xds_type type, const char *name,
                                   const ProtobufCMessageDescriptor *descriptor)
{
    struct xds_resource *resource = xds_resources_get(f->resources, type, name, &nowhere);

    assert_non_null(resource);
    assert_int_equal(resource->version, xds_resources_version(f->resources, type, name));
    assert_string_equal(xds_type_url(type),
                        arena_printf(f->arena, "type.googleapis.com/%s", descriptor->name));
    const ProtobufCMessage *message = decode(f, descriptor, resource->encoded);
    xds_resource_unref(resource);
    return message;
}

static const Cluster *get_cluster(struct fixture *f, const char *name)
{
    return (const Cluster *)get(f, XDS_CLUSTER, name,
                                &envoy__config__cluster__v3__cluster__descriptor);
}

static const ClusterLoadAssignment *get_endpoints(struct fixture *f, const char *name)
{
    return (const ClusterLoadAssignment *)get(
        f, XDS_ENDPOINTS, name, &envoy__config__endpoint__v3__cluster_load_assignment__descriptor);
}

static void a_listener_leads_to_its_routes_by_the_router_alone(void **state)
{
    struct fixture *f = *state;
    const Listener *listener = (const Listener *)get(
        f, XDS_LISTENER, "tenant", &envoy__config__listener__v3__listener__descriptor);

    assert_string_equal(listener->name, "tenant");
    assert_null(listener->address);
    const HttpConnectionManager *manager = (const HttpConnectionManager *)unwrap(
        f,
        &envoy__extensions__filters__network__http_connection_manager__v3__http_connection_manager__descriptor,
        listener->api_listener->api_listener);
    assert_string_equal(manager->rds->route_config_name, "tenant");
    assert_non_null(manager->rds->config_source->ads);
    assert_int_equal(manager->n_http_filters, 1);
    assert_string_equal(manager->http_filters[0]->name, "router");
    assert_string_equal(manager->http_filters[0]->typed_config->type_url,
                        "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router");
}

static void routes_lead_every_path_to_the_cluster(void **state)
{
    struct fixture *f = *state;
    const RouteConfiguration *routes = (const RouteConfiguration *)get(
        f, XDS_ROUTES, "tenant", &envoy__config__route__v3__route_configuration__descriptor);

    assert_string_equal(routes->name, "tenant");
    assert_int_equal(routes->n_virtual_hosts, 1);
    const Envoy__Config__Route__V3__VirtualHost *host = routes->virtual_hosts[0];
    assert_string_not_equal(host->name, "");
    assert_int_equal(host->n_domains, 1);
    assert_string_equal(host->domains[0], "*");
    assert_int_equal(host->n_routes, 1);
    assert_int_equal(host->routes[0]->match->path_specifier_case,
                     ENVOY__CONFIG__ROUTE__V3__ROUTE_MATCH__PATH_SPECIFIER_PREFIX);
    assert_string_equal(host->routes[0]->match->prefix, "");
    assert_string_equal(host->routes[0]->route->cluster, "tenant");
}

static void a_cluster_asks_for_mutual_tls_and_exactly_its_own_spiffe_id(void **state)
{
    struct fixture *f = *state;

    (void)add(f, "tenant", "a", 7001, "");
    const Cluster *cluster = get_cluster(f, "tenant");
    assert_string_equal(cluster->name, "tenant");
    assert_int_equal(cluster->type, ENVOY__CONFIG__CLUSTER__V3__CLUSTER__DISCOVERY_TYPE__EDS);
    assert_int_equal(cluster->lb_policy,
                     ENVOY__CONFIG__CLUSTER__V3__CLUSTER__LB_POLICY__ROUND_ROBIN);
    assert_string_equal(cluster->eds_cluster_config->service_name, "tenant");
    assert_non_null(cluster->eds_cluster_config->eds_config->ads);
    assert_int_equal(cluster->circuit_breakers->thresholds[0]->max_requests->value, 1000000);
    assert_string_equal(cluster->transport_socket->name, "envoy.transport_sockets.tls");
    const UpstreamTlsContext *tls = (const UpstreamTlsContext *)unwrap(
        f, &envoy__extensions__transport_sockets__tls__v3__upstream_tls_context__descriptor,
        cluster->transport_socket->typed_config);
    const CommonTlsContext *common = tls->common_tls_context;
    assert_string_equal(common->tls_certificate_provider_instance->instance_name, "default");
    assert_string_equal(common->validation_context->ca_certificate_provider_instance->instance_name,
                        "default");
    assert_int_equal(common->validation_context->n_match_subject_alt_names, 1);
    assert_string_equal(common->validation_context->match_subject_alt_names[0]->exact,
                        "spiffe://weft/tenant");
}

static void an_unknown_service_has_its_whole_chain_and_no_endpoints(void **state)
{
    struct fixture *f = *state;
    const Cluster *cluster = get_cluster(f, "tenent");

    /* Under its real name: calls that wait for ready would stay with another. */
    assert_string_equal(cluster->name, "tenent");
    assert_string_equal(cluster->eds_cluster_config->service_name, "no-such-service:tenent");
    const ClusterLoadAssignment *endpoints = get_endpoints(f, "no-such-service:tenent");
    assert_string_equal(endpoints->cluster_name, "no-such-service:tenent");
    assert_int_equal(endpoints->n_endpoints, 0);
    assert_int_equal(get_endpoints(f, "tenent")->n_endpoints, 0);
}

static void a_service_that_appears_changes_its_cluster_and_endpoints_alone(void **state)
{
    struct fixture *f = *state;
    uint64_t before[XDS_N_TYPES];

    for (unsigned i = 0; i < XDS_N_TYPES; i++) {
        before[i] = xds_resources_version(f->resources, (enum xds_type)i, "tenant");
    }
    (void)get_cluster(f, "tenant");
    (void)add(f, "tenant", "a", 7001, "");
    assert_true(xds_resources_version(f->resources, XDS_CLUSTER, "tenant") > before[XDS_CLUSTER]);
    assert_true(xds_resources_version(f->resources, XDS_ENDPOINTS, "tenant") >
                before[XDS_ENDPOINTS]);
    assert_int_equal(xds_resources_version(f->resources, XDS_LISTENER, "tenant"),
                     before[XDS_LISTENER]);
    assert_int_equal(xds_resources_version(f->resources, XDS_ROUTES, "tenant"), before[XDS_ROUTES]);
    assert_string_equal(get_cluster(f, "tenant")->eds_cluster_config->service_name, "tenant");
}

static void a_service_whose_instances_have_gone_is_empty_and_known(void **state)
{
    struct fixture *f = *state;
    uint64_t token = add(f, "tenant", "a", 7001, "");
    uint64_t full = xds_resources_version(f->resources, XDS_ENDPOINTS, "tenant");

    assert_int_equal(get_endpoints(f, "tenant")->n_endpoints, 1);
    catalogue_deregister(f->catalogue, "tenant", "a", token);
    assert_true(xds_resources_version(f->resources, XDS_ENDPOINTS, "tenant") > full);
    const ClusterLoadAssignment *nobody = get_endpoints(f, "tenant");
    assert_int_equal(nobody->n_endpoints, 1);
    assert_int_equal(nobody->endpoints[0]->n_lb_endpoints, 1);
    assert_int_equal(
        nobody->endpoints[0]->lb_endpoints[0]->endpoint->address->socket_address->port_value, 0);
    assert_string_equal(get_cluster(f, "tenant")->eds_cluster_config->service_name, "tenant");
}

static void a_version_is_encoded_once_and_shared(void **state)
{
    struct fixture *f = *state;
    const struct locality near = { "r1", "" };

    (void)add(f, "tenant", "a", 7001, "r1");
    struct xds_resource *first = xds_resources_get(f->resources, XDS_ENDPOINTS, "tenant", &near);
    struct xds_resource *again = xds_resources_get(f->resources, XDS_ENDPOINTS, "tenant", &near);
    struct xds_resource *elsewhere =
        xds_resources_get(f->resources, XDS_ENDPOINTS, "tenant", &nowhere);
    assert_ptr_equal(first, again);
    assert_ptr_not_equal(first, elsewhere);
    (void)add(f, "search", "a", 7002, "r1"); /* another's change leaves it alone */
    struct xds_resource *still = xds_resources_get(f->resources, XDS_ENDPOINTS, "tenant", &near);
    assert_ptr_equal(first, still);
    (void)add(f, "tenant", "b", 7003, "r1");
    struct xds_resource *newer = xds_resources_get(f->resources, XDS_ENDPOINTS, "tenant", &near);
    assert_ptr_not_equal(first, newer);
    xds_resource_unref(again);
    xds_resource_unref(elsewhere);
    xds_resource_unref(still);
    xds_resource_unref(newer);
    xds_resource_unref(first); /* the last: the cache has dropped it */
}

static void a_full_cache_begins_anew(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < 5000; i++) {
        const struct locality claimed = { "r", arena_printf(f->arena, "%u", i) };
        struct xds_resource *resource =
            xds_resources_get(f->resources, XDS_ENDPOINTS, "tenant", &claimed);
        assert_non_null(resource);
        xds_resource_unref(resource);
    }
}

static void until_it_has_settled_those_awaited_are_not_said_to_be_gone(void **state)
{
    struct fixture *f = *state;

    xds_resources_free(f->resources);
    f->resources = xds_resources_new(&(struct xds_resources_options){
        .catalogue = f->catalogue,
        .clock = &f->clock.clock,
        .trust_domain = "weft",
        .settle_ms = 2000,
    });
    assert_status(catalogue_expect(f->catalogue, f->arena, "tenant"), STATUS_OK);
    assert_status(catalogue_expect(f->catalogue, f->arena, "search"), STATUS_OK);
    assert_int_equal(xds_resources_settled_in_ms(f->resources), 2000);
    assert_int_equal(xds_resources_version(f->resources, XDS_ENDPOINTS, "tenant"), 0);
    assert_null(xds_resources_get(f->resources, XDS_ENDPOINTS, "tenant", &nowhere));
    assert_string_equal(get_cluster(f, "tenant")->eds_cluster_config->service_name, "tenant");
    /* A name that nobody ever had is unknown at once. */
    assert_string_equal(get_cluster(f, "tenent")->eds_cluster_config->service_name,
                        "no-such-service:tenent");
    assert_int_equal(get_endpoints(f, "tenent")->n_endpoints, 0);
    (void)add(f, "tenant", "a", 7001, "");
    assert_int_equal(get_endpoints(f, "tenant")->n_endpoints, 1);
    fake_clock_advance_ms(&f->clock, 2000);
    assert_int_equal(xds_resources_settled_in_ms(f->resources), 0);
    assert_int_equal(get_endpoints(f, "search")->endpoints[0]->n_lb_endpoints, 1);
}

static void types_are_known_by_their_urls(void **state)
{
    enum xds_type type = XDS_N_TYPES;

    (void)state;
    for (unsigned i = 0; i < XDS_N_TYPES; i++) {
        assert_true(xds_type_of_url(xds_type_url((enum xds_type)i), &type));
        assert_int_equal(type, i);
    }
    assert_false(xds_type_of_url("", &type));
    assert_false(xds_type_of_url("envoy.config.cluster.v3.Cluster", &type));
    assert_false(xds_type_of_url(
        "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret", &type));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_listener_leads_to_its_routes_by_the_router_alone),
        TEST(routes_lead_every_path_to_the_cluster),
        TEST(a_cluster_asks_for_mutual_tls_and_exactly_its_own_spiffe_id),
        TEST(an_unknown_service_has_its_whole_chain_and_no_endpoints),
        TEST(a_service_that_appears_changes_its_cluster_and_endpoints_alone),
        TEST(a_service_whose_instances_have_gone_is_empty_and_known),
        TEST(a_version_is_encoded_once_and_shared),
        TEST(a_full_cache_begins_anew),
        TEST(until_it_has_settled_those_awaited_are_not_said_to_be_gone),
        cmocka_unit_test(types_are_known_by_their_urls),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
