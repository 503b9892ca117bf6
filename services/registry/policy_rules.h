/* policy_rules - a mesh policy as a message: checked, packed, and what a new mesh has. */

#ifndef SERVICES_REGISTRY_POLICY_RULES_H_
#define SERVICES_REGISTRY_POLICY_RULES_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/bytes.h"
#include "libs/base/status.h"
#include "weft/registry/v1/registry.pb-c.h"

#include <stdint.h>

enum { POLICY_MAX_RULES = 1000 }; /* every call is matched against them, in the caller's process */

/* INVALID_ARGUMENT: a rule is not well formed, or there are too many.  A source is "*", the path
 * of a SPIFFE ID ("tenant", "agent/host-1"), or such a beginning and "*" for the rest; a service is
 * "*" or a service's name. */
status policy_check(struct arena *arena, const Weft__Registry__V1__Policy *policy) NONNULL;

/* With another revision than its own. */
bytes policy_pack(struct arena *arena, const Weft__Registry__V1__Policy *policy, uint64_t revision)
    NONNULL;
/* In arena. */
status policy_unpack(struct arena *arena, bytes packed, Weft__Registry__V1__Policy **ret_policy)
    NONNULL;

/* Every member may call every service. */
bytes policy_open_to_members(struct arena *arena, uint64_t revision) NONNULL;

#endif
