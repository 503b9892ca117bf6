#include "tests/isolation/requests.h"

#include "libs/rpc/message.h"
#include "libs/testing/assert_status.h"

#include <stdbool.h>
#include <string.h>

enum { MAX_DEPTH = 4 };

/* ---- What stands in fields that are no ids ---- */

struct text_filler {
    const char *field;
    const char *text;
};

/* Those that are not listed stay empty. */
static const struct text_filler texts[] = {
    { "action", "isolation.test" },
    { "capability", "isolation.work" },
    { "capabilities", "isolation.work" },
    { "worker_id", "worker" },
    { "name", "body" },
    { "query", "secret" },
    { "roles", "publisher" },
};

struct number_filler {
    const char *field;
    int32_t number;
};

static const struct number_filler numbers[] = {
    { "attempt", 1 },  { "credit", 10 },    { "lifetime_s", 60 },
    { "old_size", 1 }, { "timeout_ms", 1 },
};

/* An id says all there is to say, and what else these hold would have to make sense. */
static const char *const left_out[] = {
    "weft.audit.v1.Event.details",
    "weft.search.v1.Document.fields",
    "weft.search.v1.SearchRequest.filter",
};

/* Below another message, which says it already. */
static const char *const said_above[] = {
    "weft.scheduler.v1.EnqueueJobRequest.project_id",
};

static const char *text_for(const char *field)
{
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (strcmp(texts[i].field, field) == 0) {
            return texts[i].text;
        }
    }
    return NULL;
}

static int32_t number_for(const char *field)
{
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (strcmp(numbers[i].field, field) == 0) {
            return numbers[i].number;
        }
    }
    return 0;
}

static bool is_in(const char *const *names, size_t n, const ProtobufCMessageDescriptor *type,
                  const ProtobufCFieldDescriptor *field)
{
    size_t length = strlen(type->name);

    for (size_t i = 0; i < n; i++) {
        if (strncmp(names[i], type->name, length) == 0 && names[i][length] == '.' &&
            strcmp(names[i] + length + 1, field->name) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_left_out(const ProtobufCMessageDescriptor *type,
                        const ProtobufCFieldDescriptor *field, int depth)
{
    return is_in(left_out, sizeof left_out / sizeof left_out[0], type, field) ||
           (depth > 0 && is_in(said_above, sizeof said_above / sizeof said_above[0], type, field));
}

/* Standard messages, times above all, may be missing everywhere. */
static const ProtobufCMessageDescriptor *own_message(const ProtobufCFieldDescriptor *field)
{
    const ProtobufCMessageDescriptor *type = field->descriptor;

    return field->type == PROTOBUF_C_TYPE_MESSAGE && strncmp(type->name, "weft.", 5) == 0 ? type
                                                                                          : NULL;
}

static bool is_choice(const ProtobufCFieldDescriptor *field)
{
    return (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
}

/* ---- Ids ---- */

static const struct request_id *id_of(const struct request_ids *ids, const char *field)
{
    for (size_t i = 0; i < ids->n; i++) {
        if (strcmp(ids->ids[i].field, field) == 0) {
            return &ids->ids[i];
        }
    }
    return NULL;
}

static size_t find_fields(const ProtobufCMessageDescriptor *type, const struct request_ids *ids,
                          int depth, const char **fields, size_t n)
{
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        bool is_known = false;
        for (size_t k = 0; k < n; k++) {
            is_known = is_known || strcmp(fields[k], field->name) == 0;
        }
        if (is_left_out(type, field, depth)) {
            continue;
        }
        if (own_message(field) != NULL && depth < MAX_DEPTH) {
            n = find_fields(own_message(field), ids, depth + 1, fields, n);
        } else if (field->type == PROTOBUF_C_TYPE_STRING && !is_known &&
                   id_of(ids, field->name) != NULL) {
            assert_true(n < REQUEST_MAX_IDS);
            fields[n++] = field->name;
        }
    }
    return n;
}

size_t request_id_fields(const ProtobufCMessageDescriptor *type, const struct request_ids *ids,
                         const char **ret_fields)
{
    return find_fields(type, ids, 0, ret_fields, 0);
}

/* ---- Filling in ---- */

struct filler {
    struct arena *arena;
    const struct request_ids *ids;
    const char *fields[REQUEST_MAX_IDS];
    size_t n_fields;
    unsigned mixture;
};

static char *fill_text(const struct filler *self, const char *field)
{
    const struct request_id *id = id_of(self->ids, field);

    for (size_t i = 0; i < self->n_fields; i++) {
        if (strcmp(self->fields[i], field) == 0) {
            return message_text((self->mixture >> i & 1) != 0 ? id->bravo : id->acme);
        }
    }
    const char *text = text_for(field);
    return text == NULL ? NULL : message_text(text);
}

static void fill(const struct filler *self, ProtobufCMessage *message, size_t nth, int depth);

/* What goes into the field, or into the one element of a repeated one; false: nothing. */
static bool fill_value(const struct filler *self, const ProtobufCFieldDescriptor *field, int depth,
                       void *value)
{
    const ProtobufCMessageDescriptor *type = own_message(field);

    if (type != NULL && depth < MAX_DEPTH) {
        ProtobufCMessage *inner = arena_alloc(self->arena, type->sizeof_message);
        protobuf_c_message_init(type, inner);
        fill(self, inner, 0, depth + 1);
        *(ProtobufCMessage **)value = inner;
        return true;
    }
    if (field->type == PROTOBUF_C_TYPE_STRING) {
        char *text = fill_text(self, field->name);
        if (text != NULL) {
            *(char **)value = text;
        }
        return text != NULL;
    }
    if (field->type == PROTOBUF_C_TYPE_ENUM) {
        const ProtobufCEnumDescriptor *values = field->descriptor;
        *(int *)value = values->n_values > 1 ? values->values[1].value : 0;
        return true;
    }
    if (field->type == PROTOBUF_C_TYPE_INT32) {
        *(int32_t *)value = number_for(field->name);
        return true;
    }
    if (field->type == PROTOBUF_C_TYPE_INT64) {
        *(int64_t *)value = number_for(field->name);
        return true;
    }
    return false;
}

static void fill_field(const struct filler *self, ProtobufCMessage *message,
                       const ProtobufCFieldDescriptor *field, int depth)
{
    void *place = (char *)message + field->offset;
    void *quantifier = (char *)message + field->quantifier_offset;

    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        void *element = arena_alloc(self->arena, sizeof(void *));
        if (fill_value(self, field, depth, element)) {
            *(void **)place = element;
            *(size_t *)quantifier = 1;
        }
    } else if (fill_value(self, field, depth, place) && is_choice(field)) {
        *(uint32_t *)quantifier = field->id;
    }
}

/* Of what is a choice the nth alone. */
static void fill(const struct filler *self, ProtobufCMessage *message, size_t nth, int depth)
{
    const ProtobufCMessageDescriptor *type = message->descriptor;
    size_t n_choices = 0;

    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        bool is_chosen = !is_choice(field) || (depth == 0 && n_choices == nth);
        n_choices += is_choice(field);
        if (is_chosen && !is_left_out(type, field, depth)) {
            fill_field(self, message, field, depth);
        }
    }
}

static size_t count_choices(const ProtobufCMessageDescriptor *type)
{
    size_t n = 0;

    for (unsigned i = 0; i < type->n_fields; i++) {
        n += is_choice(&type->fields[i]);
    }
    return n;
}

ProtobufCMessage *request_make(struct arena *arena, const ProtobufCMessageDescriptor *type,
                               const struct request_ids *ids, unsigned mixture, size_t nth)
{
    struct filler filler = { .arena = arena, .ids = ids, .mixture = mixture };
    size_t n_choices = count_choices(type);

    if (nth >= (n_choices > 0 ? n_choices : 1)) {
        return NULL;
    }
    filler.n_fields = request_id_fields(type, ids, filler.fields);
    ProtobufCMessage *message = arena_alloc(arena, type->sizeof_message);
    protobuf_c_message_init(type, message);
    fill(&filler, message, nth, 0);
    return message;
}
