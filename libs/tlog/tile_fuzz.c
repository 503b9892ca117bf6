/* Each tile has one path; and a bundle is no more than the entries that come out of it. */

#include "libs/tlog/tile.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct text again = text_new(arena);
    struct tile tile;
    bytes entry;

    if (tile_parse_path((bytes){ data, size }, &tile)) {
        const char *path = tile_path(arena, &tile);
        assert(strlen(path) == size && memcmp(path, data, size) == 0);
    }
    for (bytes rest = { data, size }; bundle_next(&rest, &entry);) {
        bundle_add(&again, entry);
        assert(again.size + rest.size == size);
    }
    assert(again.size == 0 || memcmp(again.data, data, again.size) == 0);
    arena_free(arena);
    return 0;
}
