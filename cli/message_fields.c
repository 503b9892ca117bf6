#include "cli/message_fields.h"

#include "libs/base/encoding.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

enum { MAX_FIELDS = 48 };

/* ---- Values ---- */

static const void *member_of(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    return (const char *)message + field->offset;
}

/* How often the field stands in the message; *ret_values is the first. */
static size_t count_of(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
                       const void **ret_values)
{
    const void *member = member_of(message, field);
    const char *quantifier = (const char *)message + field->quantifier_offset;

    *ret_values = member;
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        *ret_values = *(const void *const *)member;
        return *(const size_t *)(const void *)quantifier;
    }
    if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
        return *(const uint32_t *)(const void *)quantifier == field->id;
    }
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        return *(const void *const *)member != NULL;
    }
    return 1;
}

/* "TENANT_STATE_ACTIVE" of enum TenantState is "active". */
static const char *enum_word(struct arena *arena, const ProtobufCEnumDescriptor *type, int value)
{
    const ProtobufCEnumValue *known = protobuf_c_enum_descriptor_get_value(type, value);
    size_t prefix = 0;

    if (known == NULL) {
        return arena_printf(arena, "%d", value);
    }
    for (const char *c = type->short_name; *c != '\0'; c++) {
        bool begins_word = c != type->short_name && isupper((unsigned char)*c) != 0;
        prefix += begins_word ? 2 : 1; /* and a '_' before it */
    }
    const char *name = strlen(known->name) > prefix + 1 ? known->name + prefix + 1 : known->name;
    char *word = arena_strdup(arena, name);
    for (char *c = word; *c != '\0'; c++) {
        *c = (char)tolower((unsigned char)*c);
    }
    return word;
}

static bool is_named(const ProtobufCMessageDescriptor *type, const char *name)
{
    return strcmp(type->name, name) == 0;
}

static int64_t seconds_of(const ProtobufCMessage *message)
{
    return *(const int64_t *)member_of(
        message, protobuf_c_message_descriptor_get_field(message->descriptor, 1));
}

static int32_t nanos_of(const ProtobufCMessage *message)
{
    return *(const int32_t *)member_of(
        message, protobuf_c_message_descriptor_get_field(message->descriptor, 2));
}

static void add_timestamp(struct text *into, const ProtobufCMessage *message)
{
    time_t seconds = (time_t)seconds_of(message);
    char when[32];
    struct tm utc;

    (void)strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", gmtime_r(&seconds, &utc));
    text_add(into, "\"%s.%03dZ\"", when, nanos_of(message) / 1000000);
}

static void add_message(struct text *into, const ProtobufCMessage *message)
{
    if (is_named(message->descriptor, "google.protobuf.Timestamp")) {
        add_timestamp(into, message);
    } else if (is_named(message->descriptor, "google.protobuf.Duration")) {
        text_add(into, "\"%" PRId64 ".%09ds\"", seconds_of(message), nanos_of(message));
    } else {
        message_add_json(into, message);
    }
}

static size_t size_of(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return 8;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    default:
        return 4;
    }
}

static void add_bytes(struct text *into, const ProtobufCBinaryData *data)
{
    text_add(into, "\"%s\"",
             base64_encode(into->arena, (bytes){ .data = data->data, .size = data->len },
                           BASE64_STANDARD));
}

/* One value as JSON. */
static void add_value(struct text *into, const ProtobufCFieldDescriptor *field, const void *value)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        text_add(into, "%" PRId32, *(const int32_t *)value);
        break;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        text_add(into, "%" PRId64, *(const int64_t *)value);
        break;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        text_add(into, "%" PRIu32, *(const uint32_t *)value);
        break;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        text_add(into, "%" PRIu64, *(const uint64_t *)value);
        break;
    case PROTOBUF_C_TYPE_FLOAT:
        text_add(into, "%.7g", (double)*(const float *)value);
        break;
    case PROTOBUF_C_TYPE_DOUBLE:
        text_add(into, "%.15g", *(const double *)value);
        break;
    case PROTOBUF_C_TYPE_BOOL:
        text_add(into, *(const protobuf_c_boolean *)value ? "true" : "false");
        break;
    case PROTOBUF_C_TYPE_ENUM:
        text_add_json(into,
                      bytes_of(enum_word(into->arena, field->descriptor, *(const int *)value)));
        break;
    case PROTOBUF_C_TYPE_STRING:
        text_add_json(into, bytes_of(*(const char *const *)value));
        break;
    case PROTOBUF_C_TYPE_BYTES:
        add_bytes(into, value);
        break;
    case PROTOBUF_C_TYPE_MESSAGE:
        add_message(into, *(const ProtobufCMessage *const *)value);
        break;
    }
}

static void add_field(struct text *into, const ProtobufCFieldDescriptor *field, const void *values,
                      size_t n)
{
    bool is_list = field->label == PROTOBUF_C_LABEL_REPEATED;

    text_add(into, is_list ? "[" : "");
    for (size_t i = 0; i < n; i++) {
        text_add(into, i > 0 ? "," : "");
        add_value(into, field, (const char *)values + i * size_of(field->type));
    }
    text_add(into, is_list ? "]" : "");
}

void message_add_json(struct text *into, const ProtobufCMessage *message)
{
    const char *separator = "";

    text_add(into, "{");
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        const void *values;
        size_t n = count_of(message, field, &values);
        if (n > 0) {
            text_add(into, "%s\"%s\":", separator, field->name);
            add_field(into, field, values, n);
            separator = ",";
        }
    }
    text_add(into, "}");
}

/* ---- Columns ---- */

/* What people see of one value: JSON without its quotes, but for timestamps. */
static const char *shown_value(struct arena *arena, const ProtobufCFieldDescriptor *field,
                               const void *value)
{
    struct text text = text_new(arena);

    if (field->type == PROTOBUF_C_TYPE_STRING) {
        return *(const char *const *)value;
    }
    if (field->type == PROTOBUF_C_TYPE_ENUM) {
        return enum_word(arena, field->descriptor, *(const int *)value);
    }
    if (field->type == PROTOBUF_C_TYPE_BYTES) {
        const ProtobufCBinaryData *data = value;
        return arena_printf(arena, "%zu bytes", data->len);
    }
    if (field->type == PROTOBUF_C_TYPE_MESSAGE &&
        is_named(field->descriptor, "google.protobuf.Timestamp")) {
        const ProtobufCMessage *message = *(const ProtobufCMessage *const *)value;
        int64_t ms = seconds_of(message) * 1000 + nanos_of(message) / 1000000;
        return field_time(arena, field->name, ms).shown;
    }
    add_value(&text, field, value);
    return text_string(&text);
}

static const char *shown_field(struct arena *arena, const ProtobufCFieldDescriptor *field,
                               const void *values, size_t n)
{
    struct text text = text_new(arena);

    for (size_t i = 0; i < n; i++) {
        const char *value =
            shown_value(arena, field, (const char *)values + i * size_of(field->type));
        text_add(&text, "%s%s", i > 0 ? " " : "", value != NULL ? value : "");
    }
    return text_string(&text);
}

/* "progress.done" of a job: the way through the messages. */
static struct field column_of(struct arena *arena, const ProtobufCMessage *message,
                              const char *column)
{
    const char *part = column;
    const char *heading = column;
    const char *dot;
    const void *values;

    while ((dot = strchr(part, '.')) != NULL) {
        const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field_by_name(
            message->descriptor, arena_printf(arena, "%.*s", (int)(dot - part), part));
        assert(field != NULL && field->type == PROTOBUF_C_TYPE_MESSAGE);
        if (count_of(message, field, &values) == 0) {
            return field_only(FIELD_TABLE_ONLY, field_text(dot + 1, NULL));
        }
        /* A plan's name is the plan. */
        heading = strcmp(dot + 1, "name") == 0 ? field->name : dot + 1;
        message = *(const ProtobufCMessage *const *)values;
        part = dot + 1;
    }
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(message->descriptor, part);
    assert(field != NULL);
    size_t n = count_of(message, field, &values);
    return field_only(FIELD_TABLE_ONLY,
                      field_text(heading, n > 0 ? shown_field(arena, field, values, n) : NULL));
}

void message_row(struct output *output, struct arena *arena, const ProtobufCMessage *message,
                 const char *columns)
{
    struct field fields[MAX_FIELDS];
    size_t n = 0;

    for (unsigned i = 0; i < message->descriptor->n_fields && n < MAX_FIELDS; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        const void *values;
        size_t count = count_of(message, field, &values);
        if (count > 0) {
            struct text json = text_new(arena);
            add_field(&json, field, values, count);
            fields[n++] = field_raw(field->name, text_string(&json), NULL);
        }
    }
    for (char *rest = arena_strdup(arena, columns), *column; n < MAX_FIELDS;) {
        column = strtok_r(rest, " ", &rest);
        if (column == NULL) {
            break;
        }
        fields[n++] = column_of(arena, message, column);
    }
    output_row(output, fields, n);
}
