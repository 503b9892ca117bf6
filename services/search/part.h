/* part - an immutable, mapped source (source.h), as part_format.h has it on disk.
 *
 * Nothing in the bytes is believed: checksums find what the disk has changed, each block when it
 * is first touched, and offsets and counts are held against the part's size besides.  What is
 * wrong is DATA_LOSS, with the segment's name and the offset.
 */

#ifndef SERVICES_SEARCH_PART_H_
#define SERVICES_SEARCH_PART_H_

#include "services/search/part_writer.h"
#include "services/search/source.h"

/* data is borrowed, and so is name, which is only for messages.  The caller owns the source:
 * source_free().
 *
 * DATA_LOSS: data is no part.  FAILED_PRECONDITION: a newer program wrote it. */
status part_open(struct arena *arena, bytes data, const char *name, struct source **ret_part)
    NONNULL;

/* A term of a part, in the order of its fields and, within one, of the terms. */
struct part_list {
    bytes term;
    struct list list;
};

/* The terms of a field: numbers from *ret_first up to, not including, *ret_end. */
void part_terms(const struct source *part, size_t field, uint32_t *ret_first, uint32_t *ret_end)
    NONNULL;
status part_list(const struct source *part, struct arena *arena, uint32_t number,
                 struct part_list *ret_list) NONNULL;

/* Dead documents, as they lie in a segment. */
void part_write_dead(const struct source *part, struct segment_writer *segment,
                     struct extent *ret_extent) NONNULL;
/* DATA_LOSS: data is not what part_write_dead() wrote for this part. */
status part_read_dead(struct source *part, struct arena *arena, bytes data, const char *name)
    NONNULL;

#endif
