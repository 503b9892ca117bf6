#include "libs/tlog/test_log.h"

#include "libs/base/text.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/seeded_random.h"
#include "libs/tlog/checkpoint.h"
#include "libs/tlog/tile_edge.h"

#include <inttypes.h>
#include <string.h>

bytes test_log_entry(struct arena *arena, uint64_t i)
{
    return bytes_of(arena_printf(arena, "entry %" PRIu64 "%.*s", i, (int)(i % 5), "!!!!!"));
}

static void write_file(struct files *files, struct arena *arena, const char *name, bytes data)
{
    const char *slash = strrchr(name, '/');

    if (slash != NULL) {
        const char *folder = arena_printf(arena, "%.*s", (int)(slash - name), name);
        assert_status(files_make_folder(files, arena, folder), STATUS_OK);
    }
    assert_status(files_replace(files, arena, name, data), STATUS_OK);
}

struct file_sink {
    struct tile_sink sink;
    struct files *files;
};

static status write_hashes(struct tile_sink *sink, struct arena *arena, const struct tile *tile,
                           const struct sha256 *hashes)
{
    const struct file_sink *self = (const struct file_sink *)sink;

    write_file(self->files, arena, tile_path(arena, tile),
               (bytes){ hashes[0].data, tile->width * sizeof *hashes });
    return status_ok();
}

static void write_bundle(struct files *files, struct arena *arena, const struct tile *tile)
{
    struct text bundle = text_new(arena);

    for (unsigned i = 0; i < tile->width; i++) {
        bundle_add(&bundle, test_log_entry(arena, tile->n * TILE_WIDTH + i));
    }
    write_file(files, arena, tile_path(arena, tile), text_bytes(&bundle));
}

static void write_partials(struct file_sink *sink, struct arena *arena,
                           const struct tile_edge *edge)
{
    for (int level = 0; level < TILE_LEVELS; level++) {
        uint64_t n = tile_level_size(edge->size, level) >> TILE_HEIGHT;
        const struct tile tile = { level, n, tile_width(edge->size, level, n) };
        if (tile.width > 0) {
            (void)write_hashes(&sink->sink, arena, &tile, edge->hashes[level]);
        }
    }
    const struct tile bundle = { TILE_ENTRIES, edge->size / TILE_WIDTH, edge->size % TILE_WIDTH };
    if (bundle.width > 0) {
        write_bundle(sink->files, arena, &bundle);
    }
}

void test_log_write(struct test_log *self, struct arena *arena, struct files *files,
                    const uint64_t *sizes, size_t n_sizes)
{
    struct tile_edge *edge = ARENA_NEW(arena, struct tile_edge);
    struct file_sink sink = { .sink = { .full = write_hashes }, .files = files };
    struct seeded_random random;

    seeded_random_init(&random, 1);
    assert_status(note_signer_generate(arena, &random.source, "log.example/test", &self->signer),
                  STATUS_OK);
    self->verifier = note_signer_verifier(&self->signer);
    self->checkpoints = ARENA_NEW_ARRAY(arena, bytes, n_sizes);
    tile_edge_init(edge);
    for (size_t i = 0; i < n_sizes; i++) {
        while (edge->size < sizes[i]) {
            struct sha256 leaf = merkle_leaf_hash(test_log_entry(arena, edge->size));
            assert_status(tile_edge_add(edge, arena, &leaf, &sink.sink), STATUS_OK);
            if (edge->size % TILE_WIDTH == 0) {
                const struct tile bundle = { TILE_ENTRIES, edge->size / TILE_WIDTH - 1,
                                             TILE_WIDTH };
                write_bundle(files, arena, &bundle);
            }
        }
        write_partials(&sink, arena, edge);
        const struct merkle_tree tree = { .size = edge->size, .root = tile_edge_root(edge) };
        assert_status(checkpoint_sign(arena, &tree, &self->signer, &self->checkpoints[i]),
                      STATUS_OK);
        write_file(files, arena, "checkpoint", self->checkpoints[i]);
    }
}
