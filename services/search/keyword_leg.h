/* keyword_leg - finds the documents of one source that answer a query's words best.
 *
 * A leg yields scored documents into top_hits; this one goes by words.  Another, by meaning, would
 * stand beside it and yield into hits of its own, for both to be joined.
 *
 * Document at a time, with MaxScore (Turtle, Flood 1995) over windows whose bounds come from the
 * lists' blocks (Ding, Suel 2011): a window that cannot hold a good enough document is never
 * decoded, and within one, frequent words are looked at only for documents that rarer ones have
 * brought up.
 */

#ifndef SERVICES_SEARCH_KEYWORD_LEG_H_
#define SERVICES_SEARCH_KEYWORD_LEG_H_

#include "services/search/ranking.h"
#include "services/search/top_hits.h"

/* source: its place in the ranking.  passing: NULL, or the documents that may be found. */
status keyword_leg_run(const struct ranking *ranking, struct arena *arena, size_t source,
                       const struct bitmap *passing, struct top_hits *hits) NONNULL_ARGS(1, 2, 5);

#endif
