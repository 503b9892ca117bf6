#include "libs/authz/pattern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void a_pattern_grants_what_it_says_and_nothing_else(void **state)
{
    static const struct {
        const char *pattern, *permission;
        bool grants;
    } cases[] = {
        { "project:my-app:data:publish", "project:my-app:data:publish", true },
        { "project:*:data:publish", "project:my-app:data:publish", true },
        { "project:my-app:**", "project:my-app:data:publish", true },
        { "**", "platform:tenants:create", true },
        { "**", "x", true },
        { "project:*", "project:my-app:data:publish", false },
        { "project:*:data:publish", "project:my-app:data:read", false },
        { "project:my", "project:my-app", false },
        { "project:my-app", "project:my", false },
        { "project:my-app:data", "project:my-app:data:publish", false },
        { "project:my-app:data:publish", "project:my-app:data", false },
        { "project:my-app:**", "project:my-app", false },
        { "*", "a:b", false },
        { "a:*", "a:", false },
        { "**", "", false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (pattern_grants(cases[i].pattern, cases[i].permission) != cases[i].grants) {
            fail_msg("'%s' and '%s'", cases[i].pattern, cases[i].permission);
        }
    }
}

static void a_pattern_covers_what_is_narrower(void **state)
{
    (void)state;
    assert_true(pattern_covers("project:*:data:*", "project:my-app:data:*"));
    assert_true(pattern_covers("project:**", "project:*:data:read"));
    assert_true(pattern_covers("**", "**"));
    assert_false(pattern_covers("project:my-app:**", "project:**"));
    assert_false(pattern_covers("project:my-app:data:read", "project:*:data:read"));
    assert_false(pattern_covers("project:*", "project:**"));
}

static void what_is_no_pattern_is_refused(void **state)
{
    static const char *const good[] = { "a", "a:b", "*", "**", "a:*:b:**", "self:read" };
    static const char *const bad[] = { "",       ":",   "a:", ":a",  "a::b",  "**:a",
                                       "a:**:b", "a b", "a*", "{a}", "a:b\n", "***" };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(pattern_is_valid(good[i]));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (pattern_is_valid(bad[i])) {
            fail_msg("'%s'", bad[i]);
        }
    }
}

static void a_pattern_has_limits(void **state)
{
    char long_text[PATTERN_MAX_BYTES + 2];

    (void)state;
    for (int i = 0; i <= PATTERN_MAX_BYTES; i++) {
        long_text[i] = 'a';
    }
    long_text[PATTERN_MAX_BYTES + 1] = '\0';
    assert_false(pattern_is_valid(long_text));
    assert_true(pattern_is_valid(long_text + 1));
    assert_true(pattern_is_valid("1:2:3:4:5:6:7:8:9:10:11:12:13:14:15:16"));
    assert_false(pattern_is_valid("1:2:3:4:5:6:7:8:9:10:11:12:13:14:15:16:17"));
}

static void a_peer_is_meant_by_its_path(void **state)
{
    (void)state;
    assert_true(peer_pattern_matches("*", "tenant"));
    assert_true(peer_pattern_matches("scheduler", "scheduler"));
    assert_true(peer_pattern_matches("agent/*", "agent/host-1"));
    assert_false(peer_pattern_matches("agent/*", "agent/"));
    assert_false(peer_pattern_matches("agent/*", "agent"));
    assert_false(peer_pattern_matches("agent/*", "agents/host-1"));
    assert_false(peer_pattern_matches("scheduler", "scheduler/2"));
    assert_false(peer_pattern_matches("*", ""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pattern_grants_what_it_says_and_nothing_else),
        cmocka_unit_test(a_pattern_covers_what_is_narrower),
        cmocka_unit_test(what_is_no_pattern_is_refused),
        cmocka_unit_test(a_pattern_has_limits),
        cmocka_unit_test(a_peer_is_meant_by_its_path),
    };

    return cmocka_run_group_tests_name("pattern", tests, NULL, NULL);
}
