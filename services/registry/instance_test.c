#include "services/registry/instance.h"

#include "libs/base/status_details.h"
#include "libs/testing/assert_status.h"

#include <string.h>

static struct instance good(void)
{
    static const char *const capabilities[] = { "ingest.apt", "thumbnail" };

    return (struct instance){
        .service = "tenant",
        .id = "tenant-1",
        .endpoint = { .address = "10.0.0.7", .port = 7101 },
        .locality = { .region = "r1", .zone = "z1" },
        .spiffe_id = "spiffe://weft/tenant",
        .version = "1.2.3+abc",
        .capabilities = capabilities,
        .n_capabilities = 2,
        .start_time_ms = 1700000000123,
        .http_address = "127.0.0.1:9090",
    };
}

static void a_well_formed_instance_is_accepted(void **state)
{
    struct arena *arena = arena_new();
    struct instance instance = good();

    (void)state;
    assert_status(instance_check(arena, &instance), STATUS_OK);
    instance.version = "";
    instance.http_address = "";
    instance.locality = (struct locality){ "", "" };
    instance.n_capabilities = 0;
    assert_status(instance_check(arena, &instance), STATUS_OK);
    arena_free(arena);
}

#define TEN "0123456789"
static const char long_name[] = "a" TEN TEN TEN TEN TEN TEN "123"; /* of 64 characters */

static void names_are_dns_labels(void **state)
{
    static const char *const valid[] = { "a", "tenant", "search-2" };
    static const char *const invalid[] = { "",    "Tenant", "2search", "-a",  "a-",
                                           "a.b", "a/b",    "a b",     "a_b", long_name };

    (void)state;
    for (size_t i = 0; i < sizeof valid / sizeof valid[0]; i++) {
        assert_true(service_name_is_valid(valid[i]));
    }
    for (size_t i = 0; i < sizeof invalid / sizeof invalid[0]; i++) {
        if (service_name_is_valid(invalid[i])) {
            fail_msg("'%s' was accepted", invalid[i]);
        }
    }
    assert_true(instance_id_is_valid("01hgw2n7x5"));
    assert_true(instance_id_is_valid("1"));
    assert_false(instance_id_is_valid("-1"));
    assert_false(instance_id_is_valid("1-"));
}

static char too_long[INSTANCE_MAX_SPIFFE_ID_BYTES + 2];

static void what_is_wrong_is_named_by_its_field(void **state)
{
    static const char *const empty[] = { "" };
    static const struct {
        const char *field;
        struct instance change; /* what is set replaces the good one's */
    } cases[] = {
        { "service", { .service = "Tenant" } },
        { "instance_id", { .id = "" } },
        { "instance_id", { .id = "a b" } },
        { "instance_id", { .id = too_long } },
        { "version", { .version = "1\n2" } },
        { "version", { .version = too_long } },
        { "locality.region", { .locality = { "r 1", NULL } } },
        { "locality.zone", { .locality = { NULL, too_long } } },
        { "spiffe_id", { .spiffe_id = too_long } },
        { "http_address", { .http_address = "localhost:9090" } },
        { "capabilities", { .n_capabilities = INSTANCE_MAX_CAPABILITIES + 1 } },
        { "capabilities", { .capabilities = empty, .n_capabilities = 1 } },
    };
    struct arena *arena = arena_new();

    (void)state;
    memset(too_long, 'x', sizeof too_long - 1);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct instance *change = &cases[i].change;
        struct instance instance = good();
#define REPLACE(field) instance.field = change->field != NULL ? change->field : instance.field
        REPLACE(service);
        REPLACE(id);
        REPLACE(version);
        REPLACE(spiffe_id);
        REPLACE(capabilities);
        REPLACE(locality.region);
        REPLACE(locality.zone);
        REPLACE(http_address);
#undef REPLACE
        instance.n_capabilities =
            change->n_capabilities != 0 ? change->n_capabilities : instance.n_capabilities;
        status s = instance_check(arena, &instance);
        if (s.code != STATUS_INVALID_ARGUMENT || s.details == NULL ||
            strcmp(s.details->field.field, cases[i].field) != 0) {
            fail_msg("case %zu (%s): got %s (%s)", i, cases[i].field, status_code_name(s.code),
                     s.message);
        }
    }
    arena_free(arena);
}

static void an_endpoint_is_an_ip_literal_and_a_port(void **state)
{
    static const struct {
        const char *text;
        const char *address; /* NULL: refused */
        uint16_t port;
    } cases[] = {
        { "127.0.0.1:7443", "127.0.0.1", 7443 },
        { "[::1]:1", "::1", 1 },
        { "[2001:DB8:0:0::1]:65535", "2001:db8::1", 65535 }, /* one spelling for each */
        { "", NULL, 0 },
        { ":", NULL, 0 },
        { "[", NULL, 0 },
        { "[:", NULL, 0 },
        { "[]:1", NULL, 0 },
        { "127.0.0.1", NULL, 0 },
        { "127.0.0.1:", NULL, 0 },
        { "127.0.0.1:0", NULL, 0 },
        { "127.0.0.1:0080", NULL, 0 },
        { "127.0.0.1:65536", NULL, 0 },
        { "127.0.0.1:-1", NULL, 0 },
        { "127.0.0.1:80 ", NULL, 0 },
        { "127.0.0.01:80", NULL, 0 },
        { "localhost:80", NULL, 0 },
        { "::1:80", NULL, 0 },
        { "[127.0.0.1]:80", NULL, 0 },
        { "[::1:80", NULL, 0 },
        { "[::1]80", NULL, 0 },
        { "[::1]x:80", NULL, 0 },
        { "0.0.0.0:80", NULL, 0 },
        { "[::]:80", NULL, 0 },
        { "[1111:2222:3333:4444:5555:6666:7777:8888:9999]:80", NULL, 0 },
    };
    struct arena *arena = arena_new();

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct endpoint endpoint = { .address = NULL };
        status s = endpoint_parse(arena, "address", cases[i].text, &endpoint);
        if (cases[i].address == NULL) {
            if (s.code != STATUS_INVALID_ARGUMENT || endpoint.address != NULL) {
                fail_msg("'%s' was accepted", cases[i].text);
            }
            continue;
        }
        assert_status(s, STATUS_OK);
        assert_string_equal(endpoint.address, cases[i].address);
        assert_int_equal(endpoint.port, cases[i].port);
    }
    arena_free(arena);
}

static void a_copy_has_its_own_strings(void **state)
{
    struct arena *arena = arena_new();
    struct instance instance = good();

    (void)state;
    struct instance copy = instance_copy(arena, &instance);
    assert_string_equal(copy.id, instance.id);
    assert_ptr_not_equal(copy.id, instance.id);
    assert_string_equal(copy.endpoint.address, "10.0.0.7");
    assert_string_equal(copy.capabilities[1], "thumbnail");
    assert_true(locality_equal(&copy.locality, &instance.locality));
    arena_free(arena);
}

static void only_the_healthy_are_usable(void **state)
{
    struct instance instance = good();

    (void)state;
    assert_true(instance_is_usable(&instance));
    instance.health = INSTANCE_DRAINING;
    assert_false(instance_is_usable(&instance));
    assert_string_equal(instance_health_name(instance.health), "DRAINING");
    instance.health = INSTANCE_UNHEALTHY;
    assert_false(instance_is_usable(&instance));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_well_formed_instance_is_accepted),
        cmocka_unit_test(names_are_dns_labels),
        cmocka_unit_test(what_is_wrong_is_named_by_its_field),
        cmocka_unit_test(an_endpoint_is_an_ip_literal_and_a_port),
        cmocka_unit_test(a_copy_has_its_own_strings),
        cmocka_unit_test(only_the_healthy_are_usable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
