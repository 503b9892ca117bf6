/* A stream's arrival, and what the server does around its events. */

#include "libs/base/status_details.h"
#include "libs/rpc/grpc_stream.h"
#include "libs/rpc/permission.h"
#include "libs/rpc/server_internal.h"
#include "libs/rpc/wire.h"

#include <stdlib.h>
#include <string.h>

/* Beside a stream, in its arena. */
struct served {
    struct registered *method;
    struct span span;
    int64_t started_us;
    status refused;            /* by admission; told when the first message is there */
    const char *const *fields; /* of the first message, those that the permission names */
    uint64_t epoch;            /* of the guard, when it last said yes */
};

/* AIP-style streams say what they are about once: later messages repeat it or leave it out. */
static status check_unchanged(struct served *self, struct call *call,
                              const ProtobufCMessage *message)
{
    const char *template = self->method->options.permission;
    const char *const *fields = permission_fields(call->arena, template, message);

    for (size_t i = 0; fields[i] != NULL; i++) {
        if (fields[i][0] != '\0' && strcmp(fields[i], self->fields[i]) != 0) {
            return status_bad_field(call->arena, permission_field_name(call->arena, template, i),
                                    "'%s' differs from that of the first message", fields[i]);
        }
    }
    return status_ok();
}

static uint64_t epoch_of(struct guard *guard)
{
    return guard == NULL || guard->ops->epoch == NULL ? 0 : guard->ops->epoch(guard);
}

/* Who was revoked meanwhile, or whose tenant was suspended, gets no further. */
static status check_still_authorised(struct served *self, struct call *call)
{
    struct guard *guard = self->method->server->options.guard;
    uint64_t epoch = epoch_of(guard);

    if (epoch == self->epoch || guard->ops->still_authorised == NULL) {
        return status_ok();
    }
    status s = guard->ops->still_authorised(guard, call, &self->method->rpc);
    if (!status_is_ok(s) && guard->ops->refused != NULL) {
        TRY(guard->ops->refused(guard, call, &self->method->rpc, s));
    }
    TRY(s);
    self->epoch = epoch;
    return status_ok();
}

static status admit(struct call *call, void *data, const ProtobufCMessage *message, bool first)
{
    struct served *self = data;

    if (!first) {
        TRY(check_still_authorised(self, call));
        return message == NULL ? status_ok() : check_unchanged(self, call, message);
    }
    TRY(self->refused);
    self->epoch = epoch_of(self->method->server->options.guard); /* before what it decides by */
    TRY(server_authorise(call, &self->method->rpc, message));
    const char *const *fields =
        permission_fields(call->arena, self->method->options.permission, message);
    size_t n = 0;
    while (fields[n] != NULL) {
        n++;
    }
    const char **kept = ARENA_NEW_ARRAY(call->arena, const char *, n + 1);
    for (size_t i = 0; i < n; i++) {
        kept[i] = arena_strdup(call->arena, fields[i]);
    }
    self->fields = kept;
    return status_ok();
}

static void finished(struct call *call, void *data, status why)
{
    struct served *self = data;

    server_finished(self->method, call, why, self->started_us);
}

void server_stream_arrived(struct slot *slot)
{
    struct registered *method = slot->method;
    struct server *server = method->server;
    struct arena *arena = arena_new();
    struct served *served = ARENA_NEW(arena, struct served);
    struct grpc_stream_options options = {
        .grpc_call = slot->call,
        .events = method->row->events,
        .incoming = method->types->input,
        .thread = method->row->thread,
        .pool = server->stream_pool,
        .waker = server->waker,
        .max_message = server->options.max_message,
        .state = method->object,
        .arena = arena,
        .call = { .arena = arena },
        .admit = admit,
        .finished = finished,
        .data = served,
    };

    served->method = method;
    served->started_us = clock_monotonic_us(server->options.clock);
    served->refused = server_admit(method, &options.call, &served->span, slot);
    stream_unref(grpc_stream_stream(grpc_stream_start(&options)));
}
