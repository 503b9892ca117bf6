/* search_load - questions at a fixed rate (open_loop.h), beside SQLite's FTS5 (fts5_peer.h) that is
 * asked the same.
 *
 * The questions are made of what stands in the records: two to four words that follow each other in
 * the summary of one of them, as people ask for what they half remember.  One in four is filtered
 * by that record's section.  They are the same in each run.
 */

#ifndef LOADTESTS_SEARCH_LOAD_H_
#define LOADTESTS_SEARCH_LOAD_H_

#include "loadtests/load.h"

struct fts5_peer;

struct search_load_options {
    const char *collection_id;                          /* in LOAD_PROJECT */
    size_t n_records;                                   /* at least 1 */
    const char *(*summary)(const void *data, size_t n); /* of record n */
    const char *(*section)(const void *data, size_t n);
    const void *data;       /* of both */
    struct fts5_peer *peer; /* holds the same records; borrowed */
};

status search_load_run(const struct load *load, const struct search_load_options *options) NONNULL;

#endif
