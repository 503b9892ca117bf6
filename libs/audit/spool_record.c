#include "libs/audit/spool_record.h"

#include "libs/base/crc32c.h"

#include <string.h>

static const char magic[4] = { 'w', 's', 'p', '1' };

static void put_32(uint8_t *out, uint32_t number)
{
    for (int i = 0; i < 4; i++) {
        out[i] = (uint8_t)(number >> 8 * i);
    }
}

static uint32_t get_32(const uint8_t *in)
{
    return (uint32_t)in[0] | (uint32_t)in[1] << 8 | (uint32_t)in[2] << 16 | (uint32_t)in[3] << 24;
}

static uint32_t checksum(const uint8_t *size, bytes data)
{
    return crc32c_add(crc32c((bytes){ .data = size, .size = 4 }), data);
}

bytes spool_record_encode(struct arena *arena, bytes data)
{
    uint8_t *record = arena_alloc(arena, SPOOL_RECORD_HEADER + data.size);

    memcpy(record, magic, sizeof magic);
    put_32(record + 4, (uint32_t)data.size);
    put_32(record + 8, checksum(record + 4, data));
    if (data.size > 0) {
        memcpy(record + SPOOL_RECORD_HEADER, data.data, data.size);
    }
    return (bytes){ .data = record, .size = SPOOL_RECORD_HEADER + data.size };
}

/* Whether a whole record begins where rest does. */
static bool is_record(bytes rest, bytes *ret_data)
{
    if (rest.size < SPOOL_RECORD_HEADER || memcmp(rest.data, magic, sizeof magic) != 0) {
        return false;
    }
    const bytes data = { .data = rest.data + SPOOL_RECORD_HEADER, .size = get_32(rest.data + 4) };
    if (data.size > SPOOL_RECORD_MAX || data.size > rest.size - SPOOL_RECORD_HEADER ||
        checksum(rest.data + 4, data) != get_32(rest.data + 8)) {
        return false;
    }
    *ret_data = data;
    return true;
}

bool spool_record_next(bytes file, size_t *at, size_t *n_skipped, bytes *ret_data)
{
    size_t i = *at;

    for (; i < file.size; i++) {
        const uint8_t *begin = memchr(file.data + i, magic[0], file.size - i);
        i = begin == NULL ? file.size : (size_t)(begin - file.data);
        if (is_record((bytes){ .data = file.data + i, .size = file.size - i }, ret_data)) {
            *n_skipped += i - *at;
            *at = i + SPOOL_RECORD_HEADER + ret_data->size;
            return true;
        }
    }
    *n_skipped += file.size - *at;
    *at = file.size;
    return false;
}
