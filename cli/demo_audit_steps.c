/* Steps 6 and 7: what happened, provably; and one call across the services. */

#include "cli/demo.h"
#include "cli/event_proof.h"
#include "cli/traces.h"
#include "libs/base/text.h"
#include "libs/peers/audit_peer.h"

#include <string.h>

enum { EVENTS_SHOWN = 12, TRACED_PACKAGES = 500 };

/* ---- Step 6 ---- */

static status list_events(struct demo *self, const Weft__Audit__V1__ListEventsResponse **ret)
{
    Weft__Audit__V1__ListEventsRequest request;
    struct call call = demo_call(self, self->admin_token);

    weft__audit__v1__list_events_request__init(&request);
    request.tenant_id = message_text(DEMO_TENANT);
    request.page_size = EVENTS_SHOWN;
    TRY(audit_peer_list_events(api_peer(self->invocation, "audit"), &call, &request, ret));
    for (size_t i = 0; i < (*ret)->n_entries; i++) {
        api_show(self->invocation, &(*ret)->entries[i]->base,
                 "index event.time event.action event.outcome event.actor event.target");
    }
    output_end(self->invocation->output);
    return status_ok();
}

static status get_proof(struct demo *self, const char *event_id, struct offline_proof *ret)
{
    const Weft__Audit__V1__GetEventResponse *event;
    Weft__Audit__V1__GetEventRequest request;
    struct call call = demo_call(self, self->admin_token);
    struct peer *audit = api_peer(self->invocation, "audit");

    weft__audit__v1__get_event_request__init(&request);
    request.event_id = message_text(event_id);
    TRY(audit_peer_get_event(audit, &call, &request, &event));
    return event_proof_get(audit, &call, event, bytes_of(self->older_checkpoint), ret);
}

static status verify_and_falsify(struct demo *self, const struct offline_proof *proof)
{
    struct arena *arena = self->invocation->arena;
    const char *folder = home_path(arena, &self->home, "cli/proof");
    const char *copy = home_path(arena, &self->home, "cli/proof-with-a-flipped-byte");
    struct offline_proof flipped = *proof;

    TRY(offline_proof_save(arena, folder, proof));
    status s = offline_proof_verify(arena, folder, self->invocation->output);
    output_end(self->invocation->output);
    demo_check(self, status_is_ok(s), "the files in '%s' alone prove it %s", folder, s.message);
    uint8_t *leaf = arena_alloc(arena, proof->leaf.size + 1);
    memcpy(leaf, proof->leaf.data, proof->leaf.size);
    leaf[proof->leaf.size / 2] ^= 1;
    flipped.leaf.data = leaf;
    TRY(offline_proof_save(arena, copy, &flipped));
    s = offline_proof_verify(arena, copy, self->invocation->output);
    demo_check(self, !status_is_ok(s) && strstr(s.message, "leaf") != NULL,
               "one byte flipped in a copy: %s", s.message);
    return status_ok();
}

status demo_proof(struct demo *self)
{
    const Weft__Audit__V1__ListEventsResponse *events;
    struct offline_proof proof;

    demo_step(self, "what happened, provably");
    TRY(list_events(self, &events));
    demo_check(self, events->n_entries > 0, "the audit log has events of '%s'", DEMO_TENANT);
    if (events->n_entries == 0) {
        return status_ok();
    }
    TRY(get_proof(self, events->entries[0]->event->event_id, &proof));
    return verify_and_falsify(self, &proof);
}

/* ---- Step 7 ---- */

static bool is_in(const struct trace_spans *found, const char *service)
{
    for (size_t i = 0; i < found->n_spans; i++) {
        if (strcmp(found->spans[i].service, service) == 0) {
            return true;
        }
    }
    return false;
}

status demo_trace(struct demo *self)
{
    struct session *session = self->invocation->session;
    const Weft__Scheduler__V1__Job *job = NULL;
    const char *job_id = "";
    struct trace_spans found;

    demo_step(self, "one job across the services");
    session_begin_trace(session, "weft demo");
    const char *trace_id = session_trace_id(session, self->invocation->arena);
    TRY(demo_enqueue(self, self->publisher.token, TRACED_PACKAGES, &job_id));
    TRY(demo_watch(self, job_id, NULL, &job));
    session_end_trace(session);
    traces_collect(session, self->invocation->arena, trace_id, &found);
    trace_tree_show(self->invocation->output, self->invocation->arena, found.spans, found.n_spans);
    demo_check(self, is_in(&found, "scheduler") && is_in(&found, "search"),
               "trace %s goes through scheduler and search; again: ./weft trace %s", trace_id,
               trace_id);
    return status_ok();
}
