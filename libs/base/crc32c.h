/* crc32c - the Castagnoli checksum (RFC 3720, appendix B.4), for what lies on disk.
 *
 * It finds torn writes and bit rot; it is no defence against a person.  Uses the processor's own
 * instruction where there is one, about 10 GB/s, and a table otherwise.
 */

#ifndef LIBS_BASE_CRC32C_H_
#define LIBS_BASE_CRC32C_H_

#include "libs/base/bytes.h"

#include <stdint.h>

/* The checksum of data behind what gave crc; 0 begins. */
uint32_t crc32c_add(uint32_t crc, bytes data);

static inline uint32_t crc32c(bytes data)
{
    return crc32c_add(0, data);
}

#endif
