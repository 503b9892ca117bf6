/* part_build - makes one part of several sources: a flush, when the source is a memtable, or a
 * merge, when they are parts.
 *
 * The living documents of all are numbered anew in order of their ids; no two have the same.
 * Reads the sources without their lock: they must not change meanwhile but for their dead, of
 * which the inputs bring a copy.
 */

#ifndef SERVICES_SEARCH_PART_BUILD_H_
#define SERVICES_SEARCH_PART_BUILD_H_

#include "services/search/memtable.h"
#include "services/search/part_writer.h"

struct build_input {
    const struct source *source;     /* borrowed */
    const struct memtable *memtable; /* the same when it is one; otherwise NULL: it is a part */
    const struct bitmap *dead;       /* borrowed: documents to leave out */
};

struct build_result {
    struct extent extent; /* segment is 0: no document is alive, and nothing was written */
    uint32_t n_docs;
};

/* Writes to segment, whose own failures wait for segment_writer_finish().
 *
 * DATA_LOSS: a source is broken. */
status part_build(struct arena *arena, const struct search_schema *schema,
                  const struct build_input *inputs, size_t n_inputs, struct segment_writer *segment,
                  struct build_result *ret_result) NONNULL;

#endif
