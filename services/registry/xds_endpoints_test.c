#include "services/registry/xds_endpoints.h"

#include "envoy/config/endpoint/v3/endpoint.pb-c.h"
#include "libs/rpc/decode.h"
#include "libs/testing/assert_status.h"

#include <string.h>

typedef Envoy__Config__Endpoint__V3__ClusterLoadAssignment ClusterLoadAssignment;
typedef Envoy__Config__Endpoint__V3__LocalityLbEndpoints LocalityLbEndpoints;

enum { MAX_INSTANCES = 16 };

static void add(struct catalogue_service *service, struct instance *instances, const char *region,
                const char *zone, enum instance_health health)
{
    struct instance *instance = &instances[service->n_instances++];

    assert_true(service->n_instances <= MAX_INSTANCES);
    *instance = (struct instance){
        .service = service->name,
        .id = "i",
        .endpoint = { "10.0.0.1", (uint16_t)(7000 + service->n_instances) },
        .locality = { region, zone },
        .health = health,
    };
}

/* "r1/z1 p0 w2 7001H 7002D; ..." : locality, priority, weight, ports with the letter of their
 * health. */
static const char *describe(struct arena *arena, const ClusterLoadAssignment *assignment)
{
    const char *text = "";

    for (size_t i = 0; i < assignment->n_endpoints; i++) {
        const LocalityLbEndpoints *group = assignment->endpoints[i];
        text = arena_printf(arena, "%s%s%s/%s p%u w%u", text, i > 0 ? "; " : "",
                            group->locality->region, group->locality->zone, group->priority,
                            group->load_balancing_weight->value);
        for (size_t j = 0; j < group->n_lb_endpoints; j++) {
            const char letter = "UHXD"[group->lb_endpoints[j]->health_status];
            text = arena_printf(
                arena, "%s %u%c", text,
                group->lb_endpoints[j]->endpoint->address->socket_address->port_value, letter);
        }
    }
    return text;
}

static void localities_become_priorities_and_weights(void **state)
{
    static const struct {
        const char *title;
        struct locality client;
        struct {
            const char *region;
            const char *zone;
            enum instance_health health;
        } instances[MAX_INSTANCES];
        const char *want;
    } cases[] = {
        { "nobody is there", { "r1", "z1" }, { { NULL } }, "r1/z1 p0 w1 0H" },
        { "no locality at all",
          { "", "" },
          { { "", "", INSTANCE_HEALTHY }, { "", "", INSTANCE_HEALTHY } },
          "/ p0 w2 7001H 7002H" },
        { "a client who does not say where it is sees all alike",
          { "", "" },
          { { "r1", "z1", INSTANCE_HEALTHY }, { "r2", "z1", INSTANCE_HEALTHY } },
          "r1/z1 p0 w1 7001H; r2/z1 p0 w1 7002H" },
        { "zone, region, world",
          { "r1", "z1" },
          { { "r2", "z9", INSTANCE_HEALTHY },
            { "r1", "z2", INSTANCE_HEALTHY },
            { "r1", "z1", INSTANCE_HEALTHY },
            { "r1", "z1", INSTANCE_HEALTHY } },
          "r1/z1 p0 w2 7003H 7004H; r1/z2 p1 w1 7002H; r2/z9 p2 w1 7001H" },
        { "priorities have no gap",
          { "r1", "z1" },
          { { "r2", "z9", INSTANCE_HEALTHY }, { "r1", "z2", INSTANCE_HEALTHY } },
          "r1/z2 p0 w1 7002H; r2/z9 p1 w1 7001H" },
        { "70 % are enough",
          { "r1", "z1" },
          { { "r1", "z1", INSTANCE_HEALTHY },
            { "r1", "z1", INSTANCE_HEALTHY },
            { "r1", "z1", INSTANCE_HEALTHY },
            { "r1", "z1", INSTANCE_DRAINING },
            { "r1", "z2", INSTANCE_HEALTHY } },
          "r1/z1 p0 w3 7001H 7002H 7003H 7004D; r1/z2 p1 w1 7005H" },
        { "below, the next tier helps",
          { "r1", "z1" },
          { { "r1", "z1", INSTANCE_HEALTHY },
            { "r1", "z1", INSTANCE_UNHEALTHY },
            { "r1", "z2", INSTANCE_HEALTHY },
            { "r2", "z9", INSTANCE_HEALTHY } },
          "r1/z1 p0 w7142 7001H 7002X; r1/z2 p0 w2858 7003H; r2/z9 p1 w1 7004H" },
        { "the next tier that can help",
          { "r1", "z1" },
          { { "r1", "z1", INSTANCE_DRAINING },
            { "r1", "z2", INSTANCE_UNHEALTHY },
            { "r2", "z9", INSTANCE_HEALTHY },
            { "r2", "z8", INSTANCE_HEALTHY } },
          "r1/z1 p0 w1 7001D 0H; r1/z2 p1 w1 7002X 0H; r2/z8 p0 w5000 7004H; r2/z9 p0 w5000 "
          "7003H" },
        { "when nobody can help it stays as it is",
          { "r1", "z1" },
          { { "r1", "z1", INSTANCE_DRAINING }, { "r1", "z2", INSTANCE_UNHEALTHY } },
          "r1/z1 p0 w1 7001D 0H; r1/z2 p1 w1 7002X 0H" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena *arena = arena_new();
        struct instance instances[MAX_INSTANCES];
        struct catalogue_service service = { .name = "tenant",
                                             .revision = 1,
                                             .instances = instances };
        const ProtobufCMessage *message;

        for (size_t j = 0; cases[i].instances[j].region != NULL; j++) {
            add(&service, instances, cases[i].instances[j].region, cases[i].instances[j].zone,
                cases[i].instances[j].health);
        }
        bytes packed = xds_endpoints(arena, "tenant", &service, &cases[i].client);
        assert_status(
            message_decode(arena, &envoy__config__endpoint__v3__cluster_load_assignment__descriptor,
                           packed, &message),
            STATUS_OK);
        const ClusterLoadAssignment *assignment = (const ClusterLoadAssignment *)message;
        assert_string_equal(assignment->cluster_name, "tenant");
        if (strcmp(describe(arena, assignment), cases[i].want) != 0) {
            fail_msg("%s:\n got %s\nwant %s", cases[i].title, describe(arena, assignment),
                     cases[i].want);
        }
        arena_free(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(localities_become_priorities_and_weights),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
