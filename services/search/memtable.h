/* memtable - the documents of a collection that are not in a segment yet.
 *
 * A source (source.h) that grows.  Documents have numbers in the order they came.  Each list is
 * a run of bytes: for each document the distance from the one before, then its positions, all
 * varints; nothing is skipped in it, for a memtable is small.
 */

#ifndef SERVICES_SEARCH_MEMTABLE_H_
#define SERVICES_SEARCH_MEMTABLE_H_

#include "services/search/source.h"

struct memtable;

/* The caller owns it: source_free(memtable_source()). */
struct memtable *memtable_new(void) RETURNS_NONNULL;
struct source *memtable_source(struct memtable *memtable) NONNULL;

/* Copies the document, whose id must not be alive here. */
void memtable_add(struct memtable *memtable, const struct indexed_document *document) NONNULL;

/* How much memory it has, about. */
size_t memtable_bytes(const struct memtable *memtable) NONNULL;

/* ---- For whoever writes it into a segment ---- */

struct memtable_list {
    bytes term;
    struct list list;
};

/* The lists of one field in order of their terms; arena. */
struct memtable_list *memtable_lists(const struct memtable *memtable, struct arena *arena,
                                     size_t field, size_t *ret_n) NONNULL;

#endif
