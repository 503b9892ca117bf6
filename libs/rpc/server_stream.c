/* A stream's arrival, and what the server does around its events. */

#include "libs/base/status_details.h"
#include "libs/rpc/grpc_stream.h"
#include "libs/rpc/permission.h"
#include "libs/rpc/server_internal.h"
#include "libs/rpc/wire.h"

#include <stdatomic.h>
#include <string.h>

/* Beside a stream, in its arena. */
struct served {
    struct registered *method;
    struct grpc_stream *stream;
    struct span span;
    int64_t started_us;
    status refused;            /* by admission; told when the first message is there */
    const char *const *fields; /* of the first message, those that the permission names */
    _Atomic uint64_t epoch;    /* of the guard, when it last said yes */
    int64_t expire_ms;         /* when the credential ends; 0 never */
    bool is_over;              /* like the next two under the server's lock */
    struct served *next, **link;
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

/* Whether the guard, who said yes, might say no now. */
static bool is_doubtful(const struct served *self, uint64_t epoch, int64_t now_ms)
{
    return atomic_load(&self->epoch) != epoch ||
           (self->expire_ms != 0 && now_ms >= self->expire_ms);
}

/* Who was revoked meanwhile, whose tenant was suspended, or whose token has ended, gets no
 * further. */
static status check(struct call *call, void *data)
{
    struct served *self = data;
    const struct server *server = self->method->server;
    struct guard *guard = server->options.guard;
    uint64_t epoch = epoch_of(guard); /* before what it decides by */

    TRY(self->refused);
    if (!is_doubtful(self, epoch, clock_wall_ms(server->options.clock)) ||
        guard->ops->still_authorised == NULL) {
        return status_ok();
    }
    status s = guard->ops->still_authorised(guard, call, &self->method->rpc);
    if (!status_is_ok(s) && guard->ops->refused != NULL) {
        TRY(guard->ops->refused(guard, call, &self->method->rpc, s));
    }
    TRY(s);
    atomic_store(&self->epoch, epoch);
    return status_ok();
}

static status admit(struct call *call, void *data, const ProtobufCMessage *message, bool first)
{
    struct served *self = data;

    if (!first) {
        return check_unchanged(self, call, message);
    }
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

/* ---- The list of those that run ---- */

/* Holds a ref of the stream, which may be over already. */
static void add_to_list(struct served *self)
{
    struct server *server = self->method->server;

    pthread_mutex_lock(&server->streams_lock);
    if (!self->is_over) {
        self->next = server->streams;
        self->link = &server->streams;
        if (self->next != NULL) {
            self->next->link = &self->next;
        }
        server->streams = self;
    }
    pthread_mutex_unlock(&server->streams_lock);
}

static void remove_from_list(struct served *self)
{
    struct server *server = self->method->server;

    pthread_mutex_lock(&server->streams_lock);
    self->is_over = true;
    if (self->link != NULL) {
        *self->link = self->next;
        if (self->next != NULL) {
            self->next->link = self->link;
        }
    }
    pthread_mutex_unlock(&server->streams_lock);
}

void server_check_streams(struct server *self)
{
    uint64_t epoch = epoch_of(self->options.guard);
    int64_t now_ms = clock_wall_ms(self->options.clock);

    pthread_mutex_lock(&self->streams_lock);
    for (const struct served *served = self->streams; served != NULL; served = served->next) {
        if (is_doubtful(served, epoch, now_ms)) {
            grpc_stream_check(served->stream);
        }
    }
    pthread_mutex_unlock(&self->streams_lock);
}

/* ---- Arrival and end ---- */

static void finished(struct call *call, void *data, status why)
{
    struct served *self = data;

    remove_from_list(self);
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
        .check = check,
        .admit = admit,
        .finished = finished,
        .data = served,
    };

    served->method = method;
    served->started_us = clock_monotonic_us(server->options.clock);
    atomic_init(&served->epoch, epoch_of(server->options.guard)); /* before what it decides by */
    served->refused = server_admit(method, &options.call, &served->span, slot);
    served->expire_ms = options.call.principal->expire_ms;
    served->stream = grpc_stream_start(&options);
    add_to_list(served);
    stream_unref(grpc_stream_stream(served->stream));
}
