#include "services/search/part_internal.h"

#include "libs/base/crc32c.h"
#include "services/search/pack.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* So that numbers of documents and of blocks are added without a care.  A part has some ten million
 * at most, since merges stop at 256 MiB. */
enum { MAX_PART_DOCS = 1 << 30 };

/* ---- Looking at bytes ---- */

status part_broken(const struct part *part, struct arena *arena, uint64_t offset)
{
    return status_error(arena, STATUS_DATA_LOSS,
                        "segment '%s' is broken at byte %" PRIu64 " of a part", part->view.name,
                        offset);
}

static size_t block_size(const struct part *part, uint64_t block)
{
    uint64_t left = part->footer.checksums - block * PART_CHECK_BYTES;

    return left < PART_CHECK_BYTES ? (size_t)left : PART_CHECK_BYTES;
}

static bool is_checked(const struct part *part, uint64_t block)
{
    uint64_t word = atomic_load_explicit(&part->checked[block / 64], memory_order_relaxed);

    return (word >> (block % 64) & 1) != 0;
}

/* Whether data is what was written as that block; then it need not be looked at again. */
static status check_block(const struct part *part, struct arena *arena, uint64_t block, bytes data)
{
    if (crc32c(data) != load_u32(part->view.data.data + part->footer.checksums + block * 4)) {
        return part_broken(part, arena, block * PART_CHECK_BYTES);
    }
    /* The marks are the only thing of a part that changes. */
    struct part *marked = (struct part *)(uintptr_t)part;
    atomic_fetch_or_explicit(&marked->checked[block / 64], (uint64_t)1 << (block % 64),
                             memory_order_relaxed);
    return status_ok();
}

status part_look(const struct part *part, struct arena *arena, uint64_t offset, uint64_t size,
                 const uint8_t **ret_data)
{
    uint64_t end = part->footer.checksums;

    if (offset > end || size > end - offset) {
        return part_broken(part, arena, offset);
    }
    for (uint64_t at = offset / PART_CHECK_BYTES;
         size > 0 && at <= (offset + size - 1) / PART_CHECK_BYTES; at++) {
        if (!is_checked(part, at)) {
            bytes block = { part->view.data.data + at * PART_CHECK_BYTES, block_size(part, at) };
            TRY(check_block(part, arena, at, block));
        }
    }
    *ret_data = part->view.data.data + offset;
    return status_ok();
}

status part_term_at(const struct part *part, struct arena *arena, uint32_t number,
                    struct part_term *ret_term)
{
    const uint8_t *at = NULL;

    TRY(part_look(part, arena, part->footer.terms + (uint64_t)number * sizeof *ret_term,
                  sizeof *ret_term, &at));
    memcpy(ret_term, at, sizeof *ret_term);
    return status_ok();
}

/* The term's text, and its entry. */
static status read_term(const struct part *part, struct arena *arena, uint32_t number,
                        struct part_term *ret_term, bytes *ret_text)
{
    struct part_term next;
    const uint8_t *text = NULL;

    TRY(part_term_at(part, arena, number, ret_term));
    TRY(part_term_at(part, arena, number + 1, &next));
    if (next.text < ret_term->text || next.list < ret_term->list ||
        ret_term->n_docs > part->footer.n_docs) {
        return part_broken(part, arena, part->footer.terms);
    }
    TRY(part_look(part, arena, part->footer.term_text + ret_term->text, next.text - ret_term->text,
                  &text));
    *ret_text = (bytes){ .data = text, .size = next.text - ret_term->text };
    return status_ok();
}

/* ---- Finding ---- */

static status find_term(const struct part *part, struct arena *arena, size_t field, bytes term,
                        uint32_t *ret_number, struct part_term *ret_term)
{
    uint32_t low = part->fields[field].first_term;
    uint32_t high = part->fields[field].end_term;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        bytes text;
        TRY(read_term(part, arena, middle, ret_term, &text));
        int order = bytes_compare(text, term);
        if (order == 0) {
            *ret_number = middle;
            return status_ok();
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *ret_number = UINT32_MAX;
    return status_ok();
}

static status part_find(const struct source *source, struct arena *arena, size_t field, bytes term,
                        struct list *ret_list)
{
    const struct part *part = part_of(source);
    struct part_term entry;
    uint32_t number = 0;

    if (field >= part->footer.n_fields) {
        return status_ok();
    }
    TRY(find_term(part, arena, field, term, &number, &entry));
    if (number != UINT32_MAX) {
        *ret_list = (struct list){
            .number = number,
            .n_docs = entry.n_docs,
            .offset = entry.list,
        };
    }
    return status_ok();
}

static status part_id(const struct source *source, struct arena *arena, uint32_t doc, bytes *ret_id)
{
    const struct part *part = part_of(source);
    const uint8_t *at = NULL;

    TRY(part_look(part, arena, part->footer.id_offsets + (uint64_t)doc * 4, 8, &at));
    uint32_t start = load_u32(at);
    uint32_t end = load_u32(at + 4);
    if (end < start) {
        return part_broken(part, arena, part->footer.id_offsets);
    }
    TRY(part_look(part, arena, part->footer.ids + start, end - start, &at));
    *ret_id = (bytes){ .data = at, .size = end - start };
    return status_ok();
}

/* Reads what the file has at an offset of the part. */
static status read_file(const struct part *part, struct arena *arena, uint64_t offset, size_t size,
                        const uint8_t **ret_data)
{
    uint8_t *data = arena_alloc(arena, size);
    size_t n = 0;

    TRY(file_read_at(part->view.file, arena, part->view.offset + offset, data, size, &n));
    *ret_data = data;
    return n == size ? status_ok() : part_broken(part, arena, offset);
}

/* As part_look(), without touching the map. */
static status look_in_file(const struct part *part, struct arena *arena, uint64_t offset,
                           uint64_t size, const uint8_t **ret_data)
{
    uint64_t end = part->footer.checksums;

    if (offset > end || size > end - offset) {
        return part_broken(part, arena, offset);
    }
    for (uint64_t at = offset / PART_CHECK_BYTES;
         size > 0 && at <= (offset + size - 1) / PART_CHECK_BYTES; at++) {
        bytes block = { .size = block_size(part, at) };
        if (!is_checked(part, at)) {
            TRY(read_file(part, arena, at * PART_CHECK_BYTES, block.size, &block.data));
            TRY(check_block(part, arena, at, block));
        }
    }
    return read_file(part, arena, offset, (size_t)size, ret_data);
}

static status part_stored(const struct source *source, struct arena *arena, uint32_t doc,
                          bytes *ret_stored)
{
    const struct part *part = part_of(source);
    const uint8_t *at = NULL;

    TRY(part_look(part, arena, part->footer.doc_offsets + (uint64_t)doc * 8, 16, &at));
    uint64_t start = load_u64(at);
    uint64_t end = load_u64(at + 8);
    if (end < start) {
        return part_broken(part, arena, part->footer.doc_offsets);
    }
    TRY(look_in_file(part, arena, start, end - start, &at));
    *ret_stored = (bytes){ .data = at, .size = (size_t)(end - start) };
    return status_ok();
}

static status part_find_id(const struct source *source, struct arena *arena, bytes id,
                           uint32_t *ret_doc)
{
    uint32_t low = 0;
    uint32_t high = source->n_docs;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        bytes found;
        TRY(part_id(source, arena, middle, &found));
        int order = bytes_compare(found, id);
        if (order == 0) {
            *ret_doc = middle;
            return status_ok();
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *ret_doc = NO_DOC;
    return status_ok();
}

static status part_lengths(const struct source *source, struct arena *arena, size_t field,
                           const uint16_t **ret_lengths)
{
    const struct part *part = part_of(source);
    const uint8_t *at = NULL;

    if (field < part->footer.n_fields && part->fields[field].lengths != 0) {
        TRY(part_look(part, arena, part->fields[field].lengths, (uint64_t)source->n_docs * 2, &at));
    }
    *ret_lengths = (const void *)at;
    return status_ok();
}

static status part_numbers(const struct source *source, struct arena *arena, size_t field,
                           const double **ret_numbers)
{
    const struct part *part = part_of(source);
    struct list list = { .n_docs = 0 };
    const uint8_t *at = NULL;

    if (field < part->footer.n_fields && part->fields[field].numbers != 0) {
        TRY(part_find(source, arena, field, (bytes){ 0 }, &list));
        TRY(part_look(part, arena, part->fields[field].numbers, (uint64_t)list.n_docs * 8, &at));
    }
    *ret_numbers = (const void *)at;
    return status_ok();
}

static void part_free(struct source *source)
{
    free(source);
}

static const struct source_ops part_ops = {
    .find = part_find,
    .open = part_cursor_open,
    .skip = part_cursor_skip,
    .decode = part_cursor_decode,
    .find_starts = part_cursor_find_starts,
    .lengths = part_lengths,
    .numbers = part_numbers,
    .id = part_id,
    .stored = part_stored,
    .find_id = part_find_id,
    .free = part_free,
};

/* ---- Opening ---- */

static size_t n_checks(uint64_t size)
{
    return (size_t)((size + PART_CHECK_BYTES - 1) / PART_CHECK_BYTES);
}

static bool is_table(const struct part_footer *footer, uint64_t offset, uint64_t n, uint64_t size)
{
    return offset % 8 == 0 && offset <= footer->checksums &&
           n <= (footer->checksums - offset) / size;
}

/* Whether the tables lie within the part. */
static bool is_sound(const struct part_footer *footer, uint64_t size)
{
    return footer->checksums <= size - sizeof *footer && footer->n_docs > 0 &&
           footer->n_docs <= MAX_PART_DOCS && footer->n_terms < UINT32_MAX &&
           footer->n_fields <= MAX_FIELDS &&
           n_checks(footer->checksums) * 4 == size - sizeof *footer - footer->checksums &&
           is_table(footer, footer->doc_offsets, (uint64_t)footer->n_docs + 1, 8) &&
           is_table(footer, footer->id_offsets, (uint64_t)footer->n_docs + 1, 4) &&
           is_table(footer, footer->terms, (uint64_t)footer->n_terms + 1,
                    sizeof(struct part_term)) &&
           is_table(footer, footer->fields, footer->n_fields, sizeof(struct part_field));
}

static status read_footer(struct arena *arena, bytes data, const char *name,
                          struct part_footer *ret_footer)
{
    struct part_footer footer;
    status wrong = status_error(arena, STATUS_DATA_LOSS, "segment '%s' has a broken part", name);

    if (data.size < sizeof footer || (uintptr_t)data.data % 8 != 0) {
        return wrong;
    }
    memcpy(&footer, data.data + data.size - sizeof footer, sizeof footer);
    if (footer.magic == PART_MAGIC && footer.version > PART_VERSION) {
        return status_error(arena, STATUS_FAILED_PRECONDITION,
                            "segment '%s' has format %u, which a newer program wrote; this one "
                            "reads %d",
                            name, footer.version, PART_VERSION);
    }
    if (footer.magic != PART_MAGIC || footer.version != PART_VERSION ||
        !is_sound(&footer, data.size)) {
        return wrong;
    }
    bytes covered = { data.data + footer.checksums,
                      data.size - (size_t)footer.checksums - sizeof footer.crc };
    if (crc32c(covered) != footer.crc) {
        return wrong;
    }
    *ret_footer = footer;
    return status_ok();
}

static bool is_field(const struct part_footer *footer, const struct part_field *field)
{
    return field->first_term <= field->end_term && field->end_term <= footer->n_terms &&
           is_table(footer, field->lengths, 0, 1) && is_table(footer, field->numbers, 0, 1);
}

static status read_fields(struct part *part, struct arena *arena)
{
    const uint8_t *at = NULL;
    size_t size = part->footer.n_fields * sizeof part->fields[0];

    TRY(part_look(part, arena, part->footer.fields, size, &at));
    memcpy(part->fields, at, size);
    for (size_t i = 0; i < part->footer.n_fields; i++) {
        if (!is_field(&part->footer, &part->fields[i])) {
            return part_broken(part, arena, part->footer.fields);
        }
        part->source.lengths[i] = part->fields[i].n_words;
    }
    return status_ok();
}

status part_open(struct arena *arena, const struct extent_view *view, struct source **ret_part)
{
    struct part_footer footer;

    TRY(read_footer(arena, view->data, view->name, &footer));
    struct part *part = calloc(1, sizeof *part + bitmap_words_for(n_checks(footer.checksums)) * 8);
    if (part == NULL) {
        abort();
    }
    part->source.ops = &part_ops;
    part->source.n_docs = footer.n_docs;
    part->source.n_lists = footer.n_terms;
    part->source.is_sorted = true;
    part->view = *view;
    part->footer = footer;
    status s = read_fields(part, arena);
    if (!status_is_ok(s)) {
        source_free(&part->source);
        return s;
    }
    *ret_part = &part->source;
    return status_ok();
}

/* ---- For merges ---- */

void part_terms(const struct source *part, size_t field, uint32_t *ret_first, uint32_t *ret_end)
{
    bool has = field < part_of(part)->footer.n_fields;

    *ret_first = has ? part_of(part)->fields[field].first_term : 0;
    *ret_end = has ? part_of(part)->fields[field].end_term : 0;
}

status part_list(const struct source *part, struct arena *arena, uint32_t number,
                 struct part_list *ret_list)
{
    struct part_term entry;

    TRY(read_term(part_of(part), arena, number, &entry, &ret_list->term));
    ret_list->list = (struct list){
        .number = number,
        .n_docs = entry.n_docs,
        .offset = entry.list,
    };
    return status_ok();
}
