#include "services/agent/ads_session.h"

#include "libs/base/files.h"
#include "libs/rpc/message.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/crash_files.h"

#include <string.h>

typedef Envoy__Service__Discovery__V3__DiscoveryRequest DiscoveryRequest;
typedef Envoy__Service__Discovery__V3__DiscoveryResponse DiscoveryResponse;

struct fixture {
    struct arena *arena;
    struct crash_files files;
    struct last_good *last_good;
    struct ads_session *session;
};

static int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){ .arena = arena_new() };
    crash_files_init(&f.files);
    f.last_good = last_good_new(&f.files.files);
    f.session = ads_session_new(f.last_good);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    ads_session_free(f->session);
    last_good_free(f->last_good);
    crash_files_reset(&f->files);
    arena_free(f->arena);
    return 0;
}

/* What the client says: a type, names with blanks between, a nonce, and why it refuses or NULL. */
static status say(struct fixture *f, const char *type, const char *names, const char *nonce,
                  const char *error)
{
    DiscoveryRequest request;
    Google__Rpc__Status detail;
    Envoy__Config__Core__V3__Node node;
    char *list = arena_strdup(f->arena, names);
    char *rest = NULL;

    envoy__config__core__v3__node__init(&node);
    node.id = message_text("node-1");
    envoy__service__discovery__v3__discovery_request__init(&request);
    request.node = &node;
    request.type_url = message_text(type);
    request.response_nonce = message_text(nonce);
    request.resource_names = ARENA_NEW_ARRAY(f->arena, char *, strlen(names) + 1);
    for (char *name = strtok_r(list, " ", &rest); name != NULL; name = strtok_r(NULL, " ", &rest)) {
        request.resource_names[request.n_resource_names++] = name;
    }
    if (error != NULL) {
        google__rpc__status__init(&detail);
        detail.code = 3;
        detail.message = message_text(error);
        request.error_detail = &detail;
    }
    return ads_session_request(f->session, f->arena, &request);
}

/* What the registry says: resources of one-letter names, as field 1 of a message, and a content. */
static void answer(struct fixture *f, const char *type, const char *names, const char *version,
                   const char *nonce)
{
    DiscoveryResponse response;

    envoy__service__discovery__v3__discovery_response__init(&response);
    response.type_url = message_text(type);
    response.version_info = message_text(version);
    response.nonce = message_text(nonce);
    response.resources = ARENA_NEW_ARRAY(f->arena, Google__Protobuf__Any *, strlen(names) + 1);
    for (const char *name = names; *name != '\0'; name++) {
        Google__Protobuf__Any *any = ARENA_NEW(f->arena, Google__Protobuf__Any);
        const char *packed = arena_printf(f->arena, "\x0a\x01%c", *name);
        google__protobuf__any__init(any);
        any->type_url = message_text(type);
        any->value = message_data((bytes){ (const uint8_t *)packed, 3 });
        response.resources[response.n_resources++] = any;
    }
    ads_session_response(f->session, &response);
}

/* All that goes to the registry now: "T[names] nonce=.. version=.. error=.. node=..; ..." */
static const char *up(struct fixture *f)
{
    const DiscoveryRequest *request;
    const char *text = "";

    while ((request = ads_session_next_request(f->session, f->arena)) != NULL) {
        text =
            arena_printf(f->arena, "%s%s%s[", text, text[0] != '\0' ? "; " : "", request->type_url);
        for (size_t i = 0; i < request->n_resource_names; i++) {
            text = arena_printf(f->arena, "%s%s%s", text, i > 0 ? " " : "",
                                request->resource_names[i]);
        }
        text = arena_printf(f->arena, "%s] n=%s v=%s%s%s%s", text, request->response_nonce,
                            request->version_info, request->error_detail != NULL ? " e=" : "",
                            request->error_detail != NULL ? request->error_detail->message : "",
                            request->node != NULL ? " node" : "");
    }
    return text;
}

/* All that goes to the client now: "T:ab n=.. v=..; ..." */
static const char *down(struct fixture *f)
{
    const DiscoveryResponse *response;
    const char *text = "";

    while ((response = ads_session_next_response(f->session, f->arena)) != NULL) {
        text = arena_printf(f->arena, "%s%s%s:", text, text[0] != '\0' ? "; " : "",
                            response->type_url);
        for (size_t i = 0; i < response->n_resources; i++) {
            text = arena_printf(f->arena, "%s%c", text, response->resources[i]->value.data[2]);
        }
        text = arena_printf(f->arena, "%s n=%s", text, response->nonce);
    }
    return text;
}

static void a_request_goes_up_a_response_down_and_its_acceptance_up(void **state)
{
    struct fixture *f = *state;

    assert_status(say(f, "L", "a", "", NULL), STATUS_OK);
    assert_string_equal(up(f), ""); /* there is no stream yet */
    ads_session_opened(f->session);
    assert_string_equal(up(f), "L[a] n= v= node");
    assert_string_equal(up(f), "");
    answer(f, "L", "a", "v1", "r1");
    assert_string_equal(down(f), "L:a n=1");
    assert_status(say(f, "L", "a", "1", NULL), STATUS_OK);
    assert_string_equal(up(f), "L[a] n=r1 v=v1");
    assert_status(say(f, "C", "a b", "", NULL), STATUS_OK);
    assert_string_equal(up(f), "C[a b] n= v=");
    answer(f, "C", "ab", "v2", "r2");
    assert_string_equal(down(f), "C:ab n=2");
    assert_status(say(f, "C", "b", "2", NULL), STATUS_OK); /* accepts, and wants less */
    assert_string_equal(up(f), "C[b] n=r2 v=v2");
}

static void a_refusal_is_told_to_the_registry_and_kept_nowhere(void **state)
{
    struct fixture *f = *state;

    ads_session_opened(f->session);
    assert_status(say(f, "L", "a", "", NULL), STATUS_OK);
    (void)up(f);
    answer(f, "L", "a", "v1", "r1");
    (void)down(f);
    assert_status(say(f, "L", "a", "1", "no filters"), STATUS_OK);
    assert_string_equal(up(f), "L[a] n=r1 v= e=no filters");
    ads_session_lost(f->session);
    assert_status(say(f, "L", "a b", "1", NULL), STATUS_OK);
    ads_session_fall_back(f->session);
    assert_string_equal(down(f), "");
}

/* It is sent while the client goes on talking. */
static void a_request_on_its_way_is_not_changed(void **state)
{
    struct fixture *f = *state;

    ads_session_opened(f->session);
    assert_status(say(f, "T", "a b", "", NULL), STATUS_OK);
    const DiscoveryRequest *request = ads_session_next_request(f->session, f->arena);
    assert_non_null(request);
    assert_status(say(f, "T", "c", "", NULL), STATUS_OK);
    assert_string_equal(request->type_url, "T");
    assert_int_equal(request->n_resource_names, 2);
    assert_string_equal(request->resource_names[0], "a");
    assert_string_equal(request->resource_names[1], "b");
    assert_string_equal(up(f), "T[c] n= v=");
}

static void an_old_nonce_is_dropped(void **state)
{
    struct fixture *f = *state;

    ads_session_opened(f->session);
    assert_status(say(f, "L", "a", "", NULL), STATUS_OK);
    (void)up(f);
    answer(f, "L", "a", "v1", "r1");
    (void)down(f);
    answer(f, "L", "a", "v2", "r2");
    assert_string_equal(down(f), "L:a n=2");
    assert_status(say(f, "L", "a b", "1", NULL), STATUS_OK);
    assert_string_equal(up(f), "");
    assert_status(say(f, "L", "a b", "2", NULL), STATUS_OK);
    assert_string_equal(up(f), "L[a b] n=r2 v=v2");
}

static void after_a_loss_all_is_asked_anew_with_versions_and_no_nonce(void **state)
{
    struct fixture *f = *state;

    ads_session_opened(f->session);
    assert_status(say(f, "L", "a", "", NULL), STATUS_OK);
    assert_status(say(f, "C", "b", "", NULL), STATUS_OK);
    (void)up(f);
    answer(f, "L", "a", "v1", "r1");
    (void)down(f);
    assert_status(say(f, "L", "a", "1", NULL), STATUS_OK);
    (void)up(f);
    ads_session_lost(f->session);
    assert_string_equal(up(f), "");
    ads_session_opened(f->session);
    assert_string_equal(up(f), "L[a] n= v=v1 node; C[b] n= v=");
    answer(f, "L", "a", "v1", "r1"); /* another registry's first: the same nonce, another stream */
    assert_string_equal(down(f), "L:a n=2");
    assert_status(say(f, "L", "a", "2", NULL), STATUS_OK);
    assert_string_equal(up(f), "L[a] n=r1 v=v1");
}

static void an_answer_to_a_stream_that_is_gone_carries_no_nonce(void **state)
{
    struct fixture *f = *state;

    ads_session_opened(f->session);
    assert_status(say(f, "L", "a", "", NULL), STATUS_OK);
    (void)up(f);
    answer(f, "L", "a", "v1", "r1");
    (void)down(f);
    ads_session_lost(f->session);
    ads_session_opened(f->session);
    (void)up(f);
    assert_status(say(f, "L", "a", "1", "bad"), STATUS_OK);
    /* r1 would be taken for an answer to something else, and so would the refusal. */
    assert_string_equal(up(f), "L[a] n= v=");
}

static void what_was_accepted_answers_while_the_registry_is_away(void **state)
{
    struct fixture *f = *state;

    ads_session_opened(f->session);
    assert_status(say(f, "C", "a b", "", NULL), STATUS_OK);
    (void)up(f);
    answer(f, "C", "ab", "v1", "r1");
    (void)down(f);
    assert_status(say(f, "C", "a b", "1", NULL), STATUS_OK);
    ads_session_free(f->session);
    f->session = ads_session_new(f->last_good); /* another client, and no registry */
    assert_false(ads_session_owes(f->session));
    assert_status(say(f, "C", "b c", "", NULL), STATUS_OK);
    assert_true(ads_session_owes(f->session));
    ads_session_fall_back(f->session);
    assert_false(ads_session_owes(f->session));
    assert_string_equal(down(f), "C:b n=1");
    assert_status(say(f, "C", "b c", "1", NULL), STATUS_OK);
    assert_string_equal(down(f), "");
    ads_session_fall_back(f->session); /* nothing is due */
    assert_string_equal(down(f), "");
    ads_session_opened(f->session);
    const char *asked = up(f);
    assert_non_null(strstr(asked, "C[b c] n= "));
    answer(f, "C", "bc", "v2", "r1");
    assert_string_equal(down(f), "C:bc n=2");
}

static void what_nobody_knows_stays_due(void **state)
{
    struct fixture *f = *state;

    assert_status(say(f, "C", "x", "", NULL), STATUS_OK);
    ads_session_fall_back(f->session);
    assert_string_equal(down(f), "");
    assert_true(ads_session_owes(f->session));
}

static void a_client_that_does_not_read_stops_the_registry(void **state)
{
    struct fixture *f = *state;

    ads_session_opened(f->session);
    assert_status(say(f, "E", "a", "", NULL), STATUS_OK);
    (void)up(f);
    for (unsigned i = 0; i < ADS_SESSION_MAX_WAITING; i++) {
        assert_true(ads_session_has_room(f->session));
        answer(f, "E", "a", "v", arena_printf(f->arena, "r%u", i));
    }
    assert_false(ads_session_has_room(f->session));
    assert_string_equal(down(f), "E:a n=1; E:a n=2; E:a n=3; E:a n=4; E:a n=5; E:a n=6; E:a n=7;"
                                 " E:a n=8");
    assert_true(ads_session_has_room(f->session));
    assert_status(say(f, "E", "a", "8", NULL), STATUS_OK);
    assert_string_equal(up(f), "E[a] n=r7 v=v");
}

static void a_response_that_nobody_asked_for_is_dropped(void **state)
{
    struct fixture *f = *state;

    ads_session_opened(f->session);
    answer(f, "E", "a", "v", "r1");
    assert_string_equal(down(f), "");
}

static void what_is_too_much_is_refused(void **state)
{
    struct fixture *f = *state;
    char long_name[ADS_SESSION_MAX_BYTES + 2];
    const char *names = "";

    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    assert_status(say(f, "L", long_name, "", NULL), STATUS_RESOURCE_EXHAUSTED);
    for (unsigned i = 0; i < ADS_SESSION_MAX_NAMES; i++) {
        names = arena_printf(f->arena, "%s %u", names, i);
    }
    assert_status(say(f, "L", names, "", NULL), STATUS_OK);
    names = arena_printf(f->arena, "%s more", names);
    assert_status(say(f, "L", names, "", NULL), STATUS_RESOURCE_EXHAUSTED);
    for (unsigned i = 1; i < ADS_SESSION_MAX_TYPES; i++) {
        assert_status(say(f, arena_printf(f->arena, "T%u", i), "a", "", NULL), STATUS_OK);
    }
    assert_status(say(f, "one-more", "a", "", NULL), STATUS_RESOURCE_EXHAUSTED);
}

static void a_node_that_is_too_large_is_refused(void **state)
{
    struct fixture *f = *state;
    char text[ADS_SESSION_MAX_NODE_BYTES + 1];
    Envoy__Config__Core__V3__Node node;
    DiscoveryRequest request;

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    envoy__config__core__v3__node__init(&node);
    node.id = text;
    envoy__service__discovery__v3__discovery_request__init(&request);
    request.node = &node;
    request.type_url = message_text("L");
    assert_status(ads_session_request(f->session, f->arena, &request), STATUS_RESOURCE_EXHAUSTED);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_request_goes_up_a_response_down_and_its_acceptance_up),
        TEST(a_refusal_is_told_to_the_registry_and_kept_nowhere),
        TEST(a_request_on_its_way_is_not_changed),
        TEST(an_old_nonce_is_dropped),
        TEST(after_a_loss_all_is_asked_anew_with_versions_and_no_nonce),
        TEST(an_answer_to_a_stream_that_is_gone_carries_no_nonce),
        TEST(what_was_accepted_answers_while_the_registry_is_away),
        TEST(what_nobody_knows_stays_due),
        TEST(a_client_that_does_not_read_stops_the_registry),
        TEST(a_response_that_nobody_asked_for_is_dropped),
        TEST(what_is_too_much_is_refused),
        TEST(a_node_that_is_too_large_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
