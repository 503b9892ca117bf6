/* search_changes - changes of the index that are told to the audit service, so that change and
 * event happen both or not at all, though they lie in two places.
 *
 *     write = [the intent, the event] --commit--> store          from here on it has happened
 *                    intent --apply--> engine
 *                    intent --deleted-- store                    then the caller is answered
 *
 * An intent that is still there after a crash, or after the engine's disk was full, is applied
 * again before anything else: each may be applied twice.  One change at a time, whatever the
 * number of callers: what was looked at before a change is still so when it is made.
 *
 * Not for documents that are added: those are not audited, and go to the engine at once.
 */

#ifndef SERVICES_SEARCH_SEARCH_CHANGES_H_
#define SERVICES_SEARCH_SEARCH_CHANGES_H_

#include "libs/base/random.h"
#include "libs/rpc/call.h"
#include "libs/store/store.h"
#include "services/search/search_engine.h"

#include <pthread.h>

/* The numbers stand in the store. */
enum search_change_kind { CHANGE_CREATE = 1, CHANGE_DROP = 2, CHANGE_DELETE = 3 };

struct search_change {
    enum search_change_kind kind;
    struct collection_name name;
    struct search_schema schema; /* CHANGE_CREATE */
    const bytes *ids;            /* CHANGE_DELETE: of documents */
    size_t n_ids;
};

struct search_changes {
    struct search_engine *engine; /* borrowed, all four */
    struct store *store;
    const struct clock *clock;
    const struct random_source *random;
    pthread_mutex_t lock;
    bool pending; /* an intent may be left to apply */
};

/* Makes the table.  The outbox's is made by whoever delivers it. */
status search_changes_migrate(struct store *store, struct arena *arena) NONNULL;

void search_changes_init(struct search_changes *self, struct search_engine *engine,
                         struct store *store, const struct clock *clock,
                         const struct random_source *random) NONNULL;
void search_changes_reset(struct search_changes *self) NONNULL;

/* Applies what a crash has left, before anything is served. */
status search_changes_recover(struct search_changes *self, struct arena *arena) NONNULL;

/* Between the two, nobody else makes changes.  Begin also applies what is left. */
status search_changes_begin(struct search_changes *self, struct arena *arena) NONNULL;
void search_changes_end(struct search_changes *self) NONNULL;

/* Makes the change, and its event: call's principal has done action ("collection.create") to
 * target.  Durable on return.  When it fails with RESOURCE_EXHAUSTED or UNAVAILABLE it may still
 * happen. */
status search_changes_make(struct search_changes *self, struct call *call,
                           const struct search_change *change, const char *action,
                           const char *target) NONNULL;

/* An event alone, of what is done after it and changes nothing that is kept. */
status search_changes_tell(struct search_changes *self, struct call *call, const char *action,
                           const char *target) NONNULL;

#endif
