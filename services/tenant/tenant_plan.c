#include "services/tenant/tenant_plan.h"

#include "libs/base/status_details.h"
#include "libs/rpc/message.h"

#include <inttypes.h>
#include <string.h>

struct range {
    const char *field;
    int64_t standard;
    int64_t most;
};

static status read_quota(struct arena *arena, struct range range, int64_t wanted,
                         int64_t *ret_number)
{
    if (wanted < 0 || wanted > range.most) {
        return status_bad_field(arena, range.field, "%" PRId64 " is not from 0 to %" PRId64, wanted,
                                range.most);
    }
    *ret_number = wanted != 0 ? wanted : range.standard;
    return status_ok();
}

status tenant_plan_read(struct arena *arena, const Weft__Tenant__V1__Plan *message,
                        struct tenant_plan *ret_plan)
{
    Weft__Tenant__V1__Plan nothing_said;
    struct tenant_plan plan;

    if (message == NULL) {
        weft__tenant__v1__plan__init(&nothing_said);
        message = &nothing_said;
    }
    if (strlen(message->name) > TENANT_MAX_PLAN_NAME_BYTES) {
        return status_bad_field(arena, "plan.name", "is longer than %d bytes",
                                TENANT_MAX_PLAN_NAME_BYTES);
    }
    plan.name = message->name;
#define X(quota, standard, most)                                                            \
    TRY(read_quota(arena, (struct range){ "plan." #quota, standard, most }, message->quota, \
                   &plan.quota));
    TENANT_QUOTAS(X)
#undef X
    *ret_plan = plan;
    return status_ok();
}

Weft__Tenant__V1__Plan *tenant_plan_message(struct arena *arena, const struct tenant_plan *plan)
{
    Weft__Tenant__V1__Plan *message = ARENA_NEW(arena, Weft__Tenant__V1__Plan);

    weft__tenant__v1__plan__init(message);
    message->name = message_text(plan->name);
#define X(quota, standard, most) message->quota = plan->quota;
    TENANT_QUOTAS(X)
#undef X
    return message;
}
