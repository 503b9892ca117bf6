/* posting_block - up to 128 documents of a list, and how often the term is in each, as bytes.
 *
 * A full block is bit-packed (frame of reference: all with as many bits as the widest needs):
 *
 *     bits of a distance, bits of a count, 128 distances - 1, 128 counts - 1
 *
 * so that it is decoded at about a nanosecond a document.  The block at a list's end, most often
 * the only one, is varints: (distance - 1) * 2 + (count is 1), and the count where it is not.
 */

#ifndef SERVICES_SEARCH_POSTING_BLOCK_H_
#define SERVICES_SEARCH_POSTING_BLOCK_H_

#include "libs/base/attributes.h"
#include "libs/base/bytes.h"
#include "services/search/source.h"

enum {
    /* 2 bytes of widths, and 32 and 16 bits for each; or 5 and 3 bytes of varints for each */
    MAX_BLOCK_BYTES = 2 + BLOCK_DOCS * 8,
    /* how far behind a block decoding may look: what is there does not matter */
    BLOCK_PADDING = 8,
};

struct posting_block {
    uint32_t docs[BLOCK_DOCS]; /* rising */
    uint16_t counts[BLOCK_DOCS];
    uint32_t n;
};

/* before: the last document of the block before, or NO_DOC when this is the first. */
size_t posting_block_pack(const struct posting_block *block, uint32_t before,
                          uint8_t out[MAX_BLOCK_BYTES]) NONNULL;

/* Reads n documents, all below limit.  Returns how many bytes they take; 0 when data is no such
 * block.  data has BLOCK_PADDING readable bytes behind its end. */
size_t posting_block_unpack(bytes data, uint32_t n, uint32_t before, uint32_t limit, uint32_t *docs,
                            uint16_t *counts) NONNULL;

#endif
