/* cursor - goes through one list of a source, forwards, and skips what it need not decode. */

#ifndef SERVICES_SEARCH_CURSOR_H_
#define SERVICES_SEARCH_CURSOR_H_

#include "services/search/source.h"

/* Stands at the first document.  The cursor is arena's, and so are its failures.  A list of no
 * documents gives one that stands at its end. */
struct cursor *cursor_new(const struct source *source, struct arena *arena, struct list list,
                          bool has_positions) NONNULL RETURNS_NONNULL;

/* Moves on to the first document that is not before doc, and returns it. */
uint32_t cursor_seek_slow(struct cursor *cursor, uint32_t doc) NONNULL;

static inline uint32_t cursor_seek(struct cursor *cursor, uint32_t doc)
{
    return cursor->doc >= doc ? cursor->doc : cursor_seek_slow(cursor, doc);
}

static inline uint32_t cursor_next(struct cursor *cursor)
{
    if (cursor->at + 1 < cursor->n) {
        cursor->doc = cursor->docs[++cursor->at];
        return cursor->doc;
    }
    return cursor->doc == NO_DOC ? NO_DOC : cursor_seek_slow(cursor, cursor->doc + 1);
}

/* How often the term is in the document at hand. */
static inline uint16_t cursor_count(const struct cursor *cursor)
{
    return cursor->counts[cursor->at];
}

/* Moves on to the block that doc would be in, so that block_end and its bounds are known,
 * without decoding it.  Until the next seek, cursor->doc may be before the block.  Behind the
 * last block, block_end is NO_DOC and most_counts 0. */
void cursor_skip(struct cursor *cursor, uint32_t doc) NONNULL;

/* The positions of the term in the document at hand, at most room; the list has positions. */
size_t cursor_positions(struct cursor *cursor, uint32_t *positions, size_t room) NONNULL;

/* The same as they are encoded; empty when the list has none. */
bytes cursor_encoded_positions(struct cursor *cursor) NONNULL;

/* For sources: the cursor fails and stands at its end.  Returns false. */
bool cursor_fail(struct cursor *cursor, status s) NONNULL;

#endif
