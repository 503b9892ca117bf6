#include "libs/base/crc32c.h"
#include "services/search/pack.h"
#include "services/search/part.h"

#include <stdlib.h>
#include <string.h>

void part_write_dead(const struct source *part, struct segment_writer *segment,
                     struct extent *ret_extent)
{
    const struct dead_docs *dead = &part->dead;
    struct arena *arena = arena_new();
    struct text out = text_new(arena);

    pack_u32(&out, part->n_docs);
    pack_u32(&out, dead->n_docs);
    text_add_bytes(&out, (bytes){ (const uint8_t *)dead->docs.words,
                                  bitmap_words_for(part->n_docs) * sizeof(uint64_t) });
    text_add_bytes(&out, (bytes){ (const uint8_t *)dead->lengths, sizeof dead->lengths });
    for (uint32_t i = 0; i < part->n_lists; i++) {
        pack_varint(&out, dead->lists[i]);
    }
    pack_u32(&out, crc32c(text_bytes(&out)));
    segment_writer_align(segment);
    *ret_extent = (struct extent){ .offset = segment->offset, .size = out.size };
    segment_writer_add(segment, text_bytes(&out));
    arena_free(arena);
}

static bool read_dead(struct source *part, bytes data)
{
    struct dead_docs *dead = &part->dead;
    struct unpack in = unpack_of(data);
    uint32_t n_docs = unpack_u32(&in);
    uint32_t n_dead = unpack_u32(&in);
    bytes docs = unpack_bytes(&in, bitmap_words_for(part->n_docs) * sizeof(uint64_t));
    bytes lengths = unpack_bytes(&in, sizeof dead->lengths);

    if (in.failed || n_docs != part->n_docs) {
        return false;
    }
    bitmap_reserve(&dead->docs, part->n_docs);
    memcpy(dead->docs.words, docs.data, docs.size);
    memcpy(dead->lengths, lengths.data, lengths.size);
    dead->n_docs = n_dead;
    dead->lists = calloc(part->n_lists + 1, sizeof *dead->lists);
    if (dead->lists == NULL) {
        abort();
    }
    dead->n_lists = part->n_lists;
    for (uint32_t i = 0; i < part->n_lists; i++) {
        dead->lists[i] = (uint32_t)unpack_varint(&in);
    }
    return !in.failed && unpack_left(&in) == 0 && n_dead == bitmap_count(&dead->docs) &&
           n_dead <= n_docs;
}

status part_read_dead(struct source *part, struct arena *arena, const struct extent_view *view)
{
    bytes data = view->data;

    if (data.size < 4 ||
        crc32c((bytes){ data.data, data.size - 4 }) != load_u32(data.data + data.size - 4) ||
        !read_dead(part, (bytes){ data.data, data.size - 4 })) {
        return status_error(arena, STATUS_DATA_LOSS,
                            "segment '%s' has a broken list of dead documents", view->name);
    }
    return status_ok();
}
