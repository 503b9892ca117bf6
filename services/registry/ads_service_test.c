#include "services/registry/ads_service.h"

#include "envoy/service/discovery/v3/ads.pb-c.h"
#include "libs/rpc/message.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/fake_clock.h"
#include "libs/testing/test_call.h"
#include "libs/testing/test_stream.h"

#include <string.h>

typedef Envoy__Service__Discovery__V3__DiscoveryRequest DiscoveryRequest;
typedef Envoy__Service__Discovery__V3__DiscoveryResponse DiscoveryResponse;

struct fixture {
    struct fake_clock clock;
    struct catalogue *catalogue;
    struct xds_resources *resources;
    struct ads_service *service;
    struct call call;
    struct test_stream stream;
    int n_progress;
    uint16_t port;
};

static void note_progress(void *object)
{
    struct fixture *f = object;

    f->n_progress++;
}

static void open_stream(struct fixture *f, struct test_stream *stream)
{
    test_stream_init(stream, &ads_service_methods, "StreamAggregatedResources", f->service,
                     &f->call);
}

static int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){ .call = test_call() };
    f.call.peer_id = "spiffe://weft/agent/host-1";
    fake_clock_init(&f.clock, 1700000000000);
    f.catalogue = catalogue_new(&(struct catalogue_options){ .clock = &f.clock.clock });
    f.resources = xds_resources_new(&(struct xds_resources_options){
        .catalogue = f.catalogue,
        .clock = &f.clock.clock,
        .trust_domain = "weft",
    });
    f.service = ads_service_new(&(struct ads_service_options){
        .catalogue = f.catalogue,
        .resources = f.resources,
        .trust_domain = "weft",
    });
    ads_service_on_progress(f.service, note_progress, &f);
    open_stream(&f, &f.stream);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    test_stream_close(&f->stream);
    ads_service_free(f->service);
    arena_free(f->call.arena);
    xds_resources_free(f->resources);
    catalogue_free(f->catalogue);
    return 0;
}

static void add(struct fixture *f, const char *service)
{
    const struct instance instance = {
        .service = service,
        .id = arena_printf(f->call.arena, "i%u", ++f->port),
        .endpoint = { "127.0.0.1", f->port },
        .locality = { "", "" },
        .spiffe_id = "",
        .version = "",
        .http_address = "",
    };
    uint64_t token;

    assert_status(catalogue_register(f->catalogue, f->call.arena, &instance, &token), STATUS_OK);
}

static status ask(struct test_stream *stream, enum xds_type type, const char *name,
                  const char *nonce)
{
    char *names[] = { message_text(name) };
    Envoy__Config__Core__V3__Node node;
    DiscoveryRequest request;

    envoy__config__core__v3__node__init(&node);
    node.id = message_text("node-1");
    node.cluster = message_text("spiffe://weft/search");
    envoy__service__discovery__v3__discovery_request__init(&request);
    request.node = &node;
    request.type_url = message_text(xds_type_url(type));
    request.response_nonce = message_text(nonce);
    request.resource_names = names;
    request.n_resource_names = 1;
    return test_stream_message(stream, &request.base);
}

static const DiscoveryResponse *take(struct test_stream *stream)
{
    return (const DiscoveryResponse *)test_stream_take(stream);
}

static void a_request_is_answered_and_a_change_is_pushed(void **state)
{
    struct fixture *f = *state;

    assert_status(ask(&f->stream, XDS_ENDPOINTS, "tenant", ""), STATUS_OK);
    const DiscoveryResponse *response = take(&f->stream);
    assert_non_null(response);
    assert_int_equal(response->n_resources, 1);
    assert_status(ask(&f->stream, XDS_ENDPOINTS, "tenant", response->nonce), STATUS_OK);
    assert_null(take(&f->stream));
    add(f, "tenant");
    assert_status(test_stream_wake(&f->stream), STATUS_OK);
    assert_non_null(take(&f->stream));
    add(f, "search");
    assert_status(test_stream_wake(&f->stream), STATUS_OK);
    assert_null(take(&f->stream));
}

static void a_slow_reader_gets_the_newest_state_when_it_reads(void **state)
{
    struct fixture *f = *state;

    assert_status(ask(&f->stream, XDS_ENDPOINTS, "tenant", ""), STATUS_OK);
    (void)take(&f->stream);
    f->stream.is_full = true;
    for (unsigned i = 0; i < 10; i++) {
        add(f, "tenant");
        assert_status(test_stream_wake(&f->stream), STATUS_OK);
    }
    assert_null(take(&f->stream));
    f->stream.is_full = false;
    assert_status(test_stream_writable(&f->stream), STATUS_OK);
    assert_non_null(take(&f->stream));
    assert_null(take(&f->stream));
}

static void who_is_no_member_gets_nothing(void **state)
{
    static const char *const strangers[] = { "", "spiffe://elsewhere/tenant", "tenant" };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof strangers / sizeof strangers[0]; i++) {
        struct test_stream stream;
        f->call.peer_id = strangers[i];
        open_stream(f, &stream);
        assert_status(ask(&stream, XDS_ENDPOINTS, "tenant", ""), STATUS_PERMISSION_DENIED);
        assert_null(take(&stream));
        test_stream_close(&stream);
    }
}

static void what_the_machine_refuses_ends_the_stream(void **state)
{
    struct fixture *f = *state;
    DiscoveryRequest request;
    char *names[ADS_MAX_NAMES + 1];

    for (size_t i = 0; i <= ADS_MAX_NAMES; i++) {
        names[i] = message_text("x");
    }
    envoy__service__discovery__v3__discovery_request__init(&request);
    request.type_url = message_text(xds_type_url(XDS_LISTENER));
    request.resource_names = names;
    request.n_resource_names = ADS_MAX_NAMES + 1;
    assert_status(test_stream_message(&f->stream, &request.base), STATUS_RESOURCE_EXHAUSTED);
}

static void a_client_that_sends_its_last_is_let_go(void **state)
{
    struct fixture *f = *state;

    assert_status(ask(&f->stream, XDS_ENDPOINTS, "tenant", ""), STATUS_OK);
    assert_status(test_stream_half_close(&f->stream), STATUS_OK);
    assert_true(f->stream.ended);
}

static void clients_are_listed_in_pages(void **state)
{
    struct fixture *f = *state;
    struct test_stream others[2];
    const struct ads_listed *clients;

    assert_status(ask(&f->stream, XDS_ENDPOINTS, "tenant", ""), STATUS_OK);
    for (size_t i = 0; i < 2; i++) {
        open_stream(f, &others[i]);
        assert_status(ask(&others[i], XDS_CLUSTER, "search", ""), STATUS_OK);
    }
    assert_int_equal(ads_service_list(f->service, f->call.arena, 0, 2, &clients), 2);
    assert_string_equal(clients[0].spiffe_id, "spiffe://weft/search"); /* by its agent's word */
    assert_string_equal(clients[0].client.node_id, "node-1");
    assert_int_equal(clients[0].client.subscriptions[0].type, XDS_ENDPOINTS);
    uint64_t after = clients[1].serial;
    test_stream_close(&others[0]); /* one that goes between two pages changes nothing else */
    assert_int_equal(ads_service_list(f->service, f->call.arena, after, 2, &clients), 1);
    assert_int_equal(clients[0].client.subscriptions[0].type, XDS_CLUSTER);
    test_stream_close(&others[1]);
}

static void who_is_no_agent_speaks_for_itself(void **state)
{
    struct fixture *f = *state;
    const struct ads_listed *clients;

    f->call.peer_id = "spiffe://weft/cli";
    open_stream(f, &f->stream);
    assert_status(ask(&f->stream, XDS_ENDPOINTS, "tenant", ""), STATUS_OK);
    assert_int_equal(ads_service_list(f->service, f->call.arena, 0, 1, &clients), 1);
    assert_string_equal(clients[0].spiffe_id, "spiffe://weft/cli");
}

static void whoever_has_not_accepted_a_version_is_behind(void **state)
{
    struct fixture *f = *state;

    add(f, "tenant");
    uint64_t version = catalogue_service_revision(f->catalogue, "tenant");
    assert_int_equal(ads_service_n_behind(f->service, XDS_ENDPOINTS, "tenant", version), 0);
    assert_status(ask(&f->stream, XDS_ENDPOINTS, "tenant", ""), STATUS_OK);
    assert_int_equal(ads_service_n_behind(f->service, XDS_ENDPOINTS, "tenant", version), 1);
    assert_int_equal(ads_service_n_behind(f->service, XDS_ENDPOINTS, "search", version), 0);
    int before = f->n_progress;
    assert_status(ask(&f->stream, XDS_ENDPOINTS, "tenant", take(&f->stream)->nonce), STATUS_OK);
    assert_int_equal(ads_service_n_behind(f->service, XDS_ENDPOINTS, "tenant", version), 0);
    assert_true(f->n_progress > before);
}

static void whoever_goes_away_is_not_behind(void **state)
{
    struct fixture *f = *state;

    add(f, "tenant");
    assert_status(ask(&f->stream, XDS_ENDPOINTS, "tenant", ""), STATUS_OK);
    int before = f->n_progress;
    test_stream_close(&f->stream);
    assert_int_equal(ads_service_n_behind(f->service, XDS_ENDPOINTS, "tenant", 1), 0);
    assert_int_equal(f->n_progress, before + 1);
}

static void every_stream_can_be_woken(void **state)
{
    struct fixture *f = *state;

    assert_status(ask(&f->stream, XDS_ENDPOINTS, "tenant", ""), STATUS_OK);
    f->stream.woken = 0;
    ads_service_wake(f->service);
    assert_int_equal(f->stream.woken, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_request_is_answered_and_a_change_is_pushed),
        TEST(a_slow_reader_gets_the_newest_state_when_it_reads),
        TEST(who_is_no_member_gets_nothing),
        TEST(what_the_machine_refuses_ends_the_stream),
        TEST(a_client_that_sends_its_last_is_let_go),
        TEST(clients_are_listed_in_pages),
        TEST(who_is_no_agent_speaks_for_itself),
        TEST(whoever_has_not_accepted_a_version_is_behind),
        TEST(whoever_goes_away_is_not_behind),
        TEST(every_stream_can_be_woken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
