/* tenant_plan - how much of everything a tenant may have.
 *
 * The services that serve a tenant enforce its quotas; here they are only kept.  A quota that a
 * request leaves at 0 becomes its default when the plan is written, so that everyone who reads a
 * tenant sees the number that holds, and a later default changes nobody's plan.
 */

#ifndef SERVICES_TENANT_TENANT_PLAN_H_
#define SERVICES_TENANT_TENANT_PLAN_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/status.h"
#include "weft/tenant/v1/tenant.pb-c.h"

#include <stdint.h>

enum { TENANT_MAX_PLAN_NAME_BYTES = 63 };

/* X(quota, default, the most) as the .proto promises them.  The most is where a quota no longer
 * protects a deployment of one file per service; a larger customer gets a deployment. */
#define TENANT_QUOTAS(X)                \
    X(max_projects, 10, 10000)          \
    X(max_records, 1000000, 1000000000) \
    X(requests_per_minute, 600000, 100000000)

struct tenant_plan {
    const char *name;
#define X(quota, standard, most) int64_t quota;
    TENANT_QUOTAS(X)
#undef X
};

/* The plan of a request, with its defaults; NULL, a plan of nothing but these.  Texts are borrowed.
 * INVALID_ARGUMENT names the quota: "plan.max_projects". */
status tenant_plan_read(struct arena *arena, const Weft__Tenant__V1__Plan *message,
                        struct tenant_plan *ret_plan) NONNULL_ARGS(1, 3);

/* In arena; borrows the texts. */
Weft__Tenant__V1__Plan *tenant_plan_message(struct arena *arena, const struct tenant_plan *plan)
    NONNULL RETURNS_NONNULL;

#endif
