/* After a crash: what the last process left. */

#include "services/scheduler/engine_internal.h"

#include <stdlib.h>
#include <string.h>

enum { PAGE = 256 }; /* running jobs read at once: 16 MiB of the largest payloads */

static status recover_counts(struct engine *self, struct arena *arena)
{
    struct job_count_list list;

    TRY(job_store_count_open(self->options.store, arena, &list));
    for (size_t i = 0; i < list.n_counts; i++) {
        struct open_jobs *open = calloc(1, sizeof *open);
        if (open == NULL) {
            abort();
        }
        open->n_jobs = list.counts[i].n_jobs;
        free(map_put(&self->tenants, list.counts[i].tenant_id, open));
    }
    return status_ok();
}

/* A job that ran when the last process died: its worker has one lease to come back. */
static status adopt(struct engine *self, struct arena *arena, const struct job_record *record)
{
    struct lane *lane = dispatcher_lane(self->dispatcher, record->tenant_id, record->capability);

    if (lane == NULL) {
        return status_error(arena, STATUS_RESOURCE_EXHAUSTED,
                            "jobs of more lanes run than fit into memory");
    }
    struct job *job = dispatcher_adopt(self->dispatcher, lane, record, NULL);
    (void)map_put(&self->running, job->job_id, job);
    job->orphan_due_ms = engine_now_ms(self) + self->options.lease_ms;
    engine_arm(self, job);
    return status_ok();
}

static status recover_running(struct engine *self, struct arena *result_arena)
{
    struct job_list list = { .more = true };
    char tenant_id[JOB_MAX_NAME_BYTES * 2] = "";
    char job_id[JOB_MAX_NAME_BYTES * 2] = "";
    status s = status_ok();

    while (status_is_ok(s) && list.more) {
        struct arena *arena = arena_new(); /* one page at a time */
        s = job_store_running(self->options.store, arena, tenant_id, job_id, PAGE, &list);
        for (size_t i = 0; status_is_ok(s) && i < list.n_jobs; i++) {
            s = adopt(self, result_arena, &list.jobs[i]);
            (void)strncpy(tenant_id, list.jobs[i].tenant_id, sizeof tenant_id - 1);
            (void)strncpy(job_id, list.jobs[i].job_id, sizeof job_id - 1);
        }
        if (!status_is_ok(s)) { /* its message may live in the page's arena */
            s = status_error(result_arena, s.code, "%s", s.message);
        }
        arena_free(arena);
    }
    return s;
}

status engine_recover(struct engine *self, struct arena *arena)
{
    TRY(recover_counts(self, arena));
    TRY(recover_running(self, arena));
    TRY(lanes_find(self, arena));
    return job_store_next_due(self->options.store, arena, &self->next_due_ms);
}
