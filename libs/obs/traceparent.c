#include "libs/obs/traceparent.h"

#include <string.h>

/* Not libs/base/encoding.h's hex, which allocates: these run in every call. */
static int hex_value(uint8_t digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

static bool read_hex(const uint8_t *text, uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        int high = hex_value(text[2 * i]);
        int low = hex_value(text[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        data[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static void write_hex(const uint8_t *data, size_t size, char *text)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < size; i++) {
        text[2 * i] = digits[data[i] >> 4];
        text[2 * i + 1] = digits[data[i] & 0xf];
    }
    text[2 * size] = '\0';
}

static bool is_zero(const uint8_t *data, size_t size)
{
    uint8_t any = 0;

    for (size_t i = 0; i < size; i++) {
        any |= data[i];
    }
    return any == 0;
}

/* Where the parts stand: 00-(32 digits)-(16 digits)-(2 digits). */
enum { VERSION_AT = 0, TRACE_ID_AT = 3, SPAN_ID_AT = 36, FLAGS_AT = 53, LENGTH = 55 };

/* Section 3.2.2: version 00 is 55 characters long, a later one may be longer. */
static bool has_the_length(bytes header, uint8_t version)
{
    if (version == 0) {
        return header.size == LENGTH;
    }
    return version != 0xff && (header.size == LENGTH || header.data[LENGTH] == '-');
}

bool traceparent_parse(bytes header, struct trace_context *ret_context)
{
    struct trace_context context = { .remote = true };
    const uint8_t *text = header.data;
    uint8_t version;

    if (header.size < LENGTH || text[TRACE_ID_AT - 1] != '-' || text[SPAN_ID_AT - 1] != '-' ||
        text[FLAGS_AT - 1] != '-') {
        return false;
    }
    if (!read_hex(text + VERSION_AT, &version, 1) || !has_the_length(header, version)) {
        return false;
    }
    if (!read_hex(text + TRACE_ID_AT, context.trace_id, TRACE_ID_BYTES) ||
        !read_hex(text + SPAN_ID_AT, context.span_id, SPAN_ID_BYTES) ||
        !read_hex(text + FLAGS_AT, &context.flags, 1)) {
        return false;
    }
    if (is_zero(context.trace_id, TRACE_ID_BYTES) || is_zero(context.span_id, SPAN_ID_BYTES)) {
        return false;
    }
    context.flags &= TRACE_SAMPLED | TRACE_RANDOM;
    *ret_context = context;
    return true;
}

void traceparent_format(const struct trace_context *context, char *text)
{
    memcpy(text, "00-", TRACE_ID_AT);
    write_hex(context->trace_id, TRACE_ID_BYTES, text + TRACE_ID_AT);
    text[SPAN_ID_AT - 1] = '-';
    write_hex(context->span_id, SPAN_ID_BYTES, text + SPAN_ID_AT);
    text[FLAGS_AT - 1] = '-';
    write_hex(&context->flags, 1, text + FLAGS_AT);
}

void trace_id_format(const uint8_t id[TRACE_ID_BYTES], char text[TRACE_ID_TEXT])
{
    write_hex(id, TRACE_ID_BYTES, text);
}

void span_id_format(const uint8_t id[SPAN_ID_BYTES], char text[SPAN_ID_TEXT])
{
    write_hex(id, SPAN_ID_BYTES, text);
}

bool trace_id_parse(bytes text, uint8_t ret_id[TRACE_ID_BYTES])
{
    uint8_t id[TRACE_ID_BYTES];

    if (text.size != 2 * sizeof id || !read_hex(text.data, id, sizeof id) ||
        is_zero(id, sizeof id)) {
        return false;
    }
    memcpy(ret_id, id, sizeof id);
    return true;
}
