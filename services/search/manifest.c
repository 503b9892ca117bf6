#include "services/search/manifest.h"

#include "libs/base/crc32c.h"
#include "services/search/pack.h"

enum {
    MANIFEST_VERSION = 1,
    MAX_MANIFEST_BYTES = 256 * 1024 * 1024, /* a million collections */
    LEAST_PART_BYTES = 8,                   /* eight numbers, a byte at least for each */
    LEAST_COLLECTION_BYTES = 8,
};

static const uint32_t manifest_magic = 0x4e414d57; /* "WMAN" */

static void pack_extent(struct text *out, const struct extent *extent)
{
    pack_varint(out, extent->segment);
    pack_varint(out, extent->offset);
    pack_varint(out, extent->size);
}

static void pack_collection(struct text *out, const struct manifest_collection *collection)
{
    pack_string(out, collection->key);
    search_schema_pack(&collection->schema, out);
    pack_u64(out, (uint64_t)collection->create_time_ms);
    pack_varint(out, collection->revision);
    pack_varint(out, collection->n_parts);
    for (size_t i = 0; i < collection->n_parts; i++) {
        const struct manifest_part *part = &collection->parts[i];
        pack_extent(out, &part->part);
        pack_extent(out, &part->dead);
        pack_varint(out, part->n_docs);
        pack_varint(out, part->n_dead);
    }
}

bytes manifest_encode(const struct manifest *manifest, struct arena *arena)
{
    struct text out = text_new(arena);

    pack_u32(&out, manifest_magic);
    pack_u32(&out, MANIFEST_VERSION);
    pack_u64(&out, manifest->flushed);
    pack_u64(&out, manifest->next_segment);
    pack_varint(&out, manifest->n_collections);
    for (size_t i = 0; i < manifest->n_collections; i++) {
        pack_collection(&out, &manifest->collections[i]);
    }
    pack_u32(&out, crc32c(text_bytes(&out)));
    return text_bytes(&out);
}

/* How many of at least so many bytes; a number that cannot be fails. */
static size_t unpack_count(struct unpack *in, size_t least_bytes)
{
    uint64_t n = unpack_varint(in);

    in->failed |= n > unpack_left(in) / least_bytes;
    return in->failed ? 0 : (size_t)n;
}

static struct extent unpack_extent(struct unpack *in)
{
    struct extent extent;

    extent.segment = unpack_varint(in);
    extent.offset = unpack_varint(in);
    extent.size = unpack_varint(in);
    return extent;
}

static void unpack_collection(struct unpack *in, struct arena *arena,
                              struct manifest_collection *collection)
{
    collection->key = unpack_string(in);
    search_schema_unpack(in, arena, &collection->schema);
    collection->create_time_ms = (int64_t)unpack_u64(in);
    collection->revision = unpack_varint(in);
    collection->n_parts = unpack_count(in, LEAST_PART_BYTES);
    collection->parts = ARENA_NEW_ARRAY(arena, struct manifest_part, collection->n_parts);
    for (size_t i = 0; i < collection->n_parts; i++) {
        struct manifest_part *part = &collection->parts[i];
        part->part = unpack_extent(in);
        part->dead = unpack_extent(in);
        part->n_docs = (uint32_t)unpack_varint(in);
        part->n_dead = (uint32_t)unpack_varint(in);
    }
}

status manifest_decode(bytes data, struct arena *arena, struct manifest *ret_manifest)
{
    status wrong = status_error(arena, STATUS_DATA_LOSS, "'" MANIFEST_NAME "' is broken");
    struct manifest manifest;

    if (data.size < 8 ||
        crc32c((bytes){ data.data, data.size - 4 }) != load_u32(data.data + data.size - 4)) {
        return wrong;
    }
    struct unpack in = unpack_of((bytes){ data.data, data.size - 4 });
    uint32_t magic = unpack_u32(&in);
    uint32_t version = unpack_u32(&in);
    if (magic == manifest_magic && version > MANIFEST_VERSION) {
        return status_error(arena, STATUS_FAILED_PRECONDITION,
                            "'" MANIFEST_NAME "' has format %u, which a newer program wrote; "
                            "this one reads %d",
                            version, MANIFEST_VERSION);
    }
    manifest.flushed = unpack_u64(&in);
    manifest.next_segment = unpack_u64(&in);
    manifest.n_collections = unpack_count(&in, LEAST_COLLECTION_BYTES);
    manifest.collections =
        ARENA_NEW_ARRAY(arena, struct manifest_collection, manifest.n_collections);
    for (size_t i = 0; i < manifest.n_collections && !in.failed; i++) {
        unpack_collection(&in, arena, &manifest.collections[i]);
    }
    if (in.failed || magic != manifest_magic || unpack_left(&in) > 0) {
        return wrong;
    }
    *ret_manifest = manifest;
    return status_ok();
}

status manifest_read(struct files *files, struct arena *arena, struct manifest *ret_manifest)
{
    bytes data;
    status s = files_read(files, arena, MANIFEST_NAME, MAX_MANIFEST_BYTES, &data);

    if (s.code == STATUS_NOT_FOUND) {
        *ret_manifest = (struct manifest){ .next_segment = 1 };
        return status_ok();
    }
    TRY(s);
    return manifest_decode(data, arena, ret_manifest);
}

status manifest_write(struct files *files, struct arena *arena, const struct manifest *manifest)
{
    return files_replace(files, arena, MANIFEST_NAME, manifest_encode(manifest, arena));
}
