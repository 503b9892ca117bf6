#include "libs/tlog/log_verify.h"

#include "libs/tlog/lines.h"
#include "libs/tlog/tile_edge.h"
#include "libs/tlog/tile_reader.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- What is wrong ---- */

struct faults {
    const char *texts[LOG_VERIFY_MAX_FAULTS];
    size_t n;
};

static void add_fault(struct faults *faults, const char *text)
{
    if (faults->n < LOG_VERIFY_MAX_FAULTS) {
        faults->texts[faults->n++] = text;
    }
}

/* ---- The log as one source tells it ----
 *
 * There are two sources for the leaf hashes: the entries, and the tiles of level 0.  As long as
 * they agree there is one side; where they part, the other goes on from a copy of the first. */
struct side {
    struct tile_sink sink;
    struct tile_edge edge;
    struct faults faults;
    struct sha256 older_root; /* of the edge, when it had the older checkpoint's size */
    struct verifier *verifier;
};

struct verifier {
    const struct log_verify_options *options;
    struct arena *arena;   /* of the report */
    struct arena *scratch; /* emptied for each bundle */
    struct checkpoint checkpoint;
    struct checkpoint older; /* size 0: none */
    struct side *entries;
    struct side *tiles; /* NULL until the two differ */
    uint64_t n_files;
};

/* ---- Comparing files with hashes ---- */

/* What is compared: the hashes that tile should have, in memory. */
struct expected {
    struct tile tile; /* its width is that of the log: files beyond it are not signed yet */
    const struct sha256 *hashes;
};

/* Whose hash it is: "that of entry 3 in tile/entries/000" or "the root of tile/0/003". */
static const char *origin_of_hash(struct arena *arena, const struct tile *tile, unsigned i)
{
    if (tile->level == 0) {
        const struct tile bundle = { TILE_ENTRIES, tile->n, tile->width };
        return arena_printf(arena, "that of entry %u in %s", i, tile_path(arena, &bundle));
    }
    const struct tile child = { tile->level - 1, tile->n * TILE_WIDTH + i, TILE_WIDTH };
    return arena_printf(arena, "the root of %s", tile_path(arena, &child));
}

static void compare_hashes(struct side *side, const struct tile *file, bytes data,
                           const struct expected *expected)
{
    struct arena *arena = side->verifier->arena;
    unsigned width = file->width < expected->tile.width ? file->width : expected->tile.width;

    if (data.size != file->width * sizeof(struct sha256)) {
        add_fault(&side->faults,
                  arena_printf(arena, "%s: has %zu bytes, not %zu", tile_path(arena, file),
                               data.size, file->width * sizeof(struct sha256)));
        return;
    }
    for (unsigned i = 0; i < width; i++) {
        if (memcmp(data.data + i * sizeof(struct sha256), &expected->hashes[i],
                   sizeof(struct sha256)) != 0) {
            add_fault(&side->faults,
                      arena_printf(arena, "%s: hash %u is not %s", tile_path(arena, file), i,
                                   origin_of_hash(arena, file, i)));
        }
    }
}

static void compare_entries(struct side *side, const struct tile *file, bytes data,
                            const struct expected *expected)
{
    struct arena *arena = side->verifier->arena;
    unsigned width = file->width < expected->tile.width ? file->width : expected->tile.width;
    const struct tile leaves = { 0, file->n, file->width };
    struct tile_bundle bundle;

    if (!tile_bundle_parse(data, file->width, &bundle)) {
        add_fault(&side->faults, arena_printf(arena, "%s: is not a bundle of %u entries",
                                              tile_path(arena, file), file->width));
        return;
    }
    for (unsigned i = 0; i < width; i++) {
        struct sha256 hash = merkle_leaf_hash(bundle.entries[i]);
        if (!sha256_equal(&hash, &expected->hashes[i])) {
            add_fault(&side->faults,
                      arena_printf(arena, "%s: entry %u does not hash to the leaf in %s",
                                   tile_path(arena, file), i, tile_path(arena, &leaves)));
        }
    }
}

/* *ret_found: whether there is such a file. */
static status compare_file(struct side *side, const struct tile *file,
                           const struct expected *expected, bool *ret_found)
{
    struct verifier *self = side->verifier;
    const char *name = tile_path(self->scratch, file);
    bytes data;

    status s = files_read(self->options->files, self->scratch, name, TILE_MAX_BUNDLE_BYTES, &data);
    *ret_found = s.code != STATUS_NOT_FOUND;
    if (!*ret_found) {
        return status_ok();
    }
    if (s.code == STATUS_RESOURCE_EXHAUSTED) {
        add_fault(&side->faults, arena_printf(self->arena, "%s: is too long", name));
        return status_ok();
    }
    TRY(s);
    self->n_files++;
    if (file->level == TILE_ENTRIES) {
        compare_entries(side, file, data, expected);
    } else {
        compare_hashes(side, file, data, expected);
    }
    return status_ok();
}

/* The partial files of a tile, as wide as the log is or less wide. */
static status compare_partials(struct side *side, const struct expected *expected,
                               bool *ret_found_width)
{
    struct verifier *self = side->verifier;
    const struct tile *tile = &expected->tile;
    const char *folder = arena_printf(self->scratch, "%s.p", tile_full_path(self->scratch, tile));
    struct files_names names = { 0 };

    *ret_found_width = false;
    status s = files_list(self->options->files, self->scratch, folder, &names);
    if (s.code != STATUS_NOT_FOUND) {
        TRY(s);
    }
    for (size_t i = 0; i < names.n_names; i++) {
        uint64_t width = 0;
        bool found = false;
        if (!line_number(bytes_of(names.names[i]), &width) || width == 0 || width > tile->width) {
            continue; /* beyond what is signed, or none of ours */
        }
        const struct tile file = { tile->level, tile->n, (unsigned)width };
        TRY(compare_file(side, &file, expected, &found));
        *ret_found_width |= found && width == tile->width;
    }
    return status_ok();
}

/* All files that hold this tile, of which one must be there. */
static status compare_tile(struct side *side, const struct expected *expected)
{
    struct verifier *self = side->verifier;
    const struct tile full = { expected->tile.level, expected->tile.n, TILE_WIDTH };
    bool found_full = false;
    bool found_partial = false;

    TRY(compare_file(side, &full, expected, &found_full));
    TRY(compare_partials(side, expected, &found_partial));
    if (!found_full && !found_partial) {
        add_fault(&side->faults, arena_printf(self->arena, "%s: is missing",
                                              tile_path(self->arena, &expected->tile)));
    }
    return status_ok();
}

/* ---- Going through the log ---- */

/* A tile above level 0 is full; those of level 0 are compared where their entries are read. */
static status compare_full(struct tile_sink *sink, struct arena *arena, const struct tile *tile,
                           const struct sha256 *hashes)
{
    const struct expected expected = { .tile = *tile, .hashes = hashes };

    (void)arena;
    return tile->level == 0 ? status_ok() : compare_tile((struct side *)sink, &expected);
}

static status add_leaves(struct side *side, const struct expected *expected)
{
    const struct expected bundle = {
        .tile = { TILE_ENTRIES, expected->tile.n, expected->tile.width },
        .hashes = expected->hashes,
    };

    TRY(compare_tile(side, expected));
    TRY(compare_tile(side, &bundle));
    for (unsigned i = 0; i < expected->tile.width; i++) {
        TRY(tile_edge_add(&side->edge, side->verifier->scratch, &expected->hashes[i], &side->sink));
        if (side->edge.size == side->verifier->older.tree.size) {
            side->older_root = tile_edge_root(&side->edge);
        }
    }
    return status_ok();
}

static struct side *side_new(struct verifier *self)
{
    struct side *side = calloc(1, sizeof *side);

    if (side == NULL) {
        abort();
    }
    side->sink = (struct tile_sink){ .full = compare_full };
    side->verifier = self;
    return side;
}

/* The two sources of one tile's leaf hashes; each NULL when it cannot be read. */
struct leaf_sources {
    const struct sha256 *entries;
    const struct sha256 *tiles;
};

static status read_sources(struct verifier *self, const struct tile *tile,
                           struct leaf_sources *ret_sources)
{
    uint64_t size = self->checkpoint.tree.size;
    struct tile_bundle *bundle = ARENA_NEW(self->scratch, struct tile_bundle);

    *ret_sources = (struct leaf_sources){ 0 };
    status s = tile_read(self->options->files, self->scratch, size, tile, &ret_sources->tiles);
    if (s.code != STATUS_DATA_LOSS) {
        TRY(s);
    }
    s = tile_read_bundle(self->options->files, self->scratch, size, tile->n, bundle);
    if (s.code == STATUS_DATA_LOSS) {
        return status_ok();
    }
    TRY(s);
    struct sha256 *hashes = ARENA_NEW_ARRAY(self->scratch, struct sha256, tile->width);
    for (unsigned i = 0; i < tile->width; i++) {
        hashes[i] = merkle_leaf_hash(bundle->entries[i]);
    }
    ret_sources->entries = hashes;
    return status_ok();
}

/* *ret_readable: the log can be followed behind this tile. */
static status verify_leaves(struct verifier *self, const struct tile *tile, bool *ret_readable)
{
    struct leaf_sources sources;

    TRY(read_sources(self, tile, &sources));
    *ret_readable = sources.entries != NULL || sources.tiles != NULL;
    if (!*ret_readable) {
        add_fault(&self->entries->faults,
                  arena_printf(self->arena, "%s: neither its hashes nor its entries can be read",
                               tile_path(self->arena, tile)));
        return status_ok();
    }
    const struct expected by_entries = {
        .tile = *tile,
        .hashes = sources.entries != NULL ? sources.entries : sources.tiles,
    };
    const struct expected by_tiles = {
        .tile = *tile,
        .hashes = sources.tiles != NULL ? sources.tiles : sources.entries,
    };
    if (self->tiles == NULL &&
        memcmp(by_entries.hashes, by_tiles.hashes, tile->width * sizeof(struct sha256)) != 0) {
        self->tiles = side_new(self);
        *self->tiles = *self->entries;
    }
    TRY(add_leaves(self->entries, &by_entries));
    return self->tiles != NULL ? add_leaves(self->tiles, &by_tiles) : status_ok();
}

/* The partial tiles at the right edge, above level 0. */
static status compare_edge(struct side *side)
{
    for (int level = 1; level < TILE_LEVELS; level++) {
        uint64_t n = tile_level_size(side->edge.size, level) >> TILE_HEIGHT;
        const struct expected expected = {
            .tile = { level, n, tile_width(side->edge.size, level, n) },
            .hashes = side->edge.hashes[level],
        };
        if (expected.tile.width > 0) {
            TRY(compare_tile(side, &expected));
        }
    }
    return status_ok();
}

/* ---- The verdict ---- */

static bool is_signed(const struct verifier *self, const struct side *side)
{
    struct sha256 root = tile_edge_root(&side->edge);

    return side->edge.size == self->checkpoint.tree.size &&
           sha256_equal(&root, &self->checkpoint.tree.root);
}

static void check_older(struct verifier *self, struct side *side)
{
    const struct merkle_tree *older = &self->older.tree;

    if (older->size > self->checkpoint.tree.size) {
        add_fault(&side->faults, arena_printf(self->arena,
                                              "checkpoint: its size %" PRIu64
                                              " is less than an older one's, %" PRIu64,
                                              self->checkpoint.tree.size, older->size));
    } else if (older->size > 0 && !sha256_equal(&side->older_root, &older->root)) {
        add_fault(&side->faults,
                  arena_printf(self->arena,
                               "checkpoint: the log no longer begins with the %" PRIu64
                               " entries of an older one",
                               older->size));
    }
}

/* The side that the signature confirms. */
static struct side *verdict(struct verifier *self)
{
    if (is_signed(self, self->entries)) {
        return self->entries;
    }
    if (self->tiles != NULL && is_signed(self, self->tiles)) {
        return self->tiles;
    }
    for (size_t i = 0; self->tiles != NULL && i < self->tiles->faults.n; i++) {
        add_fault(&self->entries->faults, self->tiles->faults.texts[i]);
    }
    if (self->entries->edge.size == self->checkpoint.tree.size) {
        add_fault(&self->entries->faults,
                  "checkpoint: its root is not that of the entries in tile/entries");
    }
    return self->entries;
}

static status verify_files(struct verifier *self, struct side **ret_side)
{
    uint64_t size = self->checkpoint.tree.size;
    bool readable = true;

    for (uint64_t n = 0; readable && n * TILE_WIDTH < size; n++) {
        const struct tile tile = { 0, n, tile_width(size, 0, n) };
        arena_reset(self->scratch);
        TRY(verify_leaves(self, &tile, &readable));
    }
    if (readable) {
        TRY(compare_edge(self->entries));
        TRY(self->tiles != NULL ? compare_edge(self->tiles) : status_ok());
    }
    *ret_side = verdict(self);
    if (readable) {
        check_older(self, *ret_side);
    }
    return status_ok();
}

/* What is wrong with a checkpoint is a fault; *ret_opened: it can be gone by. */
static status open_checkpoints(struct verifier *self, struct faults *faults, bool *ret_opened)
{
    bytes data;

    *ret_opened = false;
    status s = files_read(self->options->files, self->arena, "checkpoint", NOTE_MAX_BYTES, &data);
    if (s.code == STATUS_UNAVAILABLE) {
        return s;
    }
    if (status_is_ok(s)) {
        s = checkpoint_open(self->arena, data, self->options->verifier, &self->checkpoint);
    }
    if (!status_is_ok(s)) {
        add_fault(faults, arena_printf(self->arena, "checkpoint: %s", s.message));
        return status_ok();
    }
    self->n_files++;
    if (self->options->older.data != NULL) {
        s = checkpoint_open(self->arena, self->options->older, self->options->verifier,
                            &self->older);
        if (!status_is_ok(s)) {
            add_fault(faults, arena_printf(self->arena, "the older checkpoint: %s", s.message));
        }
    }
    *ret_opened = true;
    return status_ok();
}

static status run(struct verifier *self, struct log_report *ret_report)
{
    struct side *side = self->entries;
    bool opened = false;

    TRY(open_checkpoints(self, &self->entries->faults, &opened));
    if (opened) {
        TRY(verify_files(self, &side));
    }
    const char **faults = ARENA_NEW_ARRAY(self->arena, const char *, side->faults.n);
    for (size_t i = 0; i < side->faults.n; i++) {
        faults[i] = side->faults.texts[i];
    }
    *ret_report = (struct log_report){
        .checkpoint = self->checkpoint,
        .faults = faults,
        .n_faults = side->faults.n,
        .n_files = self->n_files,
    };
    return status_ok();
}

status log_verify(const struct log_verify_options *options, struct arena *arena,
                  struct log_report *ret_report)
{
    struct verifier self = { .options = options, .arena = arena, .scratch = arena_new() };

    self.entries = side_new(&self);
    status s = run(&self, ret_report);
    free(self.entries);
    free(self.tiles);
    arena_free(self.scratch);
    return s;
}
