#include "libs/rpc/wire.h"

#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"
#include "libs/base/status_details.h"
#include "libs/rpc/decode.h"
#include "libs/rpc/message.h"

#include <grpc/byte_buffer_reader.h>
#include <grpc/slice.h>
#include <stdlib.h>
#include <string.h>

/* ---- Payloads ---- */

/* Data of the only slice of a buffer that is not compressed: no copy. */
static bool single_slice(grpc_byte_buffer *buffer, bytes *ret_data)
{
    if (buffer->type != GRPC_BB_RAW || buffer->data.raw.compression != GRPC_COMPRESS_NONE ||
        buffer->data.raw.slice_buffer.count != 1) {
        return false;
    }
    const grpc_slice *slice = &buffer->data.raw.slice_buffer.slices[0];
    *ret_data = (bytes){ .data = GRPC_SLICE_START_PTR(*slice), .size = GRPC_SLICE_LENGTH(*slice) };
    return true;
}

status wire_read(struct arena *arena, grpc_byte_buffer *buffer, size_t limit, bytes *ret_data)
{
    grpc_byte_buffer_reader reader;

    if (buffer == NULL || single_slice(buffer, ret_data)) {
        if (buffer == NULL) {
            *ret_data = (bytes){ .data = NULL };
        }
        return status_ok();
    }
    if (!grpc_byte_buffer_reader_init(&reader, buffer)) {
        return status_error(arena, STATUS_INVALID_ARGUMENT, "the message does not decompress");
    }
    grpc_slice slice = grpc_byte_buffer_reader_readall(&reader);
    grpc_byte_buffer_reader_destroy(&reader);
    size_t size = GRPC_SLICE_LENGTH(slice);
    if (size > limit) {
        grpc_slice_unref(slice);
        return status_error(arena, STATUS_RESOURCE_EXHAUSTED,
                            "the message has %zu bytes, more than %zu", size, limit);
    }
    uint8_t *data = arena_alloc(arena, size);
    if (size > 0) {
        memcpy(data, GRPC_SLICE_START_PTR(slice), size);
    }
    grpc_slice_unref(slice);
    *ret_data = (bytes){ .data = data, .size = size };
    return status_ok();
}

static grpc_byte_buffer *buffer_of(grpc_slice slice)
{
    grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);

    grpc_slice_unref(slice);
    return buffer;
}

grpc_byte_buffer *wire_buffer(bytes data)
{
    return buffer_of(grpc_slice_from_copied_buffer((const char *)data.data, data.size));
}

grpc_byte_buffer *wire_message(const ProtobufCMessage *message)
{
    grpc_slice slice = grpc_slice_malloc(protobuf_c_message_get_packed_size(message));

    (void)protobuf_c_message_pack(message, GRPC_SLICE_START_PTR(slice));
    return buffer_of(slice);
}

const char *wire_header(struct arena *arena, const grpc_metadata_array *metadata, const char *name)
{
    for (size_t i = 0; i < metadata->count; i++) {
        if (grpc_slice_str_cmp(metadata->metadata[i].key, name) == 0) {
            const grpc_slice *value = &metadata->metadata[i].value;
            if (memchr(GRPC_SLICE_START_PTR(*value), '\0', GRPC_SLICE_LENGTH(*value)) != NULL) {
                return "";
            }
            return arena_printf(arena, "%.*s", (int)GRPC_SLICE_LENGTH(*value),
                                (const char *)GRPC_SLICE_START_PTR(*value));
        }
    }
    return "";
}

/* ---- Details out ---- */

static void add_detail(struct arena *arena, Google__Rpc__Status *out, const char *type,
                       const ProtobufCMessage *message)
{
    Google__Protobuf__Any *any = ARENA_NEW(arena, Google__Protobuf__Any);
    bytes packed = message_pack(arena, message);

    google__protobuf__any__init(any);
    any->type_url = arena_printf(arena, "type.googleapis.com/google.rpc.%s", type);
    any->value.len = packed.size;
    any->value.data = arena_alloc(arena, packed.size);
    memcpy(any->value.data, packed.data, packed.size);
    out->details[out->n_details++] = any;
}

static void add_bad_request(struct arena *arena, Google__Rpc__Status *out,
                            const struct field_violation *field)
{
    Google__Rpc__BadRequest__FieldViolation violation, *violations[] = { &violation };
    Google__Rpc__BadRequest message;

    google__rpc__bad_request__field_violation__init(&violation);
    violation.field = message_text(field->field);
    violation.description = message_text(field->description);
    google__rpc__bad_request__init(&message);
    message.n_field_violations = 1;
    message.field_violations = violations;
    add_detail(arena, out, "BadRequest", &message.base);
}

static void add_error_info(struct arena *arena, Google__Rpc__Status *out,
                           const struct error_info *info)
{
    Google__Rpc__ErrorInfo message;

    google__rpc__error_info__init(&message);
    message.reason = message_text(info->reason);
    message.domain = message_text(info->domain);
    message.n_metadata = info->n_metadata;
    message.metadata =
        ARENA_NEW_ARRAY(arena, Google__Rpc__ErrorInfo__MetadataEntry *, info->n_metadata);
    for (size_t i = 0; i < info->n_metadata; i++) {
        message.metadata[i] = ARENA_NEW(arena, Google__Rpc__ErrorInfo__MetadataEntry);
        google__rpc__error_info__metadata_entry__init(message.metadata[i]);
        message.metadata[i]->key = message_text(info->metadata[i][0]);
        message.metadata[i]->value = message_text(info->metadata[i][1]);
    }
    add_detail(arena, out, "ErrorInfo", &message.base);
}

static void add_retry_info(struct arena *arena, Google__Rpc__Status *out, int64_t ms)
{
    Google__Protobuf__Duration delay;
    Google__Rpc__RetryInfo message;

    google__protobuf__duration__init(&delay);
    delay.seconds = ms / 1000;
    delay.nanos = (int32_t)(ms % 1000) * 1000000;
    google__rpc__retry_info__init(&message);
    message.retry_delay = &delay;
    add_detail(arena, out, "RetryInfo", &message.base);
}

static void add_quota_failure(struct arena *arena, Google__Rpc__Status *out,
                              const struct status_details *details)
{
    Google__Rpc__QuotaFailure__Violation violation, *violations[] = { &violation };
    Google__Rpc__QuotaFailure message;

    google__rpc__quota_failure__violation__init(&violation);
    violation.subject = message_text(details->quota_subject);
    violation.description = message_text(details->quota_description);
    google__rpc__quota_failure__init(&message);
    message.n_violations = 1;
    message.violations = violations;
    add_detail(arena, out, "QuotaFailure", &message.base);
}

static bytes encode_details(struct arena *arena, status s)
{
    const struct status_details *details = s.details;
    Google__Protobuf__Any *list[4];
    Google__Rpc__Status out;

    google__rpc__status__init(&out);
    out.code = (int32_t)s.code;
    out.message = message_text(s.message);
    out.details = list;
    if (details->field.field != NULL) {
        add_bad_request(arena, &out, &details->field);
    }
    if (details->info.reason != NULL) {
        add_error_info(arena, &out, &details->info);
    }
    if (details->retry_after_ms > 0) {
        add_retry_info(arena, &out, details->retry_after_ms);
    }
    if (details->quota_subject != NULL) {
        add_quota_failure(arena, &out, details);
    }
    return message_pack(arena, &out.base);
}

void wire_status_init(struct wire_status *self, struct arena *arena, status s)
{
    bool inside = s.code == STATUS_INTERNAL || s.code == STATUS_UNAVAILABLE;
    const char *message = inside ? status_code_name(s.code) : s.message;

    *self = (struct wire_status){
        .code = (grpc_status_code)s.code,
        .message = grpc_slice_from_copied_string(message),
    };
    if (s.details != NULL && s.code != STATUS_INTERNAL) {
        s.message = message;
        bytes details = encode_details(arena, s);
        self->trailers[0].key = grpc_slice_from_static_string("grpc-status-details-bin");
        self->trailers[0].value =
            grpc_slice_from_copied_buffer((const char *)details.data, details.size);
        self->n_trailers = 1;
    }
}

void wire_status_reset(struct wire_status *self)
{
    grpc_slice_unref(self->message);
    for (size_t i = 0; i < self->n_trailers; i++) {
        grpc_slice_unref(self->trailers[i].value);
    }
}

/* ---- Details in ---- */

static void read_error_info(struct arena *arena, const Google__Rpc__ErrorInfo *message,
                            struct status_details *details)
{
    const char *(*metadata)[2] = arena_alloc_array(arena, message->n_metadata, sizeof *metadata);

    for (size_t i = 0; i < message->n_metadata; i++) {
        metadata[i][0] = message->metadata[i]->key;
        metadata[i][1] = message->metadata[i]->value;
    }
    details->info =
        (struct error_info){ message->reason, message->domain, metadata, message->n_metadata };
}

/* Milliseconds of what a peer says, whatever it says. */
static int64_t retry_after_ms(const Google__Protobuf__Duration *delay)
{
    if (delay == NULL || delay->seconds < 0 || delay->nanos < 0) {
        return 0;
    }
    if (delay->seconds >= WIRE_MAX_RETRY_AFTER_MS / 1000) {
        return WIRE_MAX_RETRY_AFTER_MS;
    }
    int64_t ms = delay->seconds * 1000 + delay->nanos / 1000000;
    return ms < WIRE_MAX_RETRY_AFTER_MS ? ms : WIRE_MAX_RETRY_AFTER_MS;
}

/* Takes what it knows, and lets the rest be. */
static void read_detail(struct arena *arena, const Google__Protobuf__Any *any,
                        struct status_details *details)
{
    static const struct {
        const char *type;
        const ProtobufCMessageDescriptor *descriptor;
    } kinds[] = {
        { "BadRequest", &google__rpc__bad_request__descriptor },
        { "ErrorInfo", &google__rpc__error_info__descriptor },
        { "RetryInfo", &google__rpc__retry_info__descriptor },
        { "QuotaFailure", &google__rpc__quota_failure__descriptor },
    };
    static const char prefix[] = "type.googleapis.com/google.rpc.";
    const char *type = strncmp(any->type_url, prefix, sizeof prefix - 1) == 0
                           ? any->type_url + sizeof prefix - 1
                           : "";
    bytes value = { .data = any->value.data, .size = any->value.len };
    const ProtobufCMessage *message = NULL;
    size_t kind = 0;

    while (kind < 4 && strcmp(kinds[kind].type, type) != 0) {
        kind++;
    }
    if (kind == 4 ||
        !status_is_ok(message_decode(arena, kinds[kind].descriptor, value, &message))) {
        return;
    }
    if (kind == 0) {
        const Google__Rpc__BadRequest *bad = (const Google__Rpc__BadRequest *)message;
        if (bad->n_field_violations > 0) {
            details->field = (struct field_violation){ bad->field_violations[0]->field,
                                                       bad->field_violations[0]->description };
        }
    } else if (kind == 1) {
        read_error_info(arena, (const Google__Rpc__ErrorInfo *)message, details);
    } else if (kind == 2) {
        details->retry_after_ms =
            retry_after_ms(((const Google__Rpc__RetryInfo *)message)->retry_delay);
    } else {
        const Google__Rpc__QuotaFailure *quota = (const Google__Rpc__QuotaFailure *)message;
        if (quota->n_violations > 0) {
            details->quota_subject = quota->violations[0]->subject;
            details->quota_description = quota->violations[0]->description;
        }
    }
}

static const struct status_details *read_details(struct arena *arena,
                                                 const grpc_metadata_array *trailers)
{
    for (size_t i = 0; i < trailers->count; i++) {
        const ProtobufCMessage *message;
        if (grpc_slice_str_cmp(trailers->metadata[i].key, "grpc-status-details-bin") != 0) {
            continue;
        }
        bytes data = { .data = GRPC_SLICE_START_PTR(trailers->metadata[i].value),
                       .size = GRPC_SLICE_LENGTH(trailers->metadata[i].value) };
        if (!status_is_ok(
                message_decode(arena, &google__rpc__status__descriptor, data, &message))) {
            return NULL;
        }
        const Google__Rpc__Status *rpc_status = (const Google__Rpc__Status *)message;
        struct status_details *details = ARENA_NEW(arena, struct status_details);
        for (size_t j = 0; j < rpc_status->n_details; j++) {
            read_detail(arena, rpc_status->details[j], details);
        }
        return details;
    }
    return NULL;
}

status wire_status_read(struct arena *arena, grpc_status_code code, grpc_slice message,
                        const grpc_metadata_array *trailers)
{
    if (code == GRPC_STATUS_OK) {
        return status_ok();
    }
    /* A number that is no code is UNKNOWN (gRPC's own rule). */
    enum status_code ours = code > GRPC_STATUS_OK && code <= GRPC_STATUS_UNAUTHENTICATED
                                ? (enum status_code)code
                                : STATUS_UNKNOWN;
    status s = status_error(arena, ours, "%.*s", (int)GRPC_SLICE_LENGTH(message),
                            (const char *)GRPC_SLICE_START_PTR(message));
    s.details = read_details(arena, trailers);
    return s;
}

/* ---- Times ---- */

gpr_timespec wire_deadline(int64_t deadline_us)
{
    return deadline_us == INT64_MAX ? gpr_inf_future(GPR_CLOCK_MONOTONIC)
                                    : gpr_time_from_micros(deadline_us, GPR_CLOCK_MONOTONIC);
}

int64_t wire_deadline_us(gpr_timespec deadline)
{
    if (gpr_time_cmp(deadline, gpr_inf_future(deadline.clock_type)) == 0) {
        return INT64_MAX;
    }
    return (int64_t)gpr_timespec_to_micros(gpr_convert_clock_type(deadline, GPR_CLOCK_MONOTONIC));
}
