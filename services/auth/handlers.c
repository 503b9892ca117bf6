#include "services/auth/handlers.h"

#include "libs/audit/outbox.h"
#include "libs/rpc/message.h"
#include "services/auth/commit.h"
#include "services/auth/grants.h"

#include <assert.h>

struct store *store_of(const struct call *call)
{
    assert(call->thread == HANDLER_WORKER);
    return options_of(call)->store;
}

Google__Protobuf__Timestamp *timestamp_message(struct arena *arena, int64_t ms)
{
    if (ms == 0) {
        return NULL;
    }
    Google__Protobuf__Timestamp *timestamp = ARENA_NEW(arena, Google__Protobuf__Timestamp);
    google__protobuf__timestamp__init(timestamp);
    timestamp->seconds = ms / 1000;
    timestamp->nanos = (int32_t)(ms % 1000) * 1000000;
    return timestamp;
}

/* Memory first refuses, then the world is told. */
static void apply(void *data)
{
    struct change *change = data;
    const struct revocation_record *revocation = change->revocation;

    change->apply(change);
    change->committed_us = clock_monotonic_us(change->options->clock);
    if (revocation != NULL) {
        change->revision = feed_revoke(change->options->feed, revocation->subject,
                                       revocation->epoch_ms, revocation->forget_ms);
    }
}

status commit_audited(struct call *call, struct store_write *write, struct change *change,
                      const char *tenant_id, const char *action, const char *target)
{
    const struct auth_service_options *options = options_of(call);
    struct audit_event event =
        audit_event_of(call, options->random, action, target, clock_wall_ms(options->clock));

    change->options = options;
    event.tenant_id = tenant_id;
    outbox_write(write, &event);
    return commit_and_apply(store_of(call), write, apply, change);
}

Weft__Registry__V1__Receipt *await_receipt(struct call *call, const struct change *change,
                                           int64_t timeout_ms)
{
    struct points_receipt receipt = points_await(options_of(call)->points, call->arena,
                                                 &(struct points_wait){
                                                     .revision = change->revision,
                                                     .since_us = change->committed_us,
                                                     .timeout_ms = timeout_ms,
                                                     .call = call,
                                                 });
    Weft__Registry__V1__Receipt *message = ARENA_NEW(call->arena, Weft__Registry__V1__Receipt);

    weft__registry__v1__receipt__init(message);
    message->revision = receipt.revision;
    message->enforcement_points = (int32_t)receipt.n_points;
    message->acknowledged = (int32_t)receipt.n_obeyed;
    message->elapsed_us = receipt.elapsed_us;
    message->n_fenced = receipt.n_fenced;
    message->fenced = ARENA_NEW_ARRAY(call->arena, char *, receipt.n_fenced);
    for (size_t i = 0; i < receipt.n_fenced; i++) {
        message->fenced[i] = message_text(receipt.fenced[i]);
    }
    return message;
}

status check_may_grant(struct call *call, const struct text_list *gives)
{
    const struct text_list has = { call->principal->permissions, call->principal->n_permissions };

    return grants_check(call->arena, call->principal->subject, &has, gives);
}
