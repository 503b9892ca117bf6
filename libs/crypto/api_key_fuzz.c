#include "libs/crypto/api_key.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was taken has its parts where the format says, so that a log may show the id. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct api_key key;

    if (status_is_ok(api_key_parse(arena, (bytes){ data, size }, &key))) {
        const char *start = arena_printf(arena, "weft_%s_%s_", key.purpose, key.id);
        assert(size <= API_KEY_MAX_BYTES && strlen(key.id) == API_KEY_ID_CHARS);
        assert(memcmp(data, start, strlen(start)) == 0);
        assert(size == strlen(start) + API_KEY_SECRET_CHARS + API_KEY_CHECKSUM_CHARS);
    }
    arena_free(arena);
    return 0;
}
