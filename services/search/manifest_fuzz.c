#include "libs/base/crc32c.h"
#include "services/search/manifest.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What can be read can be written, and read again. */
static void check(bytes data)
{
    struct arena *arena = arena_new();
    struct manifest manifest;
    struct manifest again;

    if (status_is_ok(manifest_decode(data, arena, &manifest))) {
        assert(status_is_ok(manifest_decode(manifest_encode(&manifest, arena), arena, &again)));
        assert(again.n_collections == manifest.n_collections);
    }
    arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size + 4);

    if (copy == NULL) {
        abort();
    }
    memcpy(copy, data, size);
    check((bytes){ .data = copy, .size = size });
    uint32_t crc = crc32c((bytes){ .data = copy, .size = size }); /* and with a good checksum */
    memcpy(copy + size, &crc, sizeof crc);
    check((bytes){ .data = copy, .size = size + 4 });
    free(copy);
    return 0;
}
