#include "services/search/part_writer.h"

#include "libs/base/crc32c.h"
#include "services/search/pack.h"
#include "services/search/search_analyzer.h"

#include <stdlib.h>
#include <string.h>

/* ---- Bytes that grow ---- */

static void grow_add(struct growing *growing, bytes data)
{
    if (growing->capacity - growing->size < data.size) {
        size_t capacity = growing->capacity * 2 + data.size + 64;
        uint8_t *larger = realloc(growing->data, capacity);
        if (larger == NULL) {
            abort();
        }
        growing->data = larger;
        growing->capacity = capacity;
    }
    if (data.size > 0) {
        memcpy(growing->data + growing->size, data.data, data.size);
    }
    growing->size += data.size;
}

static void grow_add_u32(struct growing *growing, uint32_t value)
{
    grow_add(growing, (bytes){ .data = (const uint8_t *)&value, .size = sizeof value });
}

static void grow_add_u64(struct growing *growing, uint64_t value)
{
    grow_add(growing, (bytes){ .data = (const uint8_t *)&value, .size = sizeof value });
}

static bytes grown_bytes(const struct growing *growing)
{
    return (bytes){ .data = growing->data, .size = growing->size };
}

/* ---- Into the segment ---- */

static uint64_t offset_of(const struct part_writer *self)
{
    return self->segment->offset - self->start;
}

static void end_check_block(struct part_writer *self)
{
    grow_add_u32(&self->checksums, self->crc);
    self->crc = 0;
    self->n_checked = 0;
}

static void write(struct part_writer *self, bytes data)
{
    segment_writer_add(self->segment, data);
    while (data.size > 0) {
        size_t room = PART_CHECK_BYTES - self->n_checked;
        size_t n = data.size < room ? data.size : room;
        self->crc = crc32c_add(self->crc, (bytes){ data.data, n });
        self->n_checked += n;
        data.data += n;
        data.size -= n;
        if (self->n_checked == PART_CHECK_BYTES) {
            end_check_block(self);
        }
    }
}

/* Writes a table at a multiple of 8 and returns its offset. */
static uint64_t write_table(struct part_writer *self, const void *data, size_t size)
{
    static const uint8_t zeros[8] = { 0 };

    write(self, (bytes){ .data = zeros, .size = (8 - offset_of(self) % 8) % 8 });
    uint64_t offset = offset_of(self);
    write(self, (bytes){ .data = data, .size = size });
    return offset;
}

void part_writer_init(struct part_writer *self, struct segment_writer *segment)
{
    segment_writer_align(segment);
    *self = (struct part_writer){ .segment = segment, .start = segment->offset };
}

void part_writer_reset(struct part_writer *self)
{
    free(self->checksums.data);
    free(self->doc_offsets.data);
    free(self->ids.data);
    free(self->id_offsets.data);
    free(self->terms.data);
    free(self->term_text.data);
    free(self->list.data);
    free(self->blocks.data);
    free(self->positions.data);
}

/* ---- Documents and fields ---- */

void part_writer_document(struct part_writer *self, bytes id, bytes stored)
{
    grow_add_u64(&self->doc_offsets, offset_of(self));
    grow_add_u32(&self->id_offsets, (uint32_t)self->ids.size);
    grow_add(&self->ids, id);
    write(self, stored);
    self->docs_end = offset_of(self);
    self->n_docs++;
}

void part_writer_begin_field(struct part_writer *self, const uint16_t *lengths, uint64_t n_words)
{
    struct part_field *field = &self->fields[self->n_fields++];

    field->first_term = self->n_terms;
    field->end_term = self->n_terms;
    field->n_words = n_words;
    self->lengths = lengths;
    if (lengths != NULL) {
        field->lengths = write_table(self, lengths, self->n_docs * sizeof *lengths);
    }
}

void part_writer_numbers(struct part_writer *self, const double *numbers, size_t n)
{
    self->fields[self->n_fields - 1].numbers = write_table(self, numbers, n * sizeof *numbers);
}

/* ---- Lists ---- */

void part_writer_begin_list(struct part_writer *self)
{
    self->list.size = 0;
    self->blocks.size = 0;
    self->positions.size = 0;
    self->block.n = 0;
    self->list_docs = 0;
    self->before = NO_DOC;
}

static struct part_block bounds_of(const struct part_writer *self)
{
    const struct posting_block *block = &self->block;
    struct part_block bounds = {
        .last_doc = block->docs[block->n - 1],
        .offset = (uint32_t)self->list.size,
        .least_length = self->lengths == NULL ? 0 : MAX_COUNT,
    };

    for (uint32_t i = 0; i < block->n; i++) {
        if (block->counts[i] > bounds.most_counts) {
            bounds.most_counts = block->counts[i];
        }
        if (self->lengths != NULL && self->lengths[block->docs[i]] < bounds.least_length) {
            bounds.least_length = self->lengths[block->docs[i]];
        }
    }
    return bounds;
}

static void end_block(struct part_writer *self)
{
    struct part_block bounds = bounds_of(self);
    uint8_t packed[MAX_BLOCK_BYTES];
    size_t size = posting_block_pack(&self->block, self->before, packed);

    grow_add(&self->blocks, (bytes){ .data = (const uint8_t *)&bounds, .size = sizeof bounds });
    grow_add(&self->list, (bytes){ .data = packed, .size = size });
    grow_add(&self->list, grown_bytes(&self->positions));
    self->before = bounds.last_doc;
    self->positions.size = 0;
    self->block.n = 0;
}

void part_writer_posting(struct part_writer *self, const struct posting *posting)
{
    struct posting_block *block = &self->block;

    if (block->n == BLOCK_DOCS) {
        end_block(self);
    }
    block->docs[block->n] = posting->doc;
    block->counts[block->n] = posting->count;
    block->n++;
    self->list_docs++;
    grow_add(&self->positions, posting->positions);
}

/* What stands before the blocks: where they are, or the bounds of the only one. */
static void write_list_head(struct part_writer *self)
{
    struct part_block *blocks = (void *)self->blocks.data;
    size_t n = self->blocks.size / sizeof *blocks;
    uint8_t head[2 * MAX_VARINT_BYTES];

    if (n == 1) {
        size_t size = varint_put(head, blocks[0].most_counts);
        size += varint_put(head + size, blocks[0].least_length);
        write(self, (bytes){ .data = head, .size = size });
        return;
    }
    for (size_t i = 0; i < n; i++) {
        blocks[i].offset += (uint32_t)self->blocks.size;
    }
    write(self, grown_bytes(&self->blocks));
}

void part_writer_end_list(struct part_writer *self, bytes term)
{
    if (self->list_docs == 0) {
        return;
    }
    const struct part_term entry = {
        .list = offset_of(self),
        .text = (uint32_t)self->term_text.size,
        .n_docs = self->list_docs,
    };

    end_block(self);
    write_list_head(self);
    write(self, grown_bytes(&self->list));
    grow_add(&self->terms, (bytes){ .data = (const uint8_t *)&entry, .size = sizeof entry });
    grow_add(&self->term_text, term);
    self->n_terms++;
    self->fields[self->n_fields - 1].end_term = self->n_terms;
}

/* ---- The end ---- */

static void write_footer(struct part_writer *self, struct part_footer *footer)
{
    footer->checksums = offset_of(self);
    if (self->n_checked > 0) {
        end_check_block(self);
    }
    footer->crc = crc32c(grown_bytes(&self->checksums));
    footer->crc = crc32c_add(footer->crc,
                             (bytes){ (const uint8_t *)footer, offsetof(struct part_footer, crc) });
    segment_writer_add(self->segment, grown_bytes(&self->checksums));
    segment_writer_add(self->segment,
                       (bytes){ .data = (const uint8_t *)footer, .size = sizeof *footer });
}

void part_writer_finish(struct part_writer *self, struct extent *ret_extent)
{
    const struct part_term last = { .list = offset_of(self),
                                    .text = (uint32_t)self->term_text.size };
    struct part_footer footer = {
        .n_docs = self->n_docs,
        .n_terms = self->n_terms,
        .n_fields = (uint32_t)self->n_fields,
        .analysis_version = ANALYSIS_VERSION,
        .version = PART_VERSION,
        .magic = PART_MAGIC,
    };

    grow_add(&self->terms, (bytes){ .data = (const uint8_t *)&last, .size = sizeof last });
    footer.ids = write_table(self, self->ids.data, self->ids.size);
    grow_add_u32(&self->id_offsets, (uint32_t)self->ids.size);
    footer.id_offsets = write_table(self, self->id_offsets.data, self->id_offsets.size);
    grow_add_u64(&self->doc_offsets, self->docs_end);
    footer.doc_offsets = write_table(self, self->doc_offsets.data, self->doc_offsets.size);
    footer.terms = write_table(self, self->terms.data, self->terms.size);
    footer.term_text = write_table(self, self->term_text.data, self->term_text.size);
    footer.fields = write_table(self, self->fields, self->n_fields * sizeof self->fields[0]);
    write_footer(self, &footer);
    *ret_extent = (struct extent){
        .offset = self->start,
        .size = self->segment->offset - self->start,
    };
}
