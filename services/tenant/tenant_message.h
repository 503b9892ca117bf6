/* tenant_message - a tenant's row as the .proto has it. */

#ifndef SERVICES_TENANT_TENANT_MESSAGE_H_
#define SERVICES_TENANT_TENANT_MESSAGE_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "services/tenant/tenant_store.h"
#include "weft/tenant/v1/tenant.pb-c.h"

/* In arena; borrows the record's texts. */
Weft__Tenant__V1__Tenant *tenant_message(struct arena *arena, const struct tenant_record *record)
    NONNULL RETURNS_NONNULL;

/* All records of a page; arena's. */
Weft__Tenant__V1__Tenant **tenant_messages(struct arena *arena, const struct tenant_page *page)
    NONNULL RETURNS_NONNULL;

/* Changes with every change. */
const char *tenant_etag(struct arena *arena, const struct tenant_record *record)
    NONNULL RETURNS_NONNULL;

#endif
