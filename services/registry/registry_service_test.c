#include "services/registry/registry_service.h"

#include "libs/audit/outbox.h"
#include "libs/rpc/message.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/failing_store.h"
#include "libs/testing/fake_clock.h"
#include "libs/testing/loopback_peer.h"
#include "libs/testing/test_call.h"
#include "libs/testing/test_stream.h"
#include "services/registry/registry_store.h"

#include <string.h>

#define PEER_METHODS(X)                                         \
    X(Weft__Registry__V1__, ListInstances, peer_list_instances) \
    X(Weft__Registry__V1__, ListXdsClients, peer_list_clients)  \
    X(Weft__Registry__V1__, GetPolicy, peer_get_policy)         \
    X(Weft__Registry__V1__, UpdatePolicy, peer_update_policy)
PEER_DECLARE(PEER_METHODS);
PEER_DEFINE(weft__registry__v1__registry_service__descriptor, PEER_NO_OPTIONS, PEER_METHODS);

typedef Weft__Registry__V1__Instance Instance;
typedef Weft__Registry__V1__LeaseRequest LeaseRequest;
typedef Weft__Registry__V1__LeaseResponse LeaseResponse;

enum {
    HEALTHY = WEFT__REGISTRY__V1__INSTANCE_STATE__INSTANCE_STATE_HEALTHY,
    DRAINING = WEFT__REGISTRY__V1__INSTANCE_STATE__INSTANCE_STATE_DRAINING,
    POLICY = WEFT__REGISTRY__V1__LEASE_RESPONSE__KIND_POLICY,
    GRANTED = WEFT__REGISTRY__V1__LEASE_RESPONSE__KIND_GRANTED,
    DRAINED = WEFT__REGISTRY__V1__LEASE_RESPONSE__KIND_DRAINED,
};

struct fixture {
    struct fake_clock clock;
    struct failing_store store;
    struct catalogue *catalogue;
    struct xds_resources *resources;
    struct ads_service *ads;
    struct policy_board *board;
    struct leases *leases;
    struct registry_service *service;
    struct loopback_peer loopback;
    struct peer *peer;
    struct call call;
    int n_lost;
    uint64_t enforced; /* revision */
};

static void note_lost(void *object)
{
    struct fixture *f = object;

    f->n_lost++;
}

static void note_policy(void *object, const Weft__Registry__V1__Policy *policy)
{
    struct fixture *f = object;

    f->enforced = policy->revision;
}

static void make_services(struct fixture *f)
{
    f->catalogue = catalogue_new(&(struct catalogue_options){ .clock = &f->clock.clock });
    f->resources = xds_resources_new(&(struct xds_resources_options){
        .catalogue = f->catalogue,
        .clock = &f->clock.clock,
        .trust_domain = "weft",
    });
    f->ads = ads_service_new(&(struct ads_service_options){
        .catalogue = f->catalogue,
        .resources = f->resources,
        .trust_domain = "weft",
    });
    f->board = policy_board_new(&f->clock.clock);
    f->leases = leases_new(&(struct leases_options){
        .catalogue = f->catalogue,
        .ads = f->ads,
        .board = f->board,
        .clock = &f->clock.clock,
        .trust_domain = "weft",
    });
    leases_on_lost(f->leases, note_lost, f);
    ads_service_on_progress(f->ads, leases_progress, f->leases);
    f->service = registry_service_new(&(struct registry_service_options){
        .catalogue = f->catalogue,
        .ads = f->ads,
        .leases = f->leases,
        .board = f->board,
        .store = &f->store.store,
        .clock = &f->clock.clock,
        .enforce = note_policy,
        .enforce_object = f,
    });
}

static int set_up(void **state)
{
    static struct fixture f;
    struct store *store;

    f = (struct fixture){ .call = test_call(), .peer = &f.loopback.peer };
    f.call.peer_id = "spiffe://weft/tenant";
    fake_clock_init(&f.clock, 1700000000000);
    assert_status(store_open(f.call.arena, ":memory:", &store), STATUS_OK);
    assert_status(registry_store_migrate(store, f.call.arena), STATUS_OK);
    assert_status(outbox_migrate(store, f.call.arena), STATUS_OK);
    failing_store_init(&f.store, store);
    make_services(&f);
    assert_status(registry_service_load_policy(f.service, f.call.arena), STATUS_OK);
    loopback_peer_init(&f.loopback, &registry_service_methods, f.service);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    registry_service_free(f->service);
    leases_free(f->leases);
    policy_board_free(f->board);
    ads_service_free(f->ads);
    arena_free(f->call.arena);
    xds_resources_free(f->resources);
    catalogue_free(f->catalogue);
    store_close(&f->store.store);
    return 0;
}

/* ---- Leases ---- */

static Instance *make(struct fixture *f, const char *service, const char *id, const char *address)
{
    Instance *instance = ARENA_NEW(f->call.arena, Instance);

    weft__registry__v1__instance__init(instance);
    instance->service = message_text(service);
    instance->instance_id = message_text(id);
    instance->address = message_text(address);
    instance->state = WEFT__REGISTRY__V1__INSTANCE_STATE__INSTANCE_STATE_HEALTHY;
    instance->version = message_text("1.2");
    instance->spiffe_id = message_text("spiffe://weft/whatever-it-says");
    return instance;
}

static status hold(struct fixture *f, struct test_stream *stream, Instance *instance)
{
    LeaseRequest request;

    test_stream_init(stream, &registry_service_methods, "Lease", f->service, &f->call);
    weft__registry__v1__lease_request__init(&request);
    request.kind_case = WEFT__REGISTRY__V1__LEASE_REQUEST__KIND_REGISTER_INSTANCE;
    request.register_instance = instance;
    return test_stream_message(stream, &request.base);
}

static status beat(struct test_stream *stream, int state)
{
    Weft__Registry__V1__Beat beat_message;
    LeaseRequest request;

    weft__registry__v1__beat__init(&beat_message);
    beat_message.state = (Weft__Registry__V1__InstanceState)state;
    weft__registry__v1__lease_request__init(&request);
    request.kind_case = WEFT__REGISTRY__V1__LEASE_REQUEST__KIND_BEAT;
    request.beat = &beat_message;
    return test_stream_message(stream, &request.base);
}

static status obey(struct test_stream *stream, uint64_t revision)
{
    LeaseRequest request;

    weft__registry__v1__lease_request__init(&request);
    request.kind_case = WEFT__REGISTRY__V1__LEASE_REQUEST__KIND_POLICY_REVISION;
    request.policy_revision = revision;
    return test_stream_message(stream, &request.base);
}

/* 0 when nothing came. */
static unsigned take_kind(struct test_stream *stream, const LeaseResponse **ret_response)
{
    *ret_response = (const LeaseResponse *)test_stream_take(stream);
    return *ret_response == NULL ? 0 : (unsigned)(*ret_response)->kind_case;
}

static size_t n_instances(struct fixture *f)
{
    return catalogue_counts(f->catalogue).instances;
}

static void a_lease_grants_sends_the_policy_and_holds_the_instance(void **state)
{
    struct fixture *f = *state;
    struct test_stream stream;
    const LeaseResponse *response;

    assert_status(hold(f, &stream, make(f, "tenant", "a", "127.0.0.1:7101")), STATUS_OK);
    assert_int_equal(take_kind(&stream, &response), GRANTED);
    assert_true(response->granted->fencing_token > 0);
    assert_int_equal(take_kind(&stream, &response), POLICY);
    assert_int_equal(response->policy->revision, 1);
    assert_string_equal(response->policy->rules[0]->source, "*");
    struct catalogue_service service = catalogue_get(f->catalogue, f->call.arena, "tenant");
    assert_int_equal(service.n_instances, 1);
    assert_string_equal(service.instances[0].spiffe_id, "spiffe://weft/tenant");
    test_stream_close(&stream);
}

static void a_stream_that_ends_well_removes_at_once(void **state)
{
    struct fixture *f = *state;
    struct test_stream stream;

    assert_status(hold(f, &stream, make(f, "tenant", "a", "127.0.0.1:7101")), STATUS_OK);
    assert_status(test_stream_half_close(&stream), STATUS_OK);
    assert_true(stream.ended);
    test_stream_close(&stream);
    assert_int_equal(n_instances(f), 0);
    assert_int_equal(f->n_lost, 0);
}

static void a_stream_that_breaks_loses_the_instance(void **state)
{
    struct fixture *f = *state;
    struct test_stream stream;

    assert_status(hold(f, &stream, make(f, "tenant", "a", "127.0.0.1:7101")), STATUS_OK);
    test_stream_close(&stream);
    assert_int_equal(f->n_lost, 1);
    assert_int_equal(catalogue_counts(f->catalogue).lost, 1);
    fake_clock_advance_ms(&f->clock, 50);
    (void)catalogue_step(f->catalogue);
    assert_int_equal(n_instances(f), 0);
}

static void silence_for_15_seconds_ends_the_lease(void **state)
{
    struct fixture *f = *state;
    struct test_stream stream;

    assert_status(hold(f, &stream, make(f, "tenant", "a", "127.0.0.1:7101")), STATUS_OK);
    fake_clock_advance_ms(&f->clock, LEASE_TIMEOUT_MS);
    assert_status(beat(&stream, HEALTHY), STATUS_OK);
    fake_clock_advance_ms(&f->clock, LEASE_TIMEOUT_MS);
    leases_tick(f->leases);
    assert_status(test_stream_wake(&stream), STATUS_OK);
    fake_clock_advance_ms(&f->clock, 1);
    leases_tick(f->leases);
    assert_status(test_stream_wake(&stream), STATUS_DEADLINE_EXCEEDED);
    test_stream_close(&stream);
    assert_int_equal(f->n_lost, 1);
}

static void a_newer_lease_takes_over(void **state)
{
    struct fixture *f = *state;
    struct test_stream old;
    struct test_stream new;

    assert_status(hold(f, &old, make(f, "tenant", "a", "127.0.0.1:7101")), STATUS_OK);
    assert_status(hold(f, &new, make(f, "tenant", "a", "127.0.0.1:7102")), STATUS_OK);
    assert_status(beat(&old, HEALTHY), STATUS_ABORTED);
    test_stream_close(&old);
    assert_status(beat(&new, HEALTHY), STATUS_OK);
    assert_int_equal(n_instances(f), 1);
    test_stream_close(&new);
}

static void only_the_service_itself_may_register(void **state)
{
    static const char *const others[] = { "", "spiffe://weft/search", "spiffe://weft/tenant/x",
                                          "spiffe://elsewhere/tenant", "tenant" };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct test_stream stream;
        f->call.peer_id = others[i];
        assert_status(hold(f, &stream, make(f, "tenant", "a", "127.0.0.1:7101")),
                      STATUS_PERMISSION_DENIED);
        test_stream_close(&stream);
    }
    assert_int_equal(n_instances(f), 0);
    assert_int_equal(f->n_lost, 0);
}

static void what_is_not_well_formed_is_refused_by_its_field(void **state)
{
    struct fixture *f = *state;
    struct test_stream stream;

    assert_status(hold(f, &stream, make(f, "Tenant", "a", "127.0.0.1:1")), STATUS_INVALID_ARGUMENT);
    test_stream_close(&stream);
    assert_status(hold(f, &stream, make(f, "tenant", "", "127.0.0.1:1")), STATUS_INVALID_ARGUMENT);
    test_stream_close(&stream);
    assert_status(hold(f, &stream, make(f, "tenant", "a", "localhost:1")), STATUS_INVALID_ARGUMENT);
    test_stream_close(&stream);
    Instance *without_state = make(f, "tenant", "a", "127.0.0.1:1");
    without_state->state = WEFT__REGISTRY__V1__INSTANCE_STATE__INSTANCE_STATE_UNSPECIFIED;
    assert_status(hold(f, &stream, without_state), STATUS_INVALID_ARGUMENT);
    test_stream_close(&stream);
}

static void the_first_message_registers_and_no_other(void **state)
{
    struct fixture *f = *state;
    struct test_stream stream;

    test_stream_init(&stream, &registry_service_methods, "Lease", f->service, &f->call);
    assert_status(beat(&stream, HEALTHY), STATUS_INVALID_ARGUMENT);
    test_stream_close(&stream);
    test_stream_init(&stream, &registry_service_methods, "Lease", f->service, &f->call);
    assert_status(obey(&stream, 1), STATUS_INVALID_ARGUMENT);
    test_stream_close(&stream);
    assert_status(hold(f, &stream, make(f, "tenant", "a", "127.0.0.1:7101")), STATUS_OK);
    LeaseRequest request;
    weft__registry__v1__lease_request__init(&request);
    request.kind_case = WEFT__REGISTRY__V1__LEASE_REQUEST__KIND_REGISTER_INSTANCE;
    request.register_instance = make(f, "tenant", "b", "127.0.0.1:7102");
    assert_status(test_stream_message(&stream, &request.base), STATUS_INVALID_ARGUMENT);
    test_stream_close(&stream);
}

/* ---- Draining ---- */

static void ask(struct test_stream *stream, const char *name, const char *nonce)
{
    char *names[] = { message_text(name) };
    Envoy__Service__Discovery__V3__DiscoveryRequest request;

    envoy__service__discovery__v3__discovery_request__init(&request);
    request.type_url = message_text(xds_type_url(XDS_ENDPOINTS));
    request.response_nonce = message_text(nonce);
    request.resource_names = names;
    request.n_resource_names = 1;
    assert_status(test_stream_message(stream, &request.base), STATUS_OK);
}

static const char *take_nonce(struct test_stream *stream)
{
    const Envoy__Service__Discovery__V3__DiscoveryResponse *response =
        (const Envoy__Service__Discovery__V3__DiscoveryResponse *)test_stream_take(stream);

    assert_non_null(response);
    return response->nonce;
}

static void one_that_drains_is_told_when_every_client_knows(void **state)
{
    struct fixture *f = *state;
    struct test_stream lease;
    struct test_stream client;
    const LeaseResponse *response;

    assert_status(hold(f, &lease, make(f, "tenant", "a", "127.0.0.1:7101")), STATUS_OK);
    (void)test_stream_take(&lease);
    (void)test_stream_take(&lease);
    test_stream_init(&client, &ads_service_methods, "StreamAggregatedResources", f->ads, &f->call);
    ask(&client, "tenant", "");
    ask(&client, "tenant", take_nonce(&client));
    assert_status(beat(&lease, DRAINING), STATUS_OK);
    assert_int_equal(take_kind(&lease, &response), 0);
    assert_status(test_stream_wake(&client), STATUS_OK);
    const char *nonce = take_nonce(&client);
    assert_status(test_stream_wake(&lease), STATUS_OK);
    assert_int_equal(take_kind(&lease, &response), 0);
    ask(&client, "tenant", nonce);
    assert_status(test_stream_wake(&lease), STATUS_OK);
    assert_int_equal(take_kind(&lease, &response), DRAINED);
    assert_status(beat(&lease, DRAINING), STATUS_OK);
    assert_int_equal(take_kind(&lease, &response), 0);
    test_stream_close(&client);
    test_stream_close(&lease);
}

static void with_no_clients_it_is_told_at_once(void **state)
{
    struct fixture *f = *state;
    struct test_stream lease;
    const LeaseResponse *response;

    assert_status(hold(f, &lease, make(f, "tenant", "a", "127.0.0.1:7101")), STATUS_OK);
    (void)test_stream_take(&lease);
    (void)test_stream_take(&lease);
    assert_status(beat(&lease, DRAINING), STATUS_OK);
    assert_int_equal(take_kind(&lease, &response), DRAINED);
    test_stream_close(&lease);
}

/* ---- Lists ---- */

static void instances_are_listed_in_pages(void **state)
{
    struct fixture *f = *state;
    struct test_stream streams[3];
    const Weft__Registry__V1__ListInstancesResponse *page;
    Weft__Registry__V1__ListInstancesRequest request;

    assert_status(hold(f, &streams[0], make(f, "tenant", "b", "[::1]:7102")), STATUS_OK);
    assert_status(hold(f, &streams[1], make(f, "tenant", "a", "127.0.0.1:7101")), STATUS_OK);
    f->call.peer_id = "spiffe://weft/search";
    assert_status(hold(f, &streams[2], make(f, "search", "a", "127.0.0.1:7103")), STATUS_OK);
    weft__registry__v1__list_instances_request__init(&request);
    request.page_size = 2;
    assert_status(peer_list_instances(f->peer, &f->call, &request, &page), STATUS_OK);
    assert_int_equal(page->n_instances, 2);
    assert_string_equal(page->instances[0]->service, "search");
    assert_string_equal(page->instances[1]->instance_id, "a");
    assert_string_equal(page->instances[1]->address, "127.0.0.1:7101");
    assert_string_equal(page->next_page_token, "tenant/a");
    request.page_token = page->next_page_token;
    assert_status(peer_list_instances(f->peer, &f->call, &request, &page), STATUS_OK);
    assert_int_equal(page->n_instances, 1);
    assert_string_equal(page->instances[0]->address, "[::1]:7102");
    assert_string_equal(page->instances[0]->version, "1.2");
    assert_int_equal(page->instances[0]->state, HEALTHY);
    assert_string_equal(page->next_page_token, "");
    request.page_token = message_text("");
    request.service = message_text("search");
    assert_status(peer_list_instances(f->peer, &f->call, &request, &page), STATUS_OK);
    assert_int_equal(page->n_instances, 1);
    for (size_t i = 0; i < 3; i++) {
        test_stream_close(&streams[i]);
    }
}

static void lists_refuse_what_did_not_come_from_them(void **state)
{
    static const char *const tokens[] = { "x", "a/", "/b", "a/b/c", "A/b" };
    struct fixture *f = *state;
    const Weft__Registry__V1__ListInstancesResponse *instances;
    const Weft__Registry__V1__ListXdsClientsResponse *clients;
    Weft__Registry__V1__ListInstancesRequest list;
    Weft__Registry__V1__ListXdsClientsRequest list_clients;

    weft__registry__v1__list_instances_request__init(&list);
    weft__registry__v1__list_xds_clients_request__init(&list_clients);
    list.page_size = list_clients.page_size = -1;
    assert_status(peer_list_instances(f->peer, &f->call, &list, &instances),
                  STATUS_INVALID_ARGUMENT);
    assert_status(peer_list_clients(f->peer, &f->call, &list_clients, &clients),
                  STATUS_INVALID_ARGUMENT);
    list.page_size = list_clients.page_size = 0;
    for (size_t i = 0; i < sizeof tokens / sizeof tokens[0]; i++) {
        list.page_token = list_clients.page_token = message_text(tokens[i]);
        assert_status(peer_list_instances(f->peer, &f->call, &list, &instances),
                      STATUS_INVALID_ARGUMENT);
        assert_status(peer_list_clients(f->peer, &f->call, &list_clients, &clients),
                      STATUS_INVALID_ARGUMENT);
    }
}

static void clients_are_listed_with_what_they_accepted(void **state)
{
    struct fixture *f = *state;
    struct test_stream streams[2];
    const Weft__Registry__V1__ListXdsClientsResponse *page;
    Weft__Registry__V1__ListXdsClientsRequest request;

    for (size_t i = 0; i < 2; i++) {
        test_stream_init(&streams[i], &ads_service_methods, "StreamAggregatedResources", f->ads,
                         &f->call);
        ask(&streams[i], "tenant", "");
    }
    ask(&streams[0], "tenant", take_nonce(&streams[0]));
    weft__registry__v1__list_xds_clients_request__init(&request);
    request.page_size = 1;
    assert_status(peer_list_clients(f->peer, &f->call, &request, &page), STATUS_OK);
    assert_int_equal(page->n_clients, 1);
    assert_string_equal(page->clients[0]->spiffe_id, "spiffe://weft/tenant");
    const Weft__Registry__V1__XdsSubscription *subscription = page->clients[0]->subscriptions[0];
    assert_int_equal(subscription->state, WEFT__REGISTRY__V1__XDS_STATE__XDS_STATE_SYNCED);
    assert_string_equal(subscription->type_url, xds_type_url(XDS_ENDPOINTS));
    assert_string_equal(subscription->resource_names[0], "tenant");
    assert_string_equal(subscription->accepted_version, subscription->sent_version);
    request.page_token = page->next_page_token;
    assert_status(peer_list_clients(f->peer, &f->call, &request, &page), STATUS_OK);
    assert_int_equal(page->n_clients, 1);
    assert_int_equal(page->clients[0]->subscriptions[0]->state,
                     WEFT__REGISTRY__V1__XDS_STATE__XDS_STATE_STALE);
    assert_string_equal(page->clients[0]->subscriptions[0]->accepted_version, "");
    assert_string_equal(page->next_page_token, "");
    test_stream_close(&streams[0]);
    test_stream_close(&streams[1]);
}

/* ---- Policy ---- */

static status update(struct fixture *f, uint64_t revision, const char *source, const char *service,
                     const Weft__Registry__V1__UpdatePolicyResponse **ret_response)
{
    Weft__Registry__V1__UpdatePolicyRequest request;
    Weft__Registry__V1__PolicyRule rule;
    Weft__Registry__V1__PolicyRule *rules = &rule;
    Weft__Registry__V1__Policy policy;

    weft__registry__v1__policy_rule__init(&rule);
    rule.source = message_text(source);
    rule.service = message_text(service);
    weft__registry__v1__policy__init(&policy);
    policy.revision = revision;
    policy.rules = &rules;
    policy.n_rules = 1;
    weft__registry__v1__update_policy_request__init(&request);
    request.policy = &policy;
    request.timeout_ms = 1;
    return peer_update_policy(f->peer, &f->call, &request, ret_response);
}

static const Weft__Registry__V1__Policy *policy_now(struct fixture *f)
{
    const Weft__Registry__V1__GetPolicyResponse *response;
    Weft__Registry__V1__GetPolicyRequest request;

    weft__registry__v1__get_policy_request__init(&request);
    assert_status(peer_get_policy(f->peer, &f->call, &request, &response), STATUS_OK);
    return response->policy;
}

static void a_new_policy_goes_down_every_lease_and_the_receipt_says_who_obeys(void **state)
{
    struct fixture *f = *state;
    struct test_stream stream;
    const LeaseResponse *down;
    const Weft__Registry__V1__UpdatePolicyResponse *updated;

    assert_status(hold(f, &stream, make(f, "tenant", "a", "127.0.0.1:7101")), STATUS_OK);
    (void)test_stream_take(&stream);
    (void)test_stream_take(&stream);
    assert_status(update(f, 1, "search", "tenant", &updated), STATUS_OK);
    assert_int_equal(updated->receipt->revision, 2);
    assert_int_equal(updated->receipt->enforcement_points, 1);
    assert_int_equal(updated->receipt->acknowledged, 0);
    assert_string_equal(updated->receipt->fenced[0], "spiffe://weft/tenant a");
    assert_status(test_stream_wake(&stream), STATUS_OK);
    assert_int_equal(take_kind(&stream, &down), POLICY);
    assert_int_equal(down->policy->revision, 2);
    assert_string_equal(down->policy->rules[0]->source, "search");
    assert_status(obey(&stream, 2), STATUS_OK);
    struct catalogue_service service = catalogue_get(f->catalogue, f->call.arena, "tenant");
    assert_int_equal(service.instances[0].policy_revision, 2);
    assert_status(obey(&stream, 3), STATUS_INVALID_ARGUMENT); /* nobody sent it that */
    test_stream_close(&stream);
}

static void a_policy_outlives_the_process(void **state)
{
    struct fixture *f = *state;
    const Weft__Registry__V1__UpdatePolicyResponse *updated;

    assert_status(update(f, 0, "agent/*", "*", &updated), STATUS_OK);
    registry_service_free(f->service);
    leases_free(f->leases);
    policy_board_free(f->board);
    ads_service_free(f->ads);
    xds_resources_free(f->resources);
    catalogue_free(f->catalogue);
    make_services(f);
    assert_status(registry_service_load_policy(f->service, f->call.arena), STATUS_OK);
    loopback_peer_init(&f->loopback, &registry_service_methods, f->service);
    assert_int_equal(policy_now(f)->revision, 2);
    assert_int_equal(f->enforced, 2);
    assert_string_equal(policy_now(f)->rules[0]->source, "agent/*");
}

static void a_policy_that_is_refused_changes_nothing(void **state)
{
    struct fixture *f = *state;
    const Weft__Registry__V1__UpdatePolicyResponse *updated;

    assert_status(update(f, 7, "*", "tenant", &updated), STATUS_ABORTED);
    assert_status(update(f, 1, "/tenant", "tenant", &updated), STATUS_INVALID_ARGUMENT);
    assert_status(update(f, 1, "*", "Tenant", &updated), STATUS_INVALID_ARGUMENT);
    f->store.fail_commit = 1;
    assert_status(update(f, 1, "*", "tenant", &updated), STATUS_UNAVAILABLE);
    f->store.fail_statement = 2; /* its audit event */
    assert_status(update(f, 1, "*", "tenant", &updated), STATUS_UNAVAILABLE);
    assert_int_equal(policy_now(f)->revision, 1);
    assert_status(update(f, 1, "*", "tenant", &updated), STATUS_OK);
    assert_int_equal(policy_now(f)->revision, 2);
}

static void every_rpc_has_a_row(void **state)
{
    (void)state;
    assert_null(service_first_unhandled(&registry_service_methods));
    assert_null(service_first_unhandled(&ads_service_methods));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_lease_grants_sends_the_policy_and_holds_the_instance),
        TEST(a_stream_that_ends_well_removes_at_once),
        TEST(a_stream_that_breaks_loses_the_instance),
        TEST(silence_for_15_seconds_ends_the_lease),
        TEST(a_newer_lease_takes_over),
        TEST(only_the_service_itself_may_register),
        TEST(what_is_not_well_formed_is_refused_by_its_field),
        TEST(the_first_message_registers_and_no_other),
        TEST(one_that_drains_is_told_when_every_client_knows),
        TEST(with_no_clients_it_is_told_at_once),
        TEST(instances_are_listed_in_pages),
        TEST(lists_refuse_what_did_not_come_from_them),
        TEST(clients_are_listed_with_what_they_accepted),
        TEST(a_new_policy_goes_down_every_lease_and_the_receipt_says_who_obeys),
        TEST(a_policy_outlives_the_process),
        TEST(a_policy_that_is_refused_changes_nothing),
        cmocka_unit_test(every_rpc_has_a_row),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
