#include "tests/isolation/world.h"

#include "libs/rpc/decode.h"
#include "libs/rpc/message.h"
#include "libs/rpc/method_options.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/test_stream.h"

#include <string.h>

static const char *const everything[] = { "**" };

const struct principal world_acme = {
    .tenant_id = "acme",
    .subject = "sa:acme-robot",
    .credential = CREDENTIAL_TOKEN,
    .permissions = everything,
    .n_permissions = 1,
};
const struct principal world_bravo = {
    .tenant_id = "bravo",
    .subject = "sa:bravo-robot",
    .credential = CREDENTIAL_TOKEN,
    .permissions = everything,
    .n_permissions = 1,
};
const struct principal world_platform = {
    .tenant_id = PLATFORM_TENANT,
    .subject = "sa:administrator",
    .credential = CREDENTIAL_TOKEN,
    .permissions = everything,
    .n_permissions = 1,
};

/* ---- Life ---- */

/* Both tenants are active and have no limits. */
static void tell_guard(struct world *self)
{
    struct snapshot *snapshot = guard_authz_snapshot(self->guard);
    Weft__Auth__V1__TenantState states[2], *tenants[] = { &states[0], &states[1] };
    static const char *const names[] = { "acme", "bravo" };
    Weft__Auth__V1__Snapshot change;

    for (size_t i = 0; i < 2; i++) {
        weft__auth__v1__tenant_state__init(&states[i]);
        states[i].tenant_id = message_text(names[i]);
        states[i].standing = WEFT__AUTH__V1__TENANT_STANDING__TENANT_STANDING_ACTIVE;
    }
    weft__auth__v1__snapshot__init(&change);
    change.revision = 1;
    change.whole = true;
    change.n_tenants = 2;
    change.tenants = tenants;
    assert_status(snapshot_apply(snapshot, self->arena, &change), STATUS_OK);
    snapshot_beat(snapshot);
}

void world_init(struct world *self)
{
    *self = (struct world){ .arena = arena_new() };
    fake_clock_init(&self->clock, 1700000000000);
    seeded_random_init(&self->random, 1);
    self->guard = guard_authz_new(&(struct guard_authz_options){
        .service = "all", .trust_domain = "weft.local", .clock = &self->clock.clock });
    tell_guard(self);
    world_add_tenant(self);
    world_add_auth(self);
    world_add_search(self);
    world_add_scheduler(self);
    world_add_audit(self);
    world_add_registry(self);
}

/* The services are freed with the arena, each after those that were added later. */
void world_reset(struct world *self)
{
    arena_free(self->arena);
    guard_authz_free(self->guard);
}

void world_add(struct world *self, const struct world_service *service)
{
    assert_true(self->n_services < sizeof self->services / sizeof self->services[0]);
    self->services[self->n_services++] = *service;
}

void world_add_id(struct world *self, const char *field, const char *acme, const char *bravo)
{
    assert_true(self->ids.n < sizeof self->ids.ids / sizeof self->ids.ids[0]);
    self->ids.ids[self->ids.n++] = (struct request_id){
        .field = field,
        .acme = arena_strdup(self->arena, acme),
        .bravo = arena_strdup(self->arena, bravo),
    };
}

/* ---- Calls ---- */

/* As the server does it. */
static status check(struct call *call, const struct rpc *rpc, const ProtobufCMessage *request)
{
    struct world *self = call->check_data;
    struct guard *guard = guard_authz_guard(self->guard);

    return guard->ops->authorise(guard, call, rpc, request);
}

static const struct world_service *service_of(const struct world *self, const char *name)
{
    for (size_t i = 0; i < self->n_services; i++) {
        if (strcmp(self->services[i].service->descriptor->name, name) == 0) {
            return &self->services[i];
        }
    }
    fail_msg("no service '%s'", name);
    return NULL;
}

static void settle(const struct world_service *service)
{
    if (service->settle != NULL) {
        service->settle(service->data);
    }
}

static struct world_answer ask_unary(const struct world_service *service, struct call *call,
                                     const ProtobufCMethodDescriptor *types,
                                     const ProtobufCMessage *request)
{
    struct world_answer answer = { .n_messages = 0 };
    bytes response;

    call->service = service->object;
    answer.result = service_handle(service->service, call, types->name,
                                   message_pack(call->arena, request), &response);
    settle(service);
    if (status_is_ok(answer.result)) {
        answer.messages = ARENA_NEW_ARRAY(call->arena, const ProtobufCMessage *, 1);
        answer.n_messages = 1;
        assert_status(message_decode(call->arena, types->output, response, &answer.messages[0]),
                      STATUS_OK);
    }
    return answer;
}

/* The stream ends with the error of any event. */
static struct world_answer ask_stream(const struct world_service *service, struct call *call,
                                      const char *method, const ProtobufCMessage *const *requests,
                                      size_t n_requests)
{
    struct test_stream *stream = ARENA_NEW(call->arena, struct test_stream);
    struct world_answer answer = { .n_messages = 0 };

    test_stream_init(stream, service->service, method, service->object, call);
    for (size_t i = 0; i < n_requests && !stream->ended && !stream->held; i++) {
        (void)test_stream_message(stream, requests[i]);
        settle(service);
        (void)test_stream_wake(stream);
    }
    if (!stream->ended && !stream->held && stream->opened) {
        (void)test_stream_half_close(stream);
        (void)test_stream_wake(stream);
    }
    answer.messages = ARENA_NEW_ARRAY(call->arena, const ProtobufCMessage *, stream->n);
    const ProtobufCMessage *message;
    while ((message = test_stream_take(stream)) != NULL) {
        answer.messages[answer.n_messages++] = message;
    }
    answer.result = stream->result;
    test_stream_close(stream);
    settle(service);
    return answer;
}

struct world_answer world_ask(struct world *self, const struct world_caller *caller,
                              const char *service, const char *method,
                              const ProtobufCMessage *const *requests, size_t n_requests)
{
    const struct world_service *to = service_of(self, service);
    const ProtobufCMethodDescriptor *types =
        protobuf_c_service_descriptor_get_method_by_name(to->service->descriptor, method);
    const struct method *row = service_method(to->service, method);
    struct method_options *options = ARENA_NEW(self->arena, struct method_options);
    struct call call = call_of_process(self->arena);

    assert_non_null(types);
    assert_non_null(row);
    assert_status(method_options_read(self->arena, to->descriptors, service, method, options),
                  STATUS_OK);
    call.principal = caller->principal;
    call.peer_id = caller->peer_id;
    call.options = options;
    call.check = check;
    call.check_data = self;
    return row->events != NULL ? ask_stream(to, &call, method, requests, n_requests)
                               : ask_unary(to, &call, types, requests[0]);
}

const ProtobufCMessage *world_must(struct world *self, const struct principal *principal,
                                   const char *service, const char *method,
                                   const ProtobufCMessage *request)
{
    const struct world_caller caller = { .principal = principal, .peer_id = "" };
    struct world_answer answer = world_ask(self, &caller, service, method, &request, 1);

    if (!status_is_ok(answer.result)) {
        fail_msg("%s/%s: %s (%s)", service, method, status_code_name(answer.result.code),
                 answer.result.message);
    }
    return answer.n_messages > 0 ? answer.messages[0] : NULL;
}
