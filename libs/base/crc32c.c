#include "libs/base/crc32c.h"

#include <string.h>

/* x^32 + x^28 + ..., bits reversed */
enum { FOUR_BITS = 16 };

/* Half a byte at a time: 64 bytes of table, for processors that nobody measures. */
static uint32_t add_by_table(uint32_t crc, bytes data)
{
    static const uint32_t table[FOUR_BITS] = {
        0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
        0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
        0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
    };

    for (size_t i = 0; i < data.size; i++) {
        crc ^= data.data[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return crc;
}

#ifdef __x86_64__
__attribute__((target("sse4.2"))) static uint32_t add_by_instruction(uint32_t crc, bytes data)
{
    uint64_t wide = crc;
    size_t i = 0;

    for (; data.size - i >= 8; i += 8) {
        uint64_t block;
        memcpy(&block, data.data + i, 8);
        wide = __builtin_ia32_crc32di(wide, block);
    }
    crc = (uint32_t)wide;
    for (; i < data.size; i++) {
        crc = __builtin_ia32_crc32qi(crc, data.data[i]);
    }
    return crc;
}
#endif

uint32_t crc32c_add(uint32_t crc, bytes data)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("sse4.2")) {
        return ~add_by_instruction(~crc, data);
    }
#endif
    return ~add_by_table(~crc, data);
}
