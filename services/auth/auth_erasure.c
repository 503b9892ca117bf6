#include "services/auth/auth_erasure.h"

#include "libs/audit/outbox.h"
#include "libs/base/text.h"
#include "services/auth/commit.h"

static status tenants(void *data, struct arena *arena, struct eraser_tenants *ret_tenants)
{
    const struct auth_erasure *self = data;
    struct text_list ids;

    TRY(auth_store_list_tenants(self->store, arena, &ids));
    *ret_tenants = (struct eraser_tenants){ ids.texts, ids.n_texts };
    return status_ok();
}

struct removal {
    struct directory *directory;
    const char *tenant_id;
};

static void apply(void *data)
{
    const struct removal *removal = data;

    directory_remove_tenant(removal->directory, removal->tenant_id);
}

/* At most 1,000 accounts of 100 keys and more: too few to ask for an end in the middle. */
static status erase(void *data, struct arena *arena, const char *tenant_id,
                    const _Atomic bool *stopping)
{
    const struct auth_erasure *self = data;
    struct store_write *write = store_write_new(arena);
    struct removal removal = { self->directory, tenant_id };

    (void)stopping;
    auth_store_delete_tenant(write, tenant_id);
    write_audit_by_itself(write, self->random, self->spiffe_id, "tenant.erase",
                          arena_printf(arena, "tenant:%s", tenant_id), clock_wall_ms(self->clock));
    return commit_and_apply(self->store, write, apply, &removal);
}

const struct eraser_ops auth_erasure_ops = { .tenants = tenants, .erase = erase };
