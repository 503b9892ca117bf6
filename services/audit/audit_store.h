/* audit_store - where to find which events: an index over the log, that may be lost.
 *
 * A row for each entry of the log.  Who and what are tags (audit_keys.h): they can be looked for,
 * and who reads the database learns no names; what an event says stands in the log alone, sealed.
 * The log is the truth: rows are written after it, in its order, and when they lag or are gone they
 * are made from it again.
 *
 * Lists go from the newest event to the oldest, by the time at which it happened and then by its
 * place in the log, so that a page goes on where the one before ended, whatever came in meanwhile.
 *
 * Plain functions over a struct store, safe on any thread.
 */

#ifndef SERVICES_AUDIT_AUDIT_STORE_H_
#define SERVICES_AUDIT_AUDIT_STORE_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/bytes.h"
#include "libs/base/status.h"
#include "libs/store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct audit_row {
    int64_t index;
    const char *tenant_id;
    const char *event_id;
    int64_t time_ms;
    bytes actor_tag; /* NULL data: erased */
    const char *action;
    bytes target_tag;
    bytes key_id;
};

/* Brings the tables up to date; when the service starts. */
status audit_store_migrate(struct store *store, struct arena *arena) NONNULL;
/* Forgets all rows: they are made again from the log. */
status audit_store_clear(struct store *store, struct arena *arena) NONNULL;

/* The index behind the last entry that has a row. */
status audit_store_next(struct store *store, struct arena *arena, uint64_t *ret_next) NONNULL;

/* Adds a row; nothing when the entry, or the event, has one.  Borrows what row points to. */
void audit_store_insert(struct store_write *write, const struct audit_row *row) NONNULL;

/* One event of a tenant. */
struct audit_event_name {
    const char *tenant_id;
    const char *event_id;
};

/* The indices of n events; -1 for those that have no row. */
status audit_store_find(struct store *store, struct arena *arena,
                        const struct audit_event_name *names, size_t n, int64_t *ret_indices)
    NONNULL;

/* The index of an event of whatever tenant.  NOT_FOUND: no tenant has it. */
status audit_store_find_any(struct store *store, struct arena *arena, const char *event_id,
                            int64_t *ret_index) NONNULL;

struct audit_filter {
    const char *tenant_id; /* NULL: of every tenant */
    bytes actor_tag;       /* NULL data: of every actor; asks for a tenant */
    const char *action;    /* NULL: every */
    bytes target_tag;      /* NULL data: every; asks for a tenant */
    int64_t start_ms;      /* from this on */
    int64_t end_ms;        /* before this */
};

/* Where a page ended; INT64_MAX for both before the first one. */
struct audit_place {
    int64_t time_ms;
    int64_t index;
};

struct audit_page {
    const struct audit_place *places; /* newest first */
    size_t n_places;
    bool more;
};

/* At most limit entries that match, from behind `after` on. */
status audit_store_list(struct store *store, struct arena *arena, const struct audit_filter *filter,
                        struct audit_place after, size_t limit, struct audit_page *ret_page)
    NONNULL;

/* Adds to write what makes the rows of a subject's keys unfindable by actor and target. */
void audit_store_blank(struct store_write *write, const char *tenant_id, bytes subject_tag) NONNULL;

#endif
