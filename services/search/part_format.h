/* part_format - how documents and their index lie in a segment.
 *
 * A part is what one collection has in one segment.  Documents are numbered in order of their
 * ids, which makes finding one a binary search and merging a merge.
 *
 *     documents      as they were encoded, one after the other
 *     doc offsets    u64 for each document, and one for the end
 *     ids            the ids, one after the other
 *     id offsets     u32 for each, and one for the end
 *     lists          for each field and term
 *     lengths        for each text field: u16 for each document
 *     numbers        for each number field: a double for each document that has it
 *     terms          struct part_term for each list, by field, then term; and one for the end
 *     term text      the terms, one after the other
 *     fields         struct part_field[n_fields]
 *     checksums      u32 for each PART_CHECK_BYTES of all the above
 *     footer         struct part_footer
 *
 * A list of more than 128 documents begins with its blocks (struct part_block); a shorter one
 * with two varints, its block's bounds.  Each block is followed by the positions of its
 * documents, when the field is text.
 *
 * Offsets are from the part's beginning; tables are at multiples of 8.  Numbers are as the
 * processor has them: little-endian, which the build insists on.
 *
 * Checksums are looked at block by block, when one is first touched: a start reads the footers
 * and nothing else, and what nobody asks for is never read from the disk.
 */

#ifndef SERVICES_SEARCH_PART_FORMAT_H_
#define SERVICES_SEARCH_PART_FORMAT_H_

#include <stdint.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "segments are little-endian");

enum {
    PART_VERSION = 1,
    PART_MAGIC = 0x54525057, /* "WPRT" */
    PART_CHECK_BYTES = 16 * 1024,
};

struct part_term {
    uint64_t list; /* its offset */
    uint32_t text; /* offset in the term text */
    uint32_t n_docs;
};

struct part_field {
    uint32_t first_term; /* the field's terms: from here */
    uint32_t end_term;   /* up to, not including, this */
    uint64_t lengths;    /* offset; 0: there are none */
    uint64_t numbers;    /* offset; 0: there are none */
    uint64_t n_words;
};

/* Of a list with more than one block. */
struct part_block {
    uint32_t last_doc;
    uint32_t offset; /* from the list's beginning */
    uint16_t most_counts;
    uint16_t least_length;
};

struct part_footer {
    uint64_t doc_offsets;
    uint64_t ids;
    uint64_t id_offsets;
    uint64_t terms;
    uint64_t term_text;
    uint64_t fields;
    uint64_t checksums;
    uint32_t n_docs;
    uint32_t n_terms;
    uint32_t n_fields;
    uint32_t analysis_version;
    uint32_t version;
    uint32_t magic;
    uint32_t padding;
    uint32_t crc; /* of the checksums and of the footer up to here */
};

#endif
