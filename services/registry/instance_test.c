#include "services/registry/instance.h"

#include "libs/base/status_details.h"
#include "libs/testing/assert_status.h"

#include <string.h>

static struct instance good(void)
{
    static const char *const capabilities[] = { "ingest.apt", "thumbnail" };

    return (struct instance){
        .service = "tenant",
        .id = "tenant-1.host_a",
        .address = "10.0.0.7",
        .port = 7101,
        .locality = { .region = "r1", .zone = "z1", .sub_zone = "" },
        .spiffe_id = "spiffe://weft/tenant",
        .version = "1.2.3+abc",
        .capabilities = capabilities,
        .n_capabilities = 2,
        .start_time_ms = 1700000000123,
    };
}

static void a_well_formed_instance_is_accepted(void **state)
{
    struct arena *arena = arena_new();
    struct instance instance = good();

    (void)state;
    assert_status(instance_check(arena, &instance), STATUS_OK);
    instance.address = "2001:db8::1";
    instance.version = "";
    instance.locality = (struct locality){ "", "", "" };
    instance.n_capabilities = 0;
    assert_status(instance_check(arena, &instance), STATUS_OK);
    arena_free(arena);
}

static void service_names_are_dns_labels(void **state)
{
    static const char *const valid[] = { "a", "tenant", "search-2" };
    static const char *const invalid[] = { "",
                                           "Tenant",
                                           "2search",
                                           "-a",
                                           "a-",
                                           "a.b",
                                           "a/b",
                                           "a b",
                                           "a_b",
                                           "a123456789012345678901234567890123456789012345678901"
                                           "2345678901234" };

    (void)state;
    for (size_t i = 0; i < sizeof valid / sizeof valid[0]; i++) {
        assert_true(service_name_is_valid(valid[i]));
    }
    for (size_t i = 0; i < sizeof invalid / sizeof invalid[0]; i++) {
        if (service_name_is_valid(invalid[i])) {
            fail_msg("'%s' was accepted", invalid[i]);
        }
    }
}

static char too_long[INSTANCE_MAX_SPIFFE_ID_BYTES + 2];

static void what_is_wrong_is_named_by_its_field(void **state)
{
    static const char *const empty[] = { "" };
    static const struct {
        const char *field;
        struct instance change; /* what is set replaces the good one's */
        bool no_port;
    } cases[] = {
        { "service", { .service = "Tenant" }, false },
        { "instance_id", { .id = "" }, false },
        { "instance_id", { .id = "a b" }, false },
        { "instance_id", { .id = too_long }, false },
        { "version", { .version = "1\n2" }, false },
        { "version", { .version = too_long }, false },
        { "locality.region", { .locality = { "r 1", "", "" } }, false },
        { "locality.zone", { .locality = { "", "z/1", "" } }, false },
        { "locality.sub_zone", { .locality = { "", "", too_long } }, false },
        { "spiffe_id", { .spiffe_id = too_long }, false },
        { "address", { .address = "localhost" }, false },
        { "address", { .address = "10.0.0" }, false },
        { "address", { .address = "0.0.0.0" }, false },
        { "address", { .address = "0:0:0:0:0:0:0:0" }, false },
        { "port", { .service = NULL }, true },
        { "capabilities", { .n_capabilities = INSTANCE_MAX_CAPABILITIES + 1 }, false },
        { "capabilities", { .capabilities = empty, .n_capabilities = 1 }, false },
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
        REPLACE(address);
        REPLACE(capabilities);
        REPLACE(locality.region);
        REPLACE(locality.zone);
        REPLACE(locality.sub_zone);
#undef REPLACE
        instance.port = cases[i].no_port ? 0 : instance.port;
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

static void a_copy_has_its_own_strings_and_one_spelling_of_its_address(void **state)
{
    struct arena *arena = arena_new();
    struct instance instance = good();

    (void)state;
    instance.address = "2001:DB8:0:0::1";
    struct instance copy = instance_copy(arena, &instance);
    assert_string_equal(copy.address, "2001:db8::1");
    assert_string_equal(copy.id, instance.id);
    assert_ptr_not_equal(copy.id, instance.id);
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
        cmocka_unit_test(service_names_are_dns_labels),
        cmocka_unit_test(what_is_wrong_is_named_by_its_field),
        cmocka_unit_test(a_copy_has_its_own_strings_and_one_spelling_of_its_address),
        cmocka_unit_test(only_the_healthy_are_usable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
