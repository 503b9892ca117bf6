#include "libs/rpc/reflection_service.h"

#include "google/protobuf/descriptor.pb-c.h"
#include "grpc/reflection/v1/reflection.pb-c.h"
#include "grpc/reflection/v1alpha/reflection.pb-c.h"
#include "libs/rpc/decode.h"
#include "libs/rpc/message.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_SETS = 16 };

/* v1alpha is v1 under another name: the same messages, number for number, which protobuf-c makes
 * into the same structs.  So one handler does for both. */
typedef Grpc__Reflection__V1__ServerReflectionRequest request_type;
typedef Grpc__Reflection__V1__ServerReflectionResponse response_type;
_Static_assert(sizeof(request_type) == sizeof(Grpc__Reflection__V1alpha__ServerReflectionRequest),
               "v1alpha's messages are v1's");
_Static_assert(sizeof(response_type) == sizeof(Grpc__Reflection__V1alpha__ServerReflectionResponse),
               "v1alpha's messages are v1's");

struct reflection {
    const char *services[MAX_SETS];
    size_t n_services;
    bytes sets[MAX_SETS];
    size_t n_sets;
};

struct reflection *reflection_new(void)
{
    struct reflection *self = calloc(1, sizeof *self);

    if (self == NULL) {
        abort();
    }
    return self;
}

void reflection_free(struct reflection *self)
{
    free(self);
}

void reflection_add(struct reflection *self, const char *service, bytes descriptors)
{
    reflection_add_files(self, descriptors);
    self->services[self->n_services++] = service;
}

void reflection_add_files(struct reflection *self, bytes descriptors)
{
    if (self->n_sets == MAX_SETS) {
        abort(); /* a program with more services than it may have */
    }
    self->sets[self->n_sets++] = descriptors;
}

/* ---- Files ---- */

typedef Google__Protobuf__FileDescriptorProto file_type;

/* Whether the file is, or holds, what is asked for. */
typedef bool matches(struct arena *arena, const file_type *file, const char *name);

static bool is_file(struct arena *arena, const file_type *file, const char *name)
{
    (void)arena;
    return strcmp(file->name, name) == 0;
}

/* A message, an enum or a service of the file, or a method: "weft.tenant.v1.TenantService.Get". */
static bool holds_symbol(struct arena *arena, const file_type *file, const char *symbol)
{
    size_t prefix = file->package == NULL ? 0 : strlen(file->package);

    (void)arena;
    if (prefix > 0 && (strncmp(symbol, file->package, prefix) != 0 || symbol[prefix] != '.')) {
        return false;
    }
    const char *name = symbol + prefix + (prefix > 0);
    size_t length = strcspn(name, "."); /* of the outermost; what is inside comes with it */
    for (size_t i = 0; i < file->n_message_type; i++) {
        if (strlen(file->message_type[i]->name) == length &&
            strncmp(file->message_type[i]->name, name, length) == 0) {
            return true;
        }
    }
    for (size_t i = 0; i < file->n_service; i++) {
        if (strlen(file->service[i]->name) == length &&
            strncmp(file->service[i]->name, name, length) == 0) {
            return true;
        }
    }
    for (size_t i = 0; i < file->n_enum_type; i++) {
        if (strcmp(file->enum_type[i]->name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* The encoded file, with those it imports behind it, each once. */
struct answer {
    bytes files[64];
    const char *names[64];
    size_t n;
};

static void add_file(struct arena *arena, struct answer *answer,
                     const Google__Protobuf__FileDescriptorSet *set, const file_type *file)
{
    for (size_t i = 0; i < answer->n; i++) {
        if (strcmp(answer->names[i], file->name) == 0) {
            return;
        }
    }
    if (answer->n == sizeof answer->files / sizeof answer->files[0]) {
        return; /* the rest can be had by name */
    }
    answer->names[answer->n] = file->name;
    answer->files[answer->n++] = message_pack(arena, &file->base);
    for (size_t i = 0; i < file->n_dependency; i++) {
        for (size_t j = 0; j < set->n_file; j++) {
            if (strcmp(set->file[j]->name, file->dependency[i]) == 0) {
                add_file(arena, answer, set, set->file[j]);
            }
        }
    }
}

static void find(const struct reflection *self, struct arena *arena, matches *is, const char *name,
                 struct answer *ret_answer)
{
    ret_answer->n = 0;
    for (size_t i = 0; i < self->n_sets && ret_answer->n == 0; i++) {
        const ProtobufCMessage *message;
        if (!status_is_ok(message_decode(arena, &google__protobuf__file_descriptor_set__descriptor,
                                         self->sets[i], &message))) {
            continue; /* server_register() has refused such */
        }
        const Google__Protobuf__FileDescriptorSet *set =
            (const Google__Protobuf__FileDescriptorSet *)message;
        for (size_t j = 0; j < set->n_file && ret_answer->n == 0; j++) {
            if (is(arena, set->file[j], name)) {
                add_file(arena, ret_answer, set, set->file[j]);
            }
        }
    }
}

/* ---- Answers ---- */

static void answer_error(struct arena *arena, response_type *response, int code,
                         const char *message)
{
    Grpc__Reflection__V1__ErrorResponse *error =
        ARENA_NEW(arena, Grpc__Reflection__V1__ErrorResponse);

    grpc__reflection__v1__error_response__init(error);
    error->error_code = code;
    error->error_message = message_text(message);
    response->message_response_case =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ERROR_RESPONSE;
    response->error_response = error;
}

static void answer_files(const struct reflection *self, struct arena *arena, matches *is,
                         const char *name, response_type *response)
{
    Grpc__Reflection__V1__FileDescriptorResponse *files =
        ARENA_NEW(arena, Grpc__Reflection__V1__FileDescriptorResponse);
    struct answer *answer = ARENA_NEW(arena, struct answer);

    find(self, arena, is, name, answer);
    if (answer->n == 0) {
        answer_error(arena, response, STATUS_NOT_FOUND,
                     arena_printf(arena, "nothing is called '%s' here", name));
        return;
    }
    grpc__reflection__v1__file_descriptor_response__init(files);
    files->n_file_descriptor_proto = answer->n;
    files->file_descriptor_proto = ARENA_NEW_ARRAY(arena, ProtobufCBinaryData, answer->n);
    for (size_t i = 0; i < answer->n; i++) {
        uint8_t *copy = arena_alloc(arena, answer->files[i].size);
        memcpy(copy, answer->files[i].data, answer->files[i].size);
        files->file_descriptor_proto[i] =
            (ProtobufCBinaryData){ .len = answer->files[i].size, .data = copy };
    }
    response->message_response_case =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE;
    response->file_descriptor_response = files;
}

static void answer_services(const struct reflection *self, struct arena *arena,
                            response_type *response)
{
    Grpc__Reflection__V1__ListServiceResponse *list =
        ARENA_NEW(arena, Grpc__Reflection__V1__ListServiceResponse);

    grpc__reflection__v1__list_service_response__init(list);
    list->n_service = self->n_services;
    list->service =
        ARENA_NEW_ARRAY(arena, Grpc__Reflection__V1__ServiceResponse *, self->n_services);
    for (size_t i = 0; i < self->n_services; i++) {
        list->service[i] = ARENA_NEW(arena, Grpc__Reflection__V1__ServiceResponse);
        grpc__reflection__v1__service_response__init(list->service[i]);
        list->service[i]->name = message_text(self->services[i]);
    }
    response->message_response_case =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_LIST_SERVICES_RESPONSE;
    response->list_services_response = list;
}

static void answer(const struct reflection *self, struct arena *arena, const request_type *request,
                   response_type *response)
{
    switch (request->message_request_case) {
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_BY_FILENAME:
        answer_files(self, arena, is_file, request->file_by_filename, response);
        break;
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL:
        answer_files(self, arena, holds_symbol, request->file_containing_symbol, response);
        break;
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_LIST_SERVICES:
        answer_services(self, arena, response);
        break;
    default:
        answer_error(arena, response, STATUS_UNIMPLEMENTED, "extensions are not looked up here");
        break;
    }
}

static status reflect_open(struct stream *stream, void *service, void **ret_state)
{
    (void)stream;
    *ret_state = service;
    return status_ok();
}

static status reflect_message(struct stream *stream, void *state, const request_type *request)
{
    struct arena *arena = stream_event_arena(stream);
    response_type *response = ARENA_NEW(arena, response_type);

    if (request == NULL) {
        stream_end(stream);
        return status_ok();
    }
    /* The descriptor of the version that was asked, so that it is encoded by its own. */
    bool v1 =
        request->base.descriptor == &grpc__reflection__v1__server_reflection_request__descriptor;
    protobuf_c_message_init(v1 ? &grpc__reflection__v1__server_reflection_response__descriptor
                               : &grpc__reflection__v1alpha__server_reflection_response__descriptor,
                            response);
    response->valid_host = request->host;
    answer(state, arena, request, response);
    return stream_send(stream, &response->base);
}

static status reflect_writable(struct stream *stream, void *state)
{
    (void)stream;
    (void)state;
    return status_ok();
}

static void reflect_closed(struct stream *stream, void *state, status why)
{
    (void)stream;
    (void)state;
    (void)why;
}

#define STREAMS(X) X(ServerReflectionInfo, request_type, response_type, WORKER, reflect)
SERVICE_DEFINE_STREAMS_TYPED(reflection_v1_methods,
                             grpc__reflection__v1__server_reflection__descriptor, NO_METHODS,
                             STREAMS);

static const struct method alpha_rows[] = { STREAMS(SERVICE_STREAM_TYPED_ROW_) };
const struct service reflection_v1alpha_methods = {
    .descriptor = &grpc__reflection__v1alpha__server_reflection__descriptor,
    .methods = alpha_rows,
    .n_methods = 1,
};
