/* part_writer - writes a part (part_format.h) from its beginning to its end.
 *
 *     part_writer_init(&writer, &segment);
 *     for each document, in order of ids:            part_writer_document()
 *     for each field of the schema:
 *         part_writer_begin_field()
 *         for each term, in order:                   part_writer_begin_list()
 *             for each document that has it:         part_writer_posting()
 *             part_writer_end_list()
 *     part_writer_finish()
 *
 * Lengths of text fields are set before the field begins, since they bound its lists.  Memory:
 * about 30 bytes for each document and for each term.  Failures wait in the segment_writer.
 */

#ifndef SERVICES_SEARCH_PART_WRITER_H_
#define SERVICES_SEARCH_PART_WRITER_H_

#include "services/search/part_format.h"
#include "services/search/posting_block.h"
#include "services/search/search_schema.h"
#include "services/search/segment_writer.h"

/* Where something lies in a segment. */
struct extent {
    uint64_t segment; /* its number; 0: nowhere */
    uint64_t offset;
    uint64_t size;
};

/* The same, to be read: mapped, and by the file for what is not to stay in memory. */
struct extent_view {
    bytes data;
    struct file *file;
    uint64_t offset;  /* in the file */
    const char *name; /* the segment's, for messages */
};

struct growing {
    uint8_t *data; /* owned */
    size_t size;
    size_t capacity;
};

struct part_writer {
    struct segment_writer *segment;
    uint64_t start;
    uint64_t docs_end;
    uint32_t crc; /* of the check block under way */
    size_t n_checked;
    struct growing checksums;
    struct growing doc_offsets;
    struct growing ids;
    struct growing id_offsets;
    struct growing terms;
    struct growing term_text;
    struct part_field fields[MAX_FIELDS];
    size_t n_fields;
    uint32_t n_docs;
    uint32_t n_terms;

    /* The list under way. */
    const uint16_t *lengths; /* of the field, or NULL */
    struct growing list;
    struct growing blocks;
    struct growing positions; /* of the block */
    struct posting_block block;
    uint32_t list_docs;
    uint32_t before; /* the last document of the block before */
};

struct posting {
    uint32_t doc;
    uint16_t count;
    bytes positions; /* encoded; empty when the field is not text */
};

void part_writer_init(struct part_writer *self, struct segment_writer *segment) NONNULL;
void part_writer_reset(struct part_writer *self) NONNULL;

void part_writer_document(struct part_writer *self, bytes id, bytes stored) NONNULL;

/* lengths: for a text field, one for each document, borrowed until the field's last list;
 * otherwise NULL. */
void part_writer_begin_field(struct part_writer *self, const uint16_t *lengths, uint64_t n_words)
    NONNULL_ARGS(1);
void part_writer_begin_list(struct part_writer *self) NONNULL;
void part_writer_posting(struct part_writer *self, const struct posting *posting) NONNULL;
/* Of a list with no posting nothing stays. */
void part_writer_end_list(struct part_writer *self, bytes term) NONNULL;
/* Of a number field: the values, in order of the list of "". */
void part_writer_numbers(struct part_writer *self, const double *numbers, size_t n) NONNULL_ARGS(1);

void part_writer_finish(struct part_writer *self, struct extent *ret_extent) NONNULL;

#endif
