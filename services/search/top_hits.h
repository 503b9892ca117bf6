/* top_hits - the best documents found so far, and what it takes to be one of them.
 *
 * Better is the higher score, and of two with one score the lesser id: an order that does not
 * depend on where documents lie, nor on how many are asked for.  A page begins behind a place in
 * that order, so that all its documents come after those of the page before.
 */

#ifndef SERVICES_SEARCH_TOP_HITS_H_
#define SERVICES_SEARCH_TOP_HITS_H_

#include "services/search/source.h"

struct top_hit {
    double score;
    bytes id; /* where the source has it */
    const struct source *source;
    uint32_t doc;
};

struct top_hits {
    struct top_hit *hits; /* arena; a heap, the worst at its root, until they are sorted */
    size_t n_hits;
    size_t limit;
    bool has_after; /* hits are behind this place */
    double after_score;
    bytes after_id;
};

/* limit > 0. */
struct top_hits top_hits_new(struct arena *arena, size_t limit) NONNULL;

/* No document with a lower score than this will be kept. */
static inline double top_hits_threshold(const struct top_hits *hits)
{
    return hits->n_hits == hits->limit ? hits->hits[0].score : 0;
}

/* *ret_worse: every place is taken, by better ones. */
status top_hits_offer(struct top_hits *hits, struct arena *arena, const struct source *source,
                      uint32_t doc, double score, bool *ret_worse) NONNULL;

/* Best first; nothing may be offered after it. */
void top_hits_sort(struct top_hits *hits) NONNULL;

#endif
