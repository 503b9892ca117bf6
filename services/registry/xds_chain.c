#include "services/registry/xds_chain.h"

#include "envoy/config/cluster/v3/cluster.pb-c.h"
#include "envoy/config/listener/v3/listener.pb-c.h"
#include "envoy/config/route/v3/route.pb-c.h"
#include "envoy/extensions/filters/http/router/v3/router.pb-c.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb-c.h"
#include "envoy/extensions/transport_sockets/tls/v3/tls.pb-c.h"
#include "libs/rpc/message.h"

/* Envoy's names, as short as Envoy's own documents write them. */
typedef Envoy__Config__Cluster__V3__CircuitBreakers CircuitBreakers;
typedef Envoy__Config__Cluster__V3__CircuitBreakers__Thresholds Thresholds;
typedef Envoy__Config__Cluster__V3__Cluster Cluster;
typedef Envoy__Config__Core__V3__ConfigSource ConfigSource;
typedef Envoy__Config__Core__V3__TransportSocket TransportSocket;
typedef Envoy__Config__Listener__V3__Listener Listener;
typedef Envoy__Config__Route__V3__Route Route;
typedef Envoy__Config__Route__V3__RouteConfiguration RouteConfiguration;
typedef Envoy__Config__Route__V3__VirtualHost VirtualHost;
typedef Envoy__Extensions__Filters__Http__Router__V3__Router Router;
typedef Envoy__Extensions__Filters__Network__HttpConnectionManager__V3__HttpConnectionManager
    HttpConnectionManager;
typedef Envoy__Extensions__Filters__Network__HttpConnectionManager__V3__HttpFilter HttpFilter;
typedef Envoy__Extensions__Filters__Network__HttpConnectionManager__V3__Rds Rds;
typedef Envoy__Extensions__TransportSockets__Tls__V3__CertificateProviderPluginInstance
    ProviderInstance;
typedef Envoy__Extensions__TransportSockets__Tls__V3__CertificateValidationContext
    ValidationContext;
typedef Envoy__Extensions__TransportSockets__Tls__V3__CommonTlsContext CommonTlsContext;
typedef Envoy__Extensions__TransportSockets__Tls__V3__UpstreamTlsContext UpstreamTlsContext;
typedef Envoy__Type__Matcher__V3__StringMatcher StringMatcher;

/* A google.protobuf.Any; its type is the message's own name. */
static Google__Protobuf__Any *any(struct arena *arena, const ProtobufCMessage *message)
{
    Google__Protobuf__Any *wrapped = ARENA_NEW(arena, Google__Protobuf__Any);

    google__protobuf__any__init(wrapped);
    wrapped->type_url = arena_printf(arena, "type.googleapis.com/%s", message->descriptor->name);
    wrapped->value = message_data(message_pack(arena, message));
    return wrapped;
}

/* "From this stream." */
static ConfigSource *from_ads(struct arena *arena)
{
    ConfigSource *source = ARENA_NEW(arena, ConfigSource);

    envoy__config__core__v3__config_source__init(source);
    source->config_source_specifier_case =
        ENVOY__CONFIG__CORE__V3__CONFIG_SOURCE__CONFIG_SOURCE_SPECIFIER_ADS;
    source->ads = ARENA_NEW(arena, Envoy__Config__Core__V3__AggregatedConfigSource);
    envoy__config__core__v3__aggregated_config_source__init(source->ads);
    source->resource_api_version = ENVOY__CONFIG__CORE__V3__API_VERSION__V3;
    return source;
}

/* ---- Listener ---- */

static HttpFilter **router_alone(struct arena *arena)
{
    HttpFilter **filters = ARENA_NEW_ARRAY(arena, HttpFilter *, 1);
    HttpFilter *filter = ARENA_NEW(arena, HttpFilter);
    Router router;

    envoy__extensions__filters__http__router__v3__router__init(&router);
    envoy__extensions__filters__network__http_connection_manager__v3__http_filter__init(filter);
    filter->name = message_text("router");
    filter->config_type_case =
        ENVOY__EXTENSIONS__FILTERS__NETWORK__HTTP_CONNECTION_MANAGER__V3__HTTP_FILTER__CONFIG_TYPE_TYPED_CONFIG;
    filter->typed_config = any(arena, &router.base);
    filters[0] = filter;
    return filters;
}

static Rds *routes_from_ads(struct arena *arena, const char *name)
{
    Rds *rds = ARENA_NEW(arena, Rds);

    envoy__extensions__filters__network__http_connection_manager__v3__rds__init(rds);
    rds->config_source = from_ads(arena);
    rds->route_config_name = message_text(name);
    return rds;
}

bytes xds_listener(struct arena *arena, const char *name)
{
    HttpConnectionManager manager;
    Envoy__Config__Listener__V3__ApiListener api;
    Listener listener;

    envoy__extensions__filters__network__http_connection_manager__v3__http_connection_manager__init(
        &manager);
    manager.route_specifier_case =
        ENVOY__EXTENSIONS__FILTERS__NETWORK__HTTP_CONNECTION_MANAGER__V3__HTTP_CONNECTION_MANAGER__ROUTE_SPECIFIER_RDS;
    manager.rds = routes_from_ads(arena, name);
    manager.http_filters = router_alone(arena);
    manager.n_http_filters = 1;
    envoy__config__listener__v3__api_listener__init(&api);
    api.api_listener = any(arena, &manager.base);
    envoy__config__listener__v3__listener__init(&listener);
    listener.name = message_text(name);
    listener.api_listener = &api;
    return message_pack(arena, &listener.base);
}

/* ---- RouteConfiguration ---- */

static Route **every_path(struct arena *arena, const char *cluster)
{
    Route **routes = ARENA_NEW_ARRAY(arena, Route *, 1);
    Route *route = ARENA_NEW(arena, Route);

    envoy__config__route__v3__route__init(route);
    route->match = ARENA_NEW(arena, Envoy__Config__Route__V3__RouteMatch);
    envoy__config__route__v3__route_match__init(route->match);
    route->match->path_specifier_case =
        ENVOY__CONFIG__ROUTE__V3__ROUTE_MATCH__PATH_SPECIFIER_PREFIX;
    route->match->prefix = message_text("");
    route->action_case = ENVOY__CONFIG__ROUTE__V3__ROUTE__ACTION_ROUTE;
    route->route = ARENA_NEW(arena, Envoy__Config__Route__V3__RouteAction);
    envoy__config__route__v3__route_action__init(route->route);
    route->route->cluster_specifier_case =
        ENVOY__CONFIG__ROUTE__V3__ROUTE_ACTION__CLUSTER_SPECIFIER_CLUSTER;
    route->route->cluster = message_text(cluster);
    routes[0] = route;
    return routes;
}

bytes xds_route_configuration(struct arena *arena, const char *name)
{
    char *every_domain = message_text("*");
    VirtualHost host;
    VirtualHost *hosts = &host;
    RouteConfiguration configuration;

    envoy__config__route__v3__virtual_host__init(&host);
    host.name = message_text(name); /* Envoy and Java want one */
    host.domains = &every_domain;
    host.n_domains = 1;
    host.routes = every_path(arena, name);
    host.n_routes = 1;
    envoy__config__route__v3__route_configuration__init(&configuration);
    configuration.name = message_text(name);
    configuration.virtual_hosts = &hosts;
    configuration.n_virtual_hosts = 1;
    return message_pack(arena, &configuration.base);
}

/* ---- Cluster ---- */

static ProviderInstance *default_provider(struct arena *arena)
{
    ProviderInstance *instance = ARENA_NEW(arena, ProviderInstance);

    envoy__extensions__transport_sockets__tls__v3__certificate_provider_plugin_instance__init(
        instance);
    instance->instance_name = message_text("default");
    return instance;
}

/* Signed by our authority, and this very one. */
static ValidationContext *expecting(struct arena *arena, const char *spiffe_id)
{
    ValidationContext *context = ARENA_NEW(arena, ValidationContext);
    StringMatcher *matcher = ARENA_NEW(arena, StringMatcher);

    envoy__type__matcher__v3__string_matcher__init(matcher);
    matcher->match_pattern_case = ENVOY__TYPE__MATCHER__V3__STRING_MATCHER__MATCH_PATTERN_EXACT;
    matcher->exact = message_text(spiffe_id);
    envoy__extensions__transport_sockets__tls__v3__certificate_validation_context__init(context);
    context->match_subject_alt_names = ARENA_NEW_ARRAY(arena, StringMatcher *, 1);
    context->match_subject_alt_names[0] = matcher;
    context->n_match_subject_alt_names = 1;
    context->ca_certificate_provider_instance = default_provider(arena);
    return context;
}

static TransportSocket *mutual_tls(struct arena *arena, const char *spiffe_id)
{
    TransportSocket *socket = ARENA_NEW(arena, TransportSocket);
    CommonTlsContext common;
    UpstreamTlsContext upstream;

    envoy__extensions__transport_sockets__tls__v3__common_tls_context__init(&common);
    common.tls_certificate_provider_instance = default_provider(arena);
    common.validation_context_type_case =
        ENVOY__EXTENSIONS__TRANSPORT_SOCKETS__TLS__V3__COMMON_TLS_CONTEXT__VALIDATION_CONTEXT_TYPE_VALIDATION_CONTEXT;
    common.validation_context = expecting(arena, spiffe_id);
    envoy__extensions__transport_sockets__tls__v3__upstream_tls_context__init(&upstream);
    upstream.common_tls_context = &common;
    envoy__config__core__v3__transport_socket__init(socket);
    socket->name = message_text("envoy.transport_sockets.tls");
    socket->config_type_case = ENVOY__CONFIG__CORE__V3__TRANSPORT_SOCKET__CONFIG_TYPE_TYPED_CONFIG;
    socket->typed_config = any(arena, &upstream.base);
    return socket;
}

static CircuitBreakers *hardly_ever_breaking(struct arena *arena)
{
    CircuitBreakers *breakers = ARENA_NEW(arena, CircuitBreakers);
    Thresholds *thresholds = ARENA_NEW(arena, Thresholds);

    envoy__config__cluster__v3__circuit_breakers__thresholds__init(thresholds);
    thresholds->max_requests = ARENA_NEW(arena, Google__Protobuf__UInt32Value);
    google__protobuf__uint32_value__init(thresholds->max_requests);
    thresholds->max_requests->value = XDS_MAX_REQUESTS;
    envoy__config__cluster__v3__circuit_breakers__init(breakers);
    breakers->thresholds = ARENA_NEW_ARRAY(arena, Thresholds *, 1);
    breakers->thresholds[0] = thresholds;
    breakers->n_thresholds = 1;
    return breakers;
}

bytes xds_cluster(struct arena *arena, const char *name, const char *spiffe_id,
                  const char *service_name)
{
    Envoy__Config__Cluster__V3__Cluster__EdsClusterConfig eds;
    Cluster cluster;

    envoy__config__cluster__v3__cluster__eds_cluster_config__init(&eds);
    eds.eds_config = from_ads(arena);
    eds.service_name = message_text(service_name);
    envoy__config__cluster__v3__cluster__init(&cluster);
    cluster.name = message_text(name);
    cluster.cluster_discovery_type_case =
        ENVOY__CONFIG__CLUSTER__V3__CLUSTER__CLUSTER_DISCOVERY_TYPE_TYPE;
    cluster.type = ENVOY__CONFIG__CLUSTER__V3__CLUSTER__DISCOVERY_TYPE__EDS;
    cluster.eds_cluster_config = &eds;
    cluster.lb_policy = ENVOY__CONFIG__CLUSTER__V3__CLUSTER__LB_POLICY__ROUND_ROBIN;
    cluster.circuit_breakers = hardly_ever_breaking(arena);
    cluster.transport_socket = mutual_tls(arena, spiffe_id);
    return message_pack(arena, &cluster.base);
}
