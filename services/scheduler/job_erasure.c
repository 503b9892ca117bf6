#include "services/scheduler/job_erasure.h"

#include "libs/audit/outbox.h"
#include "libs/base/status_details.h"
#include "libs/base/text.h"
#include "services/scheduler/job_changes.h"
#include "services/scheduler/job_store.h"

#include <stdatomic.h>

enum { BATCH = 256 }; /* jobs of one write, which holds up others' for some milliseconds */

static status tenants(void *data, struct arena *arena, struct eraser_tenants *ret_tenants)
{
    const struct job_erasure *self = data;
    struct job_tenants here;

    TRY(job_store_tenants(self->store, arena, &here));
    *ret_tenants = (struct eraser_tenants){ here.ids, here.n_ids };
    return status_ok();
}

/* ---- An erasure, a batch at a time ---- */

struct erasing {
    const struct job_erasure *self;
    struct arena *arena; /* of the whole; a batch has its own */
    const char *tenant_id;
    const char *after; /* the last job that was cancelled */
};

static status repeat(struct erasing *erasing,
                     status (*step)(struct erasing *erasing, struct arena *batch, bool *ret_more),
                     const _Atomic bool *stopping)
{
    struct arena *batch = arena_new();
    status s = status_ok();

    for (bool more = true; more && status_is_ok(s);) {
        arena_reset(batch);
        s = atomic_load(stopping) ? status_error(batch, STATUS_CANCELLED, "the process ends")
                                  : step(erasing, batch, &more);
    }
    s = status_copy(erasing->arena, s);
    arena_free(batch);
    return s;
}

static status cancel(const struct job_erasure *self, struct arena *arena,
                     const struct job_record *job)
{
    struct job_record now;
    status s = engine_cancel(self->engine, arena, job->tenant_id, job->job_id, NULL, &now);

    /* It has ended meanwhile, and may even be forgotten. */
    return s.code == STATUS_FAILED_PRECONDITION || s.code == STATUS_NOT_FOUND ? status_ok() : s;
}

static status cancel_some(struct erasing *erasing, struct arena *batch, bool *ret_more)
{
    struct job_list list;

    TRY(job_store_open(erasing->self->store, batch, erasing->tenant_id, erasing->after, BATCH,
                       &list));
    for (size_t i = 0; i < list.n_jobs; i++) {
        TRY(cancel(erasing->self, batch, &list.jobs[i]));
    }
    *ret_more = list.more;
    if (list.more) {
        erasing->after = arena_strdup(erasing->arena, list.jobs[list.n_jobs - 1].job_id);
    }
    return status_ok();
}

static status delete_some(struct erasing *erasing, struct arena *batch, bool *ret_more)
{
    const struct job_erasure *self = erasing->self;
    struct store_write *write = store_write_new(batch);

    TRY(job_store_has_ended(self->store, batch, erasing->tenant_id, BATCH, ret_more));
    job_change_erase(write, erasing->tenant_id, BATCH);
    if (!*ret_more) {
        write_audit_by_itself(write, self->random, self->spiffe_id, "tenant.erase",
                              arena_printf(batch, "tenant:%s", erasing->tenant_id),
                              clock_wall_ms(self->clock));
    }
    return store_commit(self->store, batch, write);
}

static status erase(void *data, struct arena *arena, const char *tenant_id,
                    const _Atomic bool *stopping)
{
    struct erasing erasing = { data, arena, tenant_id, "" };

    TRY(repeat(&erasing, cancel_some, stopping));
    return repeat(&erasing, delete_some, stopping);
}

const struct eraser_ops job_erasure_ops = { .tenants = tenants, .erase = erase };
