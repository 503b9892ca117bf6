#include "services/registry/policy_rules.h"

#include "libs/base/status_details.h"
#include "libs/rpc/decode.h"
#include "libs/rpc/message.h"
#include "services/registry/instance.h"

#include <stdbool.h>
#include <string.h>

typedef Weft__Registry__V1__Policy Policy;
typedef Weft__Registry__V1__PolicyRule PolicyRule;

enum { MAX_SOURCE_BYTES = 255 };

/* Segments of a SPIFFE ID's path, lower case as we issue them; the last may be "*". */
static bool source_is_valid(const char *source)
{
    size_t size = strnlen(source, MAX_SOURCE_BYTES + 1);

    if (size == 0 || size > MAX_SOURCE_BYTES) {
        return false;
    }
    for (const char *at = source;;) {
        size_t segment = strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789._-");
        if (strcmp(at, "*") == 0) {
            return true;
        }
        if (segment == 0 || strncmp(at, "..", segment) == 0) { /* "." and ".." */
            return false;
        }
        if (at[segment] == '\0') {
            return true;
        }
        if (at[segment] != '/') {
            return false;
        }
        at += segment + 1;
    }
}

static status check_rule(struct arena *arena, size_t i, const PolicyRule *rule)
{
    if (!source_is_valid(rule->source)) {
        return status_bad_field(arena, arena_printf(arena, "policy.rules[%zu].source", i),
                                "'%.80s' is no path of a SPIFFE ID", rule->source);
    }
    if (strcmp(rule->service, "*") != 0 && !service_name_is_valid(rule->service)) {
        return status_bad_field(arena, arena_printf(arena, "policy.rules[%zu].service", i),
                                "'%.80s' is no service's name", rule->service);
    }
    return status_ok();
}

status policy_check(struct arena *arena, const Policy *policy)
{
    if (policy->n_rules > POLICY_MAX_RULES) {
        return status_bad_field(arena, "policy.rules", "are %zu; %d are allowed", policy->n_rules,
                                POLICY_MAX_RULES);
    }
    for (size_t i = 0; i < policy->n_rules; i++) {
        TRY(check_rule(arena, i, policy->rules[i]));
    }
    return status_ok();
}

bytes policy_pack(struct arena *arena, const Policy *policy, uint64_t revision)
{
    Policy copy = *policy;

    copy.revision = revision;
    return message_pack(arena, &copy.base);
}

status policy_unpack(struct arena *arena, bytes packed, Policy **ret_policy)
{
    Policy *copy = ARENA_NEW(arena, Policy);
    const ProtobufCMessage *message;

    TRY(message_decode(arena, &weft__registry__v1__policy__descriptor, packed, &message));
    *copy = *(const Policy *)message;
    *ret_policy = copy;
    return status_ok();
}

bytes policy_open_to_members(struct arena *arena, uint64_t revision)
{
    PolicyRule rule;
    PolicyRule *rules = &rule;
    Policy policy;

    weft__registry__v1__policy_rule__init(&rule);
    rule.source = message_text("*");
    rule.service = message_text("*");
    weft__registry__v1__policy__init(&policy);
    policy.rules = &rules;
    policy.n_rules = 1;
    return policy_pack(arena, &policy, revision);
}
