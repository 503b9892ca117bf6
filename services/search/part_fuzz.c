#include "libs/base/crc32c.h"
#include "services/search/cursor.h"
#include "services/search/pack.h"
#include "services/search/part.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put_u32(uint8_t *at, uint32_t value)
{
    memcpy(at, &value, sizeof value);
}

/* Makes the checksums right, so that what stands behind them is reached. */
static void mend(uint8_t *data, size_t size)
{
    struct part_footer footer;

    if (size < sizeof footer) {
        return;
    }
    uint8_t *at = data + size - sizeof footer;
    memcpy(&footer, at, sizeof footer);
    if (footer.checksums > size - sizeof footer) {
        return;
    }
    for (uint64_t start = 0, i = 0; start < footer.checksums; start += PART_CHECK_BYTES, i++) {
        uint64_t left = footer.checksums - start;
        uint64_t to = footer.checksums + i * 4;
        if (to + 4 > size - sizeof footer) {
            return;
        }
        put_u32(data + to,
                crc32c((bytes){ data + start,
                                left < PART_CHECK_BYTES ? (size_t)left : PART_CHECK_BYTES }));
    }
    put_u32(data + size - 4,
            crc32c((bytes){ data + footer.checksums, size - 4 - (size_t)footer.checksums }));
}

/* Each answer is a value or DATA_LOSS; a cursor goes forwards and ends. */
static void walk_list(const struct source *part, struct arena *arena, struct list list)
{
    for (int with_positions = 0; with_positions < 2; with_positions++) {
        struct cursor *cursor = cursor_new(part, arena, list, with_positions != 0);
        uint32_t positions[16];
        for (uint32_t doc = cursor->doc; doc != NO_DOC;) {
            assert(doc < part->n_docs);
            if (with_positions != 0) {
                (void)cursor_positions(cursor, positions, 16);
                (void)cursor_encoded_positions(cursor);
            }
            uint32_t next = cursor_next(cursor);
            assert(next > doc);
            doc = next;
        }
        assert(cursor->failure.code == STATUS_OK || cursor->failure.code == STATUS_DATA_LOSS);
        cursor = cursor_new(part, arena, list, false);
        (void)cursor_seek(cursor, part->n_docs / 2);
        cursor_skip(cursor, part->n_docs);
        (void)cursor_seek(cursor, part->n_docs);
    }
}

static void walk_field(const struct source *part, struct arena *arena, size_t field)
{
    uint32_t number;
    uint32_t end;
    const uint16_t *lengths;
    const double *numbers;

    (void)source_lengths(part, arena, field, &lengths);
    (void)source_numbers(part, arena, field, &numbers);
    part_terms(part, field, &number, &end);
    for (; number < end; number++) {
        struct part_list list;
        struct list found;
        if (status_is_ok(part_list(part, arena, number, &list))) {
            walk_list(part, arena, list.list);
            (void)source_find(part, arena, field, list.term, &found);
        }
    }
}

static void walk(const struct source *part, struct arena *arena)
{
    for (uint32_t doc = 0; doc < part->n_docs && doc < 1000; doc++) {
        bytes id;
        bytes stored;
        uint32_t found;
        (void)source_stored(part, arena, doc, &stored);
        if (status_is_ok(source_id(part, arena, doc, &id))) {
            (void)source_find_id(part, arena, id, &found);
        }
    }
    for (size_t field = 0; field < MAX_FIELDS; field++) {
        walk_field(part, arena, field);
    }
}

/* A file that is memory, as far as a part reads it. */
struct memory_file {
    struct file file;
    bytes data;
};

static status memory_read_at(struct file *file, struct arena *arena, uint64_t offset, uint8_t *data,
                             size_t size, size_t *ret_n)
{
    const struct memory_file *self = (const struct memory_file *)file;

    (void)arena;
    assert(offset <= self->data.size && size <= self->data.size - offset);
    memcpy(data, self->data.data + offset, size);
    *ret_n = size;
    return status_ok();
}

static const struct file_ops memory_ops = { .read_at = memory_read_at };

static void check(uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct source *part = NULL;
    struct memory_file file = { { .ops = &memory_ops }, { .data = data, .size = size } };
    const struct extent_view view = { .data = file.data, .file = &file.file, .name = "fuzz" };
    const struct extent_view half = { .data = { data, size / 2 }, .name = "fuzz" };

    if (status_is_ok(part_open(arena, &view, &part))) {
        walk(part, arena);
        (void)part_read_dead(part, arena, &half);
        source_free(part);
    }
    arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size); /* of exactly this size, for AddressSanitizer */

    if (copy == NULL && size > 0) {
        abort();
    }
    memcpy(copy, data, size);
    check(copy, size);
    mend(copy, size);
    check(copy, size);
    free(copy);
    return 0;
}
