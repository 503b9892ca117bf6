#include "tests/isolation/spots.h"

#include "libs/base/text.h"
#include "libs/rpc/message.h"
#include "libs/testing/assert_status.h"

#include <math.h>
#include <string.h>

enum { OVERSIZED_BYTES = 1024 * 1024, MANY_ELEMENTS = 2000, FLOOD_ELEMENTS = 500000 };

static const char ill_formed[] = "../Etc/passwd'; DROP TABLE x; --\n";

const char *spoil_name(enum spoil spoil)
{
    static const char *const names[] = {
#define X(name, what) #name,
        SPOILS(X)
#undef X
    };

    return names[spoil];
}

static void *place_of(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    return (char *)(uintptr_t)message + field->offset;
}

static void *quantifier_of(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    return (char *)(uintptr_t)message + field->quantifier_offset;
}

static bool is_choice(const ProtobufCFieldDescriptor *field)
{
    return (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
}

/* ---- Finding ---- */

/* The message in the field, or the first of them; NULL when there is none. */
static ProtobufCMessage *message_in(const ProtobufCMessage *message,
                                    const ProtobufCFieldDescriptor *field)
{
    void *place = place_of(message, field);

    if (field->type != PROTOBUF_C_TYPE_MESSAGE) {
        return NULL;
    }
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        return *(size_t *)quantifier_of(message, field) > 0 ? (*(ProtobufCMessage ***)place)[0]
                                                            : NULL;
    }
    if (is_choice(field) && *(uint32_t *)quantifier_of(message, field) != field->id) {
        return NULL;
    }
    return *(ProtobufCMessage **)place;
}

size_t spots_find(const ProtobufCMessage *request, struct spot *ret_spots, size_t max)
{
    const ProtobufCMessageDescriptor *type = request->descriptor;
    size_t n = 0;

    for (unsigned i = 0; i < type->n_fields; i++) {
        ProtobufCMessage *inner = message_in(request, &type->fields[i]);
        assert_true(n < max);
        ret_spots[n++] = (struct spot){ .message = request, .field = &type->fields[i] };
        if (inner != NULL) {
            n += spots_find(inner, ret_spots + n, max - n);
        }
    }
    return n;
}

int32_t spot_number(const struct spot *spot)
{
    assert_int_equal(spot->field->type, PROTOBUF_C_TYPE_INT32);
    return *(int32_t *)place_of(spot->message, spot->field);
}

/* ---- Spoiling ---- */

static ProtobufCMessage *empty_message(struct arena *arena, const ProtobufCMessageDescriptor *type)
{
    ProtobufCMessage *message = arena_alloc(arena, type->sizeof_message);

    protobuf_c_message_init(type, message);
    return message;
}

static bool spoil_number(enum spoil spoil, ProtobufCType type, void *place)
{
    if (spoil != SPOILT_NEGATIVE && spoil != SPOILT_HUGE && spoil != SPOILT_LEAST) {
        return false;
    }
    switch (type) {
    case PROTOBUF_C_TYPE_ENUM:
    case PROTOBUF_C_TYPE_INT32:
        *(int32_t *)place = spoil == SPOILT_NEGATIVE ? -1
                            : spoil == SPOILT_HUGE   ? INT32_MAX
                                                     : INT32_MIN;
        return true;
    case PROTOBUF_C_TYPE_INT64:
        *(int64_t *)place = spoil == SPOILT_NEGATIVE ? -1
                            : spoil == SPOILT_HUGE   ? INT64_MAX
                                                     : INT64_MIN;
        return true;
    case PROTOBUF_C_TYPE_UINT32:
        *(uint32_t *)place = UINT32_MAX;
        return spoil == SPOILT_HUGE;
    case PROTOBUF_C_TYPE_UINT64:
        *(uint64_t *)place = UINT64_MAX;
        return spoil == SPOILT_HUGE;
    default:
        return false;
    }
}

/* A message with such numbers; of the standard ones, those are times. */
static bool spoil_message(struct arena *arena, const ProtobufCMessageDescriptor *type,
                          enum spoil spoil, void *place)
{
    ProtobufCMessage *message = empty_message(arena, type);
    bool is_spoilt = spoil == SPOILT_EMPTY;

    for (unsigned i = 0; i < type->n_fields && strncmp(type->name, "google.", 7) == 0; i++) {
        if (type->fields[i].label != PROTOBUF_C_LABEL_REPEATED) {
            is_spoilt =
                spoil_number(spoil, type->fields[i].type, place_of(message, &type->fields[i])) ||
                is_spoilt;
        }
    }
    if (is_spoilt) {
        *(ProtobufCMessage **)place = message;
    }
    return is_spoilt;
}

/* One value, which is not repeated, or the element of what is. */
static bool spoil_value(struct arena *arena, const ProtobufCFieldDescriptor *field,
                        enum spoil spoil, void *place)
{
    static const uint8_t noise[] = { 0xff, 0x00, 0x30, 0x82, 0xff, 0xff, 0x80, 0x01 };
    bool is_bytes = field->type == PROTOBUF_C_TYPE_BYTES;

    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        return spoil_message(arena, field->descriptor, spoil, place);
    }
    if (field->type == PROTOBUF_C_TYPE_DOUBLE && spoil >= SPOILT_NEGATIVE) {
        *(double *)place = spoil == SPOILT_NO_NUMBER  ? (double)NAN
                           : spoil == SPOILT_NEGATIVE ? -1
                                                      : (double)INFINITY;
        return spoil <= SPOILT_NO_NUMBER;
    }
    if (field->type != PROTOBUF_C_TYPE_STRING && !is_bytes) {
        return spoil_number(spoil, field->type, place);
    }
    bytes value = { .data = noise, .size = sizeof noise };
    if (spoil == SPOILT_OVERSIZED) {
        char *much = arena_alloc(arena, OVERSIZED_BYTES + 1);
        memset(much, 'a', OVERSIZED_BYTES);
        value = (bytes){ .data = (const uint8_t *)much, .size = OVERSIZED_BYTES };
    } else if (spoil != SPOILT_ILL_FORMED) {
        return false;
    } else if (!is_bytes) {
        value = bytes_of(ill_formed);
    }
    if (is_bytes) {
        *(ProtobufCBinaryData *)place = message_data(value);
    } else {
        *(char **)place = message_text((const char *)value.data);
    }
    return true;
}

static size_t size_of_element(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_MESSAGE:
    case PROTOBUF_C_TYPE_STRING:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_DOUBLE:
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_UINT64:
        return sizeof(uint64_t);
    default:
        return sizeof(uint32_t);
    }
}

/* Elements with nothing in them; messages are all the same one. */
static void *make_elements(struct arena *arena, const ProtobufCFieldDescriptor *field, size_t n)
{
    char *elements = arena_alloc(arena, n * size_of_element(field->type));

    memset(elements, 0, n * size_of_element(field->type));
    if (field->type == PROTOBUF_C_TYPE_STRING) {
        for (size_t i = 0; i < n; i++) {
            ((char **)(void *)elements)[i] = message_text("");
        }
    } else if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        ProtobufCMessage *message = empty_message(arena, field->descriptor);
        for (size_t i = 0; i < n; i++) {
            ((ProtobufCMessage **)(void *)elements)[i] = message;
        }
    }
    return elements;
}

static bool spoil_repeated(struct arena *arena, const struct spot *spot, enum spoil spoil)
{
    size_t n = spoil == SPOILT_MISSING ? 0
               : spoil == SPOILT_MANY  ? MANY_ELEMENTS
               : spoil == SPOILT_FLOOD ? FLOOD_ELEMENTS
                                       : 1;
    void *elements = make_elements(arena, spot->field, n > 0 ? n : 1);

    if (n == 1 && spoil != SPOILT_EMPTY && !spoil_value(arena, spot->field, spoil, elements)) {
        return false;
    }
    *(void **)place_of(spot->message, spot->field) = elements;
    *(size_t *)quantifier_of(spot->message, spot->field) = n;
    return true;
}

bool spot_spoil(struct arena *arena, const struct spot *spot, enum spoil spoil)
{
    void *place = place_of(spot->message, spot->field);
    void *quantifier = quantifier_of(spot->message, spot->field);

    if (spot->field->label == PROTOBUF_C_LABEL_REPEATED) {
        return spoil_repeated(arena, spot, spoil);
    }
    if (spoil == SPOILT_MISSING) {
        ProtobufCMessage *fresh = empty_message(arena, spot->message->descriptor);
        memcpy(place, place_of(fresh, spot->field), size_of_element(spot->field->type));
        if (is_choice(spot->field)) {
            *(uint32_t *)quantifier = 0;
        }
        return true;
    }
    if (!spoil_value(arena, spot->field, spoil, place)) {
        return false;
    }
    if (is_choice(spot->field)) {
        *(uint32_t *)quantifier = spot->field->id;
    } else if (spot->field->label == PROTOBUF_C_LABEL_OPTIONAL &&
               spot->field->quantifier_offset != 0) {
        *(protobuf_c_boolean *)quantifier = 1;
    }
    return true;
}
