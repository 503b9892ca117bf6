#include "services/tenant/tenant_plan.h"

#include "libs/base/status_details.h"
#include "libs/rpc/message.h"
#include "libs/testing/assert_status.h"

#include <string.h>

static int set_up(void **state)
{
    *state = arena_new();
    return 0;
}

static int tear_down(void **state)
{
    arena_free(*state);
    return 0;
}

static void a_quota_that_is_not_said_is_the_default(void **state)
{
    Weft__Tenant__V1__Plan message;
    struct tenant_plan plan;

    assert_status(tenant_plan_read(*state, NULL, &plan), STATUS_OK);
    assert_string_equal(plan.name, "");
    assert_int_equal(plan.max_projects, 10);
    assert_int_equal(plan.max_records, 1000000);
    assert_int_equal(plan.requests_per_minute, 600000);
    weft__tenant__v1__plan__init(&message);
    message.name = message_text("team");
    message.max_projects = 3;
    assert_status(tenant_plan_read(*state, &message, &plan), STATUS_OK);
    assert_string_equal(plan.name, "team");
    assert_int_equal(plan.max_projects, 3);
    assert_int_equal(plan.max_records, 1000000);
}

static void each_quota_has_a_range(void **state)
{
    static const struct {
        Weft__Tenant__V1__Plan plan;
        const char *field; /* NULL: it is good */
    } cases[] = {
        { .plan = { .max_projects = 10000 } },
        { .plan = { .max_projects = 10001 }, .field = "plan.max_projects" },
        { .plan = { .max_projects = -1 }, .field = "plan.max_projects" },
        { .plan = { .max_records = 1000000000 } },
        { .plan = { .max_records = 1000000001 }, .field = "plan.max_records" },
        { .plan = { .max_records = INT64_MIN }, .field = "plan.max_records" },
        { .plan = { .requests_per_minute = 100000000 } },
        { .plan = { .requests_per_minute = 100000001 }, .field = "plan.requests_per_minute" },
        { .plan = { .requests_per_minute = INT64_MAX }, .field = "plan.requests_per_minute" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Weft__Tenant__V1__Plan message = cases[i].plan;
        struct tenant_plan plan;
        message.name = message_text("");
        status s = tenant_plan_read(*state, &message, &plan);
        if (cases[i].field == NULL) {
            assert_status(s, STATUS_OK);
            continue;
        }
        assert_status(s, STATUS_INVALID_ARGUMENT);
        assert_string_equal(s.details->field.field, cases[i].field);
    }
}

static void a_name_has_a_length(void **state)
{
    char name[TENANT_MAX_PLAN_NAME_BYTES + 2];
    Weft__Tenant__V1__Plan message;
    struct tenant_plan plan;

    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    weft__tenant__v1__plan__init(&message);
    message.name = name;
    status s = tenant_plan_read(*state, &message, &plan);
    assert_status(s, STATUS_INVALID_ARGUMENT);
    assert_string_equal(s.message, "plan.name is longer than 63 bytes");
    name[sizeof name - 2] = '\0';
    assert_status(tenant_plan_read(*state, &message, &plan), STATUS_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_quota_that_is_not_said_is_the_default),
        TEST(each_quota_has_a_range),
        TEST(a_name_has_a_length),
    };

    return cmocka_run_group_tests_name("tenant_plan", tests, NULL, NULL);
}
