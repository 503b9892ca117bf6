#include "services/registry/ads.h"

#include "libs/rpc/message.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/fake_clock.h"
#include "services/registry/catalogue.h"

#include <string.h>

typedef Envoy__Service__Discovery__V3__DiscoveryRequest DiscoveryRequest;
typedef Envoy__Service__Discovery__V3__DiscoveryResponse DiscoveryResponse;

struct fixture {
    struct fake_clock clock;
    struct catalogue *catalogue;
    struct xds_resources *resources;
    struct ads_stream *stream;
    struct arena *arena;
    Envoy__Config__Core__V3__Node *node; /* sent along when not NULL */
};

static void start(struct fixture *f, int64_t settle_ms)
{
    f->resources = xds_resources_new(&(struct xds_resources_options){
        .catalogue = f->catalogue,
        .clock = &f->clock.clock,
        .trust_domain = "weft",
        .settle_ms = settle_ms,
    });
    f->stream = ads_stream_new(f->resources);
}

static void stop(struct fixture *f)
{
    ads_stream_free(f->stream);
    arena_reset(f->arena); /* gives back the resources of responses */
    xds_resources_free(f->resources);
}

static int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){ .arena = arena_new() };
    fake_clock_init(&f.clock, 1700000000000);
    f.catalogue = catalogue_new(&(struct catalogue_options){ .clock = &f.clock.clock });
    start(&f, 0);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    stop(f);
    catalogue_free(f->catalogue);
    arena_free(f->arena);
    return 0;
}

static uint64_t add(struct fixture *f, const char *service, const char *id, uint16_t port)
{
    const struct instance instance = {
        .service = service,
        .id = id,
        .endpoint = { "127.0.0.1", port },
        .locality = { "", "" },
        .spiffe_id = "",
        .version = "",
        .http_address = "",
    };
    uint64_t token = 0;

    assert_status(catalogue_register(f->catalogue, f->arena, &instance, &token), STATUS_OK);
    return token;
}

/* C, E, L, R for the four types, in their order. */
static const char letters[] = "CELR";

static const char *url_of(char letter)
{
    const char *at = strchr(letters, letter);

    return at == NULL ? "type.googleapis.com/envoy.Unknown"
                      : xds_type_url((enum xds_type)(at - letters));
}

/* A request: letter of the type, names with blanks between, nonce, and why it refuses or NULL. */
static status try_ask(struct fixture *f, char letter, const char *names, const char *nonce,
                      const char *error, enum ads_event *ret_event)
{
    DiscoveryRequest request;
    Google__Rpc__Status detail;
    char *list = arena_strdup(f->arena, names);
    char *rest = NULL;

    envoy__service__discovery__v3__discovery_request__init(&request);
    request.node = f->node;
    request.type_url = message_text(url_of(letter));
    request.response_nonce = message_text(nonce);
    request.resource_names = ARENA_NEW_ARRAY(f->arena, char *, strlen(names) + 1);
    for (char *name = strtok_r(list, " ", &rest); name != NULL; name = strtok_r(NULL, " ", &rest)) {
        request.resource_names[request.n_resource_names++] = name;
    }
    if (error != NULL) {
        google__rpc__status__init(&detail);
        detail.code = STATUS_INVALID_ARGUMENT;
        detail.message = message_text(error);
        request.error_detail = &detail;
    }
    return ads_stream_request(f->stream, f->arena, &request, ret_event);
}

static enum ads_event ask(struct fixture *f, char letter, const char *names, const char *nonce,
                          const char *error)
{
    enum ads_event event;

    assert_status(try_ask(f, letter, names, nonce, error, &event), STATUS_OK);
    return event;
}

/* The name is field 1 of all four types, and shorter than 128 bytes here. */
static const char *name_of(struct fixture *f, const Google__Protobuf__Any *any)
{
    assert_true(any->value.len > 2 && any->value.data[0] == 0x0a);
    return arena_printf(f->arena, "%.*s", any->value.data[1], (const char *)&any->value.data[2]);
}

/* Everything that is sent now: "C1 tenant; E2 search tenant": type and nonce, then names. */
static const char *sent(struct fixture *f)
{
    const DiscoveryResponse *response;
    const char *text = "";

    while ((response = ads_stream_next(f->stream, f->arena)) != NULL) {
        enum xds_type type;
        assert_true(xds_type_of_url(response->type_url, &type));
        assert_string_not_equal(response->version_info, "");
        text = arena_printf(f->arena, "%s%s%c%s", text, text[0] == '\0' ? "" : "; ", letters[type],
                            response->nonce);
        for (size_t i = 0; i < response->n_resources; i++) {
            assert_string_equal(response->resources[i]->type_url, response->type_url);
            text = arena_printf(f->arena, "%s %s", text, name_of(f, response->resources[i]));
        }
    }
    return text;
}

/* What a client does that begins at its target. */
static void follow_the_chain(struct fixture *f, const char *name)
{
    assert_int_equal(ask(f, 'L', name, "", NULL), ADS_SUBSCRIBED);
    assert_string_equal(sent(f), arena_printf(f->arena, "L1 %s", name));
    assert_int_equal(ask(f, 'L', name, "1", NULL), ADS_ACCEPTED);
    assert_int_equal(ask(f, 'R', name, "", NULL), ADS_SUBSCRIBED);
    assert_string_equal(sent(f), arena_printf(f->arena, "R2 %s", name));
    assert_int_equal(ask(f, 'R', name, "2", NULL), ADS_ACCEPTED);
    assert_int_equal(ask(f, 'C', name, "", NULL), ADS_SUBSCRIBED);
    assert_string_equal(sent(f), arena_printf(f->arena, "C3 %s", name));
    assert_int_equal(ask(f, 'C', name, "3", NULL), ADS_ACCEPTED);
    assert_int_equal(ask(f, 'E', name, "", NULL), ADS_SUBSCRIBED);
    assert_string_equal(sent(f), arena_printf(f->arena, "E4 %s", name));
    assert_int_equal(ask(f, 'E', name, "4", NULL), ADS_ACCEPTED);
    assert_string_equal(sent(f), "");
}

static enum ads_state state_of(struct fixture *f, enum xds_type type)
{
    struct ads_client client = ads_stream_client(f->stream, f->arena);

    for (size_t i = 0; i < client.n_subscriptions; i++) {
        if (client.subscriptions[i].type == type) {
            return client.subscriptions[i].state;
        }
    }
    fail_msg("no subscription of type %d", (int)type);
    return ADS_STATE_STALE;
}

static void a_client_follows_the_chain_and_acknowledgements_are_silent(void **state)
{
    struct fixture *f = *state;

    (void)add(f, "tenant", "a", 1);
    follow_the_chain(f, "tenant");
    for (unsigned i = 0; i < XDS_N_TYPES; i++) {
        assert_int_equal(state_of(f, (enum xds_type)i), ADS_STATE_SYNCED);
    }
}

static void changed_names_are_answered_though_nothing_else_changed(void **state)
{
    struct fixture *f = *state;

    (void)add(f, "tenant", "a", 1);
    (void)add(f, "search", "a", 2);
    (void)ask(f, 'E', "tenant", "", NULL);
    assert_string_equal(sent(f), "E1 tenant");
    assert_int_equal(ask(f, 'E', "tenant search", "1", NULL), ADS_SUBSCRIBED);
    assert_string_equal(sent(f), "E2 search tenant");
    assert_int_equal(ask(f, 'E', "search", "2", NULL), ADS_SUBSCRIBED);
    assert_string_equal(sent(f), "E3 search");
}

static void order_and_repetition_of_names_are_no_change(void **state)
{
    struct fixture *f = *state;

    (void)ask(f, 'L', "b a b", "", NULL);
    assert_string_equal(sent(f), "L1 a b");
    assert_int_equal(ask(f, 'L', "a b", "1", NULL), ADS_ACCEPTED);
    assert_int_equal(ask(f, 'L', "b b a", "1", NULL), ADS_ACCEPTED);
    assert_string_equal(sent(f), "");
}

static void an_old_nonce_is_dropped_with_its_names(void **state)
{
    struct fixture *f = *state;

    (void)ask(f, 'L', "a", "", NULL);
    assert_string_equal(sent(f), "L1 a");
    assert_int_equal(ask(f, 'L', "a b", "", NULL), ADS_DROPPED);
    assert_int_equal(ask(f, 'L', "a b", "7", NULL), ADS_DROPPED);
    assert_int_equal(ask(f, 'L', "a b", "1x", NULL), ADS_DROPPED);
    assert_string_equal(sent(f), "");
    assert_int_equal(state_of(f, XDS_LISTENER), ADS_STATE_STALE);
    assert_int_equal(ask(f, 'L', "a b", "1", NULL), ADS_SUBSCRIBED);
    assert_string_equal(sent(f), "L2 a b");
    assert_int_equal(ask(f, 'L', "a b", "1", "too late"), ADS_DROPPED);
    assert_int_equal(state_of(f, XDS_LISTENER), ADS_STATE_STALE);
}

static void names_asked_for_before_the_first_answer_add_up(void **state)
{
    struct fixture *f = *state;

    (void)ask(f, 'L', "a", "", NULL);
    assert_int_equal(ask(f, 'L', "a b", "", NULL), ADS_SUBSCRIBED);
    assert_string_equal(sent(f), "L1 a b");
}

static void after_a_reconnection_everything_is_answered_again(void **state)
{
    struct fixture *f = *state;

    (void)add(f, "tenant", "a", 1);
    follow_the_chain(f, "tenant");
    ads_stream_free(f->stream);
    f->stream = ads_stream_new(f->resources);
    /* With its versions, which say nothing, and an empty nonce. */
    (void)ask(f, 'L', "tenant", "", NULL);
    (void)ask(f, 'R', "tenant", "", NULL);
    (void)ask(f, 'C', "tenant", "", NULL);
    (void)ask(f, 'E', "tenant", "", NULL);
    assert_string_equal(sent(f), "C1 tenant; E2 tenant; L3 tenant; R4 tenant");
}

static void a_nonce_of_a_stream_before_this_one_is_a_first_request(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(ask(f, 'L', "a", "17", NULL), ADS_SUBSCRIBED);
    assert_string_equal(sent(f), "L1 a");
}

static void a_refusal_is_kept_and_not_answered_until_something_changes(void **state)
{
    struct fixture *f = *state;

    (void)add(f, "tenant", "a", 1);
    (void)ask(f, 'E', "tenant", "", NULL);
    assert_string_equal(sent(f), "E1 tenant");
    assert_int_equal(ask(f, 'E', "tenant", "1", "no locality"), ADS_REFUSED);
    assert_string_equal(sent(f), "");
    struct ads_client client = ads_stream_client(f->stream, f->arena);
    assert_int_equal(client.subscriptions[0].state, ADS_STATE_NACKED);
    assert_string_equal(client.subscriptions[0].error, "no locality");
    assert_int_equal(client.subscriptions[0].accepted_version, 0);
    (void)add(f, "tenant", "b", 2);
    assert_string_equal(sent(f), "E2 tenant");
    assert_int_equal(ask(f, 'E', "tenant", "2", NULL), ADS_ACCEPTED);
    client = ads_stream_client(f->stream, f->arena);
    assert_int_equal(client.subscriptions[0].state, ADS_STATE_SYNCED);
    assert_string_equal(client.subscriptions[0].error, "");
    assert_int_equal(client.subscriptions[0].accepted_version,
                     client.subscriptions[0].sent_version);
}

static void a_refusal_with_other_names_is_answered(void **state)
{
    struct fixture *f = *state;

    (void)ask(f, 'C', "a", "", NULL);
    assert_string_equal(sent(f), "C1 a");
    assert_int_equal(ask(f, 'C', "a b", "1", "bad"), ADS_REFUSED);
    assert_string_equal(sent(f), "C2 a b");
    assert_int_equal(ask(f, 'C', "a b", "2", "bad"), ADS_REFUSED);
    assert_string_equal(sent(f), "");
}

static void a_long_refusal_is_cut(void **state)
{
    struct fixture *f = *state;
    char error[ADS_MAX_ERROR_BYTES + 100];

    memset(error, 'x', sizeof error - 1);
    error[sizeof error - 1] = '\0';
    (void)ask(f, 'C', "a", "", NULL);
    (void)sent(f);
    (void)ask(f, 'C', "a", "1", error);
    struct ads_client client = ads_stream_client(f->stream, f->arena);
    assert_int_equal(strlen(client.subscriptions[0].error), ADS_MAX_ERROR_BYTES);
}

static void a_change_sends_only_the_endpoints_that_changed(void **state)
{
    struct fixture *f = *state;

    (void)add(f, "tenant", "a", 1);
    (void)add(f, "search", "a", 2);
    (void)ask(f, 'E', "search tenant", "", NULL);
    assert_string_equal(sent(f), "E1 search tenant");
    (void)add(f, "tenant", "b", 3);
    (void)add(f, "audit", "a", 4);
    assert_string_equal(sent(f), "E2 tenant");
    assert_string_equal(sent(f), "");
}

static void a_change_sends_all_clusters_since_one_left_out_is_deleted(void **state)
{
    struct fixture *f = *state;

    (void)ask(f, 'C', "search tenant", "", NULL);
    assert_string_equal(sent(f), "C1 search tenant");
    (void)add(f, "tenant", "a", 1);
    assert_string_equal(sent(f), "C2 search tenant");
}

static void changes_between_two_reads_are_one(void **state)
{
    struct fixture *f = *state;

    (void)ask(f, 'E', "tenant", "", NULL);
    assert_string_equal(sent(f), "E1 tenant");
    for (uint16_t i = 1; i <= 10; i++) {
        (void)add(f, "tenant", arena_printf(f->arena, "i%u", i), i);
    }
    assert_string_equal(sent(f), "E2 tenant");
}

static void what_is_pointed_to_is_sent_before_what_points_there(void **state)
{
    struct fixture *f = *state;

    (void)ask(f, 'L', "tenant", "", NULL);
    (void)ask(f, 'R', "tenant", "", NULL);
    (void)ask(f, 'E', "tenant no-such-service:tenant", "", NULL);
    (void)ask(f, 'C', "tenant", "", NULL);
    assert_string_equal(sent(f), "C1 tenant; E2 no-such-service:tenant tenant; L3 tenant;"
                                 " R4 tenant");
    (void)add(f, "tenant", "a", 1);
    assert_string_equal(sent(f), "C5 tenant; E6 tenant");
}

static void a_service_that_appears_reaches_who_asked_for_it_before(void **state)
{
    struct fixture *f = *state;

    (void)ask(f, 'C', "tenant", "", NULL);
    assert_string_equal(sent(f), "C1 tenant");
    (void)ask(f, 'C', "tenant", "1", NULL);
    (void)ask(f, 'E', "no-such-service:tenant", "", NULL);
    assert_string_equal(sent(f), "E2 no-such-service:tenant");
    (void)ask(f, 'E', "no-such-service:tenant", "2", NULL);
    (void)add(f, "tenant", "a", 1);
    assert_string_equal(sent(f), "C3 tenant");
    (void)ask(f, 'C', "tenant", "3", NULL);
    assert_int_equal(ask(f, 'E', "tenant", "2", NULL), ADS_SUBSCRIBED);
    assert_string_equal(sent(f), "E4 tenant");
}

static void to_unsubscribe_is_not_a_wildcard(void **state)
{
    struct fixture *f = *state;

    (void)add(f, "tenant", "a", 1);
    (void)ask(f, 'C', "tenant", "", NULL);
    assert_string_equal(sent(f), "C1 tenant");
    assert_int_equal(ask(f, 'C', "", "1", NULL), ADS_UNSUBSCRIBED);
    assert_string_equal(sent(f), "");
    (void)add(f, "tenant", "b", 2);
    assert_string_equal(sent(f), "");
    assert_int_equal(ask(f, 'C', "tenant", "1", NULL), ADS_SUBSCRIBED);
    assert_string_equal(sent(f), "C2 tenant");
}

static void a_wildcard_gets_an_empty_answer(void **state)
{
    struct fixture *f = *state;

    (void)add(f, "tenant", "a", 1);
    assert_int_equal(ask(f, 'C', "", "", NULL), ADS_SUBSCRIBED);
    assert_int_equal(ask(f, 'L', "", "", NULL), ADS_SUBSCRIBED);
    assert_int_equal(ask(f, 'E', "", "", NULL), ADS_UNSUBSCRIBED);
    assert_string_equal(sent(f), "C1; L2");
    assert_int_equal(ask(f, 'C', "", "1", NULL), ADS_ACCEPTED);
    assert_string_equal(sent(f), "");
}

static void a_type_we_do_not_serve_is_passed_over(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(ask(f, '?', "a", "", NULL), ADS_UNKNOWN);
    assert_string_equal(sent(f), "");
    assert_int_equal(ads_stream_client(f->stream, f->arena).n_subscriptions, 0);
}

static void while_settling_working_clients_keep_what_they_have(void **state)
{
    struct fixture *f = *state;

    stop(f);
    start(f, 2000);
    assert_status(catalogue_expect(f->catalogue, f->arena, "tenant"), STATUS_OK);
    assert_status(catalogue_expect(f->catalogue, f->arena, "search"), STATUS_OK);
    (void)ask(f, 'L', "search tenant", "", NULL);
    (void)ask(f, 'C', "search tenant", "", NULL);
    (void)ask(f, 'E', "search tenant", "", NULL);
    assert_string_equal(sent(f), "C1 search tenant; L2 search tenant");
    assert_int_equal(state_of(f, XDS_ENDPOINTS), ADS_STATE_STALE);
    (void)add(f, "tenant", "a", 1);
    assert_string_equal(sent(f), "E3 tenant");
    assert_int_equal(ask(f, 'E', "search tenant nobody", "3", NULL), ADS_SUBSCRIBED);
    assert_string_equal(sent(f), "E4 nobody tenant");
    fake_clock_advance_ms(&f->clock, 2000);
    assert_string_equal(sent(f), "E5 search");
}

static void the_node_is_that_of_the_first_request(void **state)
{
    struct fixture *f = *state;
    Envoy__Config__Core__V3__Node node;

    envoy__config__core__v3__node__init(&node);
    node.id = message_text("proxyless~1");
    node.cluster = message_text("search");
    node.user_agent_name = message_text("gRPC C-core linux");
    node.user_agent_version = message_text("C-core 29.0.0");
    f->node = &node;
    (void)ask(f, 'L', "a", "", NULL);
    node.id = message_text("another");
    (void)ask(f, 'R', "a", "", NULL);
    struct ads_client client = ads_stream_client(f->stream, f->arena);
    assert_string_equal(client.node_id, "proxyless~1");
    assert_string_equal(client.cluster, "search");
    assert_string_equal(client.user_agent, "gRPC C-core linux C-core 29.0.0");
    assert_int_equal(client.n_subscriptions, 2);
    assert_string_equal(client.subscriptions[0].names[0], "a");
}

static void a_node_with_a_long_field_ends_the_stream(void **state)
{
    struct fixture *f = *state;
    char text[ADS_MAX_NODE_BYTES + 2];
    Envoy__Config__Core__V3__Node node;
    Envoy__Config__Core__V3__Locality locality;
    enum ads_event event;
    char **const fields[] = {
        &node.id,         &node.cluster, &node.user_agent_name, &node.user_agent_version,
        &locality.region, &locality.zone
    };

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        envoy__config__core__v3__locality__init(&locality);
        envoy__config__core__v3__node__init(&node);
        node.locality = &locality;
        *fields[i] = text;
        f->node = &node;
        assert_status(try_ask(f, 'L', "a", "", NULL, &event), STATUS_INVALID_ARGUMENT);
        ads_stream_free(f->stream);
        f->stream = ads_stream_new(f->resources);
    }
}

static void the_nearest_endpoints_come_first(void **state)
{
    struct fixture *f = *state;
    Envoy__Config__Core__V3__Node node;
    Envoy__Config__Core__V3__Locality locality;

    (void)add(f, "tenant", "a", 1);
    envoy__config__core__v3__locality__init(&locality);
    envoy__config__core__v3__node__init(&node);
    locality.region = message_text("r1");
    node.locality = &locality;
    f->node = &node;
    (void)ask(f, 'E', "tenant", "", NULL);
    const DiscoveryResponse *response = ads_stream_next(f->stream, f->arena);
    struct xds_resource *near =
        xds_resources_get(f->resources, XDS_ENDPOINTS, "tenant", &(struct locality){ "r1", "" });
    assert_ptr_equal(response->resources[0]->value.data, near->encoded.data);
    xds_resource_unref(near);
}

static void too_many_names_end_the_stream(void **state)
{
    struct fixture *f = *state;
    const char *names = "";
    enum ads_event event;

    for (unsigned i = 0; i < ADS_MAX_NAMES; i++) {
        names = arena_printf(f->arena, "%s %u", names, i);
    }
    assert_int_equal(ask(f, 'L', names, "", NULL), ADS_SUBSCRIBED);
    names = arena_printf(f->arena, "%s one-more", names);
    assert_status(try_ask(f, 'L', names, "", NULL, &event), STATUS_RESOURCE_EXHAUSTED);
}

static void too_long_names_end_the_stream_together_and_go_unanswered_alone(void **state)
{
    struct fixture *f = *state;
    char name[ADS_MAX_NAME_BYTES + 2];
    const char *names = "";
    enum ads_event event;

    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    names = arena_printf(f->arena, "a %s", name);
    assert_int_equal(ask(f, 'L', names, "", NULL), ADS_SUBSCRIBED);
    assert_string_equal(sent(f), "L1 a");
    for (unsigned i = 0; i < ADS_MAX_NAMES_BYTES / ADS_MAX_NAME_BYTES; i++) {
        names = arena_printf(f->arena, "%s %s", names, name);
    }
    assert_status(try_ask(f, 'L', names, "1", NULL, &event), STATUS_RESOURCE_EXHAUSTED);
}

static void a_client_obeys_what_it_has_accepted(void **state)
{
    struct fixture *f = *state;

    (void)add(f, "tenant", "a", 1);
    uint64_t before = catalogue_service_revision(f->catalogue, "tenant");
    assert_true(ads_stream_obeys(f->stream, XDS_ENDPOINTS, "tenant", before));
    (void)ask(f, 'E', "tenant", "", NULL);
    assert_false(ads_stream_obeys(f->stream, XDS_ENDPOINTS, "tenant", before));
    assert_string_equal(sent(f), "E1 tenant");
    assert_false(ads_stream_obeys(f->stream, XDS_ENDPOINTS, "tenant", before));
    (void)ask(f, 'E', "tenant", "1", NULL);
    assert_true(ads_stream_obeys(f->stream, XDS_ENDPOINTS, "tenant", before));
    (void)add(f, "tenant", "b", 2);
    uint64_t after = catalogue_service_revision(f->catalogue, "tenant");
    assert_false(ads_stream_obeys(f->stream, XDS_ENDPOINTS, "tenant", after));
    (void)sent(f);
    (void)ask(f, 'E', "tenant", "2", "no");
    assert_false(ads_stream_obeys(f->stream, XDS_ENDPOINTS, "tenant", after));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_client_follows_the_chain_and_acknowledgements_are_silent),
        TEST(changed_names_are_answered_though_nothing_else_changed),
        TEST(order_and_repetition_of_names_are_no_change),
        TEST(an_old_nonce_is_dropped_with_its_names),
        TEST(names_asked_for_before_the_first_answer_add_up),
        TEST(after_a_reconnection_everything_is_answered_again),
        TEST(a_nonce_of_a_stream_before_this_one_is_a_first_request),
        TEST(a_refusal_is_kept_and_not_answered_until_something_changes),
        TEST(a_refusal_with_other_names_is_answered),
        TEST(a_long_refusal_is_cut),
        TEST(a_change_sends_only_the_endpoints_that_changed),
        TEST(a_change_sends_all_clusters_since_one_left_out_is_deleted),
        TEST(changes_between_two_reads_are_one),
        TEST(what_is_pointed_to_is_sent_before_what_points_there),
        TEST(a_service_that_appears_reaches_who_asked_for_it_before),
        TEST(to_unsubscribe_is_not_a_wildcard),
        TEST(a_wildcard_gets_an_empty_answer),
        TEST(a_type_we_do_not_serve_is_passed_over),
        TEST(while_settling_working_clients_keep_what_they_have),
        TEST(the_node_is_that_of_the_first_request),
        TEST(a_node_with_a_long_field_ends_the_stream),
        TEST(the_nearest_endpoints_come_first),
        TEST(too_many_names_end_the_stream),
        TEST(too_long_names_end_the_stream_together_and_go_unanswered_alone),
        TEST(a_client_obeys_what_it_has_accepted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
