#include "services/registry/policy_rules.h"

#include "libs/rpc/message.h"
#include "libs/testing/assert_status.h"

#include <string.h>

static void rules_name_paths_of_spiffe_ids_and_services(void **state)
{
    static const struct {
        const char *source;
        const char *service;
        enum status_code want;
    } cases[] = {
        { "*", "*", STATUS_OK },
        { "tenant", "search", STATUS_OK },
        { "agent/*", "registry", STATUS_OK },
        { "agent/host-1", "registry", STATUS_OK },
        { "a/b/c.d_e", "*", STATUS_OK },
        { "", "*", STATUS_INVALID_ARGUMENT },
        { "/tenant", "*", STATUS_INVALID_ARGUMENT },
        { "tenant/", "*", STATUS_INVALID_ARGUMENT },
        { "a//b", "*", STATUS_INVALID_ARGUMENT },
        { "a/../b", "*", STATUS_INVALID_ARGUMENT },
        { "./b", "*", STATUS_INVALID_ARGUMENT },
        { "*/b", "*", STATUS_INVALID_ARGUMENT },
        { "a*", "*", STATUS_INVALID_ARGUMENT },
        { "Tenant", "*", STATUS_INVALID_ARGUMENT },
        { "spiffe://weft/tenant", "*", STATUS_INVALID_ARGUMENT },
        { "tenant", "", STATUS_INVALID_ARGUMENT },
        { "tenant", "Search", STATUS_INVALID_ARGUMENT },
        { "tenant", "a/b", STATUS_INVALID_ARGUMENT },
    };
    struct arena *arena = arena_new();

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Weft__Registry__V1__PolicyRule rule;
        Weft__Registry__V1__PolicyRule *rules = &rule;
        Weft__Registry__V1__Policy policy;
        weft__registry__v1__policy_rule__init(&rule);
        weft__registry__v1__policy__init(&policy);
        rule.source = message_text(cases[i].source);
        rule.service = message_text(cases[i].service);
        policy.rules = &rules;
        policy.n_rules = 1;
        status s = policy_check(arena, &policy);
        if (s.code != cases[i].want) {
            fail_msg("'%s' to '%s': got %s", cases[i].source, cases[i].service, s.message);
        }
    }
    arena_free(arena);
}

static void a_thousand_rules_are_enough(void **state)
{
    struct arena *arena = arena_new();
    Weft__Registry__V1__PolicyRule rule;
    Weft__Registry__V1__PolicyRule *rules[POLICY_MAX_RULES + 1];
    Weft__Registry__V1__Policy policy;

    (void)state;
    weft__registry__v1__policy_rule__init(&rule);
    rule.source = rule.service = message_text("*");
    for (size_t i = 0; i <= POLICY_MAX_RULES; i++) {
        rules[i] = &rule;
    }
    weft__registry__v1__policy__init(&policy);
    policy.rules = rules;
    policy.n_rules = POLICY_MAX_RULES;
    assert_status(policy_check(arena, &policy), STATUS_OK);
    policy.n_rules++;
    assert_status(policy_check(arena, &policy), STATUS_INVALID_ARGUMENT);
    arena_free(arena);
}

static void a_policy_is_packed_with_its_new_revision(void **state)
{
    struct arena *arena = arena_new();
    Weft__Registry__V1__Policy *policy;

    (void)state;
    assert_status(policy_unpack(arena, policy_open_to_members(arena, 7), &policy), STATUS_OK);
    assert_int_equal(policy->revision, 7);
    assert_int_equal(policy->n_rules, 1);
    assert_string_equal(policy->rules[0]->source, "*");
    assert_string_equal(policy->rules[0]->service, "*");
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_name_paths_of_spiffe_ids_and_services),
        cmocka_unit_test(a_thousand_rules_are_enough),
        cmocka_unit_test(a_policy_is_packed_with_its_new_revision),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
