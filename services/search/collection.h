/* collection - one collection in memory: its schema, its memtables and its parts.
 *
 *     writes -> active memtable --freeze--> frozen memtable --flush--> part, part, ... --merge-->
 * part
 *
 * A document is alive in at most one of these sources.  The lock is held shared for reading,
 * exclusively for short changes: adding analysed documents, putting one source in place of
 * others.  Flushes and merges read the sources without it; see part_build.h.
 *
 * Parts are opened when the collection is first used, so one that nobody uses costs some hundred
 * bytes.
 */

#ifndef SERVICES_SEARCH_COLLECTION_H_
#define SERVICES_SEARCH_COLLECTION_H_

#include "services/search/manifest.h"
#include "services/search/memtable.h"
#include "services/search/part.h"
#include "services/search/segments.h"

#include <pthread.h>
#include <stdatomic.h>

struct collection_part {
    struct source *source; /* owned; NULL until the collection is opened */
    struct extent_view view;
    struct extent part;
    struct extent dead; /* as the manifest has it; segment is 0: none */
    uint32_t n_dead;    /* likewise */
    uint32_t n_docs;
};

struct collection {
    bytes key;                   /* owned; '\0' between tenant, project and collection */
    struct search_schema schema; /* owned, in one piece with its names */
    struct segments *segments;   /* borrowed */
    int64_t create_time_ms;
    atomic_uint refs;
    _Atomic uint64_t n_documents; /* alive */

    pthread_rwlock_t lock; /* guards what follows */
    uint64_t revision;     /* the frame of the last write */
    bool opened;
    bool dropped; /* nothing may be added any more */
    struct memtable *active;
    struct memtable *frozen;
    struct collection_part *parts; /* owned array */
    size_t n_parts;
};

/* Copies the schema. */
struct collection *collection_new(struct segments *segments, bytes key,
                                  const struct search_schema *schema, int64_t create_time_ms)
    NONNULL RETURNS_NONNULL;
/* As the manifest has it.  DATA_LOSS: a segment is not there or too short. */
status collection_load(struct segments *segments, struct arena *arena,
                       const struct manifest_collection *saved, struct collection **ret_collection)
    NONNULL;
struct collection *collection_ref(struct collection *collection) NONNULL RETURNS_NONNULL;
/* The last one frees it, and lets its segments go only if it was dropped.  NULL is allowed. */
void collection_unref(struct collection *collection);

/* Takes the lock, and opens the parts where that was not done yet.  DATA_LOSS: a part is broken;
 * the lock is not taken. */
status collection_lock_shared(struct collection *collection, struct arena *arena) NONNULL;
status collection_lock_exclusive(struct collection *collection, struct arena *arena) NONNULL;
void collection_unlock(struct collection *collection) NONNULL;

struct sources {
    struct source **sources; /* arena */
    size_t n;
};

/* All sources, the memtables first; under the lock. */
struct sources collection_sources(const struct collection *collection, struct arena *arena) NONNULL;

/* Where the living document of an id is; ret_source is NULL when there is none. */
status collection_find(const struct collection *collection, struct arena *arena, bytes id,
                       struct source **ret_source, uint32_t *ret_doc) NONNULL;

/* Adds or replaces; under the exclusive lock.  *ret_changed is false when the same was there. */
status collection_upsert(struct collection *collection, struct arena *arena,
                         struct analyzer *analyzer, const struct indexed_document *document,
                         bool *ret_changed) NONNULL;
/* Removes; OK when there is none of that id. */
status collection_delete(struct collection *collection, struct arena *arena,
                         struct analyzer *analyzer, bytes id) NONNULL;

/* Nothing is added any more, and its segments go with the last reference; under the exclusive lock.
 * False: that was so before. */
bool collection_drop(struct collection *collection) NONNULL;

/* Makes the active memtable the frozen one, of which there is none. */
void collection_freeze(struct collection *collection) NONNULL;

#endif
