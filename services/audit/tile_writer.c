#include "services/audit/tile_writer.h"

#include "libs/base/text.h"
#include "libs/tlog/lines.h"
#include "libs/tlog/merkle.h"
#include "libs/tlog/tile_reader.h"

#include <assert.h>
#include <string.h>

enum {
    /* Full bundles and tiles of level 0, full tiles above, and two partial ones a level. */
    MAX_FILES = 2 * (TILE_WRITER_MAX_LEAVES / TILE_WIDTH + 1) + 4 * TILE_LEVELS,
};

struct writer {
    struct tile_sink sink;
    struct files *files;
    struct file *open[MAX_FILES]; /* written, not synced */
    size_t n_open;
    const char *folders[MAX_FILES]; /* with new names in them, not synced */
    size_t n_folders;
};

/* ---- Files ---- */

static const char *folder_of(struct arena *arena, const char *name)
{
    return arena_printf(arena, "%.*s", (int)(strrchr(name, '/') - name), name);
}

static status need_folder(struct writer *self, struct arena *arena, const char *folder)
{
    for (size_t i = 0; i < self->n_folders; i++) {
        if (strcmp(self->folders[i], folder) == 0) {
            return status_ok();
        }
    }
    TRY(files_make_folder(self->files, arena, folder));
    self->folders[self->n_folders++] = folder;
    return status_ok();
}

static status write_tile(struct writer *self, struct arena *arena, const struct tile *tile,
                         bytes data)
{
    const char *name = tile_path(arena, tile);
    struct file *file = NULL;

    assert(self->n_open < MAX_FILES);
    TRY(need_folder(self, arena, folder_of(arena, name)));
    TRY(files_remove(self->files, arena, name)); /* left of an attempt that failed */
    TRY(files_open(self->files, arena, name, FILES_WRITE, &file));
    self->open[self->n_open++] = file;
    return file_write_at(file, arena, 0, data);
}

static status sync_all(struct writer *self, struct arena *arena)
{
    for (size_t i = 0; i < self->n_open; i++) {
        TRY(file_sync(self->open[i], arena));
    }
    for (size_t i = 0; i < self->n_folders; i++) {
        TRY(files_sync_folder(self->files, arena, self->folders[i]));
    }
    return status_ok();
}

/* ---- Tiles ---- */

static status write_full(struct tile_sink *sink, struct arena *arena, const struct tile *tile,
                         const struct sha256 *hashes)
{
    return write_tile((struct writer *)sink, arena, tile,
                      (bytes){ hashes[0].data, TILE_WIDTH * sizeof *hashes });
}

/* The partial tile of a level, when it is another than at the old size. */
static bool partial_tile(uint64_t old_size, uint64_t size, int level, struct tile *ret_tile)
{
    uint64_t n_hashes = tile_level_size(size, level);

    *ret_tile = (struct tile){ level, n_hashes / TILE_WIDTH, (unsigned)(n_hashes % TILE_WIDTH) };
    return ret_tile->width > 0 && n_hashes != tile_level_size(old_size, level);
}

static status write_partials(struct writer *self, struct arena *arena, const struct tile_edge *edge,
                             uint64_t old_size)
{
    for (int level = 0; level < TILE_LEVELS; level++) {
        struct tile tile;
        if (partial_tile(old_size, edge->size, level, &tile)) {
            TRY(write_tile(
                self, arena, &tile,
                (bytes){ edge->hashes[level][0].data, tile.width * sizeof(struct sha256) }));
        }
    }
    return status_ok();
}

/* Before the first file: a new folder's name and the new names beside it are synced once. */
static status make_folders(struct writer *self, struct arena *arena, uint64_t old_size,
                           uint64_t size)
{
    for (int level = TILE_ENTRIES; level < TILE_LEVELS; level++) {
        struct tile tile;
        if (partial_tile(old_size, size, level, &tile)) {
            TRY(need_folder(self, arena, folder_of(arena, tile_path(arena, &tile))));
        }
    }
    return status_ok();
}

/* ---- What attempts that failed have left ---- */

/* Partial files that are wider than the log was: nobody signed them, and they may be torn.  When
 * the log has grown beyond them, whoever verifies it would take them for its own. */
static status remove_wider(struct writer *self, struct arena *arena, const struct tile *edge)
{
    const char *folder = arena_printf(arena, "%s.p", tile_full_path(arena, edge));
    struct files_names names;
    uint64_t width;

    status s = files_list(self->files, arena, folder, &names);
    if (s.code == STATUS_NOT_FOUND) {
        return status_ok();
    }
    TRY(s);
    for (size_t i = 0; i < names.n_names; i++) {
        if (line_number(bytes_of(names.names[i]), &width) && width > edge->width) {
            TRY(need_folder(self, arena, folder)); /* so that the removal is durable, too */
            TRY(files_remove(self->files, arena,
                             arena_printf(arena, "%s/%s", folder, names.names[i])));
        }
    }
    return status_ok();
}

/* No attempt goes further than a later one. */
static status remove_leftovers(struct writer *self, struct arena *arena, uint64_t old_size,
                               uint64_t size)
{
    for (int level = TILE_ENTRIES; level < TILE_LEVELS; level++) {
        uint64_t first = tile_level_size(old_size, level) / TILE_WIDTH;
        uint64_t last = tile_level_size(size, level) / TILE_WIDTH;
        for (uint64_t n = first; n <= last; n++) {
            const struct tile edge = { level, n, tile_width(old_size, level, n) };
            TRY(remove_wider(self, arena, &edge));
        }
    }
    return status_ok();
}

/* ---- Bundles ---- */

/* The entries of the last bundle, when it is partial: they go into the next file too.  They are
 * checked, for the file they come from will be removed. */
static status begin_bundle(struct files *files, struct arena *arena, const struct tile_edge *edge,
                           struct text *bundle)
{
    struct tile_bundle *last = ARENA_NEW(arena, struct tile_bundle);
    uint64_t n = edge->size / TILE_WIDTH;

    if (edge->size % TILE_WIDTH == 0) {
        return status_ok();
    }
    TRY(tile_read_bundle(files, arena, edge->size, n, last));
    for (unsigned i = 0; i < last->n_entries; i++) {
        struct sha256 hash = merkle_leaf_hash(last->entries[i]);
        if (!sha256_equal(&hash, &edge->hashes[0][i])) {
            const struct tile tile = { TILE_ENTRIES, n, last->n_entries };
            return status_error(arena, STATUS_DATA_LOSS, "%s: entry %u is not as it was written",
                                tile_path(arena, &tile), i);
        }
        bundle_add(bundle, last->entries[i]);
    }
    return status_ok();
}

static status write_bundles(struct writer *self, struct arena *arena, const struct tile_edge *edge,
                            const bytes *leaves, size_t n_leaves)
{
    struct text bundle = text_new(arena);

    TRY(begin_bundle(self->files, arena, edge, &bundle));
    for (size_t i = 0; i < n_leaves; i++) {
        uint64_t index = edge->size + i;
        const struct tile tile = { TILE_ENTRIES, index / TILE_WIDTH,
                                   (unsigned)(index % TILE_WIDTH) + 1 };
        bundle_add(&bundle, leaves[i]);
        if (tile.width == TILE_WIDTH || i + 1 == n_leaves) {
            TRY(write_tile(self, arena, &tile, text_bytes(&bundle)));
            bundle = text_new(arena);
        }
    }
    return status_ok();
}

/* ---- All of it ---- */

static status add(struct writer *self, struct arena *arena, struct tile_edge *edge,
                  const bytes *leaves, size_t n_leaves)
{
    uint64_t old_size = edge->size;

    TRY(remove_leftovers(self, arena, old_size, old_size + n_leaves));
    TRY(make_folders(self, arena, old_size, old_size + n_leaves));
    TRY(write_bundles(self, arena, edge, leaves, n_leaves));
    for (size_t i = 0; i < n_leaves; i++) {
        struct sha256 hash = merkle_leaf_hash(leaves[i]);
        TRY(tile_edge_add(edge, arena, &hash, &self->sink));
    }
    TRY(write_partials(self, arena, edge, old_size));
    return sync_all(self, arena);
}

status tile_writer_add(struct files *files, struct arena *arena, struct tile_edge *edge,
                       const bytes *leaves, size_t n_leaves)
{
    struct writer self = { .sink = { .full = write_full }, .files = files };

    assert(n_leaves <= TILE_WRITER_MAX_LEAVES);
    status s = add(&self, arena, edge, leaves, n_leaves);
    for (size_t i = 0; i < self.n_open; i++) {
        file_close(self.open[i]);
    }
    return s;
}

static void remove_folder(struct files *files, struct arena *arena, const char *folder)
{
    struct files_names names;

    if (!status_is_ok(files_list(files, arena, folder, &names))) {
        return;
    }
    for (size_t i = 0; i < names.n_names; i++) {
        (void)files_remove(files, arena, arena_printf(arena, "%s/%s", folder, names.names[i]));
    }
    (void)files_remove(files, arena, folder);
}

void tile_writer_remove_partials(struct files *files, struct arena *arena, uint64_t old_size,
                                 uint64_t new_size)
{
    for (int level = TILE_ENTRIES; level < TILE_LEVELS; level++) {
        const struct tile tile = { .level = level,
                                   .n = tile_level_size(old_size, level) / TILE_WIDTH };
        if (tile_width(old_size, level, tile.n) > 0 &&
            tile_width(new_size, level, tile.n) == TILE_WIDTH) {
            const char *full = tile_full_path(arena, &tile);
            remove_folder(files, arena, arena_printf(arena, "%s.p", full));
        }
    }
}
