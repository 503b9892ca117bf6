/* search_erasure - a deleted tenant's collections go, from the disk too (libs/authz/eraser.h).
 *
 *     row "acme" --commit--> store          an erasure has begun, and will be gone on with
 *     each collection of acme is dropped    nobody finds anything of it any more
 *     the index is scrubbed                 and no file holds anything of it
 *     row deleted, event --commit--> store  "tenant.erase": it is done
 *
 * Each step may be done twice.  The row is what remembers, after a crash, a tenant of whom no
 * collection is left and whose bytes may still be in some file.
 */

#ifndef SERVICES_SEARCH_SEARCH_ERASURE_H_
#define SERVICES_SEARCH_SEARCH_ERASURE_H_

#include "libs/authz/eraser.h"
#include "services/search/search_changes.h"

struct search_erasure {
    struct search_engine *engine; /* borrowed, all of them */
    struct search_changes *changes;
    struct store *store;
    const struct clock *clock;
    const struct random_source *random;
    const char *spiffe_id; /* ours, for the event */
};

/* Makes the table. */
status search_erasure_migrate(struct store *store, struct arena *arena) NONNULL;

/* For an eraser, with a search_erasure as data. */
extern const struct eraser_ops search_erasure_ops;

#endif
