/* Bad input: every rpc of every service, with each field in turn made as wrong as it can be.
 *
 * The answer is never INTERNAL or UNKNOWN, and never the end of the process.  What is too long is
 * refused, and INVALID_ARGUMENT names the field in its details and begins its sentence with it. The
 * requests are those of requests.h, which are good but for the one field. */

#include "libs/base/status_details.h"
#include "libs/rpc/message.h"
#include "libs/testing/assert_status.h"
#include "tests/isolation/world.h"

#include <inttypes.h>
#include <string.h>

enum { TOO_LONG = 100 * 1000, MAX_LEAVES = 64, MAX_DEPTH = 5 };

/* ---- One field of a request, also of a message in it ---- */

struct leaf {
    const ProtobufCFieldDescriptor *field;
    void *place;      /* of the value, or of the one element of a repeated field */
    void *quantifier; /* NULL but for repeated fields and choices */
};

struct leaves {
    struct leaf leaves[MAX_LEAVES];
    size_t n;
};

static void find_leaves(struct arena *arena, ProtobufCMessage *message, int depth,
                        struct leaves *leaves);

static void find_in_field(struct arena *arena, ProtobufCMessage *message,
                          const ProtobufCFieldDescriptor *field, int depth, struct leaves *leaves)
{
    void *place = (char *)message + field->offset;
    void *quantifier = (char *)message + field->quantifier_offset;
    bool is_repeated = field->label == PROTOBUF_C_LABEL_REPEATED;

    if (is_repeated && *(size_t *)quantifier == 0) {
        return;
    }
    if (is_repeated) {
        place = *(void **)place;
    }
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        ProtobufCMessage *inner = *(ProtobufCMessage **)place;
        bool is_set = (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) == 0 ||
                      *(uint32_t *)quantifier == field->id;
        if (is_set && inner != NULL && depth < MAX_DEPTH) {
            find_leaves(arena, inner, depth + 1, leaves);
        }
        return;
    }
    if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) == 0 || *(uint32_t *)quantifier == field->id) {
        assert_true(leaves->n < MAX_LEAVES);
        leaves->leaves[leaves->n++] = (struct leaf){ .field = field, .place = place };
    }
}

static void find_leaves(struct arena *arena, ProtobufCMessage *message, int depth,
                        struct leaves *leaves)
{
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        find_in_field(arena, message, &message->descriptor->fields[i], depth, leaves);
    }
}

/* ---- What may be wrong with it ---- */

enum wrong { LONG_TEXT, STRANGE_TEXT, LEAST, MOST, N_WRONGS };

static const char *const wrong_names[] = { "too long", "strange", "least", "most" };

static char *long_text(struct arena *arena)
{
    char *text = arena_alloc(arena, TOO_LONG + 1);

    memset(text, 'x', TOO_LONG);
    text[TOO_LONG] = '\0';
    return text;
}

static void set_text(struct arena *arena, const struct leaf *leaf, enum wrong wrong)
{
    *(char **)leaf->place =
        wrong == LONG_TEXT ? long_text(arena) : message_text("'; DROP TABLE x; --/../\x01%s%n");
}

/* False: nothing of the kind can be wrong with such a field. */
static bool set_wrong(struct arena *arena, const struct leaf *leaf, enum wrong wrong)
{
    bool is_text = leaf->field->type == PROTOBUF_C_TYPE_STRING;

    if (is_text != (wrong == LONG_TEXT || wrong == STRANGE_TEXT)) {
        return false;
    }
    switch (leaf->field->type) {
    case PROTOBUF_C_TYPE_STRING:
        set_text(arena, leaf, wrong);
        return true;
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_ENUM:
        *(int32_t *)leaf->place = wrong == LEAST ? INT32_MIN : INT32_MAX;
        return true;
    case PROTOBUF_C_TYPE_INT64:
        *(int64_t *)leaf->place = wrong == LEAST ? INT64_MIN : INT64_MAX;
        return true;
    case PROTOBUF_C_TYPE_UINT64:
        *(uint64_t *)leaf->place = wrong == LEAST ? 1 : UINT64_MAX;
        return true;
    default:
        return false;
    }
}

/* ---- What may be answered ---- */

/* Texts that may be of any length, and why. */
static const struct {
    const char *method;
    const char *field;
} any_length[] = {
    { "CheckTenantId", "tenant_id" },     /* whether it could be an id is the question */
    { "UpsertDocuments", "document_id" }, /* refused by the result of its item */
    { "Work", "job_id" },                 /* nobody's, as the answer says */
    { "AppendEvent", "service" },         /* replaced by who says it */
    { "AppendEvents", "service" },
    { "StreamEvents", "service" },
};

static bool may_be_long(const char *method, const char *field)
{
    for (size_t i = 0; i < sizeof any_length / sizeof any_length[0]; i++) {
        if (strcmp(any_length[i].method, method) == 0 && strcmp(any_length[i].field, field) == 0) {
            return true;
        }
    }
    return false;
}

/* All that is wrong is told, and then the test fails. */
static int n_wrong;

static void check_answer(const char *what, bool may_be_taken, status s)
{
    const char *field = s.details == NULL ? NULL : s.details->field.field;

    if (s.code == STATUS_INTERNAL || s.code == STATUS_UNKNOWN || s.code == STATUS_DATA_LOSS ||
        s.code == STATUS_UNAVAILABLE || s.code == STATUS_UNIMPLEMENTED) {
        print_error("%s: %s (%.200s)\n", what, status_code_name(s.code), s.message);
        n_wrong++;
    }
    if (s.code == STATUS_OK && !may_be_taken) {
        print_error("%s: it was taken\n", what);
        n_wrong++;
    }
    if (s.code == STATUS_INVALID_ARGUMENT) {
        if (field == NULL || strncmp(s.message, field, strlen(field)) != 0) {
            print_error("%s: INVALID_ARGUMENT names no field: %.200s\n", what, s.message);
            n_wrong++;
        }
        assert_true(strlen(s.message) < 4096); /* it goes into a header */
    }
}

/* ---- All of them ---- */

struct target {
    const struct world_service *service;
    const ProtobufCMethodDescriptor *method;
};

enum { MAX_REQUESTS = 16 };

/* Of what is one of several things the nth, after those before it; false when there is no nth. */
static bool make_requests(struct world *world, const struct target *target, size_t nth,
                          const ProtobufCMessage **requests)
{
    for (size_t i = 0; i <= nth; i++) {
        requests[i] = request_make(world->arena, target->method->input, &world->ids, 0, i);
    }
    return requests[nth] != NULL;
}

static bool find_leaf(struct arena *arena, const ProtobufCMessage *message, size_t nth,
                      struct leaf *ret_leaf)
{
    union {
        const ProtobufCMessage *in;
        ProtobufCMessage *out;
    } same = { .in = message };
    struct leaves leaves = { .n = 0 };

    find_leaves(arena, same.out, 0, &leaves);
    *ret_leaf = leaves.leaves[nth < leaves.n ? nth : 0];
    return nth < leaves.n;
}

/* False: the request has no such field. */
static bool ask(struct world *world, const struct principal *principal, const struct target *target,
                size_t nth_request, size_t nth_leaf, enum wrong wrong)
{
    const struct world_caller caller = { .principal = principal, .peer_id = "" };
    const char *service = target->service->service->descriptor->name;
    const char *method = target->method->name;
    const ProtobufCMessage *requests[MAX_REQUESTS];
    struct leaf leaf;

    if (!make_requests(world, target, nth_request, requests) ||
        !find_leaf(world->arena, requests[nth_request], nth_leaf, &leaf)) {
        return false;
    }
    if (set_wrong(world->arena, &leaf, wrong)) {
        struct world_answer answer =
            world_ask(world, &caller, service, method, requests, nth_request + 1);
        check_answer(arena_printf(world->arena, "%s/%s as %s, %s %s", service, method,
                                  principal->subject, leaf.field->name, wrong_names[wrong]),
                     wrong != LONG_TEXT || may_be_long(method, leaf.field->name), answer.result);
    }
    return true;
}

static void ask_all_of(struct world *world, const struct target *target)
{
    const ProtobufCMessage *requests[MAX_REQUESTS];

    for (size_t nth = 0; make_requests(world, target, nth, requests); nth++) {
        bool is_there = true;
        for (size_t leaf = 0; is_there; leaf++) {
            for (int wrong = 0; wrong < N_WRONGS; wrong++) {
                is_there = ask(world, &world_acme, target, nth, leaf, (enum wrong)wrong) &&
                           ask(world, &world_platform, target, nth, leaf, (enum wrong)wrong);
            }
        }
    }
}

typedef void visit(struct world *world, const struct target *target);

/* Each rpc of each service that has an object, in a world of its own. */
static void visit_all(visit *function)
{
    size_t n_services = 1;

    for (size_t i = 0; i < n_services; i++) {
        unsigned n_methods = 1;
        for (unsigned k = 0; k < n_methods; k++) {
            struct world world;
            world_init(&world);
            const struct world_service *service = &world.services[i];
            n_services = world.n_services;
            n_methods = service->service->descriptor->n_methods;
            if (service->object != NULL) {
                function(&world,
                         &(struct target){ service, &service->service->descriptor->methods[k] });
            }
            world_reset(&world);
        }
    }
}

static void each_field_that_is_wrong_is_named(void **state)
{
    (void)state;
    n_wrong = 0;
    visit_all(ask_all_of);
    assert_int_equal(n_wrong, 0);
}

/* ---- Bytes that are no request ---- */

static void ask_bytes(struct world *world, const struct target *target, bytes request)
{
    struct call call = call_of_process(world->arena);
    bytes response;

    call.service = target->service->object;
    status s =
        service_handle(target->service->service, &call, target->method->name, request, &response);
    if (s.code == STATUS_INTERNAL || s.code == STATUS_UNKNOWN || s.code == STATUS_UNIMPLEMENTED) {
        fail_msg("%s: %s (%.200s)", target->method->name, status_code_name(s.code), s.message);
    }
}

/* Of no length, and as the good one cut at each byte; groups in groups, of which protobuf-c would
 * overflow its stack. */
static void ask_garbage(struct world *world, const struct target *target)
{
    const struct method *row = service_method(target->service->service, target->method->name);
    uint8_t *nested = arena_alloc(world->arena, 40000);

    if (row->events != NULL) {
        return; /* a stream's messages are decoded by the same function */
    }
    const bytes good = message_pack(
        world->arena, request_make(world->arena, target->method->input, &world->ids, 0, 0));
    for (size_t n = 0; n < good.size; n++) {
        ask_bytes(world, target, (bytes){ .data = good.data, .size = n });
    }
    memset(nested, 0x0b, 40000); /* field 1, begin of a group */
    ask_bytes(world, target, (bytes){ .data = nested, .size = 40000 });
    memset(nested, 0xff, 40000);
    ask_bytes(world, target, (bytes){ .data = nested, .size = 40000 });
}

static void bytes_that_are_no_request_are_refused(void **state)
{
    (void)state;
    visit_all(ask_garbage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_field_that_is_wrong_is_named),
        cmocka_unit_test(bytes_that_are_no_request_are_refused),
    };

    return cmocka_run_group_tests_name("bad_input", tests, NULL, NULL);
}
