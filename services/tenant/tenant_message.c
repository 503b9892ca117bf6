#include "services/tenant/tenant_message.h"

#include "libs/rpc/message.h"

#include <inttypes.h>

static Google__Protobuf__Timestamp *timestamp_message(struct arena *arena, int64_t ms)
{
    Google__Protobuf__Timestamp *timestamp = ARENA_NEW(arena, Google__Protobuf__Timestamp);

    google__protobuf__timestamp__init(timestamp);
    timestamp->seconds = ms / 1000;
    timestamp->nanos = (int32_t)(ms % 1000) * 1000000;
    return timestamp;
}

const char *tenant_etag(struct arena *arena, const struct tenant_record *record)
{
    return arena_printf(arena, "%" PRId64, record->version);
}

Weft__Tenant__V1__Tenant *tenant_message(struct arena *arena, const struct tenant_record *record)
{
    Weft__Tenant__V1__Tenant *tenant = ARENA_NEW(arena, Weft__Tenant__V1__Tenant);

    weft__tenant__v1__tenant__init(tenant);
    tenant->tenant_id = message_text(record->tenant_id);
    tenant->display_name = message_text(record->display_name);
    tenant->etag = message_text(tenant_etag(arena, record));
    tenant->state = (Weft__Tenant__V1__TenantState)record->state;
    tenant->create_time = timestamp_message(arena, record->create_time_ms);
    tenant->plan = tenant_plan_message(arena, &record->plan);
    return tenant;
}

Weft__Tenant__V1__Tenant **tenant_messages(struct arena *arena, const struct tenant_page *page)
{
    Weft__Tenant__V1__Tenant **tenants =
        ARENA_NEW_ARRAY(arena, Weft__Tenant__V1__Tenant *, page->n_records + 1);

    for (size_t i = 0; i < page->n_records; i++) {
        tenants[i] = tenant_message(arena, &page->records[i]);
    }
    return tenants;
}
