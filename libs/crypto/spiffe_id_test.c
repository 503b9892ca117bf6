#include "libs/crypto/spiffe_id.h"

#include "libs/base/text.h"
#include "libs/testing/assert_status.h"

#include <string.h>

static void a_workload_has_a_domain_and_a_path(void **state)
{
    struct spiffe_id id;

    assert_status(spiffe_id_parse(*state, bytes_of("spiffe://weft.example/service/Search_1"), &id),
                  STATUS_OK);
    assert_string_equal(id.text, "spiffe://weft.example/service/Search_1");
    assert_string_equal(id.trust_domain, "weft.example");
    assert_string_equal(id.path, "/service/Search_1");
    assert_true(spiffe_id_names_workload(&id));
}

static void a_trust_domain_has_no_path(void **state)
{
    struct spiffe_id id;

    assert_status(spiffe_id_parse(*state, bytes_of("spiffe://weft"), &id), STATUS_OK);
    assert_string_equal(id.trust_domain, "weft");
    assert_string_equal(id.path, "");
    assert_false(spiffe_id_names_workload(&id));
}

/* The cases are those of SPIFFE's own specification and of its Go library's tests. */
static void well_formed_ids_are_taken(void **state)
{
    static const char *const cases[] = {
        "spiffe://trustdomain/path",
        "spiffe://trustdomain/path/element",
        "spiffe://trust-domain_1.example",
        "spiffe://1.2.3.4/service",
        "spiffe://trustdomain/.path",
        "spiffe://trustdomain/path.",
        "spiffe://trustdomain/...",
        "spiffe://trustdomain/..path/a",
        "spiffe://trustdomain/9eebccd2-12bf-40a6-b262-65fe0487d453",
        "spiffe://..", /* the letter of 2.1 asks for characters, not for DNS labels */
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct spiffe_id id;
        status s = spiffe_id_parse(*state, bytes_of(cases[i]), &id);
        if (!status_is_ok(s)) {
            fail_msg("'%s': %s", cases[i], s.message);
        }
        assert_string_equal(id.text, cases[i]);
    }
}

static void what_is_no_id_is_refused_with_the_reason(void **state)
{
    static const struct {
        const char *text;
        const char *reason;
    } cases[] = {
        { "", "begin with" },
        { "s", "begin with" },
        { "spiffe", "begin with" },
        { "spiffe:/", "begin with" },
        { "Spiffe://trustdomain/path", "begin with" },
        { "SPIFFE://trustdomain/path", "begin with" },
        { "http://trustdomain/path", "begin with" },
        { "//trustdomain/path", "begin with" },
        { " spiffe://trustdomain", "begin with" },
        { "spiffe://", "missing" },
        { "spiffe:///path", "missing" },
        { "spiffe://Trustdomain/path", "missing" },
        { "spiffe://trustDomain/path", "not allowed" },
        { "spiffe://user@trustdomain/path", "not allowed" },
        { "spiffe://trustdomain:80/path", "not allowed" },
        { "spiffe://trust%20domain/path", "not allowed" },
        { "spiffe://xn--\xc3\xa4/path", "not allowed" },
        { "spiffe://[::1]/path", "missing" },
        { "spiffe://trustdomain?query", "not allowed" },
        { "spiffe://trustdomain/path?query", "not allowed" },
        { "spiffe://trustdomain/path#fragment", "not allowed" },
        { "spiffe://trustdomain/pa%74h", "not allowed" },
        { "spiffe://trustdomain/path\n", "not allowed" },
        { "spiffe://trustdomain/p\xc3\xa4th", "not allowed" },
        { "spiffe://trustdomain/a b", "not allowed" },
        { "spiffe://trustdomain/a;b", "not allowed" },
        { "spiffe://trustdomain/'", "not allowed" },
        { "spiffe://trustdomain/", "ends with a slash" },
        { "spiffe://trustdomain/path/", "ends with a slash" },
        { "spiffe://trustdomain//", "is empty" },
        { "spiffe://trustdomain//path", "is empty" },
        { "spiffe://trustdomain/path//element", "is empty" },
        { "spiffe://trustdomain/.", "'.' or '..'" },
        { "spiffe://trustdomain/./path", "'.' or '..'" },
        { "spiffe://trustdomain/path/.", "'.' or '..'" },
        { "spiffe://trustdomain/..", "'.' or '..'" },
        { "spiffe://trustdomain/path/../other", "'.' or '..'" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct spiffe_id id;
        status s = spiffe_id_parse(*state, bytes_of(cases[i].text), &id);
        if (s.code != STATUS_INVALID_ARGUMENT || strstr(s.message, cases[i].reason) == NULL) {
            fail_msg("'%s': got %s (%s), want '%s'", cases[i].text, status_code_name(s.code),
                     s.message, cases[i].reason);
        }
    }
}

static void a_nul_ends_nothing(void **state)
{
    struct spiffe_id id;
    bytes text = { .data = (const uint8_t *)"spiffe://weft/a\0b", .size = 17 };

    assert_status(spiffe_id_parse(*state, text, &id), STATUS_INVALID_ARGUMENT);
    text = (bytes){ .data = (const uint8_t *)"spiffe://weft\0", .size = 14 };
    assert_status(spiffe_id_parse(*state, text, &id), STATUS_INVALID_ARGUMENT);
}

static void of_each_character_the_rules_are_exact(void **state)
{
    static const char both[] = "abcdefghijklmnopqrstuvwxyz0123456789.-_";
    static const char upper[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

    for (int c = 1; c < 256; c++) {
        struct spiffe_id id;
        const char *domain = arena_printf(*state, "spiffe://a%cb", c);
        const char *path = arena_printf(*state, "spiffe://weft/a%cb", c);
        bool of_both = strchr(both, c) != NULL;
        bool slash = c == '/';
        assert_int_equal(status_is_ok(spiffe_id_parse(*state, bytes_of(domain), &id)),
                         of_both || slash);
        assert_int_equal(status_is_ok(spiffe_id_parse(*state, bytes_of(path), &id)),
                         of_both || slash || strchr(upper, c) != NULL);
    }
}

static const char *repeated(struct arena *arena, const char *prefix, char c, size_t n)
{
    struct text text = text_new(arena);

    text_add(&text, "%s", prefix);
    for (size_t i = 0; i < n; i++) {
        text_add(&text, "%c", c);
    }
    return text_string(&text);
}

static void the_limits_are_the_standards(void **state)
{
    const char *domain = repeated(*state, "spiffe://", 'a', 255);
    const char *path = repeated(*state, "spiffe://weft/", 'a', 2048 - 14);
    struct spiffe_id id;

    assert_status(spiffe_id_parse(*state, bytes_of(domain), &id), STATUS_OK);
    assert_status(spiffe_id_parse(*state, bytes_of(path), &id), STATUS_OK);
    domain = repeated(*state, domain, 'a', 1);
    path = repeated(*state, path, 'a', 1);
    assert_status(spiffe_id_parse(*state, bytes_of(domain), &id), STATUS_INVALID_ARGUMENT);
    assert_status(spiffe_id_parse(*state, bytes_of(path), &id), STATUS_INVALID_ARGUMENT);
}

static void what_we_issue_is_lower_case_and_not_cut_in_another_place(void **state)
{
    struct spiffe_id id;

    assert_status(spiffe_id_make(*state, "weft", "/service/search", &id), STATUS_OK);
    assert_string_equal(id.text, "spiffe://weft/service/search");
    assert_status(spiffe_id_make(*state, "weft", "", &id), STATUS_OK);
    assert_status(spiffe_id_make(*state, "weft", "/Service", &id), STATUS_INVALID_ARGUMENT);
    assert_status(spiffe_id_make(*state, "weft/service", "/search", &id), STATUS_INVALID_ARGUMENT);
    assert_status(spiffe_id_make(*state, "weft", "search", &id), STATUS_INVALID_ARGUMENT);
    assert_status(spiffe_id_make(*state, "", "/search", &id), STATUS_INVALID_ARGUMENT);
}

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

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_workload_has_a_domain_and_a_path),
        TEST(a_trust_domain_has_no_path),
        TEST(well_formed_ids_are_taken),
        TEST(what_is_no_id_is_refused_with_the_reason),
        TEST(a_nul_ends_nothing),
        TEST(of_each_character_the_rules_are_exact),
        TEST(the_limits_are_the_standards),
        TEST(what_we_issue_is_lower_case_and_not_cut_in_another_place),
    };

    return cmocka_run_group_tests_name("spiffe_id", tests, NULL, NULL);
}
