/* pack - numbers and strings as bytes, for what the index keeps in files.
 *
 * Little-endian; varints are LEB128.  Packing appends to a text.  Unpacking goes from front to
 * back and never past the end: what is not there reads as zeros and sets `failed`, so that a
 * whole structure is read first and checked once.
 */

#ifndef SERVICES_SEARCH_PACK_H_
#define SERVICES_SEARCH_PACK_H_

#include "libs/base/attributes.h"
#include "libs/base/bytes.h"
#include "libs/base/text.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { MAX_VARINT_BYTES = 10 };

static inline uint32_t load_u32(const uint8_t *at)
{
    uint32_t value;

    memcpy(&value, at, sizeof value);
    return value;
}

static inline uint64_t load_u64(const uint8_t *at)
{
    uint64_t value;

    memcpy(&value, at, sizeof value);
    return value;
}

void pack_u32(struct text *out, uint32_t value) NONNULL;
void pack_u64(struct text *out, uint64_t value) NONNULL;
void pack_varint(struct text *out, uint64_t value) NONNULL;
/* Its length as a varint, then the bytes. */
void pack_string(struct text *out, bytes value) NONNULL;

/* Returns how many bytes were written. */
static inline size_t varint_put(uint8_t out[MAX_VARINT_BYTES], uint64_t value)
{
    size_t n = 0;

    for (; value >= 0x80; value >>= 7) {
        out[n++] = (uint8_t)(value | 0x80);
    }
    out[n++] = (uint8_t)value;
    return n;
}

struct unpack {
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
};

static inline struct unpack unpack_of(bytes data)
{
    return (struct unpack){ .at = data.data, .end = data.data + data.size };
}

static inline size_t unpack_left(const struct unpack *in)
{
    return (size_t)(in->end - in->at);
}

static inline uint64_t unpack_varint(struct unpack *in)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 64 && in->at < in->end; shift += 7) {
        uint8_t byte = *in->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            return value;
        }
    }
    in->failed = true;
    return 0;
}

uint8_t unpack_u8(struct unpack *in) NONNULL;
uint32_t unpack_u32(struct unpack *in) NONNULL;
uint64_t unpack_u64(struct unpack *in) NONNULL;
/* The next size bytes, where they stand. */
bytes unpack_bytes(struct unpack *in, size_t size) NONNULL;
/* What pack_string() wrote. */
bytes unpack_string(struct unpack *in) NONNULL;

/* Orders bytes as memcmp() does, the shorter first where one begins the other. */
int bytes_compare(bytes a, bytes b);
/* A copy in arena, with a NUL behind it. */
bytes bytes_copy(struct arena *arena, bytes data) NONNULL;

#endif
