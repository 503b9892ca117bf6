/* fts5_peer - SQLite's FTS5, the peer that search is measured beside: in the process that asks,
 * with no network, no tenants and no filters, over a file with WAL and synchronous=FULL.
 *
 * One thread at a time.
 */

#ifndef LOADTESTS_FTS5_PEER_H_
#define LOADTESTS_FTS5_PEER_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/status.h"

#include <stddef.h>

struct fts5_record {
    const char *name;
    const char *summary;
    const char *text;
};

struct fts5_peer;

/* A new file in folder, whose path is in arena.  The caller owns the peer: fts5_peer_free(), which
 * removes the file. */
status fts5_peer_new(struct arena *arena, const char *folder, struct fts5_peer **ret) NONNULL;
void fts5_peer_free(struct fts5_peer *self);

/* Durable when it returns. */
status fts5_peer_add(struct fts5_peer *self, struct arena *arena, const struct fts5_record *records,
                     size_t n) NONNULL;

/* The ten best of all records that have any of the words, each with a snippet. */
status fts5_peer_search(struct fts5_peer *self, struct arena *arena, const char *words,
                        size_t *ret_n_hits) NONNULL;

#endif
