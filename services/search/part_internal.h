/* What the files of part share. */

#ifndef SERVICES_SEARCH_PART_INTERNAL_H_
#define SERVICES_SEARCH_PART_INTERNAL_H_

#include "services/search/cursor.h"
#include "services/search/part.h"

#include <stdatomic.h>

struct part {
    struct source source;
    struct extent_view view;
    struct part_footer footer;
    struct part_field fields[MAX_FIELDS];
    _Atomic uint64_t checked[]; /* a bit for each check block that was found good */
};

static inline const struct part *part_of(const struct source *source)
{
    return (const struct part *)source;
}

/* DATA_LOSS, at an offset of the part. */
status part_broken(const struct part *part, struct arena *arena, uint64_t offset) NONNULL;
/* The bytes from offset on, which are within the part and as they were written. */
status part_look(const struct part *part, struct arena *arena, uint64_t offset, uint64_t size,
                 const uint8_t **ret_data) NONNULL;
/* The entry of a term; number may be that of the end. */
status part_term_at(const struct part *part, struct arena *arena, uint32_t number,
                    struct part_term *ret_term) NONNULL;

/* Of source_ops, for lists. */
void part_cursor_open(struct cursor *cursor) NONNULL;
bool part_cursor_skip(struct cursor *cursor, uint32_t doc) NONNULL;
bool part_cursor_decode(struct cursor *cursor) NONNULL;
bool part_cursor_find_starts(struct cursor *cursor) NONNULL;

#endif
