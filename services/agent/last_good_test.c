#include "services/agent/last_good.h"

#include "libs/rpc/message.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/crash_files.h"

typedef Envoy__Service__Discovery__V3__DiscoveryRequest request_type;
typedef Envoy__Service__Discovery__V3__DiscoveryResponse response_type;

#define CLUSTER_TYPE "type.googleapis.com/envoy.config.cluster.v3.Cluster"

struct fixture {
    struct arena *arena;
    struct crash_files files;
    struct last_good *last_good;
};

static int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){ .arena = arena_new() };
    crash_files_init(&f.files);
    f.last_good = last_good_new(&f.files.files);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    last_good_free(f->last_good);
    crash_files_reset(&f->files);
    arena_free(f->arena);
    return 0;
}

/* A resource whose field 1 is the name, as all of ours. */
static void put(struct fixture *f, const char *encoded, size_t size)
{
    Google__Protobuf__Any any, *resources[] = { &any };
    response_type response;

    google__protobuf__any__init(&any);
    any.type_url = message_text(CLUSTER_TYPE);
    any.value = (ProtobufCBinaryData){ size, (uint8_t *)message_text(encoded) };
    envoy__service__discovery__v3__discovery_response__init(&response);
    response.type_url = message_text(CLUSTER_TYPE);
    response.n_resources = 1;
    response.resources = resources;
    last_good_put(f->last_good, &response);
}

static bool ask(struct fixture *f, const char *name, response_type *ret_response)
{
    char *names[] = { message_text(name) };
    request_type request;

    envoy__service__discovery__v3__discovery_request__init(&request);
    request.type_url = message_text(CLUSTER_TYPE);
    request.n_resource_names = 1;
    request.resource_names = names;
    envoy__service__discovery__v3__discovery_response__init(ret_response);
    return last_good_answer(f->last_good, f->arena, &request, ret_response);
}

static void what_was_sent_is_known_by_its_name_and_survives_a_restart(void **state)
{
    struct fixture *f = *state;
    response_type response;

    assert_false(ask(f, "search", &response));
    put(f, "\x0a\x06search\x10\x01", 10);
    assert_true(ask(f, "search", &response));
    assert_false(ask(f, "tenant", &response));
    assert_status(last_good_save(f->last_good, f->arena), STATUS_OK);
    last_good_free(f->last_good);
    crash_files_crash(&f->files);
    f->last_good = last_good_new(&f->files.files);
    assert_true(ask(f, "search", &response));
    assert_int_equal(response.n_resources, 1);
    assert_memory_equal(response.resources[0]->value.data, "\x0a\x06search\x10\x01", 10);
}

static void the_newest_wins(void **state)
{
    struct fixture *f = *state;
    response_type response;

    put(f, "\x0a\x06search\x10\x01", 10);
    put(f, "\x0a\x06search\x10\x02", 10);
    assert_true(ask(f, "search", &response));
    assert_int_equal(response.resources[0]->value.data[9], 2);
}

static void what_has_no_name_is_passed_over(void **state)
{
    struct fixture *f = *state;
    response_type response;

    put(f, "", 0);
    put(f, "\x0a", 1);
    put(f, "\x0a\x7fx", 3);
    put(f, "\x10\x01", 2);
    assert_false(ask(f, "", &response));
    assert_false(ask(f, "x", &response));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_sent_is_known_by_its_name_and_survives_a_restart),
        TEST(the_newest_wins),
        TEST(what_has_no_name_is_passed_over),
    };

    return cmocka_run_group_tests_name("last_good", tests, NULL, NULL);
}
