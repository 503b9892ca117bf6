#include "services/auth/fields.h"

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

static void an_id_is_a_label(void **state)
{
    static const struct {
        const char *id;
        bool good;
    } cases[] = {
        { "abc", true },
        { "a-9", true },
        { "ab", false },
        { "", false },
        { "9ab", false },
        { "-ab", false },
        { "aBc", false },
        { "a_c", false },
        { "a/b/c", false },
        { "abc ", false },
        { "abc\n", false },
        { "a23456789012345678901234567890123456789012345678901234567890123", true },
        { "a234567890123456789012345678901234567890123456789012345678901234", false },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        status s = field_id(*state, "tenant_id", cases[i].id);
        if (status_is_ok(s) != cases[i].good) {
            fail_msg("'%s': %s", cases[i].id, s.message);
        }
    }
}

static void a_key_id_is_as_keys_have_it(void **state)
{
    assert_status(field_key_id(*state, "key_id", "4tm2x09kq7vhd3gy"), STATUS_OK);
    assert_status(field_key_id(*state, "key_id", "4tm2x09kq7vhd3g"), STATUS_INVALID_ARGUMENT);
    assert_status(field_key_id(*state, "key_id", "4tm2x09kq7vhd3gyy"), STATUS_INVALID_ARGUMENT);
    assert_status(field_key_id(*state, "key_id", "4tm2x09kq7vhd3gu"), STATUS_INVALID_ARGUMENT);
}

static void lists_have_their_limits(void **state)
{
    char *many[FIELDS_MAX_PERMISSIONS + 1];
    char long_pattern[256];
    char *twice[] = { message_text("admin"), message_text("admin") };
    char *unknown[] = { message_text("reader") };

    memset(long_pattern, 'a', sizeof long_pattern - 1);
    long_pattern[sizeof long_pattern - 1] = '\0';
    for (size_t i = 0; i <= FIELDS_MAX_PERMISSIONS; i++) {
        many[i] = message_text("a:b");
    }
    assert_status(field_permissions(*state, many, FIELDS_MAX_PERMISSIONS), STATUS_OK);
    assert_status(field_permissions(*state, many, FIELDS_MAX_PERMISSIONS + 1),
                  STATUS_INVALID_ARGUMENT);
    for (size_t i = 0; i < 17; i++) {
        many[i] = long_pattern;
    }
    assert_status(field_permissions(*state, many, 16), STATUS_OK);
    status s = field_permissions(*state, many, 17);
    assert_status(s, STATUS_INVALID_ARGUMENT);
    assert_string_equal(s.details->field.field, "permissions");
    assert_status(field_roles(*state, twice, 1), STATUS_OK);
    assert_status(field_roles(*state, twice, 2), STATUS_INVALID_ARGUMENT);
    assert_status(field_roles(*state, many, FIELDS_MAX_ROLES + 1), STATUS_INVALID_ARGUMENT);
    s = field_roles(*state, unknown, 1);
    assert_string_equal(s.message,
                        "roles 'reader' is not one of admin, publisher, consumer, readonly");
}

static void numbers_have_defaults_and_limits(void **state)
{
    int64_t number = 0;
    size_t limit = 0;

    assert_status(field_timeout(*state, 0, &number), STATUS_OK);
    assert_int_equal(number, 5000);
    assert_status(field_timeout(*state, 60000, &number), STATUS_OK);
    assert_status(field_timeout(*state, 60001, &number), STATUS_INVALID_ARGUMENT);
    assert_status(field_timeout(*state, -1, &number), STATUS_INVALID_ARGUMENT);
    assert_status(field_lifetime(*state, 0, &number), STATUS_OK);
    assert_int_equal(number, 900);
    assert_status(field_lifetime(*state, 3601, &number), STATUS_INVALID_ARGUMENT);
    assert_status(field_lifetime(*state, -1, &number), STATUS_INVALID_ARGUMENT);
    assert_status(field_page_size(*state, 0, &limit), STATUS_OK);
    assert_int_equal(limit, 50);
    assert_status(field_page_size(*state, 5000, &limit), STATUS_OK);
    assert_int_equal(limit, 1000);
    assert_status(field_page_size(*state, -1, &limit), STATUS_INVALID_ARGUMENT);
}

static void a_display_name_has_two_hundred_bytes(void **state)
{
    char name[202] = "";

    memset(name, 'x', sizeof name - 1);
    assert_status(field_display_name(*state, name), STATUS_INVALID_ARGUMENT);
    assert_status(field_display_name(*state, name + 1), STATUS_OK);
}

static void a_job_is_named(void **state)
{
    const char *account;

    assert_status(field_job(*state, "01m7z7tg6skrmzza1x68jd9qx5", 1), STATUS_OK);
    assert_status(field_job(*state, "", 1), STATUS_INVALID_ARGUMENT);
    assert_status(field_job(*state, "a:b", 1), STATUS_INVALID_ARGUMENT);
    assert_status(field_job(*state, "a", 0), STATUS_INVALID_ARGUMENT);
    assert_status(field_subject(*state, "sa:robot", &account), STATUS_OK);
    assert_string_equal(account, "robot");
    assert_status(field_subject(*state, "robot", &account), STATUS_INVALID_ARGUMENT);
    assert_status(field_subject(*state, "sa:", &account), STATUS_INVALID_ARGUMENT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_id_is_a_label),
        TEST(a_key_id_is_as_keys_have_it),
        TEST(lists_have_their_limits),
        TEST(numbers_have_defaults_and_limits),
        TEST(a_display_name_has_two_hundred_bytes),
        TEST(a_job_is_named),
    };

    return cmocka_run_group_tests_name("fields", tests, NULL, NULL);
}
