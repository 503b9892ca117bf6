/* spool_files - the files of a spool, for the three that work on them: spool.c appends,
 * spool_sync.c makes durable, spool_read.c reads and frees.
 *
 * Two locks.  `lock` is over the list and the counts, and is held for one write() at most.
 * `removal` keeps a segment from being freed while it is synced, which takes long; it is taken
 * before the other.
 */

#ifndef LIBS_AUDIT_SPOOL_FILES_H_
#define LIBS_AUDIT_SPOOL_FILES_H_

#include "libs/audit/spool.h"
#include "libs/base/attributes.h"

#include <pthread.h>

enum {
    SPOOL_SEGMENTS = 16,   /* in a full spool: so much of it may be acknowledged and not yet free */
    SPOOL_MAX_READ = 1000, /* events in one spool_read() */
};

/* One file. */
struct segment {
    uint64_t number;
    struct file *file;
    uint64_t size;
    uint64_t synced;      /* so much of it is durable */
    bool is_name_durable; /* and whether the file would be there at all */
    bool has_lost;        /* a sync has failed: none will be believed any more */
    uint64_t bytes_of[SPOOL_N_CLASSES];
    struct segment *next; /* the one after it */
};

struct spool {
    struct files *files;
    const struct random_source *random;
    char *service;
    uint64_t max_bytes;
    pthread_mutex_t removal; /* held while a segment is synced, and while one is freed */
    pthread_mutex_t lock;    /* over all below */
    struct segment *first;
    struct segment *newest; /* the one appended to, or NULL */
    uint64_t next_number;
    uint64_t n_bytes;
    uint64_t bytes_of[SPOOL_N_CLASSES]; /* of what was appended since the start */
    uint64_t n_dropped;
    uint64_t n_dropped_told; /* by "audit.dropped" */
    uint64_t n_full;
    uint64_t n_damaged;
    void (*watch)(void *data);
    void *watch_data;
    /* The relay's: how far into the first segment was acknowledged, and where each event of the
     * last spool_read() ends. */
    uint64_t cursor;
    uint64_t ends[SPOOL_MAX_READ];
    size_t n_ends;
    size_t n_skipped; /* by it, since they are in no record */
};

/* ---- The lock is held ---- */

void spool_add_segment(struct spool *spool, struct segment *segment) NONNULL;
struct segment *spool_segment_new(uint64_t number, struct file *file) NONNULL RETURNS_NONNULL;
/* A new file at the end, which is appended to from now on. */
status spool_begin_segment(struct spool *spool, struct arena *arena) NONNULL;
const char *spool_segment_name(struct arena *arena, uint64_t number) NONNULL RETURNS_NONNULL;
/* So large a file becomes. */
uint64_t spool_segment_limit(const struct spool *spool) NONNULL;

#endif
