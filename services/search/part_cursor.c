#include "services/search/pack.h"
#include "services/search/part_internal.h"

#include <string.h>

/* The bytes of one block: its packed documents, then their positions. */
static bool look_at(struct cursor *cursor, uint64_t start, uint64_t end)
{
    const struct part *part = part_of(cursor->source);
    const uint8_t *at = NULL;
    status s = end < start ? part_broken(part, cursor->arena, start)
                           : part_look(part, cursor->arena, start, end - start, &at);

    if (!status_is_ok(s)) {
        return cursor_fail(cursor, s);
    }
    cursor->data = (bytes){ .data = at, .size = (size_t)(end - start) };
    return true;
}

static struct part_block block_at(const struct cursor *cursor, uint32_t block)
{
    struct part_block found;

    memcpy(&found, cursor->blocks + (size_t)block * sizeof found, sizeof found);
    return found;
}

/* Where the list ends: where the next begins. */
static bool find_end(struct cursor *cursor)
{
    const struct part *part = part_of(cursor->source);
    struct part_term next;
    status s = part_term_at(part, cursor->arena, cursor->list.number + 1, &next);

    if (!status_is_ok(s)) {
        return cursor_fail(cursor, s);
    }
    cursor->next = (size_t)next.list;
    return true;
}

/* A list that is one block: its bounds stand before it. */
static void open_short(struct cursor *cursor)
{
    if (!look_at(cursor, cursor->list.offset, cursor->next)) {
        return;
    }
    struct unpack in = unpack_of(cursor->data);
    cursor->most_counts = (uint16_t)unpack_varint(&in);
    cursor->least_length = (uint16_t)unpack_varint(&in);
    cursor->data = (bytes){ .data = in.at, .size = unpack_left(&in) };
}

void part_cursor_open(struct cursor *cursor)
{
    const struct part *part = part_of(cursor->source);
    uint64_t table;
    const uint8_t *at = NULL;

    cursor->n_blocks = (cursor->list.n_docs + BLOCK_DOCS - 1) / BLOCK_DOCS;
    cursor->block = UINT32_MAX; /* before the first */
    if (!find_end(cursor)) {
        return;
    }
    if (cursor->n_blocks == 1) {
        open_short(cursor);
        return;
    }
    table = (uint64_t)cursor->n_blocks * sizeof(struct part_block);
    status s = part_look(part, cursor->arena, cursor->list.offset, table, &at);
    if (!status_is_ok(s)) {
        (void)cursor_fail(cursor, s);
        return;
    }
    cursor->blocks = at;
}

bool part_cursor_skip(struct cursor *cursor, uint32_t doc)
{
    uint32_t block = cursor->block + 1;

    if (cursor->n_blocks == 1) {
        cursor->block = 0;
        cursor->block_end = NO_DOC - 1; /* not known before it is decoded */
        return block == 0;
    }
    for (; block < cursor->n_blocks; block++) {
        struct part_block found = block_at(cursor, block);
        if (found.last_doc >= doc) {
            cursor->block = block;
            cursor->block_end = found.last_doc;
            cursor->most_counts = found.most_counts;
            cursor->least_length = found.least_length;
            return true;
        }
    }
    return false;
}

/* Sets data to the block at hand. */
static bool look_at_block(struct cursor *cursor)
{
    if (cursor->n_blocks == 1) {
        return true;
    }
    uint64_t start = block_at(cursor, cursor->block).offset;
    uint64_t end = cursor->block + 1 < cursor->n_blocks
                       ? cursor->list.offset + block_at(cursor, cursor->block + 1).offset
                       : cursor->next;
    return look_at(cursor, cursor->list.offset + start, end);
}

bool part_cursor_decode(struct cursor *cursor)
{
    const struct part *part = part_of(cursor->source);
    uint32_t rest = cursor->list.n_docs - cursor->block * BLOCK_DOCS;
    uint32_t n = rest < BLOCK_DOCS ? rest : BLOCK_DOCS;
    uint32_t before = cursor->block == 0 ? NO_DOC : block_at(cursor, cursor->block - 1).last_doc;

    if (!look_at_block(cursor)) {
        return false;
    }
    size_t size = posting_block_unpack(cursor->data, n, before, cursor->source->n_docs,
                                       cursor->docs, cursor->counts);
    if (size == 0 || (cursor->n_blocks > 1 && cursor->docs[n - 1] != cursor->block_end)) {
        return cursor_fail(cursor, part_broken(part, cursor->arena, cursor->list.offset));
    }
    cursor->n = n;
    cursor->block_end = cursor->docs[n - 1];
    cursor->positions = (bytes){ cursor->data.data + size, cursor->data.size - size };
    return true;
}

bool part_cursor_find_starts(struct cursor *cursor)
{
    struct unpack in = unpack_of(cursor->positions);

    for (uint32_t i = 0; i < cursor->n; i++) {
        uint64_t coded = 1;
        cursor->starts[i] = (uint32_t)(in.at - cursor->positions.data);
        while ((coded & 1) != 0 && !in.failed) {
            coded = unpack_varint(&in);
        }
    }
    return in.failed ? cursor_fail(cursor, part_broken(part_of(cursor->source), cursor->arena,
                                                       cursor->list.offset))
                     : true;
}
