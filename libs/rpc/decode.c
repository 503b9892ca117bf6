#include "libs/rpc/decode.h"

#include "libs/base/status_details.h"
#include "libs/base/text.h"
#include "libs/base/utf8.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* ---- The walk ---- */

/* Fields are numbered from 1 to 2^29 - 1.  protobuf-c takes 0 where it is written in two bytes,
 * and cannot read what it then writes itself. */
static const uint64_t TAG_MIN = 1 << 3, TAG_MAX = UINT32_MAX;

/* What is left to read. */
struct reader {
    const uint8_t *at;
    const uint8_t *end;
};

static bool read_varint(struct reader *reader, uint64_t *ret_value)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 64 && reader->at < reader->end; shift += 7) {
        uint8_t byte = *reader->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *ret_value = value;
            return true;
        }
    }
    return false;
}

static bool read_bytes(struct reader *reader, uint64_t size, bytes *ret_data)
{
    if (size > (uint64_t)(reader->end - reader->at)) {
        return false;
    }
    *ret_data = (bytes){ .data = reader->at, .size = (size_t)size };
    reader->at += size;
    return true;
}

/* Reads a field's value; ret_data stays as it is unless the value has a length of its own. */
static bool read_value(struct reader *reader, unsigned wire_type, bytes *ret_data)
{
    uint64_t number;
    bytes skipped;

    switch (wire_type) {
    case PROTOBUF_C_WIRE_TYPE_VARINT:
        return read_varint(reader, &number);
    case PROTOBUF_C_WIRE_TYPE_64BIT:
        return read_bytes(reader, 8, &skipped);
    case PROTOBUF_C_WIRE_TYPE_32BIT:
        return read_bytes(reader, 4, &skipped);
    case PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED:
        return read_varint(reader, &number) && read_bytes(reader, number, ret_data);
    default: /* groups, which proto3 never had */
        return false;
    }
}

/* What is wrong, and where: the fields that lead there from outside. */
struct finding {
    const char *wrong; /* NULL: nothing */
    const ProtobufCFieldDescriptor *path[DECODE_MAX_DEPTH];
    size_t n_path;
};

static void find(struct finding *self, const char *wrong, size_t n_path)
{
    self->wrong = wrong;
    self->n_path = n_path;
}

/* depth fields lead to this message.  Calls itself at most DECODE_MAX_DEPTH deep. */
static void walk(const ProtobufCMessageDescriptor *type, bytes data, size_t depth,
                 struct finding *finding)
{
    struct reader reader = { .at = data.data, .end = data.data + data.size };

    while (finding->wrong == NULL && reader.at < reader.end) {
        bytes value = { .data = NULL };
        uint64_t tag;
        if (!read_varint(&reader, &tag) || tag < TAG_MIN || tag > TAG_MAX ||
            !read_value(&reader, tag & 7, &value)) {
            find(finding, "is cut short or no message", depth);
            return;
        }
        if (value.data == NULL) {
            continue; /* a number */
        }
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field(type, (unsigned)(tag >> 3));
        if (field == NULL) {
            continue;
        }
        finding->path[depth] = field;
        if (field->type == PROTOBUF_C_TYPE_STRING && !utf8_is_valid(value)) {
            find(finding, "is not text", depth + 1);
        } else if (field->type == PROTOBUF_C_TYPE_MESSAGE && depth + 1 == DECODE_MAX_DEPTH) {
            find(finding, "is nested too deeply", depth + 1);
        } else if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
            walk(field->descriptor, value, depth + 1, finding);
        }
    }
}

/* About a field, "event.actor"; about the message as a whole when no field leads there. */
static status say(struct arena *arena, const ProtobufCMessageDescriptor *type,
                  const struct finding *finding)
{
    struct text field = text_new(arena);

    if (finding->n_path == 0) {
        return status_error(arena, STATUS_INVALID_ARGUMENT, "%s %s", type->short_name,
                            finding->wrong);
    }
    for (size_t i = 0; i < finding->n_path; i++) {
        text_add(&field, "%s%s", i == 0 ? "" : ".", finding->path[i]->name);
    }
    return status_bad_field(arena, text_string(&field), "%s", finding->wrong);
}

/* ---- The bounded allocator ---- */

/* protobuf-c keeps a list of a message's fields while it parses it, 40 bytes for each, and
 * gives it back at the end.  An arena takes nothing back, so large pieces come from malloc. */
enum { LARGE_BYTES = 1024, ARENA_STEP = _Alignof(max_align_t) };

struct large {
    struct large *next;
    size_t cost;
    _Alignas(max_align_t) unsigned char data[];
};

struct budget {
    struct arena *arena;
    size_t left;
    bool exceeded;
    struct large *large; /* newest first */
};

static void *allocate(void *data, size_t size)
{
    struct budget *budget = data;
    size_t cost = (size + ARENA_STEP - 1) / ARENA_STEP * ARENA_STEP;

    if (cost > budget->left) {
        budget->exceeded = true;
        return NULL;
    }
    budget->left -= cost;
    if (size < LARGE_BYTES) {
        return arena_alloc(budget->arena, size);
    }
    struct large *large = malloc(sizeof *large + size);
    if (large == NULL) {
        abort();
    }
    *large = (struct large){ .next = budget->large, .cost = cost };
    budget->large = large;
    return large->data;
}

static void release(void *data, void *memory)
{
    struct budget *budget = data;

    for (struct large **at = &budget->large; *at != NULL; at = &(*at)->next) {
        struct large *large = *at;
        if (large->data == memory) {
            *at = large->next;
            budget->left += large->cost;
            free(large);
            return;
        }
    }
    /* A small one: the arena has it back when the call ends. */
}

/* What protobuf-c did not give back is part of the message and lives as long as the call. */
static void hand_to_arena(struct budget *budget)
{
    while (budget->large != NULL) {
        struct large *large = budget->large;
        budget->large = large->next;
        arena_defer(budget->arena, free, large);
    }
}

status message_decode(struct arena *arena, const ProtobufCMessageDescriptor *type, bytes data,
                      const ProtobufCMessage **ret_message)
{
    struct finding finding = { .wrong = NULL };

    walk(type, data, 0, &finding);
    if (finding.wrong != NULL) {
        return say(arena, type, &finding);
    }
    struct budget budget = {
        .arena = arena,
        .left = DECODE_GROWTH * data.size + DECODE_ALLOWANCE,
    };
    ProtobufCAllocator allocator = { allocate, release, &budget };
    const ProtobufCMessage *message =
        protobuf_c_message_unpack(type, &allocator, data.size, data.data);
    hand_to_arena(&budget);
    if (budget.exceeded) {
        return status_error(arena, STATUS_RESOURCE_EXHAUSTED,
                            "%s of %zu bytes would take too much memory", type->short_name,
                            data.size);
    }
    if (message == NULL) {
        return status_error(arena, STATUS_INVALID_ARGUMENT, "not a %s", type->short_name);
    }
    *ret_message = message;
    return status_ok();
}
