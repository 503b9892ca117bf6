#include "libs/audit/auditor.h"

#include "libs/audit/outbox.h"
#include "libs/audit/sender.h"
#include "libs/audit/spool.h"

#include <stdlib.h>

struct auditor {
    struct auditor_options options;
    struct audit_sender sender;
    struct spool *spool;
    struct relay *relay;
};

status auditor_open(struct arena *arena, const struct auditor_options *options,
                    struct auditor **ret_auditor)
{
    struct spool *spool;

    if (options->store != NULL) {
        TRY(outbox_migrate(options->store, arena));
    }
    TRY(spool_open(arena,
                   &(struct spool_options){ .files = options->files,
                                            .random = options->random,
                                            .service = options->service },
                   &spool));
    struct auditor *self = calloc(1, sizeof *self);
    if (self == NULL) {
        abort();
    }
    self->options = *options;
    self->spool = spool;
    audit_sender_init(&self->sender, options->peer, options->clock, options->service);
    self->relay = relay_new(&(struct relay_options){
        .store = options->store,
        .spool = spool,
        .sink = &self->sender.sink,
        .clock = options->clock,
        .random = options->random,
        .log = options->log,
    });
    relay_start(self->relay);
    *ret_auditor = self;
    return status_ok();
}

void auditor_close(struct auditor *self)
{
    if (self == NULL) {
        return;
    }
    relay_free(self->relay);
    spool_close(self->spool);
    free(self);
}

status auditor_denied(void *auditor, struct call *call, const struct rpc *rpc, status why)
{
    struct auditor *self = auditor;
    const struct audit_detail details[] = {
        { "code", status_code_name(why.code) },
        { "reason", why.message },
    };
    struct audit_event event =
        audit_event_of(call, self->options.random, "rpc.denied",
                       arena_printf(call->arena, "rpc:%s/%s", rpc->service->name, rpc->method),
                       clock_wall_ms(self->options.clock));

    if (event.tenant_id[0] == '\0') {
        event.tenant_id = PLATFORM_TENANT; /* nobody known: the platform's to look into */
        event.subject = call->peer_id;
    }
    event.outcome = AUDIT_DENIED;
    event.details = details;
    event.n_details = sizeof details / sizeof details[0];
    return spool_append(self->spool, call->arena, SPOOL_DENIAL, &event);
}

void auditor_read_report(struct auditor *self, struct relay_report *ret_report)
{
    relay_read_report(self->relay, ret_report);
}
