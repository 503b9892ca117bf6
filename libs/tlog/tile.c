#include "libs/tlog/tile.h"

#include "libs/tlog/lines.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

/* ---- Paths ---- */

/* "x001/x234/067": groups of three digits, all but the last after an x. */
static const char *number_path(struct arena *arena, uint64_t n)
{
    const char *path = arena_printf(arena, "%03" PRIu64, n % 1000);

    for (n /= 1000; n > 0; n /= 1000) {
        path = arena_printf(arena, "x%03" PRIu64 "/%s", n % 1000, path);
    }
    return path;
}

const char *tile_full_path(struct arena *arena, const struct tile *tile)
{
    const char *number = number_path(arena, tile->n);

    if (tile->level == TILE_ENTRIES) {
        return arena_printf(arena, "tile/entries/%s", number);
    }
    return arena_printf(arena, "tile/%d/%s", tile->level, number);
}

const char *tile_path(struct arena *arena, const struct tile *tile)
{
    const char *full = tile_full_path(arena, tile);

    return tile->width == TILE_WIDTH ? full : arena_printf(arena, "%s.p/%u", full, tile->width);
}

/* Takes what stands before the next slash, and the slash, off path. */
static bytes next_part(bytes *path)
{
    const uint8_t *slash = path->size > 0 ? memchr(path->data, '/', path->size) : NULL;
    bytes part = *path;

    if (slash == NULL) {
        *path = (bytes){ 0 };
        return part;
    }
    part.size = (size_t)(slash - path->data);
    *path = (bytes){ .data = slash + 1, .size = path->size - part.size - 1 };
    return part;
}

/* Three digits behind those of n. */
static bool add_group(bytes digits, uint64_t *n)
{
    uint64_t group = 0;

    if (digits.size != 3) {
        return false;
    }
    for (size_t i = 0; i < 3; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9') {
            return false;
        }
        group = group * 10 + digits.data[i] - '0';
    }
    if (*n > ((uint64_t)INT64_MAX - group) / 1000) {
        return false;
    }
    *n = *n * 1000 + group;
    return true;
}

static bool parse_level(bytes part, int *ret_level)
{
    uint64_t level = 0;

    if (part.size == 7 && memcmp(part.data, "entries", 7) == 0) {
        *ret_level = TILE_ENTRIES;
        return true;
    }
    if (!line_number(part, &level) || level > TILE_MAX_LEVEL) {
        return false;
    }
    *ret_level = (int)level;
    return true;
}

/* The groups of the number; *ret_partial: a width follows. */
static bool parse_number(bytes *path, uint64_t *ret_n, bool *ret_partial)
{
    bytes part = next_part(path);
    bool first = true;

    *ret_n = 0;
    while (part.size == 4 && part.data[0] == 'x') {
        if (!add_group((bytes){ part.data + 1, 3 }, ret_n) || (first && *ret_n == 0)) {
            return false; /* a first group of zeros would be another name for the same tile */
        }
        first = false;
        part = next_part(path);
    }
    *ret_partial = part.size == 5 && memcmp(part.data + 3, ".p", 2) == 0;
    if (*ret_partial) {
        part.size = 3;
    }
    return add_group(part, ret_n);
}

bool tile_parse_path(bytes path, struct tile *ret_tile)
{
    struct tile tile = { .width = TILE_WIDTH };
    uint64_t width = 0;
    bool partial = false;

    if (!line_skip(&path, "tile/") || !parse_level(next_part(&path), &tile.level) ||
        !parse_number(&path, &tile.n, &partial)) {
        return false;
    }
    if (partial) {
        if (!line_number(path, &width) || width == 0 || width >= TILE_WIDTH) {
            return false;
        }
        tile.width = (unsigned)width;
    } else if (path.data != NULL) {
        return false; /* something behind the number, if only a slash */
    }
    *ret_tile = tile;
    return true;
}

/* ---- Sizes ---- */

uint64_t tile_level_size(uint64_t size, int level)
{
    unsigned shift = level == TILE_ENTRIES ? 0 : (unsigned)level * TILE_HEIGHT;

    return shift > 63 ? 0 : size >> shift;
}

unsigned tile_width(uint64_t size, int level, uint64_t n)
{
    uint64_t hashes = tile_level_size(size, level);

    if (n < hashes >> TILE_HEIGHT) {
        return TILE_WIDTH;
    }
    return n == hashes >> TILE_HEIGHT ? (unsigned)(hashes % TILE_WIDTH) : 0;
}

/* ---- Entry bundles ---- */

void bundle_add(struct text *bundle, bytes entry)
{
    assert(entry.size <= TILE_MAX_ENTRY_BYTES);
    const uint8_t size[2] = { (uint8_t)(entry.size >> 8), (uint8_t)entry.size };
    text_add_bytes(bundle, (bytes){ size, sizeof size });
    text_add_bytes(bundle, entry);
}

bool bundle_next(bytes *bundle, bytes *ret_entry)
{
    if (bundle->size < 2) {
        return false;
    }
    size_t size = (size_t)bundle->data[0] << 8 | bundle->data[1];
    if (bundle->size < 2 + size) {
        return false;
    }
    *ret_entry = (bytes){ .data = bundle->data + 2, .size = size };
    *bundle = (bytes){ .data = bundle->data + 2 + size, .size = bundle->size - 2 - size };
    return true;
}
