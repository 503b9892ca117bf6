#include "services/search/cursor.h"

#include "services/search/pack.h"

/* Behind the last document. */
static void end(struct cursor *cursor)
{
    cursor->doc = NO_DOC;
    cursor->block_end = NO_DOC;
    cursor->most_counts = 0;
    cursor->at = 0;
    cursor->n = 0;
}

bool cursor_fail(struct cursor *cursor, status s)
{
    cursor->failure = s;
    end(cursor);
    return false;
}

struct cursor *cursor_new(const struct source *source, struct arena *arena, struct list list,
                          bool has_positions)
{
    struct cursor *cursor = ARENA_NEW(arena, struct cursor);

    cursor->source = source;
    cursor->arena = arena;
    cursor->list = list;
    cursor->has_positions = has_positions;
    cursor->failure = status_ok();
    if (list.n_docs == 0) {
        end(cursor);
        return cursor;
    }
    source->ops->open(cursor);
    if (cursor->doc != NO_DOC) { /* it did not fail */
        cursor_seek_slow(cursor, 0);
    }
    return cursor;
}

void cursor_skip(struct cursor *cursor, uint32_t doc)
{
    if (cursor->doc == NO_DOC || (cursor->has_block && doc <= cursor->block_end)) {
        return;
    }
    cursor->at = 0;
    cursor->n = 0;
    cursor->has_starts = false;
    if (cursor->source->ops->skip(cursor, doc)) {
        cursor->has_block = true;
    } else {
        end(cursor);
    }
}

static uint32_t find_in_block(const struct cursor *cursor, uint32_t doc)
{
    uint32_t at = cursor->at;

    while (at < cursor->n && cursor->docs[at] < doc) {
        at++;
    }
    return at;
}

uint32_t cursor_seek_slow(struct cursor *cursor, uint32_t doc)
{
    for (;;) {
        cursor_skip(cursor, doc);
        if (cursor->doc == NO_DOC || (cursor->n == 0 && !cursor->source->ops->decode(cursor))) {
            return NO_DOC;
        }
        cursor->at = find_in_block(cursor, doc);
        if (cursor->at < cursor->n) {
            cursor->doc = cursor->docs[cursor->at];
            return cursor->doc;
        }
        doc = cursor->block_end + 1; /* decoded, so this is its last document: not NO_DOC */
    }
}

/* From the positions of the document at hand to the end of what is encoded. */
static struct unpack positions_from(struct cursor *cursor)
{
    bytes data = { .data = cursor->positions.data };

    if (cursor->has_positions && cursor->doc != NO_DOC &&
        (cursor->has_starts || cursor->source->ops->find_starts(cursor))) {
        size_t start = cursor->starts[cursor->at];
        cursor->has_starts = true;
        data = (bytes){ cursor->positions.data + start, cursor->positions.size - start };
    }
    return unpack_of(data);
}

size_t cursor_positions(struct cursor *cursor, uint32_t *positions, size_t room)
{
    struct unpack in = positions_from(cursor);
    uint64_t position = 0;
    uint64_t coded = unpack_left(&in) > 0;
    size_t n = 0;

    for (; (coded & 1) != 0 && n < room && !in.failed; n++) {
        coded = unpack_varint(&in);
        position += coded >> 1;
        positions[n] = (uint32_t)position;
    }
    return n;
}

bytes cursor_encoded_positions(struct cursor *cursor)
{
    struct unpack in = positions_from(cursor);
    const uint8_t *start = in.at;
    uint64_t coded = unpack_left(&in) > 0;

    while ((coded & 1) != 0 && !in.failed) {
        coded = unpack_varint(&in);
    }
    return (bytes){ .data = start, .size = (size_t)(in.at - start) };
}
