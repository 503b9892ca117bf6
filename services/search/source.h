/* source - one of the places that a collection's documents are in: its memtable, or a part of a
 * segment (memtable.h, part.h).  A query goes through all of a collection's sources and sees no
 * difference between them.
 *
 * Inside, documents have numbers from 0 up.  For each field and term there is a list of the
 * documents that have it, in order of their numbers; the term "" lists all that have the field
 * at all.  Lists of text fields, but for the one of "", say how often the term is there, and where.
 *
 * Documents that were replaced or removed stay until the next merge, as dead ones: dead_docs
 * says which, and by how many each list is shorter for it, so that statistics, and with them
 * scores, are those of the living documents alone, however these are spread over sources.
 *
 * A source is guarded by its collection's lock: reading under the shared, source_remove() under
 * the exclusive one.
 */

#ifndef SERVICES_SEARCH_SOURCE_H_
#define SERVICES_SEARCH_SOURCE_H_

#include "services/search/bitmap.h"
#include "services/search/indexed_document.h"
#include "services/search/search_schema.h"

#include <assert.h>

enum {
    BLOCK_DOCS = 128,   /* what is decoded, and skipped, at once */
    MAX_COUNT = 0xffff, /* frequencies and lengths are cut at this */
};

static const uint32_t NO_DOC = UINT32_MAX;

struct source;

/* Where a term's documents are. */
struct list {
    uint32_t number; /* among the source's lists */
    uint32_t n_docs; /* 0: the term is nowhere; dead documents included */
    uint32_t n_live;
    const void *own; /* for the source */
    uint64_t offset; /* likewise */
};

/* Goes through a list.  Made by source_open(); the functions are in cursor.h. */
struct cursor {
    const struct source *source;
    struct arena *arena; /* for failure */
    struct list list;
    bool has_positions;

    uint32_t doc; /* NO_DOC behind the last */
    uint32_t at;  /* in the block */
    uint32_t n;   /* in the block; 0: it is not decoded */
    uint32_t docs[BLOCK_DOCS];
    uint16_t counts[BLOCK_DOCS];

    /* Of the block at hand, decoded or not. */
    bool has_block;
    uint32_t block;
    uint32_t block_end;   /* no document of it comes after this one; once decoded, its last */
    uint16_t most_counts; /* bounds: no count is greater, no length is shorter */
    uint16_t least_length;

    /* Where the encoded positions are, and where in them those of each document of the block.
     * A position is a varint of 2 * (distance from the one before) + (another one follows). */
    bytes positions;
    uint32_t starts[BLOCK_DOCS];
    bool has_starts;

    const uint8_t *blocks; /* for the source: its table of blocks */
    bytes data;            /* what it decodes from */
    size_t next;           /* where it goes on, or the list ends */
    uint32_t n_blocks;

    status failure; /* the first that went wrong; the cursor then stands at its end */
};

struct source_ops {
    status (*find)(const struct source *source, struct arena *arena, size_t field, bytes term,
                   struct list *ret_list);
    /* Readies the cursor, with no block at hand yet. */
    void (*open)(struct cursor *cursor);
    /* Moves on to the first block whose end is not before doc; false: there is none, or it
     * failed. */
    bool (*skip)(struct cursor *cursor, uint32_t doc);
    /* Fills docs, counts and n, which is not 0, from the block at hand; false: it failed. */
    bool (*decode)(struct cursor *cursor);
    /* Fills starts. */
    bool (*find_starts)(struct cursor *cursor);
    /* Each document's number of words in a text field; NULL when no document has the field. */
    status (*lengths)(const struct source *source, struct arena *arena, size_t field,
                      const uint16_t **ret_lengths);
    /* The values of a number field, one for each of the list of its "". */
    status (*numbers)(const struct source *source, struct arena *arena, size_t field,
                      const double **ret_numbers);
    status (*id)(const struct source *source, struct arena *arena, uint32_t doc, bytes *ret_id);
    /* As it was encoded; may be in arena. */
    status (*stored)(const struct source *source, struct arena *arena, uint32_t doc,
                     bytes *ret_stored);
    /* NO_DOC when it is not there; may be a dead one. */
    status (*find_id)(const struct source *source, struct arena *arena, bytes id,
                      uint32_t *ret_doc);
    void (*free)(struct source *source);
};

struct dead_docs {
    struct bitmap docs;
    uint32_t n_docs;
    uint32_t *lists; /* by list number: how many of its documents are dead; owned */
    size_t n_lists;
    uint64_t lengths[MAX_FIELDS]; /* words of dead documents in each field */
    bool changed;                 /* since they were last written */
};

struct source {
    const struct source_ops *ops;
    uint32_t n_docs;
    uint32_t n_lists;
    bool is_sorted;               /* documents have numbers in order of their ids */
    uint64_t lengths[MAX_FIELDS]; /* words in each field, dead documents included */
    struct dead_docs dead;
};

static inline bool source_is_dead(const struct source *source, uint32_t doc)
{
    return bitmap_has(&source->dead.docs, doc);
}

static inline uint32_t source_n_live(const struct source *source)
{
    return source->n_docs - source->dead.n_docs;
}

/* list.n_docs is 0 when the term is nowhere. */
status source_find(const struct source *source, struct arena *arena, size_t field, bytes term,
                   struct list *ret_list) NONNULL;

static inline status source_lengths(const struct source *source, struct arena *arena, size_t field,
                                    const uint16_t **ret_lengths)
{
    return source->ops->lengths(source, arena, field, ret_lengths);
}

static inline status source_numbers(const struct source *source, struct arena *arena, size_t field,
                                    const double **ret_numbers)
{
    return source->ops->numbers(source, arena, field, ret_numbers);
}

static inline status source_id(const struct source *source, struct arena *arena, uint32_t doc,
                               bytes *ret_id)
{
    return source->ops->id(source, arena, doc, ret_id);
}

static inline status source_stored(const struct source *source, struct arena *arena, uint32_t doc,
                                   bytes *ret_stored)
{
    return source->ops->stored(source, arena, doc, ret_stored);
}

/* The living document of that id; NO_DOC when there is none. */
status source_find_id(const struct source *source, struct arena *arena, bytes id, uint32_t *ret_doc)
    NONNULL;

/* Marks a living document as dead; document is what it was indexed as. */
status source_remove(struct source *source, struct arena *arena, uint32_t doc,
                     const struct indexed_document *document) NONNULL;

/* NULL is allowed. */
void source_free(struct source *source);

#endif
