/* engine - the inside of search_engine, for the files it is made of:
 *
 *     search_engine.c    opening, collections, reading
 *     engine_search.c    searching
 *     engine_batch.c     what a caller writes, checked and analysed
 *     engine_write.c     the log and the memtables
 *     engine_upkeep.c    flush, merge, rebuild, each as a change (engine_change.h)
 *
 * Order of locks: upkeep, leadership, collection, engine.
 */

#ifndef SERVICES_SEARCH_ENGINE_H_
#define SERVICES_SEARCH_ENGINE_H_

#include "libs/base/map.h"
#include "services/search/collection.h"
#include "services/search/search_engine.h"
#include "services/search/write_log.h"

enum {
    MAX_NAME_PART_BYTES = 63,
    MAX_COLLECTION_KEY_BYTES = 3 * MAX_NAME_PART_BYTES + 2,
};

enum write_kind { WRITE_UPSERT = 1, WRITE_DELETE = 2, WRITE_CREATE = 3, WRITE_DROP = 4 };

/* What one caller writes. */
struct write_unit {
    struct write_unit *next;
    struct arena *arena;           /* for what it is told; its caller waits meanwhile */
    bytes key;                     /* of the collection */
    struct collection *collection; /* NULL for one that is created */
    const struct write_op *ops;
    size_t n_ops;
    size_t n_bytes; /* in the log, about */
    status result;
    bool is_done;
};

struct write_op {
    enum write_kind kind;
    bytes data;                              /* document, id, or time and schema */
    const struct indexed_document *document; /* WRITE_UPSERT */
    status *result;                          /* of this one alone; not NULL */
};

struct search_engine {
    struct files *files;
    const struct clock *clock;
    struct log *log_to; /* for people; NULL is silent */
    bool stepped;
    size_t memtable_limit;
    uint64_t log_limit;
    struct segments segments;
    struct write_log *log; /* for who leads */

    pthread_mutex_t lock; /* guards what follows */
    struct map collections;
    struct analyzer *analyzers[16]; /* idle; owned */
    size_t n_analyzers;
    struct write_unit *first_unit; /* waiting to be written */
    struct write_unit **units_end;
    bool leading;          /* a thread writes, or freezes */
    pthread_cond_t led;    /* it no longer does */
    size_t memtable_bytes; /* of all active memtables */
    uint64_t log_bytes;
    uint64_t next_segment;
    bool upkeep_wanted;          /* somebody saw that memtables or log have grown */
    uint64_t n_flushes;          /* that ended, well or not */
    enum status_code flush_code; /* how the last one ended */
    bool stopping;
    pthread_cond_t wanted;
    pthread_cond_t upkeep_done;

    pthread_mutex_t upkeep; /* one flush, merge or rebuild at a time; guards what follows */
    uint64_t flushed;       /* as the manifest has it */
    bool is_frozen;         /* frozen memtables wait to be flushed */
    uint64_t frozen_until;  /* the last frame in the frozen memtables */
    bool sweep_wanted;      /* a segment may be left over */
    uint64_t
        scrub_before; /* segments of a lower number that are not whole are made anew; 0: none */
    pthread_t thread;
};

/* The key of a collection, in arena. */
bytes engine_key(struct arena *arena, const struct collection_name *name) NONNULL;
/* Referenced: collection_unref().  NOT_FOUND. */
status engine_find(struct search_engine *engine, struct arena *arena,
                   const struct collection_name *name, struct collection **ret_collection) NONNULL;
/* All collections, referenced, in arena. */
struct collection **engine_collections(struct search_engine *engine, struct arena *arena,
                                       size_t *ret_n) NONNULL;

/* An analyzer for this thread; give it back. */
struct analyzer *engine_take_analyzer(struct search_engine *engine) NONNULL;
void engine_give_analyzer(struct search_engine *engine, struct analyzer *analyzer) NONNULL;

/* Applies a frame of the log, at a start. */
status engine_replay(void *engine, struct arena *arena, struct log_frame frame) NONNULL;
/* Writes one unit and returns how it went. */
status engine_commit(struct search_engine *engine, struct arena *arena, struct write_unit *unit)
    NONNULL;
/* Waits until nobody writes, and keeps others from it. */
void engine_lead(struct search_engine *engine) NONNULL;
void engine_follow(struct search_engine *engine) NONNULL;

/* The thread that flushes and merges. */
void engine_start_upkeep(struct search_engine *engine) NONNULL;
void engine_stop_upkeep(struct search_engine *engine) NONNULL;

#endif
