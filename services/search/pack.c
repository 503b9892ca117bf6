#include "services/search/pack.h"

void pack_u32(struct text *out, uint32_t value)
{
    text_add_bytes(out, (bytes){ .data = (const uint8_t *)&value, .size = sizeof value });
}

void pack_u64(struct text *out, uint64_t value)
{
    text_add_bytes(out, (bytes){ .data = (const uint8_t *)&value, .size = sizeof value });
}

void pack_varint(struct text *out, uint64_t value)
{
    uint8_t data[MAX_VARINT_BYTES];

    text_add_bytes(out, (bytes){ .data = data, .size = varint_put(data, value) });
}

void pack_string(struct text *out, bytes value)
{
    pack_varint(out, value.size);
    text_add_bytes(out, value);
}

bytes unpack_bytes(struct unpack *in, size_t size)
{
    if (size > unpack_left(in)) {
        in->failed = true;
        return (bytes){ .data = in->at };
    }
    bytes data = { .data = in->at, .size = size };
    in->at += size;
    return data;
}

uint8_t unpack_u8(struct unpack *in)
{
    bytes data = unpack_bytes(in, 1);

    return data.size == 1 ? data.data[0] : 0;
}

uint32_t unpack_u32(struct unpack *in)
{
    bytes data = unpack_bytes(in, sizeof(uint32_t));

    return data.size > 0 ? load_u32(data.data) : 0;
}

uint64_t unpack_u64(struct unpack *in)
{
    bytes data = unpack_bytes(in, sizeof(uint64_t));

    return data.size > 0 ? load_u64(data.data) : 0;
}

bytes unpack_string(struct unpack *in)
{
    uint64_t size = unpack_varint(in);

    return unpack_bytes(in, size > SIZE_MAX / 2 ? SIZE_MAX / 2 : (size_t)size);
}

int bytes_compare(bytes a, bytes b)
{
    size_t both = a.size < b.size ? a.size : b.size;
    int order = both == 0 ? 0 : memcmp(a.data, b.data, both);

    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

bytes bytes_copy(struct arena *arena, bytes data)
{
    uint8_t *copy = arena_alloc(arena, data.size + 1);

    if (data.size > 0) {
        memcpy(copy, data.data, data.size);
    }
    return (bytes){ .data = copy, .size = data.size };
}
