/* part - an immutable source (source.h), as part_format.h has it on disk.
 *
 * The index is mapped.  Stored documents, which are most of the bytes, are read from the file
 * when somebody asks for one: mapped, each that was ever looked at would count as this process'
 * memory, though the kernel keeps it as well without.
 *
 * Nothing in the bytes is believed: checksums find what the disk has changed, each block when it
 * is first touched, and offsets and counts are held against the part's size besides.  What is
 * wrong is DATA_LOSS, with the segment's name and the offset.
 */

#ifndef SERVICES_SEARCH_PART_H_
#define SERVICES_SEARCH_PART_H_

#include "services/search/part_writer.h"
#include "services/search/source.h"

/* What view refers to is borrowed.  The caller owns the source: source_free().
 *
 * DATA_LOSS: it is no part.  FAILED_PRECONDITION: a newer program wrote it. */
status part_open(struct arena *arena, const struct extent_view *view, struct source **ret_part)
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
/* DATA_LOSS: it is not what part_write_dead() wrote for this part. */
status part_read_dead(struct source *part, struct arena *arena, const struct extent_view *view)
    NONNULL;

#endif
