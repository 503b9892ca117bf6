/* The matrix of bad input: every rpc of every service, with every field of its request missing,
 * ill-formed, too large, negative or too many, one at a time; and with bytes that are no request.
 *
 * The requests are made from the descriptors, as the isolation matrix has them, and are good but
 * for the one field (spots.h); who asks is whoever may.  No answer may be one that says that the
 * service is at fault, and what refuses a field says which. */

#include "libs/base/status_details.h"
#include "libs/base/text.h"
#include "libs/rpc/decode.h"
#include "libs/rpc/message.h"
#include "libs/rpc/method_options.h"
#include "libs/testing/assert_status.h"
#include "tests/isolation/spots.h"
#include "tests/isolation/world.h"

#include <string.h>

enum {
    MAX_REQUESTS = 16,
    MAX_CALLERS = 8,
    DEEP_BYTES = 34 * 1024,
    GROUP_BEGINS = 0x0b /* field 1 */
};

/* One rpc, and the world it is called in: a new one whenever it may have changed. */
struct target {
    struct world world;
    size_t service; /* of the world's */
    const ProtobufCMethodDescriptor *types;
};

static const struct world_service *service_of(const struct target *target)
{
    return &target->world.services[target->service];
}

static void renew_world(struct target *target)
{
    world_reset(&target->world);
    world_init(&target->world);
}

/* ---- Who may ---- */

/* acme's administrator, the platform's, and each of those whom the .proto names. */
static size_t callers_of(const struct target *target, struct world_caller *callers)
{
    struct arena *arena = target->world.arena;
    struct method_options options;
    size_t n = 0;

    assert_status(method_options_read(arena, service_of(target)->descriptors,
                                      service_of(target)->service->descriptor->name,
                                      target->types->name, &options),
                  STATUS_OK);
    for (size_t i = 0; i < options.n_peers && n < MAX_CALLERS - 2; i++) {
        const char *path = options.peers[i] + (options.peers[i][0] == '/');
        size_t named = strcspn(path, "*"); /* "agent/" of all agents */
        const char *id = arena_printf(arena, "spiffe://weft.local/%.*s%s", (int)named, path,
                                      path[named] == '*' ? "host-1" : "");
        struct principal *principal = ARENA_NEW(arena, struct principal);
        *principal = (struct principal){ .tenant_id = PLATFORM_TENANT,
                                         .subject = id,
                                         .credential = CREDENTIAL_SVID };
        callers[n++] = (struct world_caller){ .principal = principal, .peer_id = id };
    }
    callers[n++] = (struct world_caller){ .principal = &world_acme, .peer_id = "" };
    callers[n++] = (struct world_caller){ .principal = &world_platform, .peer_id = "" };
    return n;
}

/* ---- One call ---- */

/* What was wrong with it, and what came of it. */
struct asked {
    size_t spot;
    enum spoil spoil;
    const char *field; /* which was spoilt; NULL: there is no such spot */
    bool is_spoilt;    /* false: it cannot be wrong in that way */
    status result;
    struct world_answer answer; /* of the handler, if it came so far */
};

/* As the server does it: a request that cannot be decoded is never seen by a handler. */
static bool is_decoded(struct arena *arena, const ProtobufCMessage *request, status *ret_result)
{
    const ProtobufCMessage *decoded;

    *ret_result =
        message_decode(arena, request->descriptor, message_pack(arena, request), &decoded);
    return status_is_ok(*ret_result);
}

/* All good requests of that rpc up to the nth, and in that one the spot is spoilt. */
static void ask(struct target *target, const struct world_caller *caller, size_t nth,
                struct asked *asked)
{
    struct world *world = &target->world;
    ProtobufCMessage *requests[MAX_REQUESTS];
    struct spot spots[SPOTS_MAX];

    for (size_t i = 0; i <= nth; i++) {
        requests[i] = request_make(world->arena, target->types->input, &world->ids, 0, i);
    }
    size_t n = spots_find(requests[nth], spots, SPOTS_MAX);
    asked->field = asked->spot < n ? spots[asked->spot].field->name : NULL;
    asked->answer = (struct world_answer){ .n_messages = 0 };
    asked->is_spoilt =
        asked->spot < n && spot_spoil(world->arena, &spots[asked->spot], asked->spoil);
    if (asked->is_spoilt && is_decoded(world->arena, requests[nth], &asked->result)) {
        asked->answer =
            world_ask(world, caller, service_of(target)->service->descriptor->name,
                      target->types->name, (const ProtobufCMessage *const *)requests, nth + 1);
        asked->result = asked->answer.result;
    }
}

/* The first who is not refused; the last, when all are. */
static void ask_as_any(struct target *target, size_t nth, struct asked *asked)
{
    struct world_caller callers[MAX_CALLERS];
    size_t n = callers_of(target, callers);

    ask(target, &callers[0], nth, asked);
    for (size_t i = 1; i < n && asked->is_spoilt && asked->result.code == STATUS_PERMISSION_DENIED;
         i++) {
        ask(target, &callers[i], nth, asked);
    }
}

/* ---- Judging ---- */

/* What says "it is your request", of whatever kind; all else would be our own fault. */
static bool is_callers_fault(enum status_code code)
{
    switch (code) {
    case STATUS_OK:
    case STATUS_INVALID_ARGUMENT:
    case STATUS_NOT_FOUND:
    case STATUS_ALREADY_EXISTS:
    case STATUS_PERMISSION_DENIED:
    case STATUS_UNAUTHENTICATED:
    case STATUS_RESOURCE_EXHAUSTED:
    case STATUS_FAILED_PRECONDITION:
    case STATUS_OUT_OF_RANGE:
    case STATUS_ABORTED:
        return true;
    default:
        return false;
    }
}

/* For people, who read it first, and for programs. */
static bool names_field(status s)
{
    const char *field = s.details == NULL ? NULL : s.details->field.field;

    return field != NULL && strncmp(s.message, field, strlen(field)) == 0;
}

static bool is_id(const struct target *target, const char *field)
{
    size_t length = strlen(field);

    for (size_t i = 0; i < target->world.ids.n; i++) {
        if (strcmp(target->world.ids.ids[i].field, field) == 0) {
            return true;
        }
    }
    return length > 3 && strcmp(field + length - 3, "_id") == 0;
}

/* Fields that name something, or are large, and yet may hold nothing, or anything:
 * X(rpc, field, what comes of it) */
#define LENIENT(X)                                                                      \
    X(CheckTenantId, tenant_id, "that is the question")                                 \
    X(ListApiKeys, service_account_id, "missing: those of all")                         \
    X(UpsertDocuments, document_id, "any short text is one")                            \
    X(DeleteDocuments, document_ids, "any short text is one; those that are not there") \
    X(Search, return_fields, "those that the collection has come back")                 \
    X(ListSpans, trace_id, "missing: those of all")                                     \
    X(ListInstances, service, "there are none")                                         \
    X(EnqueueJobs, project_id, "the batch says it")                                     \
    X(Work, worker_id, "any short text")                                                \
    X(Work, job_id, "the worker does not have that job, and hears so in the stream")    \
    X(Work, result, "nor can it end it")                                                \
    X(Work, data, "nor say how far it is")                                              \
    X(ListEvents, tenant_id, "missing: those of all; else there are none")              \
    X(ListEvents, actor, "the same")                                                    \
    X(ListEvents, target, "the same")
/* What was done is not refused for how it is told: the log cleans texts, and knows the service by
 * its certificate. */
#define LENIENT_EVENT(X, rpc) \
    X(rpc, tenant_id, "")     \
    X(rpc, actor, "")         \
    X(rpc, target, "")        \
    X(rpc, data_subject, "")  \
    X(rpc, trace_id, "")      \
    X(rpc, service, "")

static bool is_lenient(const char *method, const char *field)
{
    static const char *const fields[][2] = {
#define X(method_, field_, why) { #method_, #field_ },
        LENIENT(X) LENIENT_EVENT(X, AppendEvent) LENIENT_EVENT(X, AppendEvents)
            LENIENT_EVENT(X, StreamEvents)
#undef X
    };

    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (strcmp(fields[i][0], method) == 0 && strcmp(fields[i][1], field) == 0) {
            return true;
        }
    }
    return false;
}

static bool must_be_refused(const struct target *target, const struct asked *asked)
{
    if (is_lenient(target->types->name, asked->field)) {
        return asked->spoil == SPOILT_FLOOD;
    }
    return asked->spoil == SPOILT_FLOOD || asked->spoil == SPOILT_OVERSIZED ||
           (asked->spoil < SPOILT_OVERSIZED && is_id(target, asked->field));
}

/* The worst that was answered: of the whole, or where an answer has codes of its own, one for each
 * thing asked, the first that is not OK. */
static enum status_code code_of(const struct asked *asked)
{
    struct spot spots[SPOTS_MAX];

    for (size_t i = 0; i < asked->answer.n_messages; i++) {
        size_t n = spots_find(asked->answer.messages[i], spots, SPOTS_MAX);
        for (size_t k = 0; k < n; k++) {
            if (strcmp(spots[k].field->name, "code") == 0 && spot_number(&spots[k]) != STATUS_OK) {
                return (enum status_code)spot_number(&spots[k]);
            }
        }
    }
    return asked->result.code;
}

/* NULL when all is well. */
static const char *find_wrong(const struct target *target, const struct asked *asked)
{
    enum status_code code = code_of(asked);
    status s = asked->result;

    if (!is_callers_fault(code)) {
        return "is not the caller's fault";
    }
    if (s.code != STATUS_OK && s.message[0] == '\0') {
        return "says nothing";
    }
    if (s.code == STATUS_INVALID_ARGUMENT && !names_field(s)) {
        return "does not name the field";
    }
    return code == STATUS_OK && must_be_refused(target, asked) ? "was taken" : NULL;
}

/* All that is wrong is told, and then the test fails. */
static int n_wrong;

static void judge(const struct target *target, const struct asked *asked)
{
    const char *wrong = find_wrong(target, asked);

    if (wrong != NULL) {
        n_wrong++;
        print_error("%s/%s, '%s' %s: %s (%s), which %s\n",
                    service_of(target)->service->descriptor->short_name, target->types->name,
                    asked->field, spoil_name(asked->spoil), status_code_name(asked->result.code),
                    asked->result.message, wrong);
    }
}

/* ---- The matrix ---- */

/* Returns how often it came so far as to what was wrong: nobody may have been let in. */
static size_t spoil_each_field(struct target *target, size_t nth)
{
    struct asked asked = { .field = "" };
    size_t n_heard = 0;

    for (; asked.field != NULL; asked.spot++) {
        for (int spoil = 0; spoil < SPOIL_COUNT && asked.field != NULL; spoil++) {
            asked.spoil = (enum spoil)spoil;
            ask_as_any(target, nth, &asked);
            if (!asked.is_spoilt) {
                continue;
            }
            n_heard += asked.result.code != STATUS_PERMISSION_DENIED;
            judge(target, &asked);
            if (status_is_ok(asked.result)) {
                renew_world(target);
            }
        }
    }
    return n_heard;
}

static void spoil_each_request(struct target *target)
{
    const struct request_ids *ids = &target->world.ids;

    for (size_t nth = 0;
         request_make(target->world.arena, target->types->input, ids, 0, nth) != NULL; nth++) {
        if (spoil_each_field(target, nth) == 0 && target->types->input->n_fields > 0) {
            fail_msg("nobody may call %s", target->types->name);
        }
        renew_world(target);
    }
}

static void for_each_rpc(void (*visit)(struct target *target))
{
    struct target target;

    world_init(&target.world);
    for (target.service = 0; target.service < target.world.n_services; target.service++) {
        const ProtobufCServiceDescriptor *service = service_of(&target)->service->descriptor;
        for (unsigned i = 0; i < service->n_methods; i++) {
            target.types = &service->methods[i];
            visit(&target);
        }
    }
    world_reset(&target.world);
}

static void visit_fields(struct target *target)
{
    if (service_of(target)->object != NULL) {
        spoil_each_request(target);
    }
}

static void what_is_wrong_with_a_field_is_said(void **state)
{
    (void)state;
    n_wrong = 0;
    for_each_rpc(visit_fields);
    assert_int_equal(n_wrong, 0);
}

/* ---- What is no request ---- */

static void expect_refused(const ProtobufCMessageDescriptor *type, bytes data, const char *field)
{
    struct arena *arena = arena_new();
    const ProtobufCMessage *decoded;
    status s = message_decode(arena, type, data, &decoded);

    if (s.code != STATUS_INVALID_ARGUMENT || strstr(s.message, field) == NULL) {
        fail_msg("%s with bad bytes in '%s': %s (%s)", type->name, field, status_code_name(s.code),
                 s.message);
    }
    arena_free(arena);
}

/* Of a field with a small number, and a short value. */
static bytes encode(struct arena *arena, const ProtobufCFieldDescriptor *field, bytes value)
{
    struct text text = text_new(arena);
    const uint8_t begin[] = { (uint8_t)(field->id << 3 | PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED),
                              (uint8_t)value.size };

    assert_true(field->id < 16 && value.size < 128);
    text_add_bytes(&text, (bytes){ begin, sizeof begin });
    text_add_bytes(&text, value);
    return text_bytes(&text);
}

static void send_bytes(struct target *target)
{
    static const bytes not_utf8 = { .data = (const uint8_t *)"\xc3(", .size = 2 };
    static const bytes with_nul = { .data = (const uint8_t *)"a\0b", .size = 3 };
    static const bytes noise = { .data = (const uint8_t *)"\xff\xff\xff\xff", .size = 4 };
    const ProtobufCMessageDescriptor *type = target->types->input;
    struct arena *arena = target->world.arena;
    uint8_t *begins = arena_alloc(arena, DEEP_BYTES);
    const bytes groups = { .data = memset(begins, GROUP_BEGINS, DEEP_BYTES), .size = DEEP_BYTES };

    expect_refused(type, noise, type->short_name);
    expect_refused(type, groups, type->short_name);
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        if (field->type == PROTOBUF_C_TYPE_STRING) {
            expect_refused(type, encode(arena, field, not_utf8), field->name);
            expect_refused(type, encode(arena, field, with_nul), field->name);
        } else if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
            expect_refused(type, encode(arena, field, noise), field->name);
        }
    }
}

static void what_is_no_request_is_refused_before_any_handler(void **state)
{
    (void)state;
    for_each_rpc(send_bytes);
}

/* What is left of a good request may be one, too. */
static void send_cut(struct target *target)
{
    struct world *world = &target->world;
    struct world_caller callers[MAX_CALLERS];
    size_t n_callers = callers_of(target, callers);
    const bytes good = message_pack(
        world->arena, request_make(world->arena, target->types->input, &world->ids, 0, 0));

    for (size_t size = 0; size < good.size && service_of(target)->object != NULL; size++) {
        const ProtobufCMessage *request;
        status s = message_decode(world->arena, target->types->input,
                                  (bytes){ .data = good.data, .size = size }, &request);
        if (status_is_ok(s)) {
            s = world_ask(world, &callers[n_callers - 1],
                          service_of(target)->service->descriptor->name, target->types->name,
                          &request, 1)
                    .result;
        }
        if (!is_callers_fault(s.code)) {
            fail_msg("%s, cut at %zu: %s (%s)", target->types->name, size, status_code_name(s.code),
                     s.message);
        }
    }
    renew_world(target);
}

static void what_is_cut_short_is_refused_or_a_request(void **state)
{
    (void)state;
    for_each_rpc(send_cut);
}

/* Messages in messages, as deep as 34 KB can say; each longer than a byte can tell, for none may be
 * found to be cut short before it was found to be too deep. */
static bytes nest(struct arena *arena, unsigned id)
{
    uint8_t *end = (uint8_t *)arena_alloc(arena, DEEP_BYTES) + DEEP_BYTES;
    uint8_t *at = end;

    for (size_t size = 0; size + 4 <= DEEP_BYTES; size = (size_t)(end - at)) {
        *--at = (uint8_t)(size >> 14);
        *--at = (uint8_t)(size >> 7 | 0x80);
        *--at = (uint8_t)(size | 0x80);
        *--at = (uint8_t)(id << 3 | PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED);
    }
    return (bytes){ .data = at, .size = (size_t)(end - at) };
}

/* Where the types do not lead so deep, what is below is unknown, and skipped. */
static void send_nested(struct target *target)
{
    const ProtobufCMessageDescriptor *type = target->types->input;
    struct arena *arena = arena_new();

    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCMessage *decoded;
        status s = message_decode(arena, type, nest(arena, type->fields[i].id), &decoded);
        if (!is_callers_fault(s.code)) {
            fail_msg("%s, nested in '%s': %s (%s)", type->name, type->fields[i].name,
                     status_code_name(s.code), s.message);
        }
    }
    arena_free(arena);
}

static void nothing_is_nested_too_deeply_to_be_answered(void **state)
{
    (void)state;
    for_each_rpc(send_nested);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_request_is_refused_before_any_handler),
        cmocka_unit_test(what_is_cut_short_is_refused_or_a_request),
        cmocka_unit_test(nothing_is_nested_too_deeply_to_be_answered),
        cmocka_unit_test(what_is_wrong_with_a_field_is_said),
    };

    return cmocka_run_group_tests_name("bad_input", tests, NULL, NULL);
}
