/* search_engine - collections of documents in a folder: written durably, found by words.
 *
 *     write --> write log (fsync) --> memtable --flush--> part --merge--> part
 *                                        \______________ | _____________/
 *                                               search reads them all
 *
 * An acknowledged write is in the log on disk, and found at once.  Memtables go into immutable
 * segments when they have grown; then the log is cut.  A start opens the segments and reads at
 * most 64 MB of log.
 *
 * A collection belongs to a tenant and a project, and every key begins with the tenant.  What is
 * frequent in one collection says nothing about another: words are weighed by each collection's
 * own living documents, so that tenants cannot feel each other, and so that a score does not
 * change when parts are merged, flushed or rebuilt.
 *
 * Safe on any thread; functions block, for the disk and for each other, so they are for workers.
 * Readers wait for writers only while some dozen documents are put in place.
 *
 * When the disk is full, writes are RESOURCE_EXHAUSTED, reads go on, and writes go on when there
 * is room.  A broken file is DATA_LOSS and its name.
 */

#ifndef SERVICES_SEARCH_SEARCH_ENGINE_H_
#define SERVICES_SEARCH_SEARCH_ENGINE_H_

#include "libs/base/clock.h"
#include "libs/base/files.h"
#include "libs/obs/log.h"
#include "services/search/search_document.h"
#include "services/search/search_filter.h"
#include "services/search/snippet.h"

struct search_engine;

struct search_engine_options {
    struct files *files;       /* required; borrowed; the engine's alone */
    const struct clock *clock; /* required; borrowed */
    struct log *log;           /* borrowed; NULL is silent */
    bool stepped;              /* no thread of its own: flushes and merges happen in
                                  search_engine_step(), and in writes that need the room */
    size_t memtable_bytes;     /* flushed when all together have so much; 0 means 24 MiB */
    uint64_t log_bytes;        /* or when the log has; 0 means 32 MiB.  The log never has more than
                                  twice that and a frame, so a start reads at most 64 MiB and one. */
};

/* The caller owns the engine: search_engine_close().
 *
 * DATA_LOSS: the manifest or the log is broken, or a segment is gone.  FAILED_PRECONDITION: a
 * newer program wrote them. */
status search_engine_open(const struct search_engine_options *options, struct arena *arena,
                          struct search_engine **ret_engine) NONNULL;
/* When no call is under way.  NULL is allowed. */
void search_engine_close(struct search_engine *engine);

/* ---- Collections ---- */

/* Parts are 1 to 63 bytes; the caller checks their characters. */
struct collection_name {
    const char *tenant;
    const char *project;
    const char *collection;
};

struct collection_info {
    struct collection_name name; /* arena */
    struct search_schema schema; /* arena */
    int64_t create_time_ms;
    uint64_t n_documents;
};

/* Durable on return.  ALREADY_EXISTS: with another schema; with the same it is OK.
 * INVALID_ARGUMENT: the schema. */
status search_engine_create(struct search_engine *engine, struct arena *arena,
                            const struct collection_name *name, const struct search_schema *schema)
    NONNULL;
/* Durable on return.  NOT_FOUND. */
status search_engine_drop(struct search_engine *engine, struct arena *arena,
                          const struct collection_name *name) NONNULL;
/* NOT_FOUND. */
status search_engine_describe(struct search_engine *engine, struct arena *arena,
                              const struct collection_name *name, struct collection_info *ret_info)
    NONNULL;
/* The collections of a tenant in order of project, then collection; of one project when project
 * is not NULL; of all tenants when tenant is NULL. */
void search_engine_list(struct search_engine *engine, struct arena *arena, const char *tenant,
                        const char *project, struct collection_info **ret_infos, size_t *ret_n)
    NONNULL_ARGS(1, 2, 5, 6);

struct engine_tenants {
    const char *const *ids; /* in order; arena */
    size_t n_ids;
};

/* The tenants that have collections. */
struct engine_tenants search_engine_tenants(struct search_engine *engine, struct arena *arena)
    NONNULL;

/* ---- Writing ---- */

/* Either is 1,000 at most, in one call, and 8 MiB together. */
enum { MAX_WRITES = 1000, MAX_WRITE_BYTES = 8 * 1024 * 1024 };

struct search_write {
    const struct search_document *document; /* NULL: the document of this id is removed */
    bytes id;
    status result; /* set by search_engine_write() */
};

/* Writes all that are good, in order, in one go; each result says how that one went.
 *
 * NOT_FOUND: the collection; nothing is written.  RESOURCE_EXHAUSTED, UNAVAILABLE: the disk; no
 * write is acknowledged, and each may or may not have happened. */
status search_engine_write(struct search_engine *engine, struct arena *arena,
                           const struct collection_name *name, struct search_write *writes,
                           size_t n_writes) NONNULL;

/* ---- Reading ---- */

/* As it was given; arena.  NOT_FOUND: the collection, or the document. */
status search_engine_get(struct search_engine *engine, struct arena *arena,
                         const struct collection_name *name, bytes id,
                         struct search_document *ret_document) NONNULL;

enum { MAX_HITS = 1000 }; /* of one page: each is read whole */

struct search_request {
    const char *query;           /* words, and phrases in quotes; "": all documents, by id */
    struct search_filter filter; /* which may be found at all */
    size_t limit;                /* 1 to MAX_HITS */
    const char *page_token;      /* next_page_token of the page before, or "" */
    bool highlight;              /* gives each hit a snippet */
};

struct search_hit {
    struct search_document document; /* as it was given */
    double score;                    /* 0 when no words were asked for */
    struct snippet snippet;
};

struct search_page {
    struct search_schema schema; /* what the hits' fields are places in; arena */
    struct search_hit *hits;     /* best first; arena */
    size_t n_hits;
    const char *next_page_token; /* "" on the last page */
    bool changed; /* the collection was written to since the page before: what was there may come
                     again or be missed */
};

/* The documents that have any of the words, best first, and each of the phrases.
 *
 * NOT_FOUND: the collection.  INVALID_ARGUMENT: query, filter, page_size or page_token; see
 * query_text.h and search_filter.h. */
status search_engine_search(struct search_engine *engine, struct arena *arena,
                            const struct collection_name *name,
                            const struct search_request *request, struct search_page *ret_page)
    NONNULL;

/* ---- Upkeep ---- */

/* One flush or one merge, when there is need of one; *ret_more: it did something, so ask again. */
status search_engine_step(struct search_engine *engine, struct arena *arena, bool *ret_more)
    NONNULL;
/* Puts all that is in memtables into segments. */
status search_engine_flush(struct search_engine *engine, struct arena *arena) NONNULL;
/* A collection that is dropped is found by nobody from then on, but its bytes lie on: in the log
 * until the next flush, and in the segments that others share with it, until those are merged.
 * This makes them go: it flushes, and makes those segments anew of what is in use.  Costs as much
 * as a merge of all that lies in such segments, so it is for what must go, and not for each drop.
 *
 * *scrub is 0 at first; called until *ret_more is false, and after an error with 0 again.  Then no
 * file holds anything of a collection that was dropped before the first call.
 *
 * UNAVAILABLE: somebody is still reading such a one; ask again. */
status search_engine_scrub(struct search_engine *engine, struct arena *arena, uint64_t *scrub,
                           bool *ret_more) NONNULL;
/* Makes the index of a collection anew from its stored documents, whatever has become of the
 * rest; the same queries find the same.  NOT_FOUND: the collection. */
status search_engine_rebuild(struct search_engine *engine, struct arena *arena,
                             const struct collection_name *name) NONNULL;

#endif
